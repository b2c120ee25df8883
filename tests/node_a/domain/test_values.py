"""Small values: money, languages, messages."""

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node_a.domain.customer import Language
from node_a.domain.message import Message, MessageId
from node_a.domain.money import Money
from node_a.domain.subscription import Subscription, SubscriptionId
from tests.builders import ANNA, DAY, NOW, a_payment


@given(st.integers(0, 10**12))
def test_money_survives_its_text(kopecks: int) -> None:
    assert Money.parse(str(Money(kopecks))) == Money(kopecks)


@pytest.mark.parametrize("text", ["", "1", "1.0", "1.000", "-1.00", "1,00", " 1.00", "1.00\n", "NaN", "1e2.00", "١.٠٠"])
def test_what_is_no_amount_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="two decimals"):
        Money.parse(text)


@pytest.mark.parametrize(
    ("tag", "language"),
    [("ru", "ru"), ("en-GB", "en"), ("uk", "ru"), ("pt_BR", "en"), ("RU-ru", "ru"), (None, "ru"), ("", "ru")],
)
def test_a_customer_is_spoken_to_in_the_best_language_we_have(tag: str | None, language: str) -> None:
    assert Language.best_for(tag, Language.RUSSIAN) == language


def test_a_customer_who_writes_again_can_be_reached_again() -> None:
    assert not ANNA.lost().reachable
    assert ANNA.lost().seen(Language.ENGLISH).reachable


def test_a_reminder_of_another_end_is_another_message() -> None:
    subscription = Subscription(SubscriptionId(UUID(int=1)), ANNA.id, 1)
    first = Message.ends_soon(MessageId(UUID(int=1)), subscription, NOW + 3 * DAY, 3 * DAY, NOW)
    renewed = Message.ends_soon(MessageId(UUID(int=2)), subscription, NOW + 33 * DAY, 3 * DAY, NOW + 30 * DAY)
    nearer = Message.ends_soon(MessageId(UUID(int=3)), subscription, NOW + 3 * DAY, DAY, NOW + 2 * DAY)

    assert len({first.unique_key, renewed.unique_key, nearer.unique_key}) == 3


def test_a_message_names_its_payment_and_not_its_words() -> None:
    payment = a_payment()
    message = Message.payment_declined(MessageId(UUID(int=1)), payment, NOW)

    assert message.subject == payment.id
    assert str(payment.id) in message.unique_key
