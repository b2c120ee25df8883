"""Programs of others that our configurations are tried with: `make programs` builds them into var/tools."""

import os
import random
import socket
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest

from tests.waiting import until

_TOOLS = Path(__file__).parents[1] / "var" / "tools"


def program(name: str) -> Path:
    """`sing-box`, `xray` or `caddy`, unless SING_BOX, XRAY or CADDY says which; without it the calling test is skipped
    by name."""
    said = os.environ.get(name.upper().replace("-", "_"))
    if said:
        return Path(said)
    built = sorted(_TOOLS.glob(f"{name}-*"), key=lambda file: file.stat().st_mtime)
    if not built:
        pytest.skip(f"{name} is not built: make programs (needs Go)")
    return built[-1]


def run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    """Its two outputs in `stdout`, in order."""
    return subprocess.run(
        [str(part) for part in command],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
        check=False,
    )


def free_port() -> int:
    """Below those that the kernel gives to connections that go out: none of these takes it before it is used."""
    while True:
        port = random.randrange(20_000, 32_000)
        with suppress(OSError), closing(socket.create_server(("", port))):
            return port


def is_open(port: int) -> bool:
    with closing(socket.socket()) as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def running(command: Sequence[str | Path], port: int, log: Path) -> Iterator[None]:
    """Until `port` is open, and ended with the block."""
    with log.open("wb") as output:
        process = subprocess.Popen([str(part) for part in command], stdout=output, stderr=subprocess.STDOUT)

        def is_up() -> bool:
            assert process.poll() is None, log.read_text()
            return is_open(port)

        try:
            until(is_up)
            yield
        finally:
            process.kill()
            process.wait()
