"""The promises of Idempotence-Key, and what is still known after a restart of the stand-in."""

from pathlib import Path

import pytest

from tests.sandbox.yookassa.bodies import a_payment, open_payment, refund
from tests.sandbox.yookassa.running import RunningYooKassa, running_yookassa

ALMOST_A_DAY = 24 * 3600 - 10


def test_the_same_request_twice_is_one_payment(yookassa: RunningYooKassa, key: str) -> None:
    first = yookassa.call("POST", "/payments", a_payment(), key=key)
    second = yookassa.call("POST", "/payments", a_payment(), key=key)

    assert first == second
    assert len(yookassa.call("GET", "/payments")["items"]) == 1


def test_the_same_key_for_something_else_is_refused(yookassa: RunningYooKassa, key: str) -> None:
    yookassa.call("POST", "/payments", a_payment(), key=key)

    other = yookassa.call("POST", "/payments", a_payment(description="another"), key=key)

    assert (other["http_status"], other["parameter"]) == (400, "Idempotence-Key")
    assert len(yookassa.call("GET", "/payments")["items"]) == 1


def test_a_key_is_remembered_for_a_day_and_no_longer(yookassa: RunningYooKassa, key: str) -> None:
    first = yookassa.call("POST", "/payments", a_payment(), key=key)
    yookassa.advance(ALMOST_A_DAY)
    second = yookassa.call("POST", "/payments", a_payment(), key=key)
    yookassa.advance(20)  # counted from the first request, not from the last
    third = yookassa.call("POST", "/payments", a_payment(), key=key)

    assert first["id"] == second["id"]
    assert third["id"] != first["id"]
    assert third["status"] == "pending"


def test_a_refused_request_does_not_use_up_its_key(yookassa: RunningYooKassa, key: str) -> None:
    assert yookassa.call("POST", "/payments", a_payment(amount=None), key=key)["http_status"] == 400
    assert yookassa.call("POST", "/payments", a_payment(), key=key)["http_status"] == 200


@pytest.mark.parametrize("wrong", [None, "", "k" * 65, "пробел", "a b"])
def test_a_missing_or_malformed_key_is_refused(yookassa: RunningYooKassa, wrong: str | None) -> None:
    # requests would not send such a header itself, so it goes as bytes
    header = wrong if wrong is None or wrong.isascii() else wrong.encode().decode("latin-1")
    refused = yookassa.call("POST", "/payments", a_payment(), key=header)

    assert (refused["http_status"], refused["parameter"]) == (400, "Idempotence-Key")


def test_a_restart_forgets_nothing(tmp_path: Path, key: str) -> None:
    path = tmp_path / "yookassa.sqlite3"
    with running_yookassa(path) as before:
        first = before.call("POST", "/payments", a_payment(), key=key)
        other = open_payment(before)
        before.pay(other["id"])
        given_back = refund(before, other["id"], "1.00")
        before.advance(1800)

    with running_yookassa(path) as after:
        repeated = after.call("POST", "/payments", a_payment(), key=key)
        assert repeated["id"] == first["id"]
        assert after.call("GET", f"/payments/{other['id']}")["refunded_amount"]["value"] == "1.00"
        assert after.call("GET", f"/refunds/{given_back['id']}")["payment_id"] == other["id"]
        after.advance(1810)  # with the half hour before: the clock's offset was kept
        assert after.call("GET", f"/payments/{first['id']}")["status"] == "canceled"
