"""What Prometheus is told: numbers of the node as a whole, never of one customer."""

from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from shared.agent_contract import AgentStatus

_BATCH_SECONDS: Final = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class Metrics:
    """Counters are counted where things happen; gauges are set from a status when somebody asks."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._gauges: dict[str, Gauge] = {}
        self.restarts = self._counter("xray_restarts", "Times that Xray ended unplanned, or was given up")
        self.refused = self._counter("xray_refused_configs", "Configurations that Xray refused")
        self.hand_overs = self._counter("hand_overs", "Times that a fresh Xray took over from the old one")
        self.not_durable = self._counter("changes_not_durable", "Changes answered 503: not tested, or no room for them")
        self.traffic = Counter(
            "qentvpn_agent_traffic_bytes", "Bytes carried, as booked", ["direction"], registry=self._registry
        )
        self.batches = Histogram(
            "qentvpn_agent_batch_seconds",
            "From taking waiting changes to answering them",
            registry=self._registry,
            buckets=_BATCH_SECONDS,
        )

    def page(self, status: AgentStatus, *, enabled: int, dummies: int, refused: bool) -> bytes:
        host = status.host
        self._set("users", "Users that the agent holds", status.users)
        self._set("enabled_users", "Users who may connect now", enabled)
        self._set("connected_users", "Users with an open connection", status.connected_users)
        self._set("dummy_users", "Users without owner in Xray's table, until the next hand-over", dummies)
        self._set("xray_up", "1 while Xray runs", int(status.xray.running))
        self._set("xray_config_refused", "1 while Xray is not started because it refuses its configuration", refused)
        self._set("xray_started_seconds", "When Xray started, since the epoch", status.xray.started_at or 0)
        self._set("host_cpu_percent", "Over all cores", host.cpu_percent)
        self._set("host_memory_used_bytes", "Memory in use", host.memory_used)
        self._set("host_memory_total_bytes", "Memory there is", host.memory_total)
        self._set("host_disk_used_bytes", "Disk in use", host.disk_used)
        self._set("host_disk_total_bytes", "Disk there is", host.disk_total)
        self._set("host_network_received_bytes", "Since boot", host.network_received)
        self._set("host_network_sent_bytes", "Since boot", host.network_sent)
        return generate_latest(self._registry)

    def _counter(self, name: str, purpose: str) -> Counter:
        return Counter(f"qentvpn_agent_{name}", purpose, registry=self._registry)

    def _set(self, name: str, purpose: str, value: float) -> None:
        if name not in self._gauges:
            self._gauges[name] = Gauge(f"qentvpn_agent_{name}", purpose, registry=self._registry)
        self._gauges[name].set(value)
