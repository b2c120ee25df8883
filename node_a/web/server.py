"""gunicorn, run inside our own process: one worker with threads, and a bounded end."""

import logging
import os
import threading
from collections.abc import Callable
from typing import Any, Final

from flask import Flask
from gunicorn.app.base import BaseApplication  # type: ignore[import-untyped]
from gunicorn.glogging import Logger  # type: ignore[import-untyped]
from gunicorn.workers.gthread import ThreadWorker  # type: ignore[import-untyped]

GRACE: Final = 10  # seconds from SIGTERM to the end, whatever hangs

# gunicorn's main process kills at the end of its own patience; the worker must be gone before, having said why.
_WORKER_EARLIER_BY: Final = 2

log = logging.getLogger("web.server")


class _QuietLogger(Logger):  # type: ignore[misc]
    """Through the process's own handlers only, which redact."""

    def setup(self, cfg: Any) -> None:
        super().setup(cfg)
        for logger in (self.error_log, self.access_log):
            logger.handlers = []
            logger.propagate = True
        # "Handling signal", "Booting worker": of no use beside our own lines.
        self.error_log.setLevel(logging.WARNING)


class _EndingWorker(ThreadWorker):  # type: ignore[misc]
    """A thread that hangs in a vendor's library would hold Python's exit for ever: after the grace this leaves."""

    def init_process(self) -> None:
        # This process is a fork: the main one keeps its own patience.
        self.cfg.set("graceful_timeout", max(1, self.cfg.graceful_timeout - _WORKER_EARLIER_BY))
        super().init_process()

    def run(self) -> None:
        super().run()
        if self.nr_conns <= 0:
            return
        names = sorted(thread.name for thread in threading.enumerate() if thread is not threading.main_thread())
        log.error("ending with %d unfinished requests; threads left: %s", self.nr_conns, ", ".join(names))
        logging.shutdown()
        os._exit(0)  # crash-safe by design: what was not committed is done again


class _Server(BaseApplication):  # type: ignore[misc]
    def __init__(self, app_factory: Callable[[], Flask], options: dict[str, Any]) -> None:
        self._app_factory = app_factory
        self._options = options
        super().__init__()

    def load_config(self) -> None:
        for name, value in self._options.items():
            self.cfg.set(name, value)

    def load(self) -> Flask:
        return self._app_factory()


def serve(
    app_factory: Callable[[], Flask],
    *,
    host: str,
    port: int,
    threads: int,
    on_ready: Callable[[], None] | None = None,
    grace: int = GRACE,
) -> None:
    """Serve until SIGTERM or SIGINT, then leave by SystemExit within `grace` seconds, hung requests or not.

    `app_factory` and `on_ready` run in the forked worker, so that no connection or thread crosses the fork; `on_ready`
    once the application is loaded and the port open. SystemExit with a status other than 0 if either fails.
    """

    def loaded(worker: object) -> None:
        if on_ready is not None:
            on_ready()

    options = {
        "bind": f"[{host}]:{port}" if ":" in host else f"{host}:{port}",
        "workers": 1,
        "worker_class": _EndingWorker,
        "threads": threads,
        "graceful_timeout": grace - 1,  # it looks only every so often
        "preload_app": False,
        "control_socket_disable": True,
        "logger_class": _QuietLogger,
        "accesslog": None,
        "post_worker_init": loaded,
    }
    _Server(app_factory, options).run()
