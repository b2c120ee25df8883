"""The core as a child of the panel."""

import contextlib
import json
import socket
import subprocess
import time
from pathlib import Path
from typing import Any, Final

_STARTS_WITHIN: Final = 5.0
_ENDS_WITHIN: Final = 5.0


class Process:
    """`log`: where both of its outputs go, from every start."""

    def __init__(self, program: Path, log: Path) -> None:
        self._program = program
        self._log = log
        self._running: subprocess.Popen[bytes] | None = None

    @property
    def is_running(self) -> bool:
        """Also for the moment until a core that will not start has ended."""
        return self._running is not None and self._running.poll() is None

    def start(self, config: dict[str, Any], api_port: int) -> None:
        """Waits until its API listens, and no longer if that does not come to pass."""
        with self._log.open("ab") as log:
            # Over a pipe: the keys of all users need not lie on a disk.
            self._running = subprocess.Popen(
                [self._program, "run", "-config", "stdin:"], stdin=subprocess.PIPE, stdout=log, stderr=log
            )
        assert self._running.stdin is not None  # noqa: S101 - asked for above
        with contextlib.suppress(BrokenPipeError), self._running.stdin as pipe:
            pipe.write(json.dumps(config).encode())
        deadline = time.monotonic() + _STARTS_WITHIN
        while self.is_running and not _is_open(api_port) and time.monotonic() < deadline:
            time.sleep(0.02)

    def stop(self) -> None:
        if self._running is None:
            return
        self._running.terminate()
        try:
            self._running.wait(_ENDS_WITHIN)
        except subprocess.TimeoutExpired:
            self._running.kill()
            self._running.wait()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


def _is_open(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
