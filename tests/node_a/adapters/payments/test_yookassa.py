"""The adapter against the stand-in: what goes well."""

import json
import logging
from dataclasses import replace
from pathlib import Path

import pytest
from yookassa import Configuration

from node_a.adapters.payments.yookassa import YooKassa
from node_a.application.ports import PaymentProvider
from node_a.domain.errors import PaymentRefused
from node_a.domain.money import Money
from node_a.domain.payment import Outcome, OutcomeStatus, Payment, PaymentState, Shop
from tests.node_a.adapters.payments.conftest import RETURN_URL, Connect
from tests.sandbox.yookassa.running import SECRET_KEY, SHOP_ID, RunningYooKassa


def created(payment: Payment, provider: PaymentProvider) -> Payment:
    return payment.settled(provider.create(payment), payment.opened_at)


def test_a_new_payment_has_a_link_and_our_terms(
    provider: YooKassa, payment: Payment, stand_in: RunningYooKassa
) -> None:
    outcome = provider.create(payment)

    assert outcome.status is OutcomeStatus.PENDING
    assert outcome.link == f"{stand_in.url}/pay/{outcome.provider_id}"
    assert outcome.amount == Money(19_905, "RUB")
    assert outcome.shop == Shop(SHOP_ID, test=True)
    (exchange,) = stand_in.exchanges()
    assert exchange["headers"]["Idempotence-Key"] == str(payment.id)
    assert exchange["request"] == json.loads(payment.request)
    assert exchange["request"] == {
        "amount": {"value": "199.05", "currency": "RUB"},
        "capture": True,
        "confirmation": {"type": "redirect", "return_url": f"{RETURN_URL}?payment={payment.id}"},
        "description": "VPN на 30 дней",
        "metadata": {
            "payment_id": str(payment.id),
            "customer_id": "4503599627370495",
            "plan_code": "month",
            "days": "30",
            "traffic": "107374182400",
            "price": "199.05 RUB",
        },
    }


def test_a_repeated_creation_is_the_same_payment(
    provider: YooKassa, payment: Payment, stand_in: RunningYooKassa
) -> None:
    assert provider.create(payment) == provider.create(payment)
    assert len(stand_in.call("GET", "/payments")["items"]) == 1


def test_a_paid_payment_is_found_paid(provider: YooKassa, payment: Payment, stand_in: RunningYooKassa) -> None:
    pending = created(payment, provider)
    assert provider.find(pending).status is OutcomeStatus.PENDING
    stand_in.pay(str(pending.provider_id))

    outcome = provider.find(pending)

    assert (outcome.status, outcome.amount) == (OutcomeStatus.SUCCEEDED, Money(19_905))
    assert pending.settled(outcome, payment.opened_at).state is PaymentState.PAID


def test_a_declined_payment_is_found_with_its_reason(
    provider: YooKassa, payment: Payment, stand_in: RunningYooKassa
) -> None:
    pending = created(payment, provider)
    stand_in.control(f"/payments/{pending.provider_id}/decline", {})

    outcome = provider.find(pending)

    assert (outcome.status, outcome.reason) == (OutcomeStatus.CANCELED, "insufficient_funds")


def test_an_expired_payment_is_found_canceled(provider: YooKassa, payment: Payment, stand_in: RunningYooKassa) -> None:
    pending = created(payment, provider)
    stand_in.advance(3601)

    assert provider.find(pending).reason == "expired_on_confirmation"


def test_a_payment_without_an_answer_cannot_be_looked_for(provider: YooKassa, payment: Payment) -> None:
    with pytest.raises(ValueError, match="not known to the provider"):
        provider.find(payment)


def test_the_same_terms_give_the_same_request(provider: YooKassa, payment: Payment) -> None:
    assert provider.request_for(payment, "VPN на 30 дней") == payment.request
    unlimited = replace(payment, plan=replace(payment.plan, traffic_limit=None))
    body = json.loads(provider.request_for(unlimited, "я" * 200))
    assert body["metadata"]["traffic"] == "unlimited"
    assert body["description"] == "я" * 128


def test_two_shops_in_one_process_do_not_mix(connect: Connect, provider: YooKassa, payment: Payment) -> None:
    other = connect(secret_key="test_not-the-secret")

    assert provider.create(payment).link
    with pytest.raises(PaymentRefused):
        other.create(payment)
    assert provider.create(payment).link


def test_no_secret_and_no_link_is_logged(connect: Connect, payment: Payment, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    Configuration.configure_logger(logging.getLogger("somebody.else"))  # the SDK keeps it for good
    try:
        outcome = connect().create(payment)
    finally:
        Configuration.logger = None

    text = caplog.text + repr([vars(record) for record in caplog.records])
    assert "Basic " not in text
    assert SECRET_KEY not in text
    assert str(outcome.link) not in text


def test_passwords_in_a_netrc_are_not_sent(
    provider: YooKassa, payment: Payment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password test_else\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))

    assert isinstance(provider.create(payment), Outcome)
