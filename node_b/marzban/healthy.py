"""The panel's health check, run inside its container: its API answers, and its Xray carries.

Without a token, because it must work before the panel has an administrator. The port alone would not do: with host
networking and SO_REUSEPORT another Xray may hold it, so the process is looked for as well, in the container's own PID
namespace.

Marzban picks a port for Xray's API once per start; if that is taken, the core never comes up until the panel restarts,
and Docker restarts nothing for being unhealthy. So after a minute and a half of failures the panel is asked to end, and
Docker starts it anew. Standard library only: the image is Marzban's.
"""

import os
import signal
import socket
import sys
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Final

API_PORT: Final = 8000
VLESS_PORT: Final = 2053
PATIENCE_SECONDS: Final = 5
# At one look in ten seconds (docker-compose.node-b.yml).
FAILURES_UNTIL_RESTART: Final = 9
FAILURES: Final = Path("/tmp/failures")  # noqa: S108 - the container's own


def trouble() -> str | None:
    """What is wrong, or None."""
    if not api_answers():
        return f"no answer from the API on port {API_PORT}"
    if not xray_runs():
        return "the panel's Xray does not run: `docker compose logs panel` says why"
    if not port_is_open():
        return f"nothing listens on {VLESS_PORT}"
    return None


def api_answers() -> bool:
    """401: the API itself asks for a token."""
    call = HTTPConnection("127.0.0.1", API_PORT, timeout=PATIENCE_SECONDS)
    try:
        call.request("GET", "/api/system")
        return call.getresponse().status == 401
    except (OSError, HTTPException):
        return False
    finally:
        call.close()


def xray_runs() -> bool:
    """A zombie or a stopped process does not count."""
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            name, state = status.read_text().split("(", 1)[1].rsplit(")", 1)
        except (OSError, IndexError):
            continue  # it has ended meanwhile
        if name == "xray" and state.split()[0] in "RSD":
            return True
    return False


def port_is_open() -> bool:
    try:
        socket.create_connection(("127.0.0.1", VLESS_PORT), PATIENCE_SECONDS).close()
    except OSError:
        return False
    return True


def main() -> int:
    found = trouble()
    if found is None:
        FAILURES.unlink(missing_ok=True)
        return 0
    print(found)
    failures = int(FAILURES.read_text()) + 1 if FAILURES.exists() else 1
    FAILURES.write_text(str(failures))
    if failures >= FAILURES_UNTIL_RESTART:
        FAILURES.unlink()
        os.kill(1, signal.SIGTERM)
    return 1


if __name__ == "__main__":
    sys.exit(main())
