"""Node A's processes, one by one, each started again whenever it ends."""

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from typing import Final

import psutil

from sandbox.shop import StartNodeA, end

# Seconds. What ends by itself does not get better by being started in a circle.
_PAUSE_AFTER_AN_END_OF_ITS_OWN: Final = 1.0


class Respawned:
    """One process of Node A between `start` and `stop`. `ended_by_itself`: the exit codes that no kill explains."""

    def __init__(self, command: str, start: StartNodeA) -> None:
        self.command = command
        self.ended_by_itself: list[int] = []
        self._start = start
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._killed = False
        self._orphans: list[psutil.Process] = []
        self._began(start(command))
        self._keeper = threading.Thread(target=self._keep, name=f"keeper of {command}", daemon=True)
        self._keeper.start()

    @property
    def process(self) -> subprocess.Popen[bytes]:
        """The one that runs now."""
        return self._process

    @property
    def age(self) -> float:
        """Seconds since the latest start."""
        return time.monotonic() - self._started_at

    def kill(self, *, leader_only: bool = False) -> bool:
        """SIGKILL, also to what the process has started unless `leader_only`. False if it was dead already."""
        with self._lock:
            if self._process.poll() is not None or self._killed:
                return False
            self._killed = True
            if leader_only:
                self._orphans += _children(self._process)
                self._process.kill()
            else:
                # It leads a session of its own, so that its number is that of its group.
                os.killpg(self._process.pid, signal.SIGKILL)
        return True

    def stop(self) -> None:
        with self._lock:  # from here on none is started
            self._stopping.set()
        self._orphans += _children(self._process)
        end(self._process)
        self._keeper.join()
        for orphan in self._orphans:
            with contextlib.suppress(psutil.NoSuchProcess):
                orphan.kill()

    def _keep(self) -> None:
        while True:
            code = self._process.wait()
            if self._stopping.is_set():
                return
            if not self._killed:
                self.ended_by_itself.append(code)
                self._stopping.wait(_PAUSE_AFTER_AN_END_OF_ITS_OWN)
            with self._lock:
                if self._stopping.is_set():
                    return
                self._began(self._start(self.command))

    def _began(self, process: subprocess.Popen[bytes]) -> None:
        self._process, self._started_at, self._killed = process, time.monotonic(), False


def _children(process: subprocess.Popen[bytes]) -> list[psutil.Process]:
    try:
        return psutil.Process(process.pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


@contextlib.contextmanager
def respawned(commands: Sequence[str], start: StartNodeA) -> Iterator[Sequence[Respawned]]:
    """All of them ended afterwards."""
    processes: list[Respawned] = []
    try:
        for command in commands:
            processes.append(Respawned(command, start))
        yield processes
    finally:
        for process in processes:
            process.stop()
