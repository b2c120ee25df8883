"""The adapter's refunds against the stand-in: what is sent, what is believed."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest

from node_a.adapters.payments.yookassa import YooKassa
from node_a.domain.errors import PaymentRefused, ProviderUnavailable
from node_a.domain.money import Money
from node_a.domain.payment import Payment
from node_a.domain.refund import Refund, RefundId, RefundState
from tests.node_a.adapters.payments.answering import a_provider_that_answers
from tests.node_a.adapters.payments.conftest import Connect
from tests.sandbox.yookassa.running import RunningYooKassa


@pytest.fixture
def paid(provider: YooKassa, payment: Payment, stand_in: RunningYooKassa) -> Payment:
    """199.05 roubles."""
    known = payment.opened(provider.create(payment))
    stand_in.pay(str(known.provider_id))
    return known


@pytest.fixture
def refund(provider: YooKassa, paid: Payment) -> Refund:
    """As the ledger holds it before the provider hears of it."""
    opened = Refund(RefundId(uuid4()), paid.id, Money(6_635), datetime(2026, 11, 22, tzinfo=UTC))
    return replace(opened, request=provider.refund_request_for(paid, opened, "Возврат: VPN на 30 дней"))


def test_a_refund_is_sent_as_it_was_stored_under_its_own_key(
    provider: YooKassa, paid: Payment, refund: Refund, stand_in: RunningYooKassa
) -> None:
    outcome = provider.create_refund(refund)

    assert (outcome.id, outcome.state, outcome.amount) == (refund.id, RefundState.DONE, Money(6_635))
    assert outcome.created_at.tzinfo is not None
    exchange = stand_in.exchanges()[-1]
    assert exchange["path"] == "/v3/refunds"
    assert exchange["headers"]["Idempotence-Key"] == str(refund.id)
    assert exchange["request"] == json.loads(refund.request)
    assert exchange["request"] == {
        "payment_id": paid.provider_id,
        "amount": {"value": "66.35", "currency": "RUB"},
        "description": "Возврат: VPN на 30 дней",
        "metadata": {"refund_id": str(refund.id), "payment_id": str(paid.id)},
    }


def test_the_longest_description_is_taken(provider: YooKassa, paid: Payment, refund: Refund) -> None:
    long = replace(refund, request=provider.refund_request_for(paid, refund, "я" * 300))

    assert json.loads(long.request)["description"] == "я" * 250
    assert provider.create_refund(long).state is RefundState.DONE


def test_a_payment_without_an_answer_has_no_refunds(provider: YooKassa, payment: Payment, refund: Refund) -> None:
    with pytest.raises(ValueError, match="not known to the provider"):
        provider.refund_request_for(payment, refund, "")
    with pytest.raises(ValueError, match="not known to the provider"):
        provider.refunds_of(payment)


def test_a_refund_by_hand_cannot_be_made_by_us(provider: YooKassa, refund: Refund, stand_in: RunningYooKassa) -> None:
    with pytest.raises(ValueError, match="by hand"):
        provider.create_refund(replace(refund, request=""))

    assert stand_in.exchanges()[-1]["path"] != "/v3/refunds"


@pytest.mark.parametrize("fault", ["500_after_work", "drop_after_work", "html_after_work", "429", "drop", "html_200"])
def test_whatever_becomes_of_the_answer_the_money_goes_back_once(
    provider: YooKassa, paid: Payment, refund: Refund, stand_in: RunningYooKassa, fault: str
) -> None:
    stand_in.fail_next(fault)
    with pytest.raises(ProviderUnavailable):
        provider.create_refund(refund)

    outcome = provider.create_refund(refund)

    assert list(provider.refunds_of(paid)) == [outcome]
    assert provider.find(paid).refunded == Money(6_635)


def test_another_body_under_the_same_key_is_refused(
    provider: YooKassa, paid: Payment, refund: Refund, stand_in: RunningYooKassa
) -> None:
    provider.create_refund(refund)
    other = provider.refund_request_for(paid, replace(refund, amount=Money(1)), "")

    with pytest.raises(PaymentRefused, match="Idempotence"):
        provider.create_refund(replace(refund, request=other))


def test_a_wrong_secret_is_refused_for_good(connect: Connect, refund: Refund) -> None:
    with pytest.raises(PaymentRefused, match="invalid_credentials"):
        connect(secret_key="test_not-the-secret").create_refund(refund)


def test_a_refund_canceled_at_once_says_why(provider: YooKassa, refund: Refund, stand_in: RunningYooKassa) -> None:
    stand_in.let_refunds_become("canceled")

    outcome = provider.create_refund(refund)

    assert (outcome.state, outcome.reason) == (RefundState.FAILED, "general_decline")


def test_the_word_on_another_payments_refund_is_not_believed(connect: Connect, paid: Payment, refund: Refund) -> None:
    other: dict[str, Any] = {
        "id": "2e8f1c3a-000f-5000-9000-1b68e7b15f3f",
        "payment_id": "2e8f1c3a-000f-5000-9000-000000000000",
        "status": "succeeded",
        "amount": {"value": "66.35", "currency": "RUB"},
        "created_at": "2026-11-22T10:00:00.000Z",
    }

    with a_provider_that_answers(other) as url, pytest.raises(ProviderUnavailable, match="another payment"):
        connect(api_url=url).create_refund(refund)
    listed = {"type": "list", "items": [other]}
    with a_provider_that_answers(listed) as url, pytest.raises(ProviderUnavailable, match="another payment"):
        connect(api_url=url).refunds_of(paid)
