"""How a process of ours lives: told to stop it stops in time, and never outlives the one that started it."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import structlog

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

# From SIGTERM to the hard end. Every process is crash-safe by design, so that a hung one may simply be ended.
GRACE: Final = 10.0
# Holds the number of a pipe's reading end; whoever holds the writing end is the parent.
PARENT_PIPE: Final = "PARENT_PIPE_FD"

# A child that lived so long was well: its settings are right, and whatever ended it is news.
HEALTHY_AFTER: Final = 30.0
# What a process of ours ends with when it is refused its settings: starting it again changes nothing.
WRONG_SETTINGS: Final = 2

_FIRST_PAUSE: Final = 1.0
_LONGEST_PAUSE: Final = 30.0


def follow_parent() -> None:
    """End when the parent does, even if it was killed: the pipe it holds closes then."""
    number = os.environ.get(PARENT_PIPE)
    if number is None:
        return

    def wait_for_the_end() -> None:
        with contextlib.suppress(OSError):
            os.read(int(number), 1)
        log.warning("the parent process has ended; this one ends too")
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=wait_for_the_end, name="parent", daemon=True).start()


def end_hard_after_grace() -> None:
    """Ten seconds from now nothing of this process is left, whatever hangs in it."""

    def end() -> None:
        names = [thread.name for thread in threading.enumerate() if thread is not threading.current_thread()]
        log.error("did not stop in time; ending hard", threads=names)
        os._exit(1)

    timer = threading.Timer(GRACE, end)
    timer.daemon = True
    timer.start()


def run_until_stopped(work: Callable[[asyncio.Event], Awaitable[None]]) -> None:
    """Run `work`, telling it by the event when SIGTERM or SIGINT came."""

    async def run() -> None:
        stopping = asyncio.Event()

        def stop() -> None:
            if not stopping.is_set():
                log.info("stopping")
                stopping.set()
                end_hard_after_grace()

        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop)
        await work(stopping)

    asyncio.run(run())
    log.info("stopped")


def _node_a(name: str) -> Sequence[str]:
    return [sys.executable, "-m", "node_a", name]


class Family:
    """The children of `all`: each is started again when it dies, and none outlives us. `first_pause`: seconds, doubled
    with each failure."""

    def __init__(
        self,
        names: Sequence[str],
        *,
        command: Callable[[str], Sequence[str]] = _node_a,
        healthy_after: float = HEALTHY_AFTER,
        first_pause: float = _FIRST_PAUSE,
    ) -> None:
        self._names = names
        self._command = command
        self._healthy_after = healthy_after
        self._first_pause = first_pause
        self._were_well: set[str] = set()
        self._reading, self._writing = os.pipe()
        self._children: dict[str, subprocess.Popen[bytes]] = {}
        self._failures = dict.fromkeys(names, 0)
        self._start_at = dict.fromkeys(names, 0.0)
        self._started_at = dict.fromkeys(names, 0.0)
        self._stopping = False

    def run(self) -> int:
        """Until told to stop, or until a child that was never well says that the settings are wrong; the exit code.

        One that was well before is started again whatever it says: the others serve customers meanwhile.
        """
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: setattr(self, "_stopping", True))
        while not self._stopping:
            for name in self._names:
                if self._tend(name) == WRONG_SETTINGS and name not in self._were_well:
                    self._stop()
                    return WRONG_SETTINGS
            time.sleep(0.1)
        self._stop()
        return 0

    def _tend(self, name: str) -> int | None:
        """Start the child if it does not run and its time has come; its exit code if it has just ended."""
        child = self._children.get(name)
        if child is None:
            if time.monotonic() >= self._start_at[name]:
                self._children[name] = self._start(name)
                self._started_at[name] = time.monotonic()
            return None
        code = child.poll()
        if code is None:
            return None
        del self._children[name]
        lived = time.monotonic() - self._started_at[name]
        if lived > self._healthy_after:
            self._were_well.add(name)
            self._failures[name] = 0
        self._failures[name] += 1
        pause = min(self._first_pause * 2 ** min(self._failures[name] - 1, 10), _LONGEST_PAUSE)
        self._start_at[name] = time.monotonic() + pause
        if code != WRONG_SETTINGS or name in self._were_well:
            log.error("a process ended; it is started again", process=name, code=code, pause=pause)
        return code

    def _start(self, name: str) -> subprocess.Popen[bytes]:
        environment = {**os.environ, PARENT_PIPE: str(self._reading)}
        return subprocess.Popen(
            self._command(name), env=environment, pass_fds=[self._reading], stdin=subprocess.DEVNULL
        )

    def _stop(self) -> None:
        for child in self._children.values():
            child.terminate()
        deadline = time.monotonic() + GRACE + 2
        for name, child in self._children.items():
            try:
                child.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                log.error("killed: it did not stop in time", process=name)
                child.kill()
                child.wait()
