"""One Xray as our child process: its output, its end, and that it does not outlive us."""

import contextlib
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import psutil

from node_b.agent.config import NO_REASON, reason_in

REFUSED_CONFIG: Final = 23
_GRACE: Final = 2.0
# The kernel sends this to Xray when the thread that started it ends, however it ends.
_FOLLOW: Final = ("--pdeathsig", "KILL")


class XrayProcess:
    """Start it only in a thread that lives as long as the agent. `on_exit` is called from another one."""

    def __init__(self, xray: Path, config: Path, on_exit: Callable[[], None]) -> None:
        command = [str(xray), "run", "-c", str(config)]
        setpriv = shutil.which("setpriv")
        if setpriv:
            command = [setpriv, *_FOLLOW, "--", *command]
        self._process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        self.started_at = time.time()
        self._started = time.monotonic()
        self._reason = NO_REASON
        self._reader = threading.Thread(target=self._read, args=(on_exit,), name="xray", daemon=True)
        try:
            self._reader.start()
        except BaseException:  # no thread to be had: nobody would know of this process
            with self._process:
                self._process.kill()
            raise

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def code(self) -> int | None:
        """Its exit code; None while it runs."""
        return self._process.poll()

    @property
    def lived(self) -> float:
        """Seconds."""
        return time.monotonic() - self._started

    def reason(self) -> str:
        """Why it ended; the reader has seen all of its output soon after."""
        self._reader.join(timeout=1.0)
        return self._reason

    def listens(self, port: int) -> bool:
        """Whether it accepts connections on `port`, whoever else does."""
        try:
            connections = psutil.Process(self.pid).net_connections(kind="tcp")
        except psutil.Error:
            return False
        return any(one.status == psutil.CONN_LISTEN and one.laddr.port == port for one in connections)

    def stop(self, grace: float = _GRACE) -> None:
        """Killed if it does not take the hint within `grace` seconds."""
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(grace)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _read(self, on_exit: Callable[[], None]) -> None:
        if self._process.stdout:
            with self._process.stdout as output:
                lines = (line.decode(errors="replace").strip() for line in output)
                self._reason = reason_in(lines)
                for _ in lines:  # an output that nobody reads would stop it
                    pass
        self._process.wait()
        on_exit()
