"""What the panel's database must hold before Node A can use it: our administrator, and no placeholder among its hosts.

    python -m node_b.marzban.setup --state DIRECTORY [--panel 127.0.0.1:8000]

Repeatable; says in one line what it changed, or `unchanged`. Exits with 0, with 3 if the panel knows no such
administrator (deploy_node_b.sh then makes one with marzban-cli, which alone can make the first), or with 1.
"""

import argparse
import json
import sys
import time
from collections.abc import Iterator
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, urlencode

from shared.environment import ConfigurationProblems, read_dotenv

PATIENCE_SECONDS: Final = 30
NO_ADMINISTRATOR: Final = 3

Hosts = dict[str, list[dict[str, Any]]]  # by inbound: what the panel's own links would say


class PanelRefused(Exception):
    """The panel answered, and not with 200."""


class NoAdministrator(Exception):
    """The panel knows none of that name and password."""


class Panel:
    """The few calls that are needed, each on a connection of its own; `log_in` first."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._token = ""

    def log_in(self, username: str, password: str) -> bool:
        form = urlencode({"username": username, "password": password})
        status, answer = self._send("POST", "/api/admin/token", form, "application/x-www-form-urlencoded")
        if status == 200:
            self._token = answer["access_token"]
        elif status != 401:
            raise PanelRefused(f"POST /api/admin/token: {status}")
        return status == 200

    def change_password(self, username: str, password: str) -> None:
        self._call("PUT", f"/api/admin/{quote(username)}", {"is_sudo": True, "password": password})

    def hosts(self) -> Hosts:
        found: Hosts = self._call("GET", "/api/hosts")
        return found

    def set_hosts(self, hosts: Hosts) -> None:
        self._call("PUT", "/api/hosts", hosts)

    def _call(self, method: str, path: str, body: object = None) -> Any:
        status, answer = self._send(method, path, None if body is None else json.dumps(body), "application/json")
        if status != 200:
            raise PanelRefused(f"{method} {path}: {status}")
        return answer

    def _send(self, method: str, path: str, body: str | None, kind: str) -> tuple[int, Any]:
        call = HTTPConnection(self._address, timeout=PATIENCE_SECONDS)
        try:
            call.request(method, path, body, {"Content-Type": kind, "Authorization": f"Bearer {self._token}"})
            answer = call.getresponse()
            return answer.status, json.loads(answer.read()) if answer.status == 200 else None
        finally:
            call.close()


def changes(state: Path, panel: Panel) -> Iterator[str]:
    """Makes them, and names each. Raises NoAdministrator if no password of ours lets us in."""
    keys, node = read_dotenv(state / "keys.env"), read_dotenv(state / "node.env")
    username, password = keys["PANEL_USERNAME"], keys["PANEL_PASSWORD"]
    if not panel.log_in(username, password):
        if not any(panel.log_in(username, old) for old in former_passwords(state)):
            raise NoAdministrator(username)
        panel.change_password(username, password)
        # It ends the tokens that were given before it, and all of this second: a token knows no more than that.
        await_next_second()
        panel.log_in(username, password)
        yield "the administrator has its new password"
    wrong = {tag: [host] for tag, hosts in panel.hosts().items() if (host := wanted_host(node)) != said_by(hosts)}
    if wrong:
        panel.set_hosts(wrong)
        yield f"the address of {', '.join(wrong)} is this node's"


def await_next_second() -> None:
    now = int(time.time())
    while int(time.time()) == now:
        time.sleep(0.05)


def former_passwords(state: Path) -> Iterator[str]:
    """Newest first: `render rotate` keeps them beside."""
    for file in sorted(state.glob("keys.env.*"), reverse=True):
        if old := read_dotenv(file).get("PANEL_PASSWORD"):
            yield old


def wanted_host(node: dict[str, str]) -> dict[str, str]:
    return {"remark": f"{node['NODE_CODE']} ({{USERNAME}}) [{{PROTOCOL}}]", "address": node["NODE_HOST"]}


def said_by(hosts: list[dict[str, Any]]) -> dict[str, Any] | None:
    """What `wanted_host` is compared with; None unless there is exactly one."""
    return {name: hosts[0].get(name) for name in ("remark", "address")} if len(hosts) == 1 else None


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m node_b.marzban.setup")
    parser.add_argument("--state", type=Path, required=True)
    parser.add_argument("--panel", default="127.0.0.1:8000")
    arguments = parser.parse_args()
    try:
        print("; ".join(changes(arguments.state, Panel(arguments.panel))) or "unchanged")
    except NoAdministrator as unknown:
        print(f"the panel knows no {unknown} with our password")
        return NO_ADMINISTRATOR
    except (PanelRefused, ConfigurationProblems, HTTPException, OSError) as error:
        print(f"the panel could not be set up: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
