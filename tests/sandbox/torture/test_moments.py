"""Whose request is whose."""

import threading

import pytest

from sandbox.torture.moments import Moments, at_work


@pytest.mark.parametrize(
    ("method", "path", "workers"),
    [
        ("GET", "/v3/payments/22d6d597-000f-5000-9000-145f6df21d6f", {"worker"}),
        ("POST", "/v3/payments", {"web"}),
        ("PUT", "/agent/v1/users/q_abc", {"worker"}),
        ("POST", "/api/user", {"worker"}),
        ("PUT", "/api/user/q_abc", {"worker"}),
        ("POST", "/bot1:secret/sendMessage", {"worker", "bot"}),
        ("GET", "/bot1:secret/getUpdates", set()),
        ("GET", "/api/core", set()),
        ("POST", "/sandbox/payments/22d6d597/pay", set()),
    ],
)
def test_a_process_is_seen_at_work_by_what_it_asks_of_its_neighbours(method: str, path: str, workers: set[str]) -> None:
    assert at_work(method, path) == workers


def test_only_work_from_now_on_counts() -> None:
    moments = Moments()
    moments.note("POST", "/v3/payments")
    assert not moments.wait_for("web", 0)

    later = threading.Timer(0.05, lambda: moments.note("POST", "/v3/payments"))
    later.start()
    assert moments.wait_for("web", 30)
    later.join()
