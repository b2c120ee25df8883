"""What happens around every answer, with fakes at the ports."""

import time
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from telebot import types

from node_a.application.ports import Letter
from node_a.bot.rate import RequestLimit
from node_a.bot.reception import Answer, Reception
from node_a.domain.customer import Customer, CustomerId, Language, Standing
from node_a.domain.errors import LedgerUnavailable, MessageRefused, MessengerUnavailable, ShopError, Unreachable
from tests.builders import ANNA
from tests.fakes.ports import FakeMessenger
from tests.fakes.shop import ShopUnderTest
from tests.node_a.bot.conftest import WORDING, in_thread, shortly

RU = Language.RUSSIAN


def a_user(id: int = ANNA.id, language_code: str | None = "ru", is_bot: bool = False) -> types.User:
    return types.User(id, is_bot, "Anna", language_code=language_code)


async def hello(customer: Customer) -> list[Letter]:
    return [Letter(f"hello {customer.id} in {customer.language}")]


async def broken(customer: Customer) -> list[Letter]:
    raise RuntimeError("a bug of ours")


class MovingMessenger(FakeMessenger):
    """Fails as often as it is told, then works."""

    failures: list[ShopError]

    async def send(self, customer_id: CustomerId, letter: Letter) -> None:
        if self.failures:
            raise self.failures.pop(0)
        await super().send(customer_id, letter)


class ReceptionUnderTest:
    def __init__(self, shop: ShopUnderTest, **changes: Any) -> None:
        self.shop = shop
        self.messenger = MovingMessenger()
        self.messenger.failures = []
        self.reception = Reception(
            register=shop.register,
            wording=WORDING,
            messenger=self.messenger,
            in_thread=in_thread,
            limit=RequestLimit(),
            sleep=shortly,
        )
        self.reception = replace(self.reception, **changes)

    async def receives(
        self, kind: str = "/my", answer: Answer = hello, user: types.User | None = None, times: int = 1
    ) -> None:
        for _ in range(times):
            await self.reception.receive(kind, answer, user or a_user())

    @property
    def sent(self) -> list[str]:
        return [letter.html for _, letter in self.messenger.sent]


@pytest.fixture
def reception(shop: ShopUnderTest) -> ReceptionUnderTest:
    return ReceptionUnderTest(shop)


async def test_whoever_writes_is_a_customer_and_gets_the_answer(reception: ReceptionUnderTest, logs: list[Any]) -> None:
    await reception.receives(user=a_user(language_code="en-GB"))

    assert reception.sent == [f"hello {ANNA.id} in en"]
    with reception.shop.database.read_ledger() as ledger:
        assert ledger.customers.find(ANNA.id) == replace(ANNA, language=Language.ENGLISH)
    [line] = logs
    assert line["event"] == "update handled"
    assert (line["kind"], line["outcome"], line["customer"]) == ("/my", "answered", ANNA.id)
    assert line["ms"] >= 0
    assert line["id"]


async def test_every_update_has_an_id_of_its_own(reception: ReceptionUnderTest, logs: list[Any]) -> None:
    await reception.receives(times=3)
    assert len({line["id"] for line in logs}) == 3


async def test_bots_and_anonymous_senders_are_ignored(reception: ReceptionUnderTest) -> None:
    await reception.reception.receive("/my", hello, a_user(is_bot=True))
    await reception.reception.receive("/my", hello, None)
    assert reception.sent == []


async def test_after_thirty_messages_one_polite_answer_then_silence(
    reception: ReceptionUnderTest, logs: list[Any]
) -> None:
    await reception.receives(times=40)

    assert reception.sent == [f"hello {ANNA.id} in ru"] * 30 + [WORDING.slow_down(RU).html]
    assert [line["outcome"] for line in logs[30:]] == ["too many"] * 10


