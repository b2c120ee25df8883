"""YooKassa hangs, answers nonsense, or does the work and fails to say so: nobody pays twice, nobody else waits."""

import asyncio
import json
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from node_a.adapters.payments.yookassa import YooKassa
from node_a.bootstrap import PROVIDER_THREADS
from node_a.domain.customer import CustomerId
from node_a.domain.errors import PaymentRefused, ProviderUnavailable
from node_a.domain.payment import Payment, PaymentState
from tests.builders import ANNA, MONTH
from tests.databases import a_migrated_database
from tests.fakes.shop import ShopUnderTest
from tests.node_a.web.shop import PROVIDER_ADDRESS, tma
from tests.proofs.edges import pages, working
from tests.sandbox.yookassa.checked import checked_yookassa
from tests.sandbox.yookassa.running import SECRET_KEY, SHOP_ID, Json, RunningYooKassa, running_yookassa
from tests.waiting import until_in_thread

BEFORE_WORK = ["hang", "500", "html", "html_200", "redirect", "drop", "429"]
# The provider has made the payment, and nobody here knows.
AFTER_WORK = [f"{fault}_after_work" for fault in BEFORE_WORK]
BORIS = CustomerId(7_000_000_002)
FOR_EVER = 1_000


@pytest.fixture
def stand_in() -> Iterator[RunningYooKassa]:
    with checked_yookassa() as running:
        yield running


@pytest.fixture
def shop(tmp_path: Path, stand_in: RunningYooKassa) -> Iterator[ShopUnderTest]:
    shop = ShopUnderTest(f"sqlite:///{a_migrated_database(tmp_path)}")
    connect(shop, stand_in)
    yield shop
    shop.close()


def connect(shop: ShopUnderTest, stand_in: RunningYooKassa, secret: str = SECRET_KEY, patience: float = 10.0) -> None:
    """The shop buys through the real adapter from now on."""
    provider = YooKassa(
        shop_id=SHOP_ID,
        secret_key=secret,
        return_url="https://shop.example.org/pay/return",
        api_url=stand_in.api_url,
        read_timeout=patience,
    )
    shop.open_payment = replace(shop.open_payment, provider=provider)
    shop.settle_payment = replace(shop.settle_payment, provider=provider)


def the_only_payment(shop: ShopUnderTest) -> Payment:
    with shop.ledger() as ledger:
        (payment,) = ledger.payments.open_of(ANNA.id)
    assert isinstance(payment, Payment)
    return payment


def asked(stand_in: RunningYooKassa) -> list[Json]:
    """What the shop sent, oldest first; it never asks for the list, which is our own way to look."""
    return [one for one in stand_in.exchanges() if (one["method"], one["path"]) != ("GET", "/v3/payments")]


def known_to_the_provider(stand_in: RunningYooKassa) -> list[str]:
    return [payment["id"] for payment in stand_in.call("GET", "/payments")["items"]]


def recovers(stand_in: RunningYooKassa) -> None:
    stand_in.control("/faults", {"next": None})


# ── buying ──


@pytest.mark.parametrize("fault", BEFORE_WORK + AFTER_WORK)
def test_a_customer_who_taps_again_gets_the_same_payment_and_the_provider_has_only_one(
    shop: ShopUnderTest, stand_in: RunningYooKassa, fault: str
) -> None:
    connect(shop, stand_in, patience=0.5 if "hang" in fault else 10.0)
    stand_in.fail_next(fault)

    with pytest.raises(ProviderUnavailable):
        shop.chooses()
    kept = the_only_payment(shop)
    again = shop.chooses()

    assert kept.state is PaymentState.OPENING
    assert (again.id, again.request) == (kept.id, kept.request)
    assert known_to_the_provider(stand_in) == [again.provider_id]
    assert again.link is not None
    failed, answered = asked(stand_in)
    assert failed["headers"]["Idempotence-Key"] == answered["headers"]["Idempotence-Key"] == str(kept.id)
    assert json.dumps(failed["request"]) == json.dumps(answered["request"])


@pytest.mark.parametrize("fault", ["500", "html_200", "500_after_work"])
def test_the_mini_app_says_that_the_payment_service_is_silent_and_the_next_tap_leads_to_the_pay_page(
    shop: ShopUnderTest, stand_in: RunningYooKassa, fault: str
) -> None:
    client = pages(shop)
    stand_in.fail_next(fault)

    silent = client.post("/app/payments", json={"plan": MONTH.code}, headers=tma(ANNA.id, at=shop.now))
    answered = client.post("/app/payments", json={"plan": MONTH.code}, headers=tma(ANNA.id, at=shop.now))

    assert silent.status_code == 503
    assert silent.headers["Retry-After"] == "3"
    assert 'data-problem="provider-silent"' in silent.text
    assert "No money was taken" in silent.text
    assert answered.status_code == 201
    (provider_id,) = known_to_the_provider(stand_in)
    assert f"/pay/{provider_id}" in answered.text


