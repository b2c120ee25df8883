"""Webhooks: what is sent, how often, and what the switches for trouble do."""

import queue
from pathlib import Path
from typing import Any

import pytest

from tests.sandbox.yookassa.bodies import open_payment, refund
from tests.sandbox.yookassa.openapi import check_notification
from tests.sandbox.yookassa.running import RunningYooKassa, running_yookassa


def journal(yookassa: RunningYooKassa) -> list[dict[str, Any]]:
    """The deliveries so far: once a forged notification has come back, every earlier answer has been read too."""
    yookassa.control("/webhooks", {"event": "payment.succeeded", "object": {"id": "marker"}})
    assert yookassa.receiver.next()["object"] == {"id": "marker"}
    return [entry for entry in yookassa.deliveries() if entry["object_id"] != "marker"]


def test_every_change_is_told_in_valid_words(yookassa: RunningYooKassa) -> None:
    held = open_payment(yookassa, capture=False)["id"]
    yookassa.pay(held)
    told = [yookassa.receiver.next()]
    yookassa.call("POST", f"/payments/{held}/capture", {}, key="capture")
    told.append(yookassa.receiver.next())
    refund(yookassa, held, "10.00")
    told.append(yookassa.receiver.next())
    yookassa.control(f"/payments/{open_payment(yookassa)['id']}/decline", {})
    told.append(yookassa.receiver.next())

    assert [body["event"] for body in told] == [
        "payment.waiting_for_capture",
        "payment.succeeded",
        "refund.succeeded",
        "payment.canceled",
    ]
    for body in told:
        assert check_notification(body) == []
    assert told[2]["object"]["payment_id"] == held


def test_an_expiry_is_told_without_anybody_asking(yookassa: RunningYooKassa) -> None:
    payment_id = open_payment(yookassa)["id"]

    yookassa.advance(3601)

    body = yookassa.receiver.next()
    assert (body["event"], body["object"]["id"]) == ("payment.canceled", payment_id)


@pytest.mark.parametrize("refusal", [500, 201, 302])
def test_only_200_counts_as_received(yookassa: RunningYooKassa, refusal: int) -> None:
    yookassa.receiver.statuses[:] = [refusal, refusal]
    payment_id = open_payment(yookassa)["id"]
    yookassa.pay(payment_id)

    bodies = [yookassa.receiver.next() for _ in range(3)]

    assert bodies[0] == bodies[1] == bodies[2]
    with pytest.raises(queue.Empty):
        yookassa.receiver.received.get(timeout=0.1)  # five pauses long: it has stopped
    deliveries = journal(yookassa)
    assert [(entry["tries"], entry["status"]) for entry in deliveries] == [(1, refusal), (2, refusal), (3, 200)]
    assert {entry["payment_id"] for entry in deliveries} == {payment_id}


def test_a_lost_webhook_never_comes_and_the_next_one_does(yookassa: RunningYooKassa) -> None:
    yookassa.troubles.lose_next_webhook = True
    lost = open_payment(yookassa)["id"]
    yookassa.pay(lost)
    kept = open_payment(yookassa)["id"]
    yookassa.pay(kept)

    assert yookassa.receiver.next()["object"]["id"] == kept
    assert yookassa.receiver.received.empty()
    assert yookassa.troubles.lose_next_webhook is False
    assert [(entry["payment_id"], entry["lost"]) for entry in journal(yookassa)] == [
        (lost, True),
        (kept, False),
    ]


def test_webhooks_can_come_twice(yookassa: RunningYooKassa) -> None:
    yookassa.troubles.send_webhooks_twice = True
    yookassa.pay(open_payment(yookassa)["id"])

    assert yookassa.receiver.next() == yookassa.receiver.next()


def test_what_was_not_received_is_sent_after_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "yookassa.sqlite3"
    with running_yookassa(path, redelivery_pauses=(3600,)) as before:
        before.receiver.statuses[:] = [503]
        payment_id = open_payment(before)["id"]
        before.pay(payment_id)
        first = before.receiver.next()
        assert [entry["status"] for entry in journal(before)] == [503]

    with running_yookassa(path) as after:
        after.advance(3600)
        assert after.receiver.next() == first
        assert [entry["tries"] for entry in journal(after)] == [2]


def test_delivery_is_given_up_after_a_day() -> None:
    with running_yookassa(redelivery_pauses=(3600 * 25,)) as yookassa:
        yookassa.receiver.statuses[:] = [503]
        yookassa.pay(open_payment(yookassa)["id"])
        yookassa.receiver.next()
        assert [entry["status"] for entry in journal(yookassa)] == [503]
        yookassa.advance(3600 * 26)

        assert [entry["error"] for entry in journal(yookassa)] == [None, "given up"]
        assert yookassa.receiver.received.empty()


def test_a_shop_that_is_down_is_not_an_error_for_the_payer() -> None:
    with running_yookassa(webhook_url="http://127.0.0.1:1/webhooks/yookassa") as yookassa:
        assert yookassa.pay(open_payment(yookassa)["id"])["status"] == "succeeded"


def test_a_forged_webhook_is_sent_once_and_its_answer_shown(yookassa: RunningYooKassa) -> None:
    yookassa.receiver.statuses[:] = [403]
    forged: dict[str, Any] = {"event": "payment.succeeded", "object": {"id": "x", "paid": True}}

    assert yookassa.control("/webhooks", forged) == {"status": 403}

    assert yookassa.receiver.next() == {"type": "notification", **forged}
    assert yookassa.deliveries()[0]["status"] == 403
