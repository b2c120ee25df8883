"""What makes two messages the same, and how long each is worth sending."""

from datetime import timedelta
from uuid import UUID

import pytest

from node_a.domain.grant import GrantId
from node_a.domain.message import Message, MessageId, MessageKind
from node_a.domain.subscription import Subscription, SubscriptionId, TrafficPeriod
from tests.builders import ANNA, DAY, MONTH, NOW

ID = MessageId(UUID(int=9))
ANNAS = Subscription(SubscriptionId(UUID(int=1)), ANNA.id, 1).granted(GrantId(UUID(int=2)), "a", MONTH, NOW)
PERIOD = TrafficPeriod(NOW, NOW + 30 * DAY, 100)
NEXT_PERIOD = TrafficPeriod(NOW + 30 * DAY, NOW + 60 * DAY, 100)


@pytest.mark.parametrize("kind", [MessageKind.TRAFFIC_RUNS_LOW, MessageKind.TRAFFIC_USED_UP])
def test_of_traffic_is_told_once_in_a_period_and_never_after_it(kind: MessageKind) -> None:
    first = Message.about_traffic(ID, kind, ANNAS, PERIOD, NOW)
    later = Message.about_traffic(ID, kind, ANNAS, PERIOD, NOW + DAY)
    next_one = Message.about_traffic(ID, kind, ANNAS, NEXT_PERIOD, NOW + 30 * DAY)

    assert first.unique_key == later.unique_key != next_one.unique_key
    assert first.valid_until == PERIOD.ends_at
    assert (first.customer_id, first.subject, first.due) == (ANNA.id, ANNAS.id, NOW)


def test_little_left_and_nothing_left_are_two_messages() -> None:
    kinds = (MessageKind.TRAFFIC_RUNS_LOW, MessageKind.TRAFFIC_USED_UP)
    assert len({Message.about_traffic(ID, kind, ANNAS, PERIOD, NOW).unique_key for kind in kinds}) == 2


def test_a_reminder_is_told_anew_after_a_renewal_and_not_after_the_end() -> None:
    reminder = Message.ends_soon(ID, ANNAS, NOW + 30 * DAY, 3 * DAY, NOW + 27 * DAY)
    renewed = Message.ends_soon(ID, ANNAS, NOW + 60 * DAY, 3 * DAY, NOW + 57 * DAY)

    assert reminder.unique_key != renewed.unique_key
    assert reminder.valid_until == NOW + 30 * DAY


def test_the_end_is_news_for_three_days() -> None:
    ended = Message.ended(ID, ANNAS, NOW + 30 * DAY, NOW + 30 * DAY)
    assert ended.valid_until - ended.due == timedelta(days=3)


@pytest.mark.parametrize("kind", MessageKind)
def test_the_longest_key_fits_its_column(kind: MessageKind) -> None:
    assert len(Message.traffic_key(kind, ANNAS, TrafficPeriod(NOW + timedelta(microseconds=1), NOW, 1))) <= 160
