"""The machine that the agent runs on."""

import threading
import time
from pathlib import Path
from typing import Final

import psutil

from shared.agent_contract import HostStatus

# Percent of a shorter time say nothing, and would depend on who else asks.
_SHORTEST_SAMPLE: Final = 1.0


class Host:
    """`state`: the directory whose disk must not fill."""

    def __init__(self, state: Path) -> None:
        self._state = state
        self._lock = threading.Lock()
        self._sampled = time.monotonic()
        self._busy, self._total = _processor_seconds()
        # Until there is a sample, the average since boot.
        self._percent = 100 * self._busy / self._total

    def status(self) -> HostStatus:
        memory, disk = psutil.virtual_memory(), psutil.disk_usage(str(self._state))
        # Without loopback, over which the proxy talks to us.
        cards = [card for name, card in psutil.net_io_counters(pernic=True).items() if name != "lo"]
        return HostStatus(
            cpu_percent=self._cpu_percent(),
            memory_used=memory.used,
            memory_total=memory.total,
            disk_used=disk.used,
            disk_total=disk.total,
            network_received=sum(card.bytes_recv for card in cards),
            network_sent=sum(card.bytes_sent for card in cards),
        )

    def _cpu_percent(self) -> float:
        """Since the last sample, whoever asked for it: psutil.cpu_percent() remembers one for each thread."""
        with self._lock:
            if time.monotonic() - self._sampled >= _SHORTEST_SAMPLE:
                busy, total = _processor_seconds()
                if total > self._total:
                    self._percent = min(max(100 * (busy - self._busy) / (total - self._total), 0.0), 100.0)
                self._sampled, self._busy, self._total = time.monotonic(), busy, total
            return self._percent


def _processor_seconds() -> tuple[float, float]:
    """Busy, and all, over all cores since boot."""
    times = psutil.cpu_times()
    # Linux counts guests among users, too.
    total = sum(times) - times.guest - times.guest_nice
    return total - times.idle - times.iowait, total
