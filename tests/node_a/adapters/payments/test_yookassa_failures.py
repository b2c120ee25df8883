"""The adapter against the stand-in: what goes wrong, and whether it may be tried again."""

import time
from dataclasses import replace
from uuid import uuid4

import pytest
from yookassa.domain.exceptions import ApiError, ForbiddenError, GoneError, ResponseProcessingError

from node_a.adapters.payments.yookassa import YooKassa
from node_a.adapters.payments.yookassa_sdk import translated
from node_a.domain.errors import PaymentRefused, ProviderUnavailable
from node_a.domain.payment import Payment, PaymentId
from tests.node_a.adapters.payments.answering import a_provider_that_answers
from tests.node_a.adapters.payments.conftest import Connect
from tests.sandbox.yookassa.running import SECRET_KEY, RunningYooKassa


@pytest.mark.parametrize("fault", ["500", "html", "html_200", "redirect", "drop", "429"])
def test_a_failure_may_be_tried_again(
    provider: YooKassa, payment: Payment, stand_in: RunningYooKassa, fault: str
) -> None:
    stand_in.fail_next(fault)

    with pytest.raises(ProviderUnavailable) as caught:
        provider.create(payment)

    assert caught.value.__cause__ is not None
    assert SECRET_KEY not in str(caught.value)
    assert provider.create(payment).link
    assert len(stand_in.exchanges()) == 2  # one call, one request: the SDK repeats nothing behind our back


@pytest.mark.parametrize("fault", ["500_after_work", "drop_after_work", "html_after_work"])
def test_an_answer_lost_after_the_work_costs_no_second_payment(
    provider: YooKassa, payment: Payment, stand_in: RunningYooKassa, fault: str
) -> None:
    stand_in.fail_next(fault)
    with pytest.raises(ProviderUnavailable):
        provider.create(payment)
    (hidden,) = stand_in.call("GET", "/payments")["items"]

    assert provider.create(payment).provider_id == hidden["id"]
    assert len(stand_in.call("GET", "/payments")["items"]) == 1


def test_a_server_that_hangs_is_left_after_the_read_timeout(
    connect: Connect, payment: Payment, stand_in: RunningYooKassa
) -> None:
    stand_in.fail_next("hang")
    began = time.monotonic()

    with pytest.raises(ProviderUnavailable, match="ReadTimeout"):
        connect(read_timeout=0.3).create(payment)

    assert time.monotonic() - began < 15
    assert connect().create(payment).link


def test_a_refused_connection_may_be_tried_again(connect: Connect, payment: Payment) -> None:
    with pytest.raises(ProviderUnavailable, match="ConnectionError"):
        connect(api_url="http://127.0.0.1:1/v3").create(payment)


def test_the_word_on_another_payment_is_not_believed(
    connect: Connect, provider: YooKassa, payment: Payment, stand_in: RunningYooKassa
) -> None:
    mine = payment.settled(provider.create(payment), payment.opened_at)
    twin = replace(payment, id=PaymentId(uuid4()))
    paid = stand_in.pay(provider.create(twin).provider_id)

    with a_provider_that_answers(paid) as url, pytest.raises(ProviderUnavailable, match="another payment"):
        connect(api_url=url).find(mine)


def test_a_new_payment_without_a_link_helps_nobody(
    connect: Connect, provider: YooKassa, payment: Payment, stand_in: RunningYooKassa
) -> None:
    answer = stand_in.call("GET", f"/payments/{provider.create(payment).provider_id}")
    del answer["confirmation"]

    with a_provider_that_answers(answer) as url, pytest.raises(ProviderUnavailable, match="without a link"):
        connect(api_url=url).create(payment)


@pytest.mark.parametrize("answer", [None, [], "ok", 17, {}, {"type": "list", "items": []}])
def test_json_that_is_no_payment_is_no_answer(connect: Connect, payment: Payment, answer: object) -> None:
    with a_provider_that_answers(answer) as url, pytest.raises(ProviderUnavailable):
        connect(api_url=url).create(payment)


def test_being_asked_to_wait_says_how_long(provider: YooKassa, payment: Payment, stand_in: RunningYooKassa) -> None:
    stand_in.fail_next("429")

    with pytest.raises(ProviderUnavailable) as caught:
        provider.create(payment)

    assert caught.value.retry_after == 1.8


def test_a_wrong_secret_is_refused_for_good(connect: Connect, payment: Payment) -> None:
    with pytest.raises(PaymentRefused, match="invalid_credentials") as caught:
        connect(secret_key="test_not-the-secret").create(payment)

    assert "test_not-the-secret" not in str(caught.value)


def test_an_unknown_payment_is_refused_for_good(provider: YooKassa, payment: Payment) -> None:
    unknown = replace(payment, provider_id="2e8f1c3a-000f-5000-9000-1b68e7b15f3f")

    with pytest.raises(PaymentRefused, match="not_found"):
        provider.find(unknown)


def test_another_body_under_the_same_key_is_refused(
    provider: YooKassa, payment: Payment, stand_in: RunningYooKassa
) -> None:
    provider.create(payment)
    other = replace(payment, request=provider.request_for(payment, "another"))

    with pytest.raises(PaymentRefused, match="Idempotence"):
        provider.create(other)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (ForbiddenError({"code": "forbidden"}), PaymentRefused),
        (GoneError({"code": "gone"}), PaymentRefused),
        (ResponseProcessingError({"type": "processing", "retry_after": 5}), ProviderUnavailable),
        (ApiError({"code": "what_is_this"}), ProviderUnavailable),
        (ApiError(None), ProviderUnavailable),
        (TypeError("list is not a dict"), ProviderUnavailable),
    ],
)
def test_errors_are_told_apart_by_whose_fault_they_are(error: Exception, kind: type[Exception]) -> None:
    assert type(translated(error)) is kind
