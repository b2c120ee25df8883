"""waitress, in front of the application: one process, a thread for each caller that waits, and an end in order."""

import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

from waitress import wasyncore
from waitress.channel import HTTPChannel
from waitress.server import create_server
from waitress.task import ErrorTask

from shared.agent_contract import Problem
from shared.environment import ConfigurationProblems

# As many callers can wait for one batch.
_THREADS: Final = 64
_CONNECTIONS: Final = 400
_LONGEST_BODY: Final = 65_536
# The last answers get this long to be sent.
_LONGEST_GOODBYE: Final = 1.0


class _ProblemTask(ErrorTask):
    """What waitress refuses by itself is a Problem, too."""

    def execute(self) -> None:
        request: Any = self.request
        error = request.error
        code = "too_large" if error.code == 413 else "bad_request"
        body = Problem(error=code, detail=error.reason).model_dump_json().encode()
        self.status = f"{error.code} {error.reason}"
        self.response_headers = [("Content-Type", "application/json")]
        self.set_close_on_finish()
        self.content_length = len(body)
        self.write(body)


class _Channel(HTTPChannel):
    error_task_class = _ProblemTask


@contextmanager
def listening(app: Callable[..., Any], host: str, port: int) -> Iterator[Callable[[], None]]:
    """Gives what begins to answer. At the end of the block the last answers are sent, and everything is closed.

    Raises ConfigurationProblems if the port is taken.
    """
    server: Any = create_server(
        app,
        sockets=[_bound(host, port)],
        threads=_THREADS,
        connection_limit=_CONNECTIONS,
        max_request_body_size=_LONGEST_BODY,
        clear_untrusted_proxy_headers=True,
    )
    server.channel_class = _Channel
    # One caller more than threads is no news.
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)
    thread = threading.Thread(target=server.run, name="web", daemon=True)
    try:
        yield thread.start
    finally:
        if thread.is_alive():
            _await_last_answers(server)
            # In its own thread, whose loop ends when nothing is left to wait for.
            server.trigger.pull_trigger(lambda: wasyncore.close_all(server._map, ignore_all=True))
            thread.join(_LONGEST_GOODBYE)
        else:
            server.close()
        server.task_dispatcher.shutdown(timeout=_LONGEST_GOODBYE)


def _bound(host: str, port: int) -> socket.socket:
    bound = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((host, port))
    except OSError as error:
        bound.close()
        problem = f"AGENT_HOST, AGENT_PORT: {host}:{port} cannot be listened on ({error.strerror}): choose another"
        raise ConfigurationProblems([problem]) from None
    return bound


def _await_last_answers(server: Any) -> None:
    deadline = time.monotonic() + _LONGEST_GOODBYE
    while time.monotonic() < deadline:
        if not any(channel.requests or channel.total_outbufs_len for channel in [*server.active_channels.values()]):
            return
        time.sleep(0.01)