@pytest.mark.parametrize("fault", ["500", "500_after_work"])
def test_a_creation_that_is_never_answered_is_repeated_as_it_was_and_then_given_up(
    shop: ShopUnderTest, stand_in: RunningYooKassa, fault: str
) -> None:
    stand_in.fail_next(fault, FOR_EVER)
    with pytest.raises(ProviderUnavailable):
        shop.chooses()
    payment = the_only_payment(shop)

    for _ in range(30):
        shop.passes(timedelta(minutes=1))
        shop.works()
    asked_until_given_up = asked(stand_in)
    shop.passes(timedelta(days=1))
    shop.works()

    assert shop.payment(payment).state is PaymentState.ABANDONED
    assert 3 <= len(asked_until_given_up) <= 10
    assert asked(stand_in) == asked_until_given_up, "given up, and the provider is still asked"
    assert {one["headers"]["Idempotence-Key"] for one in asked_until_given_up} == {str(payment.id)}
    assert {json.dumps(one["request"]) for one in asked_until_given_up} == {
        json.dumps(json.loads(payment.request), ensure_ascii=True)
    }
    recovers(stand_in)
    assert len(known_to_the_provider(stand_in)) == (1 if "after_work" in fault else 0)
    assert not shop.has_subscription()
    assert shop.letters() == []


def test_the_link_of_a_creation_given_up_is_nobodys_and_the_next_tap_is_a_new_payment(
    shop: ShopUnderTest, stand_in: RunningYooKassa
) -> None:
    stand_in.fail_next("500_after_work")
    with pytest.raises(ProviderUnavailable):
        shop.chooses()
    first = the_only_payment(shop)
    shop.passes(timedelta(minutes=16))
    shop.settles()

    second = shop.chooses()

    assert shop.payment(first).state is PaymentState.ABANDONED
    assert second.id != first.id
    assert second.provider_id in known_to_the_provider(stand_in)
    assert shop.payment(first).link is None


def test_a_creation_answered_only_to_the_worker_can_be_paid_and_is_settled(
    shop: ShopUnderTest, stand_in: RunningYooKassa
) -> None:
    stand_in.fail_next("500_after_work", 2)
    with pytest.raises(ProviderUnavailable):
        shop.chooses()
    shop.passes(timedelta(minutes=2))
    assert len(shop.settles()) == 1
    shop.passes(timedelta(minutes=2))
    assert shop.settles() == []

    payment = the_only_payment(shop)
    home = pages(shop).get("/app/home", headers=tma(ANNA.id, at=shop.now))
    stand_in.pay(str(payment.provider_id))
    shop.passes(timedelta(minutes=1))
    shop.works()

    assert payment.state is PaymentState.PENDING
    assert str(payment.id) in home.text, "the Mini App does not lead back to it"
    assert shop.payment(payment).is_paid
    assert shop.letters() == ["KeysReady"]
    assert known_to_the_provider(stand_in) == [payment.provider_id]


# ── settling ──


def paid(shop: ShopUnderTest, stand_in: RunningYooKassa, customer: CustomerId = ANNA.id) -> Payment:
    """The money is at the provider, and nobody here knows."""
    payment = shop.chooses(customer_id=customer)
    stand_in.pay(str(payment.provider_id))
    return payment


@pytest.mark.parametrize("fault", ["500", "html_200", "429"])
def test_checks_that_fail_for_hours_become_rare_and_never_end(
    shop: ShopUnderTest, stand_in: RunningYooKassa, fault: str
) -> None:
    payment = paid(shop, stand_in)
    before = len(asked(stand_in))
    stand_in.fail_next(fault, FOR_EVER)

    for _ in range(3 * 120):
        shop.passes(timedelta(seconds=30))
        shop.settles()
    calls = len(asked(stand_in)) - before
    assert shop.payment(payment).state is PaymentState.PENDING
    # 5 s doubled until it is 10 minutes, then six an hour, give or take chance.
    assert 16 <= calls <= 36

    recovers(stand_in)
    shop.passes(timedelta(minutes=12))
    shop.works()
    shop.passes(timedelta(days=1))
    shop.works()

    assert shop.payment(payment).is_paid
    assert shop.subscription().ends_at is not None
    assert shop.letters() == ["KeysReady"]


def test_after_forty_days_of_failures_the_money_is_still_found(shop: ShopUnderTest, stand_in: RunningYooKassa) -> None:
    payment = paid(shop, stand_in)
    stand_in.fail_next("500", FOR_EVER)
    for _ in range(40):
        shop.passes(timedelta(days=1))
        assert len(shop.settles()) == 1

    recovers(stand_in)
    shop.passes(timedelta(days=1))
    shop.works()

    assert shop.payment(payment).is_paid
    assert shop.letters() == ["KeysReady"]


