"""The panel in the stand-in for Marzban's image: the sandbox's, with what a deployment needs besides.

That is an administrator in the database (`marzban-cli`), the change of its password, and the list of hosts. Refuses an
administrator in the environment, with whom Marzban cannot remove users.
"""

import argparse
import asyncio
import base64
import json
import os
import signal
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final

from aiohttp import web

from sandbox.marzban import create_app
from sandbox.marzban.tokens import Tokens
from sandbox.marzban.xray import XrayCore, inbounds_of, read_config
from sandbox.serving import served
from sandbox.store import Store, Table
from sandbox.troubles import NodeTroubles

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

PLACEHOLDER: Final = {
    "remark": "🚀 Marz ({USERNAME}) [{PROTOCOL} - {TRANSPORT}]",
    "address": "{SERVER_IP}",
    "port": None,
    "sni": None,
    "is_disabled": False,
}


class Deployed:
    """The calls that the sandbox's panel does without."""

    def __init__(self, administrators: Table, hosts: Table, tokens: Tokens, tags: list[str]) -> None:
        self._administrators = administrators
        self._hosts = hosts
        self._tokens = tokens
        for tag in tags:
            hosts.setdefault(tag, {"hosts": [PLACEHOLDER]})
        self._tags = tags

    def routes(self) -> list[web.RouteDef]:
        return [
            web.post("/api/admin/token", self.token),
            web.put("/api/admin/{username}", self._guarded(self.modify)),
            web.get("/api/hosts", self._guarded(self.show), allow_head=False),
            web.put("/api/hosts", self._guarded(self.replace)),
        ]

    def _guarded(self, handler: Handler) -> Handler:
        async def guarded(request: web.Request) -> web.StreamResponse:
            scheme, _, token = request.headers.get("Authorization", "").partition(" ")
            if scheme != "Bearer" or token.count(".") != 2 or not self._tokens.is_valid(token) or self._ended(token):
                return _detail(401, "Could not validate credentials")
            return await handler(request)

        return guarded

    def _ended(self, token: str) -> bool:
        """By a new password, as the original has it: a token knows its whole second only, the password's change the
        moment, so that the tokens of the rest of that second are refused, too."""
        claims = json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))
        changed = self._administrators.get(claims["sub"], {}).get("password_reset_at", 0)
        return bool(changed > claims["iat"])

    async def token(self, request: web.Request) -> web.Response:
        form = await request.post()
        username = str(form["username"])
        if self._administrators.get(username, {}).get("password") != form["password"]:
            return _detail(401, "Incorrect username or password")
        return web.json_response({"access_token": self._tokens.issue(username), "token_type": "bearer"})

    async def modify(self, request: web.Request) -> web.Response:
        username, body = request.match_info["username"], await request.json()
        self._administrators[username] = {**body, "password_reset_at": time.time()}
        return web.json_response({"username": username, "is_sudo": body["is_sudo"]})

    async def show(self, request: web.Request) -> web.Response:
        return web.json_response({tag: self._hosts[tag]["hosts"] for tag in self._tags})

    async def replace(self, request: web.Request) -> web.Response:
        body: dict[str, list[dict[str, Any]]] = await request.json()
        for tag in body:
            if tag not in self._tags:
                return _detail(400, f"Inbound {tag} doesn't exist")
        for tag, hosts in body.items():
            self._hosts[tag] = {"hosts": [{**dict.fromkeys(PLACEHOLDER), "is_disabled": False, **one} for one in hosts]}
        return await self.show(request)


def _detail(status: int, text: str) -> web.Response:
    return web.json_response({"detail": text}, status=status)


def database() -> Path:
    """Where SQLALCHEMY_DATABASE_URL says, in Marzban's own form."""
    return Path(os.environ["SQLALCHEMY_DATABASE_URL"].removeprefix("sqlite:///"))


async def serve(store: Store) -> None:
    config = read_config(Path(os.environ["XRAY_JSON"]))
    inbounds = inbounds_of(config)
    # Where Marzban's own would log into its memory.
    core = XrayCore(Path(os.environ["XRAY_EXECUTABLE_PATH"]), config, Path("/tmp/xray.log"))
    app = create_app(
        username="nobody",
        password=os.urandom(16).hex(),
        store=store,
        troubles=NodeTroubles(),
        core=core,
        inbounds=inbounds,
    )
    deployed = Deployed(
        store.table("administrators"), store.table("hosts"), Tokens(store, time.time), [one.tag for one in inbounds]
    )
    app.add_routes(deployed.routes())
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with served(app, os.environ["UVICORN_HOST"], int(os.environ["UVICORN_PORT"])):
        await stop.wait()


def create_administrator(arguments: list[str]) -> int:
    """As the original's command takes it where nobody can be asked: the password by the environment."""
    parser = argparse.ArgumentParser(prog="marzban-cli")
    create = parser.add_subparsers(required=True).add_parser("admin").add_subparsers(required=True).add_parser("create")
    create.add_argument("--username", required=True)
    create.add_argument("--sudo", action="store_true", required=True)
    create.add_argument("--telegram-id", type=int, required=True)
    create.add_argument("--discord-webhook", choices=["0"], required=True)
    given = parser.parse_args(arguments)
    administrators = Store(database()).table("administrators")
    if given.username in administrators:
        print(f'Admin "{given.username}" already exists!', file=sys.stderr)
        return 255
    administrators[given.username] = {"password": os.environ["MARZBAN_ADMIN_PASSWORD"], "is_sudo": given.sudo}
    print(f'Admin "{given.username}" created successfully.')
    return 0


def main() -> int:
    """The panel; or, with arguments, `marzban-cli`."""
    if "SUDO_USERNAME" in os.environ:
        print("an administrator of the environment breaks Marzban's removals", file=sys.stderr)
        return 1
    if arguments := sys.argv[1:]:
        return create_administrator(arguments)
    asyncio.run(serve(Store(database())))
    return 0


if __name__ == "__main__":
    sys.exit(main())
