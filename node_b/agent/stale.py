"""Who else is on our port: Xray shares it without a word, and every second connection goes astray."""

import contextlib
import ipaddress
from collections.abc import Collection
from pathlib import Path
from typing import Final

import psutil
import structlog

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

_GRACE: Final = 2.0


class PortHeld(Exception):
    """Somebody else has it; the text says who."""


def end_left_behind(config: Path) -> None:
    """End each Xray that runs with our configuration while we have none: an earlier agent was killed and could not.
    Nobody else has one, as the state directory has one agent at a time. Raises PortHeld if one does not end."""
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
            command = process.cmdline()
            if command[1:] == ["run", "-c", str(config)]:
                log.warning("an Xray was left behind by an earlier agent and is ended", pid=process.pid)
                _end(process)


def _end(process: psutil.Process) -> None:
    process.terminate()
    try:
        process.wait(_GRACE)
    except psutil.TimeoutExpired:
        process.kill()
        try:
            process.wait(_GRACE)
        except psutil.TimeoutExpired:  # it hangs in the kernel, or its parent does not take note
            problem = f"an Xray that an earlier agent left behind does not end (pid {process.pid})"
            raise PortHeld(f"{problem}: if it never does, restart the machine") from None


def check_port(host: str, port: int, ours: Collection[int] = ()) -> None:
    """`ours`: the pids that may have it. Raises PortHeld, with the pid where the system tells it (other users' and
    other containers' stay hidden)."""
    for found in psutil.net_connections(kind="inet"):
        is_server = found.status == psutil.CONN_LISTEN or (found.status == psutil.CONN_NONE and not found.raddr)
        if not is_server or not found.laddr or found.laddr.port != port or found.pid in ours:
            continue
        if _same_address(host, found.laddr.ip):
            raise PortHeld(f"port {port} is held by {_described(found.pid)}: end that, or move it to another port")


def _described(pid: int | None) -> str:
    if pid is None:
        return "a process that cannot be seen from here (look with `ss -lptun` on the host)"
    with contextlib.suppress(psutil.Error):
        return f"{psutil.Process(pid).name()} with pid {pid}"
    return f"the process with pid {pid}"


def _same_address(one: str, other: str) -> bool:
    addresses = [ipaddress.ip_address(text.partition("%")[0]) for text in (one, other)]
    mapped = [getattr(address, "ipv4_mapped", None) or address for address in addresses]
    return any(address.is_unspecified for address in addresses) or mapped[0] == mapped[1]
