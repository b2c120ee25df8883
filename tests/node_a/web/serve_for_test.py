"""A process as bootstrap makes it: logs configured, then the server; its payment provider never answers. Started by
test_server.py."""

import os
import sys
import threading
import time
from datetime import UTC, datetime

from flask import Flask

from node_a.domain.customer import CustomerId
from node_a.domain.payment import Payment
from node_a.web.server import serve
from shared.logs import configure
from tests.node_a.web.shop import FakeShop

THREADS = 4


def hang_opening(customer_id: CustomerId, plan_code: str, receipt_to: str | None) -> Payment:
    os.write(1, b"opening\n")  # in one piece: two threads may say it at once
    time.sleep(60)
    raise AssertionError("the test has ended long ago")


def make_app() -> Flask:
    app = FakeShop(now=datetime.now(UTC)).app(
        open_payment=hang_opening, payments_at_once=THREADS // 2, is_provider_address=lambda address: True
    )

    @app.get("/hang")
    def hang() -> str:
        threading.current_thread().name = "hanging-sdk"
        print("hanging", flush=True)
        time.sleep(60)
        return "never"

    return app


def main(port: int, grace: int) -> None:
    configure(process="web", format="json", level="INFO", secrets=["42:TEST"])
    serve(
        make_app, host="127.0.0.1", port=port, threads=THREADS, grace=grace, on_ready=lambda: print("ready", flush=True)
    )


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
