"""What Prometheus is told: numbers of the node as a whole, never of one customer."""

from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from shared.agent_contract import AgentStatus

_BATCH_SECONDS: Final = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


_GAUGES: Final = {
    "users": "Users that the agent holds",
    "enabled_users": "Users who may connect now",
    "connected_users": "Users with an open connection",
    "dummy_users": "Users without owner in Xray's table, until the next hand-over",
    "xray_up": "1 while Xray runs",
    "xray_problem": "1 while Xray does not run, or a stranger shares its port; the status says which",
    "xray_config_refused": "1 while Xray is not started because it refuses its configuration",
    "xray_started_seconds": "When Xray started, since the epoch",
    "save_problem": "1 after traffic, a change or Xray's file could not be saved, until the next that can",
    "host_cpu_percent": "Over all cores, since it was asked for the last time",
    "host_memory_used_bytes": "Memory in use",
    "host_memory_total_bytes": "Memory there is",
    "host_disk_used_bytes": "Disk in use",
    "host_disk_total_bytes": "Disk there is",
    "host_network_received_bytes": "Since boot",
    "host_network_sent_bytes": "Since boot",
}


class Metrics:
    """Counters are counted where things happen; gauges are set from a status when somebody asks."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        # All at once: two who ask at the same time must not both make one.
        self._gauges = {name: self._gauge(name, purpose) for name, purpose in _GAUGES.items()}
        self.restarts = self._counter(
            "xray_restarts", "Times that Xray ended unplanned, did not start, or was given up"
        )
        self.refused = self._counter("xray_refused_configs", "Starts at which Xray refused its configuration")
        self.hand_overs = self._counter("hand_overs", "Times that a fresh Xray took over from the old one")
        self.not_durable = self._counter("changes_not_durable", "Changes answered 503: refused by Xray, or not stored")
        self.traffic = Counter(
            "qentvpn_agent_traffic_bytes", "Bytes carried, as Xray counts them", ["direction"], registry=self._registry
        )
        self.batches = Histogram(
            "qentvpn_agent_batch_seconds",
            "From taking waiting changes to answering them",
            registry=self._registry,
            buckets=_BATCH_SECONDS,
        )

    def page(self, status: AgentStatus, *, enabled: int, dummies: int, refused: bool, unsaved: bool) -> bytes:
        values = {
            "users": status.users,
            "enabled_users": enabled,
            "connected_users": status.connected_users,
            "dummy_users": dummies,
            "xray_up": status.xray.running,
            "xray_problem": status.xray.problem is not None,
            "xray_config_refused": refused,
            "xray_started_seconds": status.xray.started_at or 0,
            "save_problem": unsaved,
            "host_cpu_percent": status.host.cpu_percent,
            "host_memory_used_bytes": status.host.memory_used,
            "host_memory_total_bytes": status.host.memory_total,
            "host_disk_used_bytes": status.host.disk_used,
            "host_disk_total_bytes": status.host.disk_total,
            "host_network_received_bytes": status.host.network_received,
            "host_network_sent_bytes": status.host.network_sent,
        }
        for name, gauge in self._gauges.items():
            gauge.set(values[name])
        return generate_latest(self._registry)

    def _counter(self, name: str, purpose: str) -> Counter:
        return Counter(f"qentvpn_agent_{name}", purpose, registry=self._registry)

    def _gauge(self, name: str, purpose: str) -> Gauge:
        return Gauge(f"qentvpn_agent_{name}", purpose, registry=self._registry)
