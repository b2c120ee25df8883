"""A process as bootstrap makes it: logs configured, then the server. Started by test_server.py."""

import sys
import threading
import time

from flask import Flask

from node_a.web.server import serve
from shared.logs import configure
from tests.node_a.web.shop import FakeShop


def make_app() -> Flask:
    app = FakeShop().app()

    @app.get("/hang")
    def hang() -> str:
        threading.current_thread().name = "hanging-sdk"
        print("hanging", flush=True)
        time.sleep(60)
        return "never"

    return app


def main(port: int, grace: int) -> None:
    configure(process="web", format="json", level="INFO", secrets=["42:TEST"])
    serve(make_app, host="127.0.0.1", port=port, threads=4, grace=grace, on_ready=lambda: print("ready", flush=True))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
