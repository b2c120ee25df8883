"""A network of the test's own, with addresses of documentation that all its processes can reach; nothing else can be
reached from there, and nobody else reaches in."""

import ctypes
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

import psutil
import pytest

# The node refuses to carry anybody to private addresses, and these are none.
NODE_ADDRESS: Final = "198.51.100.1"
PAGE_ADDRESS: Final = "198.51.100.80"
# As deploy_node_b.sh sets it on a node.
_MIGRATE: Final = Path("/proc/sys/net/ipv4/tcp_migrate_req")
_NEW_NETWORK: Final = 0x40000000  # CLONE_NEWNET of sched.h
_libc = ctypes.CDLL(None, use_errno=True)


@contextmanager
def a_network_of_its_own() -> Iterator[None]:
    """For this thread, and for the threads and processes that it starts; those still there at the end are killed.
    Whatever listens inside can have any port."""
    with open("/proc/thread-self/ns/net", "rb") as before:
        if _libc.unshare(_NEW_NETWORK) != 0:
            pytest.skip("a network of its own cannot be made here: that takes root")
        try:
            _set_up()
            yield
        finally:
            _end_processes()
            assert _libc.setns(before.fileno(), _NEW_NETWORK) == 0, os.strerror(ctypes.get_errno())


def _set_up() -> None:
    for command in (
        "link set lo up",
        f"address add {NODE_ADDRESS}/32 dev lo",
        f"address add {PAGE_ADDRESS}/32 dev lo",
    ):
        subprocess.run(["ip", *command.split()], check=True, timeout=10)
    with suppress(FileNotFoundError):
        _MIGRATE.write_text("1")


def _end_processes() -> None:
    """Whoever is in this network was started in it: an Xray whose agent was killed has no parent to ask for it."""
    left = [process for process in psutil.process_iter() if process.pid != os.getpid() and is_here(process.pid)]
    for process in left:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(left, timeout=10)


def is_here(pid: int) -> bool:
    """Whether that process is in this thread's network."""
    with suppress(OSError):
        return os.stat(f"/proc/{pid}/ns/net").st_ino == os.stat("/proc/thread-self/ns/net").st_ino
    return False
