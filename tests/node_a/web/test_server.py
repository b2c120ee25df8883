"""gunicorn in our process, for real: it serves, keeps its logs in order, and ends in time."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import httpx
import psutil
import pytest

from tests.node_a.web.serve_for_test import THREADS
from tests.node_a.web.shop import LINK_TOKEN, tma

PROJECT = Path(__file__).parents[3]
GRACE = 4


@dataclass
class Server:
    address: str
    process: subprocess.Popen[str]
    home: Path

    def wait_for(self, word: str) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.strip() == word:
                return
        pytest.fail(f"the server ended before it said {word!r}")

    def end(self) -> str:
        """Everything that was logged until the end."""
        self.process.send_signal(signal.SIGTERM)
        _, errors = self.process.communicate(timeout=15)
        return errors


@contextmanager
def a_server(home: Path) -> Iterator[Server]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.node_a.web.serve_for_test", str(port), str(GRACE)],
        cwd=PROJECT,
        env={**os.environ, "HOME": str(home), "XDG_RUNTIME_DIR": ""},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        server = Server(f"http://127.0.0.1:{port}", process, home)
        server.wait_for("ready")
        yield server
    finally:
        children = []
        with suppress(psutil.NoSuchProcess):
            children = psutil.Process(process.pid).children(recursive=True)
        for child in children:
            with suppress(psutil.NoSuchProcess):
                child.kill()
        process.kill()
        process.communicate()


def test_it_serves_logs_through_our_own_handler_and_ends_at_once_when_idle(tmp_path: Path) -> None:
    with a_server(tmp_path) as server:
        assert httpx.get(f"{server.address}/healthz").text == "ok\n"
        assert httpx.get(f"{server.address}/app").status_code == 200
        assert httpx.get(f"{server.address}/sub/{LINK_TOKEN}").status_code == 404
        assert [len(psutil.Process(server.process.pid).children())] == [1]
        errors = server.end()
    assert server.process.returncode == 0
    assert "unfinished" not in errors  # it did not wait for anybody
    lines = [json.loads(line) for line in errors.splitlines()]
    assert [line["route"] for line in lines if line["event"] == "request"] == ["/app"]
    assert {line["process"] for line in lines} == {"web"}
    assert LINK_TOKEN not in errors
    assert list(tmp_path.iterdir()) == []  # no control socket under the home directory


def test_a_provider_that_hangs_takes_half_of_the_threads_and_no_more(tmp_path: Path) -> None:
    headers = tma(at=datetime.now(UTC))
    answers: list[httpx.Response] = []

    with a_server(tmp_path) as server:

        def tap() -> None:
            order = {"plan": "month"}
            with suppress(httpx.HTTPError):
                answers.append(httpx.post(f"{server.address}/app/payments", json=order, headers=headers, timeout=20))

        taps = [threading.Thread(target=tap) for _ in range(THREADS)]
        for each in taps:
            each.start()
        for _ in range(THREADS // 2):
            server.wait_for("opening")

        assert httpx.get(f"{server.address}/healthz", timeout=5).text == "ok\n"
        assert httpx.get(f"{server.address}/app/home", headers=headers, timeout=5).status_code == 200
        webhook = {"type": "notification", "event": "payment.succeeded", "object": {"id": "provider-1"}}
        assert httpx.post(f"{server.address}/webhooks/yookassa", json=webhook, timeout=5).status_code == 200
        tap()  # one more while the first still hang
        server.end()
        for each in taps:
            each.join()

    assert [answer.status_code for answer in answers] == [503] * (THREADS // 2 + 1)
    assert all('data-problem="provider-silent"' in answer.text for answer in answers)


def test_a_hung_request_does_not_hold_the_end(tmp_path: Path) -> None:
    with a_server(tmp_path) as server:

        def ask() -> None:
            with suppress(httpx.HTTPError):
                httpx.get(f"{server.address}/hang", timeout=20)

        asking = threading.Thread(target=ask)
        asking.start()
        server.wait_for("hanging")
        worker = psutil.Process(server.process.pid).children()[0]
        errors = server.end()
        asking.join()
    assert server.process.returncode == 0
    assert not worker.is_running()
    last = [json.loads(line) for line in errors.splitlines()][-1]
    assert "ending with 1 unfinished requests" in last["event"]
    assert "hanging-sdk" in last["event"]
