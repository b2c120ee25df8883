"""The agent's calls as a web application; what it says of the host is true."""

import hmac
import re
import time
from typing import Final

import psutil
from aiohttp import web
from aiohttp.typedefs import Handler, Middleware
from pydantic import BaseModel, Field, ValidationError

from sandbox.agent.users import Overtaken, Users
from sandbox.node_control import PART, Clock, Faults, Journal, Part, control_app, supervised
from sandbox.store import Store
from sandbox.troubles import NodeTroubles
from shared.agent_contract import (
    NAME_PATTERN,
    AgentStatus,
    HostStatus,
    Problem,
    UserState,
    XrayStatus,
)

_NAME: Final = re.compile(NAME_PATTERN)
_VERSION: Final = "sandbox"
_XRAY_VERSION: Final = "26.3.27"


class _Paging(BaseModel):
    after: str = ""
    limit: int = Field(default=100, ge=1, le=1000)


class _Removal(BaseModel):
    revision: int = Field(ge=1)


class BadRequest(Exception):
    """400; the text never repeats what was sent."""


def create_app(*, token: str, store: Store, troubles: NodeTroubles, clock: Clock = time.time) -> web.Application:
    """The agent's API at `/v1` and `/healthz`, its control paths below `/sandbox`. `clock`: seconds since the epoch."""
    users = Users(store, clock)
    calls = _Calls(users, clock)
    journal, faults = Journal(), Faults()
    supervise = supervised(
        journal,
        faults,
        clock=clock,
        is_down=lambda: troubles.agent_down,
        refused=_unauthorized,
        broken=_broken,
        is_login=_is_health,
    )

    def api() -> web.Application:
        # In pieces, because the control paths need no token and stay out of the journal.
        app = web.Application()
        for prefix, routes in (("/v1", calls.routes()), ("/healthz", [web.get("", calls.health)])):
            piece = web.Application(middlewares=[supervise, _guarded(token)])
            piece.add_routes(routes)
            app.add_subapp(prefix, piece)
        return app

    def control() -> web.Application:
        return control_app(
            journal,
            faults,
            users=lambda: {name: users.report(name).model_dump(mode="json") for name in users.held},
            set_core=users.set_xray,
            add_traffic=users.add_traffic,
            wipe=users.wipe,
        )

    app = api()
    app[PART] = Part(api, control)
    app.add_subapp("/sandbox", control())
    return app


class _Calls:
    def __init__(self, users: Users, clock: Clock) -> None:
        self._users = users
        self._clock = clock
        self._started_at = int(clock())

    def routes(self) -> list[web.RouteDef]:
        """Paths below `/v1`."""
        return [
            web.put("/users/{name}", self.put),
            web.delete("/users/{name}", self.delete),
            web.get("/users", self.page),
            web.get("/status", self.status),
        ]

    async def health(self, request: web.Request) -> web.Response:
        return web.json_response({"status": "ok"})

    async def put(self, request: web.Request) -> web.Response:
        name = _name(request)
        return _reply(self._users.put(name, UserState.model_validate_json(await request.read())))

    async def delete(self, request: web.Request) -> web.Response:
        self._users.delete(_name(request), _Removal.model_validate(dict(request.query)).revision)
        return web.Response(status=204)

    async def page(self, request: web.Request) -> web.Response:
        paging = _Paging.model_validate(dict(request.query))
        return _reply(self._users.page(paging.after, paging.limit))

    async def status(self, request: web.Request) -> web.Response:
        running = self._users.xray_running
        return _reply(
            AgentStatus(
                version=_VERSION,
                time=int(self._clock()),
                xray=XrayStatus(
                    running=running,
                    version=_XRAY_VERSION,
                    started_at=self._started_at if running else None,
                    problem=self._users.xray_problem,
                ),
                host=_host(),
                users=len(self._users.held),
                connected_users=self._users.connected(),
            )
        )


def _guarded(token: str) -> Middleware:
    """Checks the token, and turns what went wrong into Problems."""

    @web.middleware
    async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
        given = request.headers.get("Authorization", "").encode(errors="surrogateescape")
        if not _is_health(request) and not hmac.compare_digest(given, f"Bearer {token}".encode()):
            return _unauthorized()
        try:
            return await handler(request)
        except Overtaken as error:
            problem = Problem(error="overtaken", detail="a newer revision is held", revision=error.held)
            return _reply(problem, 409)
        except BadRequest as error:
            return _reply(Problem(error="bad_request", detail=str(error)), 400)
        except ValidationError as error:
            # The first complaint and its place; never the value, which may be a key.
            first = error.errors(include_input=False, include_context=False, include_url=False)[0]
            place = ".".join(str(part) for part in first["loc"])
            return _reply(Problem(error="bad_request", detail=f"{place}: {first['msg']}"), 400)
        except web.HTTPException as error:
            return _reply(Problem(error="no_such_call", detail=error.reason), error.status)

    return guard


def _name(request: web.Request) -> str:
    name = request.match_info["name"]
    if not _NAME.fullmatch(name):
        raise BadRequest(f"a name must match {NAME_PATTERN}")
    return name


def _is_health(request: web.Request) -> bool:
    return request.path.endswith("/healthz")


def _reply(model: BaseModel, status: int = 200) -> web.Response:
    return web.json_response(text=model.model_dump_json(), status=status)


def _unauthorized() -> web.Response:
    return _reply(Problem(error="unauthorized", detail="a valid token is needed"), 401)


async def _broken(request: web.Request) -> web.Response:
    return web.Response(status=500, text="Internal Server Error")


def _host() -> HostStatus:
    memory, disk, network = psutil.virtual_memory(), psutil.disk_usage("/"), psutil.net_io_counters()
    return HostStatus(
        cpu_percent=psutil.cpu_percent(),
        memory_used=memory.used,
        memory_total=memory.total,
        disk_used=disk.used,
        disk_total=disk.total,
        network_received=network.bytes_recv,
        network_sent=network.bytes_sent,
    )