async def test_after_the_minute_the_customer_is_answered_and_warned_anew(
    reception: ReceptionUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    await reception.receives(times=40)
    later = time.time() + 61
    monkeypatch.setattr("limits.storage.memory.time", SimpleNamespace(time=lambda: later))
    await reception.receives(times=40)

    assert reception.sent[31:] == [f"hello {ANNA.id} in ru"] * 30 + [WORDING.slow_down(RU).html]


async def test_one_customer_does_not_use_up_the_limit_of_another(reception: ReceptionUnderTest) -> None:
    await reception.receives(times=40)
    await reception.receives(user=a_user(id=8))
    assert reception.sent[-1] == "hello 8 in ru"


async def test_a_bug_is_logged_once_with_its_trace_and_the_customer_is_told(
    reception: ReceptionUnderTest, logs: list[Any]
) -> None:
    await reception.receives("/my", broken)

    assert reception.sent == [WORDING.out_of_order(RU).html]
    failure, handled = logs
    assert (failure["event"], failure["log_level"], failure["exc_info"]) == ("update failed", "error", True)
    assert failure["id"] == handled["id"]
    assert handled["outcome"] == "failed"


async def test_a_ledger_that_is_locked_is_told_as_our_fault(shop: ShopUnderTest, logs: list[Any]) -> None:
    async def locked(work: Any) -> Any:
        raise LedgerUnavailable("locked for too long")

    reception = ReceptionUnderTest(shop, in_thread=locked)
    await reception.receives(user=a_user(language_code="en"))

    assert reception.sent == [WORDING.out_of_order(Language.ENGLISH).html]
    assert logs[0]["event"] == "update failed"


async def test_an_answer_that_telegram_refuses_is_logged_and_the_customer_is_told(
    reception: ReceptionUnderTest, logs: list[Any]
) -> None:
    reception.messenger.failures = [MessageRefused("Telegram: 400 can't parse entities")]
    await reception.receives()

    assert reception.sent == [WORDING.out_of_order(RU).html]
    assert logs[0]["event"] == "update failed"


async def test_a_hiccup_of_telegram_is_waited_for(reception: ReceptionUnderTest) -> None:
    reception.messenger.failures = [MessengerUnavailable("wait", retry_after=2), MessengerUnavailable("no answer")]
    await reception.receives()
    assert reception.sent == [f"hello {ANNA.id} in ru"]


async def test_a_telegram_that_stays_away_is_not_waited_for(reception: ReceptionUnderTest, logs: list[Any]) -> None:
    reception.messenger.failures = [MessengerUnavailable("no answer")] * 3
    await reception.receives()
    reception.messenger.failures = [MessengerUnavailable("wait", retry_after=60)]
    await reception.receives()

    assert reception.sent == []
    assert [line["event"] for line in logs] == ["answer could not be sent", "update handled"] * 2


async def test_a_customer_who_blocked_the_bot_meanwhile_is_no_failure(
    reception: ReceptionUnderTest, logs: list[Any]
) -> None:
    reception.messenger.failures = [Unreachable("blocked")]
    await reception.receives()
    assert [line["outcome"] for line in logs] == ["unreachable"]


async def test_an_apology_that_cannot_be_sent_is_not_the_end(reception: ReceptionUnderTest, logs: list[Any]) -> None:
    reception.messenger.failures = [Unreachable("blocked")]
    await reception.receives("/my", broken)
    assert [line["event"] for line in logs] == ["update failed", "apology could not be sent", "update handled"]


@pytest.mark.parametrize(("kind", "is_answered"), [("/my", False), ("/start", False), ("/paysupport", True)])
async def test_a_banned_customer_gets_only_help_with_money(
    reception: ReceptionUnderTest, kind: str, is_answered: bool
) -> None:
    with reception.shop.database.open_ledger() as ledger:
        ledger.customers.save(replace(ANNA, standing=Standing.BANNED))

    await reception.receives(kind)

    assert reception.sent == ([f"hello {ANNA.id} in ru"] if is_answered else [WORDING.banned(RU).html])


@pytest.mark.parametrize(("kind", "is_answered"), [("/my", False), ("/start", False), ("/paysupport", True)])
async def test_whoever_is_being_deleted_is_told_so(reception: ReceptionUnderTest, kind: str, is_answered: bool) -> None:
    with reception.shop.database.open_ledger() as ledger:
        ledger.customers.save(replace(ANNA, standing=Standing.DELETED))

    await reception.receives(kind)

    assert reception.sent == ([f"hello {ANNA.id} in ru"] if is_answered else [WORDING.being_erased(RU).html])
