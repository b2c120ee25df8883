"""The provider's webhook: an address check, ids, one nudge, and nothing else is believed."""

import json
from typing import Any
from uuid import UUID

import pytest
from flask.testing import FlaskClient
from structlog.testing import capture_logs

from node_a.application.overview import PaymentStage
from node_a.domain.errors import LedgerUnavailable
from tests.node_a.web.shop import PROVIDER_ADDRESS, FakeShop

OURS = UUID(int=1)


def notification(event: str = "payment.succeeded", **subject: Any) -> dict[str, Any]:
    subject = subject or {"id": "provider-1", "status": "succeeded", "metadata": {"payment_id": str(OURS)}}
    return {"type": "notification", "event": event, "object": subject}


def send(client: FlaskClient, body: Any, address: str = PROVIDER_ADDRESS, headers: dict[str, str] | None = None) -> int:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    environ = {"REMOTE_ADDR": address}
    return client.post("/webhooks/yookassa", data=data, headers=headers, environ_base=environ).status_code


@pytest.mark.parametrize("event", ["payment.succeeded", "payment.canceled", "payment.waiting_for_capture"])
def test_a_payments_event_is_a_nudge(event: str) -> None:
    shop = FakeShop()
    shop.stage(PaymentStage.WAITING)
    assert send(shop.client(), notification(event)) == 200
    assert shop.nudges == [(OURS, "provider-1")]
    assert not shop.refund_nudges


def test_a_refunds_event_nudges_its_payment() -> None:
    shop = FakeShop()
    body = notification("refund.succeeded", id="refund-1", payment_id="provider-1", metadata={"payment_id": str(OURS)})
    assert send(shop.client(), body) == 200
    assert shop.nudges == [(None, "provider-1")]
    assert shop.refund_nudges == ["provider-1"]


@pytest.mark.parametrize("metadata", [None, {}, [], {"payment_id": 7}, {"payment_id": "not ours"}])
def test_without_our_own_id_the_providers_is_enough(metadata: Any) -> None:
    shop = FakeShop()
    assert send(shop.client(), notification(id="provider-1", metadata=metadata)) == 200
    assert shop.nudges == [(None, "provider-1")]


def test_a_payment_that_nobody_knows_is_received_and_noted_in_the_log() -> None:
    shop = FakeShop()
    with capture_logs() as logs:
        assert send(shop.client(), notification()) == 200
    assert "a webhook about nothing that is open" in [line["event"] for line in logs]


def test_events_that_do_not_concern_us_are_received_without_a_nudge() -> None:
    shop = FakeShop()
    assert send(shop.client(), notification("payout.succeeded", id="x")) == 200
    assert shop.nudges == []


def test_another_address_is_refused_whatever_it_says() -> None:
    shop = FakeShop()
    forwarded = {"X-Forwarded-For": PROVIDER_ADDRESS}
    assert send(shop.client(), notification(), address="198.51.100.7") == 403
    assert send(shop.client(), notification(), address="198.51.100.7", headers=forwarded) == 403
    assert shop.nudges == []


@pytest.mark.parametrize(
    ("proxies", "forwarded", "status"),
    [
        (1, PROVIDER_ADDRESS, 200),
        (1, f"198.51.100.7, {PROVIDER_ADDRESS}", 200),
        (1, f"{PROVIDER_ADDRESS}, 198.51.100.7", 403),  # the caller wrote the first one
        (2, f"{PROVIDER_ADDRESS}, 10.0.0.2", 200),
        (2, PROVIDER_ADDRESS, 403),  # came around the outer proxy
        (1, "", 403),
    ],
)
def test_only_as_many_proxies_are_believed_as_are_counted(proxies: int, forwarded: str, status: int) -> None:
    client = FakeShop().client(trusted_proxies=proxies)
    headers = {"X-Forwarded-For": forwarded} if forwarded else {}
    assert send(client, notification(), address="127.0.0.1", headers=headers) == status


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b"[" * 60_000,
        b"1" * 5000,
        b"[]",
        b'{"type": "notification"}',
        b'{"type": "notification", "event": 7, "object": {}}',
        b'{"type": "notification", "event": "payment.succeeded", "object": []}',
        b'{"type": "notification", "event": "payment.succeeded", "object": {"id": 5}}',
        b'{"type": "payment", "event": "payment.succeeded", "object": {"id": "provider-1"}}',
        json.dumps(notification(id="x" * 65)).encode(),
        json.dumps(notification(id="a\nb")).encode(),
    ],
)
def test_a_broken_body_is_said_to_be_broken_and_does_no_harm(body: bytes) -> None:
    shop = FakeShop()
    assert send(shop.client(), body) == 400
    assert shop.nudges == []


def test_an_oversized_body_is_not_read() -> None:
    shop = FakeShop()
    assert send(shop.client(), json.dumps(notification()).encode() + b" " * 65_536) == 413
    assert shop.nudges == []


@pytest.mark.parametrize("error", [LedgerUnavailable("locked"), RuntimeError("disk I/O error")])
def test_a_nudge_that_could_not_be_committed_is_asked_for_again(error: Exception) -> None:
    shop = FakeShop(failing={"nudge": error})
    assert send(shop.client(), notification()) == 503
    shop.failing.clear()
    assert send(shop.client(), notification()) == 200


def test_the_customers_limit_does_not_hold_for_the_provider() -> None:
    client = FakeShop().client()
    assert {send(client, notification()) for _ in range(100)} == {200}


def test_nothing_of_the_body_is_logged_but_ids() -> None:
    body = notification(
        id="provider-1",
        metadata={"payment_id": str(OURS), "customer": "Ivan"},
        payment_method={"card": {"last4": "4242"}},
        status="PLANTED",
    )
    with capture_logs() as logs:
        send(FakeShop().client(), body)
    text = repr(logs)
    assert str(OURS) in text
    for planted in ("Ivan", "4242", "PLANTED"):
        assert planted not in text
