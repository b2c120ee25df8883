"""YooKassa's own lists: all of them, whatever else the account holds, or an error."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from uuid import uuid4

import pytest
from structlog.testing import capture_logs

from node_a.adapters.payments.yookassa import YooKassa
from node_a.domain.errors import PaymentRefused, ProviderUnavailable
from node_a.domain.money import Money
from node_a.domain.payment import Payment
from tests.node_a.adapters.payments.answering import a_provider_that_answers
from tests.node_a.adapters.payments.conftest import Connect
from tests.sandbox.yookassa.bodies import open_payment
from tests.sandbox.yookassa.running import RunningYooKassa

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


def an_entry(**changes: Any) -> dict[str, Any]:
    """A payment of ours as the list shows it; a change to None leaves the field out."""
    entry = {
        "id": "2e8f1c3a-000f-5000-9000-1b68e7b15f3f",
        "status": "succeeded",
        "paid": True,
        "test": False,
        "amount": {"value": "199.00", "currency": "RUB"},
        "recipient": {"account_id": "100500", "gateway_id": "100700"},
        "created_at": "2026-11-22T10:00:00.123Z",
        "metadata": {"payment_id": str(uuid4())},
        **changes,
    }
    return {name: value for name, value in entry.items() if value is not None}


def a_list(*entries: dict[str, Any]) -> dict[str, Any]:
    return {"type": "list", "items": list(entries)}


def test_a_list_longer_than_a_page_is_walked_to_its_end(provider: YooKassa, stand_in: RunningYooKassa) -> None:
    ids = [open_payment(stand_in)["id"] for _ in range(203)]
    before = len(stand_in.exchanges())

    listed = [entry.outcome.provider_id for entry in provider.payments_since(LONG_AGO)]

    assert listed == ids[::-1]
    asked = [exchange["query"] for exchange in stand_in.exchanges()[before:]]
    filters = {"created_at.gte": "2020-01-01T00:00:00.000Z", "limit": "100"}
    assert asked == [filters, {**filters, "cursor": ids[102]}, {**filters, "cursor": ids[2]}]


def test_refunds_are_walked_by_payment_and_by_time(
    provider: YooKassa, payment: Payment, stand_in: RunningYooKassa
) -> None:
    mine = payment.opened(provider.create(payment))
    stand_in.pay(str(mine.provider_id))
    for _ in range(101):
        stand_in.refund_by_hand(str(mine.provider_id), "0.01")

    assert len({refund.provider_id for refund in provider.refunds_of(mine)}) == 101
    assert len(list(provider.refunds_since(LONG_AGO))) == 101
    assert provider.find(mine).refunded == Money(101)


def test_a_page_that_fails_ends_in_an_error_and_not_in_a_shorter_list(
    provider: YooKassa, stand_in: RunningYooKassa
) -> None:
    for _ in range(101):
        open_payment(stand_in)
    listed = provider.payments_since(LONG_AGO)
    first_page = [next(listed) for _ in range(100)]
    stand_in.fail_next("500")

    with pytest.raises(ProviderUnavailable):
        next(listed)

    assert len(first_page) == 100


@pytest.mark.parametrize("zone", [UTC, timezone(timedelta(hours=3))])
def test_the_moment_is_written_with_its_zone(provider: YooKassa, stand_in: RunningYooKassa, zone: timezone) -> None:
    moment = datetime(2026, 11, 22, 9, 30, 0, 999_999, tzinfo=UTC).astimezone(zone)

    assert list(provider.payments_since(moment)) == []
    assert list(provider.refunds_since(moment)) == []

    asked = [exchange["query"]["created_at.gte"] for exchange in stand_in.exchanges()]
    assert asked == ["2026-11-22T09:30:00.999Z"] * 2  # rather a millisecond too early than too late


def test_a_moment_without_a_zone_is_nobodys(provider: YooKassa) -> None:
    with pytest.raises(ValueError, match="zone"):
        provider.payments_since(datetime(2026, 11, 22))


def test_a_cursor_that_comes_again_is_not_followed_for_ever(connect: Connect) -> None:
    circle = {**a_list(an_entry()), "next_cursor": "37a5c87d-3984-51e8-a7f3-8de646d39ec15"}

    with a_provider_that_answers(circle) as url:
        listed = connect(api_url=url).payments_since(LONG_AGO)
        assert [next(listed).outcome.amount for _ in range(2)] == [Money(19_900)] * 2
        with pytest.raises(ProviderUnavailable, match="circle"):
            list(listed)


@pytest.mark.parametrize(
    "answer",
    [
        None,
        [],
        {},
        {"type": "list"},
        {"type": "list", "items": None},
        {"type": "list", "items": [17]},
        {"items": []},
        {"type": "list", "items": [], "next_cursor": ""},
        {"type": "list", "items": [], "next_cursor": 17},
    ],
)
def test_json_that_is_no_list_is_not_an_empty_one(
    connect: Connect, provider: YooKassa, payment: Payment, answer: object
) -> None:
    known = payment.opened(provider.create(payment))

    with a_provider_that_answers(answer) as url:
        confused = connect(api_url=url)
        with pytest.raises(ProviderUnavailable):
            list(confused.payments_since(LONG_AGO))
        with pytest.raises(ProviderUnavailable):
            confused.refunds_of(known)


@pytest.mark.parametrize(
    "metadata",
    [
        None,
        {},
        {"payment_id": "17", "customer_id": "anna", "plan_code": "month", "days": "30", "traffic": "much"},
        {"order": "17"},
        {"payment_id": None},
        {"payment_id": 17, "customer_id": 17},
        "our own",
        ["payment_id"],
    ],
)
def test_foreign_metadata_is_nobodys(connect: Connect, metadata: object) -> None:
    with a_provider_that_answers(a_list(an_entry(metadata=metadata))) as url:
        (listed,) = connect(api_url=url).payments_since(LONG_AGO)

    assert (listed.id, listed.customer_id, listed.plan) == (None, None, None)
    assert listed.created_at == datetime(2026, 11, 22, 10, 0, 0, 123_000, tzinfo=UTC)


UNREADABLE: list[dict[str, Any]] = [
    {"amount": {"value": "1000", "currency": "JPY"}},
    {"amount": None},
    {"recipient": None},
    {"status": "on_its_way"},
    {"created_at": None},
    {"created_at": "yesterday"},
    {"created_at": "2026-11-22T10:00:00"},
]


@pytest.mark.parametrize("odd", UNREADABLE, ids=str)
def test_a_foreign_payment_we_cannot_read_is_passed_over_and_noted(connect: Connect, odd: dict[str, Any]) -> None:
    foreign = an_entry(metadata=None, id="foreign", **odd)

    with a_provider_that_answers(a_list(foreign, an_entry())) as url, capture_logs() as logs:
        listed = list(connect(api_url=url).payments_since(LONG_AGO))

    assert [entry.outcome.provider_id for entry in listed] == [an_entry()["id"]]
    assert [line["provider_id"] for line in logs] == ["foreign"]


@pytest.mark.parametrize("odd", UNREADABLE, ids=str)
def test_one_of_ours_we_cannot_read_keeps_nobody_waiting_and_is_named(connect: Connect, odd: dict[str, Any]) -> None:
    with a_provider_that_answers(a_list(an_entry(id="odd", **odd), an_entry())) as url:
        listed = connect(api_url=url).payments_since(LONG_AGO)

        assert next(listed).outcome.provider_id == an_entry()["id"]
        with pytest.raises(ProviderUnavailable, match="odd"):
            next(listed)


def test_a_refund_we_cannot_read_may_be_of_our_payment(connect: Connect) -> None:
    refund = {
        "id": "odd",
        "payment_id": "2e8f1c3a-000f-5000-9000-1b68e7b15f3f",
        "status": "lost",
        "amount": {"value": "1.00", "currency": "RUB"},
        "created_at": "2026-11-22T10:00:00Z",
    }

    with a_provider_that_answers(a_list(refund)) as url, pytest.raises(ProviderUnavailable, match="odd"):
        list(connect(api_url=url).refunds_since(LONG_AGO))


def test_a_wrong_secret_is_refused_for_good(connect: Connect) -> None:
    with pytest.raises(PaymentRefused):
        list(connect(secret_key="test_not-the-secret").payments_since(LONG_AGO))
