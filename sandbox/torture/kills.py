"""SIGKILL, at moments that only the seed knows: some out of the blue, most in the middle of a piece of work."""

import random
import threading
from collections.abc import Sequence
from typing import Final

from sandbox.torture.moments import Moments
from sandbox.torture.processes import Respawned
from sandbox.torture.threads import Background

# Seconds: how long to look for a process at work, and how soon after that it dies.
_LOOKED_FOR: Final = 2.0
_SOON: Final = 0.08
# The worker holds money and keys.
_WEIGHTS: Final = {"worker": 5, "web": 3, "bot": 2}
# Between two kills, as parts of the time that a start takes here.
_PAUSES: Final = (0.25, 0.85)


class Kills:
    """From `start` to `stop`. `count`: by process; `landed`: how many hit a process that had just been seen at work.
    `start_takes`: seconds; whoever is killed sooner than that never works, so that most are spared until then."""

    def __init__(self, processes: Sequence[Respawned], seed: int, moments: Moments, start_takes: float) -> None:
        self.count = dict.fromkeys((one.command for one in processes), 0)
        self.landed = 0
        self._processes = processes
        self._random = random.Random(f"kills {seed}")  # noqa: S311 - luck, not secrecy
        self._moments = moments
        self._start_takes = start_takes
        self._stopping = threading.Event()
        self._thread = Background("kills", self._run)

    @property
    def total(self) -> int:
        return sum(self.count.values())

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Raises EndedTooSoon if there were none any more."""
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopping.wait(self._random.uniform(*_PAUSES) * self._start_takes):
            weights = [_WEIGHTS[one.command] for one in self._processes]
            [process] = self._random.choices(self._processes, weights)
            leader_only = self._random.random() < 0.15
            spared = self._random.random() < 0.85  # else perhaps in the middle of its start
            if spared and process.age < self._start_takes:
                continue
            at_work = self._catch_at_work(process.command)
            if process.kill(leader_only=leader_only):
                self.count[process.command] += 1
                self.landed += at_work

    def _catch_at_work(self, command: str) -> bool:
        wanted, delay = self._random.random() < 0.8, self._random.uniform(0, _SOON)
        if not wanted or not self._moments.wait_for(command, _LOOKED_FOR):
            return False
        self._stopping.wait(delay)
        return True
