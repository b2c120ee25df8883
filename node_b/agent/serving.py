"""The agent as a process: what it needs is opened, its API served, and everything ended in order."""

import fcntl
import functools
import os
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, cast

import structlog
from waitress.channel import HTTPChannel
from waitress.server import BaseWSGIServer, create_server
from waitress.task import ErrorTask

from node_b.agent.application import create_app
from node_b.agent.config import ConfigFile, read_skeleton
from node_b.agent.host import Host
from node_b.agent.keeper import Keeper
from node_b.agent.metrics import Metrics
from node_b.agent.settings import Settings
from node_b.agent.supervisor import Supervisor
from node_b.agent.users import Users
from shared.agent_contract import Problem
from shared.environment import ConfigurationProblems

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

# As many callers can wait for one batch.
_THREADS: Final = 64
_CONNECTIONS: Final = 400
_LONGEST_BODY: Final = 65_536
# From being told to stop to the hard end.
GRACE: Final = 8.0


class _ProblemTask(ErrorTask):
    """What waitress refuses by itself is a Problem, too."""

    def execute(self) -> None:
        request: Any = self.request
        error = request.error
        body = Problem(error="bad_request", detail=error.reason).model_dump_json().encode()
        self.status = f"{error.code} {error.reason}"
        self.response_headers = [("Content-Type", "application/json")]
        self.set_close_on_finish()
        self.content_length = len(body)
        self.write(body)


class _Channel(HTTPChannel):
    error_task_class = _ProblemTask


@contextmanager
def the_only_agent(state: Path) -> Iterator[None]:
    """Raises ConfigurationProblems if another agent has this directory, or nobody may write to it."""
    try:
        state.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = os.open(state / "agent.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        problem = f"AGENT_STATE cannot be used ({error.strerror}): check the directory's owner and mode"
        raise ConfigurationProblems([problem]) from None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        problem = f"AGENT_STATE is in use by another agent ({state}): end that one, or give this one its own directory"
        raise ConfigurationProblems([problem]) from None
    finally:
        os.close(lock)


def serve(settings: Settings, stopping: threading.Event) -> int:
    """Until `stopping`; the exit code. Raises ConfigurationProblems."""
    with the_only_agent(settings.state):
        skeleton = read_skeleton(settings.skeleton)
        users = Users(settings.state / "users.db")
        metrics = Metrics()
        file = ConfigFile(settings.state / "xray.json", settings.xray)
        supervisor = Supervisor(skeleton, file, settings.xray, metrics)
        keeper = Keeper(users, supervisor, metrics, renew_at=settings.renew_at)
        app = create_app(
            token=settings.token.get_secret_value(),
            keeper=keeper,
            users=users,
            host=Host(settings.state),
            metrics=metrics,
            xray_version=functools.cache(lambda: xray_version(settings.xray)),
        )
        server = _listening(app, settings.host, settings.port)
        failed = threading.Event()
        thread = _keeping(keeper, stopping, failed)
        try:
            _serve_until(stopping, server)
        finally:
            keeper.stop()
            thread.join(GRACE)
        if thread.is_alive() or failed.is_set():
            return 1
        users.close()
        return 0


def xray_version(xray: Path) -> str:
    try:
        done = subprocess.run([str(xray), "version"], capture_output=True, text=True, timeout=10, check=False)
        return done.stdout.split()[1]
    except (OSError, subprocess.SubprocessError, IndexError):
        return "unknown"


def _keeping(keeper: Keeper, stopping: threading.Event, failed: threading.Event) -> threading.Thread:
    def keep() -> None:
        try:
            keeper.run()
        except BaseException:
            failed.set()
            raise
        finally:
            stopping.set()  # nothing works without it: better to be started again

    thread = threading.Thread(target=keep, name="keeper")
    thread.start()
    return thread


def _listening(app: Callable[..., Any], host: str, port: int) -> BaseWSGIServer:
    try:
        server = create_server(
            app,
            host=host,
            port=port,
            threads=_THREADS,
            connection_limit=_CONNECTIONS,
            max_request_body_size=_LONGEST_BODY,
            ident="",
            clear_untrusted_proxy_headers=True,
            _start=True,
        )
    except OSError as error:
        problem = f"AGENT_HOST, AGENT_PORT: {host}:{port} cannot be listened on ({error.strerror}): choose another"
        raise ConfigurationProblems([problem]) from None
    # Only of several addresses it would make something else.
    only = cast(BaseWSGIServer, server)
    only.channel_class = _Channel
    return only


def _serve_until(stopping: threading.Event, server: BaseWSGIServer) -> None:
    threading.Thread(target=server.run, name="web", daemon=True).start()
    log.info("the agent answers")
    stopping.wait()
    log.info("stopping")
