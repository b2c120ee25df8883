"""What a node must hold: one answer for providing and for the audit."""

from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest

from node_a.application.ports import AccessRecord
from node_a.application.wanting import wanted_access
from node_a.domain.access import AccessId
from node_a.domain.grant import GrantId
from node_a.domain.node import NodeCode, Protocol
from node_a.domain.subscription import Subscription, SubscriptionId
from tests.builders import ANNA, DAY, MONTH, NOW, RING, YEAR

EMPTY = Subscription(SubscriptionId(UUID(int=1)), ANNA.id, secret_number=1)
MONTHLY = EMPTY.granted(GrantId(UUID(int=2)), "payment:2", MONTH, NOW)
YEARLY = EMPTY.granted(GrantId(UUID(int=2)), "payment:2", YEAR, NOW)
RECORD = AccessRecord(
    id=AccessId(EMPTY.id, NodeCode("de1"), Protocol.VLESS),
    present=True,
    settled=True,
    applied_revision=1,
    counter=700,
    counter_at_start=500,
    used_at=None,
)


def test_the_whole_truth_is_wanted() -> None:
    renewed = MONTHLY.granted(GrantId(UUID(int=3)), "payment:3", MONTH, NOW).rotated()

    wanted = wanted_access(renewed, RECORD, RING, NOW)

    assert wanted.id == RECORD.id
    assert wanted.present
    assert wanted.ends_at == NOW + 60 * DAY
    assert (wanted.revision, wanted.rotation) == (renewed.revision, 1)


def test_the_limit_is_counted_from_what_the_node_had_counted_before_this_period() -> None:
    assert YEAR.traffic_limit is not None
    assert wanted_access(YEARLY, RECORD, RING, NOW).traffic_limit == 500 + YEAR.traffic_limit


def test_the_limit_holds_for_days_that_another_machine_s_clock_says_have_begun() -> None:
    assert YEAR.traffic_limit is not None
    a_moment_ago = NOW - timedelta(seconds=2)
    again = YEARLY.granted(GrantId(UUID(int=3)), "payment:3", YEAR, NOW + 400 * DAY)

    assert wanted_access(YEARLY, RECORD, RING, a_moment_ago).traffic_limit == 500 + YEAR.traffic_limit
    assert wanted_access(again, RECORD, RING, a_moment_ago + 400 * DAY).traffic_limit == 500 + YEAR.traffic_limit


def test_an_unlimited_plan_wants_no_limit() -> None:
    assert wanted_access(MONTHLY, RECORD, RING, NOW).traffic_limit is None


def test_what_is_not_wanted_present_is_not() -> None:
    assert not wanted_access(MONTHLY, replace(RECORD, present=False), RING, NOW).present


def test_what_has_no_days_at_all_ends_now() -> None:
    assert wanted_access(EMPTY, RECORD, RING, NOW).ends_at == NOW


@pytest.mark.parametrize(
    "other",
    [
        replace(RECORD, id=replace(RECORD.id, node=NodeCode("de2"))),
        replace(RECORD, id=replace(RECORD.id, protocol=Protocol.SHADOWSOCKS)),
    ],
)
def test_each_access_has_a_key_of_its_own(other: AccessRecord) -> None:
    first = wanted_access(MONTHLY, RECORD, RING, NOW)

    assert wanted_access(MONTHLY, other, RING, NOW).credential != first.credential
    assert wanted_access(MONTHLY.rotated(), RECORD, RING, NOW).credential != first.credential
    later = wanted_access(MONTHLY, RECORD, RING, NOW + timedelta(days=1))
    assert later.credential == first.credential
