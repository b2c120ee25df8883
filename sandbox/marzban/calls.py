"""The panel's calls, one handler each."""

from typing import Any

from aiohttp import web
from pydantic import BaseModel

from sandbox.marzban import listing, presentation
from sandbox.marzban.answers import detail, unauthorized
from sandbox.marzban.panel import Panel
from sandbox.marzban.payloads import parsed
from sandbox.marzban.tokens import Tokens


class _Login(BaseModel):
    username: str
    password: str


class Calls:
    def __init__(self, panel: Panel, tokens: Tokens, username: str, password: str) -> None:
        self._panel = panel
        self._tokens = tokens
        self._username = username
        self._password = password

    def routes(self) -> list[web.RouteDef]:
        """Paths below `/api`."""
        one = "/user/{username}"
        return [
            web.post("/admin/token", self.token),
            web.get("/admin", self.admin, allow_head=False),
            web.get("/system", self.system, allow_head=False),
            web.get("/core", self.core, allow_head=False),
            web.post("/core/restart", self.restart),
            web.get("/inbounds", self.inbounds, allow_head=False),
            web.post("/user", self.create),
            web.get(one, self.show, allow_head=False),
            web.put(one, self.modify),
            web.delete(one, self.delete),
            web.post(one + "/reset", self.reset),
            web.post(one + "/revoke_sub", self.revoke),
            web.get(one + "/usage", self.usage, allow_head=False),
            web.get("/users", self.users, allow_head=False),
            web.get("/users/usage", self.users_usage, allow_head=False),
        ]

    async def token(self, request: web.Request) -> web.Response:
        form = dict((await request.post()).items())
        login = parsed(_Login, form)
        if (login.username, login.password) != (self._username, self._password):
            return unauthorized("Incorrect username or password")
        token = self._tokens.issue(login.username)
        return web.json_response({"access_token": token, "token_type": "bearer"})

    async def admin(self, request: web.Request) -> web.Response:
        return web.json_response(presentation.admin(self._panel, self._username))

    async def system(self, request: web.Request) -> web.Response:
        return web.json_response(presentation.system(self._panel))

    async def core(self, request: web.Request) -> web.Response:
        return web.json_response(presentation.core(self._panel))

    async def restart(self, request: web.Request) -> web.Response:
        self._panel.core.restart(self._panel.core_users())
        return web.json_response({})  # also when the core dies at once

    async def inbounds(self, request: web.Request) -> web.Response:
        return web.json_response(presentation.inbounds(self._panel))

    async def create(self, request: web.Request) -> web.Response:
        return self._user(self._panel.create(await request.json()))

    async def show(self, request: web.Request) -> web.Response:
        return self._user(self._panel.get(request.match_info["username"]))

    async def modify(self, request: web.Request) -> web.Response:
        return self._user(self._panel.modify(request.match_info["username"], await request.json()))

    async def delete(self, request: web.Request) -> web.Response:
        self._panel.delete(request.match_info["username"])
        return detail(200, "User successfully deleted")

    async def reset(self, request: web.Request) -> web.Response:
        return self._user(self._panel.reset(request.match_info["username"]))

    async def revoke(self, request: web.Request) -> web.Response:
        return self._user(self._panel.revoke(request.match_info["username"]))

    async def usage(self, request: web.Request) -> web.Response:
        row = self._panel.get(request.match_info["username"])
        used = presentation.usage(row["lifetime_used_traffic"])
        return web.json_response({"username": row["username"], "usages": [used]})

    async def users(self, request: web.Request) -> web.Response:
        rows, total = listing.page(self._panel, request.query, self._username)
        users = [presentation.user(self._panel, row, self._username) for row in rows]
        return web.json_response({"users": users, "total": total})

    async def users_usage(self, request: web.Request) -> web.Response:
        return web.json_response({"usages": [presentation.usage(self._panel.users_usage)]})

    def _user(self, row: dict[str, Any]) -> web.Response:
        return web.json_response(presentation.user(self._panel, row, self._username))
