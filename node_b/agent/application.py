"""The agent's calls as a web application; what they mean is `shared/agent_contract.py`."""

import hmac
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import structlog
from flask import Flask, Response, request
from pydantic import BaseModel, Field, ValidationError
from werkzeug.exceptions import HTTPException

from node_b.agent.host import Host
from node_b.agent.keeper import Keeper, NotDurable
from node_b.agent.metrics import Metrics
from node_b.agent.users import KeyInUse, Overtaken, Users
from shared.agent_contract import LARGEST, NAME_PATTERN, AgentStatus, Problem, UserState, XrayStatus

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

VERSION: Final = "1"
# A user is 200 bytes.
LONGEST_BODY: Final = 4_096
# A restart is over by then; a keeper that takes longer for a round hangs.
_DOWN_FOR: Final = 5.0
_HUNG_FOR: Final = 60.0
_NAME: Final = re.compile(NAME_PATTERN)


class _Paging(BaseModel):
    after: str = ""
    limit: int = Field(default=100, ge=1, le=1000)


class _Removal(BaseModel):
    revision: int = Field(ge=1, le=LARGEST)


class _BadRequest(Exception):
    """400; the text never repeats what was sent."""


def create_app(token: str, calls: "Calls") -> Flask:
    app = Flask("node_b.agent", static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = LONGEST_BODY
    app.config["PROVIDE_AUTOMATIC_OPTIONS"] = False
    app.url_map.merge_slashes = False
    app.add_url_rule("/healthz", view_func=calls.health)
    app.add_url_rule("/v1/users/<name>", view_func=calls.put, methods=["PUT"])
    app.add_url_rule("/v1/users/<name>", view_func=calls.delete, methods=["DELETE"])
    app.add_url_rule("/v1/users", view_func=calls.page)
    app.add_url_rule("/v1/status", view_func=calls.status)
    app.add_url_rule("/metrics", view_func=calls.metrics_page)
    _guard(app, token)
    _explain_errors(app)
    return app


@dataclass(frozen=True, kw_only=True, slots=True)
class Calls:
    """`clock`: seconds since the epoch."""

    keeper: Keeper
    users: Users
    host: Host
    metrics: Metrics
    xray_version: Callable[[], str]
    clock: Callable[[], float] = time.time

    def health(self) -> Response:
        """200 while Xray runs or is just being restarted."""
        now, seen = time.monotonic(), self.keeper.snapshot
        if now - seen.round_at > _HUNG_FOR:
            return _problem(503, "hung", "the agent has done nothing for a while")
        if seen.down_since is not None and now - seen.down_since > _DOWN_FOR:
            return _problem(503, "xray_down", seen.problem or "Xray does not run")
        return Response('{"status": "ok"}', mimetype="application/json")

    def put(self, name: str) -> Response:
        checked = _checked(name)
        if request.mimetype not in {"", "application/json"}:
            return _problem(415, "not_json", "send JSON, as application/json")
        return _reply(self.keeper.put(checked, UserState.model_validate_json(request.get_data(cache=False))))

    def delete(self, name: str) -> Response:
        self.keeper.delete(_checked(name), _Removal.model_validate(request.args.to_dict()).revision)
        return Response(status=204)

    def page(self) -> Response:
        paging = _Paging.model_validate(request.args.to_dict())
        return _reply(self.users.page(paging.after, paging.limit, self.clock()))

    def status(self) -> Response:
        return _reply(self._status())

    def metrics_page(self) -> Response:
        seen = self.keeper.snapshot
        page = self.metrics.page(
            self._status(), enabled=seen.enabled, dummies=seen.dummies, refused=seen.refused, unsaved=seen.unsaved
        )
        return Response(page, content_type="text/plain; version=0.0.4; charset=utf-8")

    def _status(self) -> AgentStatus:
        seen = self.keeper.snapshot
        started_at = None if seen.started_at is None else int(seen.started_at)
        return AgentStatus(
            version=VERSION,
            time=int(self.clock()),
            xray=XrayStatus(
                running=started_at is not None,
                version=self.xray_version(),
                started_at=started_at,
                problem=seen.problem,
            ),
            host=self.host.status(),
            users=seen.users,
            connected_users=seen.connected,
        )


def _guard(app: Flask, token: str) -> None:
    expected = f"Bearer {token}".encode()

    @app.before_request
    def check_token() -> Response | None:
        # Before anything is told, even that there is no such path.
        given = request.headers.get("Authorization", "").encode(errors="surrogateescape")
        if request.path == "/healthz" or hmac.compare_digest(given, expected):
            return None
        return _problem(401, "unauthorized", "a valid token is needed")


def _explain_errors(app: Flask) -> None:
    @app.errorhandler(Overtaken)
    def overtaken(error: Overtaken) -> Response:
        return _reply(Problem(error="overtaken", detail="a newer revision is held", revision=error.held), 409)

    @app.errorhandler(KeyInUse)
    def key_in_use(error: KeyInUse) -> Response:
        return _problem(400, "key_in_use", "another user has this key")

    @app.errorhandler(NotDurable)
    def not_durable(error: NotDurable) -> Response:
        return _problem(503, "not_durable", str(error))

    @app.errorhandler(_BadRequest)
    def bad_request(error: _BadRequest) -> Response:
        return _problem(400, "bad_request", str(error))

    @app.errorhandler(ValidationError)
    def invalid(error: ValidationError) -> Response:
        # The first complaint and its place; never the value, which may be a key.
        first = error.errors(include_input=False, include_context=False, include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        return _problem(400, "bad_request", f"{place}: {first['msg']}" if place else first["msg"])

    @app.errorhandler(HTTPException)
    def http(error: HTTPException) -> Response:
        codes = {404: "no_such_call", 405: "no_such_call", 413: "too_large"}
        status = error.code or 500
        return _problem(status, codes.get(status, "bad_request"), error.name)

    @app.errorhandler(Exception)
    def failed(error: Exception) -> Response:  # the edge of the process: the caller learns nothing, the log everything
        log.exception("a call failed")
        return _problem(500, "failed", "the agent failed; its log says why")


def _checked(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise _BadRequest(f"a name must match {NAME_PATTERN}")
    return name


def _problem(status: int, error: str, detail: str) -> Response:
    return _reply(Problem(error=error, detail=detail), status)


def _reply(model: BaseModel, status: int = 200) -> Response:
    content: Any = model.model_dump_json()
    return Response(content, status=status, mimetype="application/json")
