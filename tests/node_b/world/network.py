"""Network namespaces, joined by one switch. They have no names: whoever holds the handle holds the namespace."""

import ctypes
import os
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import psutil
import pytest

_NEW_NETWORK: Final = 0x40000000  # CLONE_NEWNET of sched.h
_HERE: Final = "/proc/thread-self/ns/net"
_SWITCH: Final = "switch"
PROJECT: Final = Path(__file__).parents[3]
_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True)
class Network:
    """What one machine sees. `mounts`: files that its processes find in the place of the machine's own; `variables`:
    of their environment."""

    handle: int
    mounts: dict[Path, Path] = field(default_factory=dict)
    variables: dict[str, str] = field(default_factory=dict)

    @contextmanager
    def entered(self) -> Iterator[None]:
        """For this thread alone, and for the threads and processes that it starts. Sockets stay where they were
        made."""
        with open(_HERE, "rb") as before:
            _enter(self.handle)
            try:
                yield
            finally:
                _enter(before.fileno())

    def start(
        self, command: Sequence[str | Path], log: Path, environment: Mapping[str, str] | None = None
    ) -> subprocess.Popen[bytes]:
        """Ends at the latest with the network."""
        with self.entered(), log.open("ab") as output:
            return subprocess.Popen(
                [*self._mounting(), *map(str, command)],
                env={"PATH": os.environ["PATH"], **self.variables, **(environment or {})},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd=PROJECT,
            )

    def run(self, *command: str | Path) -> str:
        with self.entered():
            done = subprocess.run(
                [*self._mounting(), *map(str, command)],
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                timeout=60,
                check=False,
            )
        assert done.returncode == 0, done.stdout
        return done.stdout

    def has(self, *addresses: str) -> None:
        """Each with its prefix's length."""
        for address in addresses:
            self.run("ip", "address", "add", address, "dev", self._device(), *(["nodad"] if ":" in address else []))

    def leaves_by(self, *gateways: str) -> None:
        for gateway in gateways:
            self.run("ip", "route", "add", "default", "via", gateway)

    def processes(self) -> list[psutil.Process]:
        """Those that were started in it, whoever is their parent now."""
        here = os.fstat(self.handle).st_ino
        found = []
        for process in psutil.process_iter():
            with suppress(OSError, psutil.Error):
                if process.pid != os.getpid() and os.stat(f"/proc/{process.pid}/ns/net").st_ino == here:
                    found.append(process)
        return found

    def _device(self) -> str:
        return _SWITCH if f" {_SWITCH}:" in self.run("ip", "-oneline", "link") else "eth0"

    def _mounting(self) -> list[str]:
        if not self.mounts:
            return []
        binds = " && ".join(f"mount --bind '{mine}' '{place}'" for place, mine in self.mounts.items())
        return ["unshare", "--mount", "--propagation", "private", "sh", "-c", f'{binds} && exec "$@"', "sh"]


@contextmanager
def networks(count: int) -> Iterator[list[Network]]:
    """The first has the switch, the others hang on it by their eth0; no addresses yet."""
    made = [_made() for _ in range(count)]
    try:
        switch, *others = made
        switch.run("ip", "link", "add", _SWITCH, "type", "bridge")
        for number, other in enumerate(others):
            there = f"/proc/{os.getpid()}/fd/{other.handle}"
            switch.run("ip", "link", "add", f"port{number}", "type", "veth", "peer", "eth0", "netns", there)
            switch.run("ip", "link", "set", f"port{number}", "master", _SWITCH, "up")
            other.run("ip", "link", "set", "eth0", "up")
        switch.run("ip", "link", "set", _SWITCH, "up")
        for network in made:
            network.run("ip", "link", "set", "lo", "up")
        yield made
    finally:
        for network in made:
            for process in network.processes():
                with suppress(psutil.Error):
                    process.kill()
            os.close(network.handle)


def _made() -> Network:
    handles: list[int] = []

    def make() -> None:
        if _libc.unshare(_NEW_NETWORK) == 0:
            handles.append(os.open(_HERE, os.O_RDONLY))

    thread = threading.Thread(target=make)
    thread.start()
    thread.join()
    if not handles:
        pytest.skip("networks of the test's own cannot be made here: that takes root")
    return Network(handles[0])


def _enter(handle: int) -> None:
    assert _libc.setns(handle, _NEW_NETWORK) == 0, os.strerror(ctypes.get_errno())
