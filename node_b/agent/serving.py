"""The agent as a process: what it needs is opened, its API served, and everything ended in order."""

import fcntl
import functools
import os
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import structlog

from node_b.agent.application import Calls, create_app
from node_b.agent.config import ConfigFile, read_skeleton
from node_b.agent.host import Host
from node_b.agent.keeper import Keeper
from node_b.agent.metrics import Metrics
from node_b.agent.settings import Settings
from node_b.agent.supervisor import Supervisor
from node_b.agent.users import Users
from node_b.agent.web import listening
from shared.environment import ConfigurationProblems

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

# So long the keeper may take for what waits and for Xray's end; the last answers take up to three seconds more.
GRACE: Final = 8.0
# A status waits for it.
_LONGEST_VERSION: Final = 5.0


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
        users = Users(settings.state / "users.db", taken=skeleton.placeholder[1])
        metrics = Metrics()
        file = ConfigFile(settings.state / "xray.json", settings.xray)
        supervisor = Supervisor(skeleton, file, settings.xray, metrics)
        keeper = Keeper(users, supervisor, metrics, renew_at=settings.renew_at)
        calls = Calls(
            keeper=keeper,
            users=users,
            host=Host(settings.state),
            metrics=metrics,
            xray_version=lambda: xray_version(settings.xray),
        )
        app = create_app(settings.token.get_secret_value(), calls)
        with listening(app, settings.host, settings.port) as answer:
            thread, failed = _keeping(keeper, stopping)
            answer()
            log.info("the agent answers", host=settings.host, port=settings.port)
            stopping.wait()
            log.info("stopping")
            keeper.stop()
            thread.join(GRACE)
        if thread.is_alive() or failed.is_set():
            return 1
        users.close()
        return 0


def xray_version(xray: Path) -> str:
    try:
        return _told_version(xray)
    except (OSError, subprocess.SubprocessError, IndexError):
        return "unknown"


@functools.cache  # which remembers no error: that may pass
def _told_version(xray: Path) -> str:
    command = [str(xray), "version"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=_LONGEST_VERSION, check=False)
    return done.stdout.split()[1]


def _keeping(keeper: Keeper, stopping: threading.Event) -> tuple[threading.Thread, threading.Event]:
    """The thread, and whether it has failed."""
    failed = threading.Event()

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
    return thread, failed