def test_a_provider_that_refuses_us_costs_nobody_the_money_already_paid(
    shop: ShopUnderTest, stand_in: RunningYooKassa
) -> None:
    """As after a wrong secret key in the settings: every answer is a no, and none is about the payment."""
    payment = paid(shop, stand_in)
    connect(shop, stand_in, secret="test_not-the-secret")
    for _ in range(5):
        shop.passes(timedelta(hours=1))
        assert [type(error) for error in shop.settles()] == [PaymentRefused]
        assert shop.payment(payment).state is PaymentState.PENDING

    connect(shop, stand_in)
    shop.passes(timedelta(hours=1))
    shop.works()

    assert shop.payment(payment).is_paid
    assert shop.letters() == ["KeysReady"]


def test_a_webhook_is_noted_while_the_provider_itself_is_silent(shop: ShopUnderTest, stand_in: RunningYooKassa) -> None:
    payment = paid(shop, stand_in)
    stand_in.fail_next("500", 1)
    notification = {"type": "notification", "event": "payment.succeeded", "object": {"id": payment.provider_id}}
    before = len(asked(stand_in))

    answer = pages(shop).post("/webhooks/yookassa", json=notification, environ_base={"REMOTE_ADDR": PROVIDER_ADDRESS})
    assert answer.status_code == 200
    assert len(asked(stand_in)) == before, "the webhook waits for the provider"
    assert [type(error) for error in shop.settles()] == [ProviderUnavailable]
    shop.passes(timedelta(seconds=15))
    shop.works()

    assert shop.letters() == ["KeysReady"]


async def test_a_worker_asks_a_failing_provider_once_and_goes_on_with_everybody_else(
    shop: ShopUnderTest, stand_in: RunningYooKassa
) -> None:
    """The clock stands: whatever is asked a second time is asked in a circle."""
    await asyncio.to_thread(shop.registers)
    boris = await asyncio.to_thread(paid, shop, stand_in, BORIS)
    shop.passes(timedelta(seconds=5))
    await asyncio.to_thread(shop.settles)
    await asyncio.to_thread(paid, shop, stand_in)
    shop.passes(timedelta(seconds=5))
    before = len(asked(stand_in))
    stand_in.fail_next("500", FOR_EVER)

    async with working(shop):
        await until_in_thread(lambda: len(asked(stand_in)) > before and "KeysReady" in shop.letters())
        # Enough commits and ticks for a check in a circle to show itself.
        for _ in range(20):
            await asyncio.to_thread(shop.registers)
            await asyncio.sleep(0.02)

    assert len(asked(stand_in)) == before + 1
    assert (await asyncio.to_thread(shop.payment, boris)).is_paid


async def test_while_four_checks_hang_keys_and_messages_of_others_go_out(tmp_path: Path) -> None:
    shop = ShopUnderTest(f"sqlite:///{a_migrated_database(tmp_path)}")
    with ExitStack() as provider:
        stand_in = await asyncio.to_thread(provider.enter_context, running_yookassa())
        connect(shop, stand_in, patience=600)
        for number in range(PROVIDER_THREADS):
            await asyncio.to_thread(paid, shop, stand_in, CustomerId(7_000_000_010 + number))
        shop.passes(timedelta(seconds=5))
        boris = await asyncio.to_thread(shop.chooses, MONTH, BORIS)
        stand_in.fail_next("hang", PROVIDER_THREADS)

        async with working(shop):
            await until_in_thread(lambda: hanging(stand_in) == PROVIDER_THREADS)
            stand_in.pay(str(boris.provider_id))
            await asyncio.to_thread(shop.nudge, boris.id, None)
            await asyncio.to_thread(shop.settles)  # as a second worker would
            await until_in_thread(lambda: "KeysReady" in shop.letters())
            assert {customer for customer, _ in shop.messenger.sent} == {BORIS}
            # A check that has ended, if only because nobody waits for an answer for ever, is counted.
            assert [payment.checks for payment in open_payments(shop)] == [0] * PROVIDER_THREADS
            await asyncio.to_thread(provider.close)  # the calls that hang end here
    shop.close()


def hanging(stand_in: RunningYooKassa) -> int:
    return len([one for one in stand_in.exchanges() if one["fault"] == "hang"])


def open_payments(shop: ShopUnderTest) -> list[Payment]:
    numbers = range(PROVIDER_THREADS)
    with shop.ledger() as ledger:
        return [one for number in numbers for one in ledger.payments.open_of(CustomerId(7_000_000_010 + number))]
