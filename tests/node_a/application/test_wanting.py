"""What a node must hold: one answer for providing and for the audit."""

from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest

from node_a.application.ports import AccessRecord
from node_a.application.wanting import Wanting
from node_a.domain.access import AccessId
from node_a.domain.grant import GrantId
from node_a.domain.node import NodeCode, Protocol
from node_a.domain.subscription import Subscription, SubscriptionId
from tests.builders import ANNA, DAY, MONTH, NOW, OUTLINE, RING, YEAR, a_node

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

WANTED = Wanting(RING, [a_node()])


def test_the_whole_truth_is_wanted() -> None:
    renewed = MONTHLY.granted(GrantId(UUID(int=3)), "payment:3", MONTH, NOW).rotated()

    wanted = WANTED(renewed, RECORD, NOW)

    assert wanted.id == RECORD.id
    assert wanted.present
    assert wanted.ends_at == NOW + 60 * DAY
    assert (wanted.revision, wanted.rotation) == (renewed.revision, 1)


def test_the_limit_is_counted_from_what_the_node_had_counted_before_this_period() -> None:
    assert YEAR.traffic_limit is not None
    assert WANTED(YEARLY, RECORD, NOW).traffic_limit == 500 + YEAR.traffic_limit


def test_the_limit_holds_for_days_that_another_machine_s_clock_says_have_begun() -> None:
    assert YEAR.traffic_limit is not None
    a_moment_ago = NOW - timedelta(seconds=2)
    again = YEARLY.granted(GrantId(UUID(int=3)), "payment:3", YEAR, NOW + 400 * DAY)

    assert WANTED(YEARLY, RECORD, a_moment_ago).traffic_limit == 500 + YEAR.traffic_limit
    assert WANTED(again, RECORD, a_moment_ago + 400 * DAY).traffic_limit == 500 + YEAR.traffic_limit


def test_an_unlimited_plan_wants_no_limit() -> None:
    assert WANTED(MONTHLY, RECORD, NOW).traffic_limit is None


def test_what_is_not_wanted_present_is_not() -> None:
    assert not WANTED(MONTHLY, replace(RECORD, present=False), NOW).present


def test_what_has_no_days_at_all_ends_now() -> None:
    assert WANTED(EMPTY, RECORD, NOW).ends_at == NOW


@pytest.mark.parametrize(
    "other",
    [
        replace(RECORD, id=replace(RECORD.id, node=NodeCode("de2"))),
        replace(RECORD, id=replace(RECORD.id, protocol=Protocol.SHADOWSOCKS)),
    ],
)
def test_each_access_has_a_key_of_its_own(other: AccessRecord) -> None:
    first = WANTED(MONTHLY, RECORD, NOW)

    assert WANTED(MONTHLY, other, NOW).credential != first.credential
    assert WANTED(MONTHLY.rotated(), RECORD, NOW).credential != first.credential
    later = WANTED(MONTHLY, RECORD, NOW + timedelta(days=1))
    assert later.credential == first.credential


def test_a_key_for_outline_is_wanted_with_the_vless_key_of_a_node_that_has_an_inbound_for_it() -> None:
    wanted = Wanting(RING, [a_node("fi1"), a_node("de1", outline=OUTLINE)])
    through_shadowsocks = replace(RECORD, id=replace(RECORD.id, protocol=Protocol.SHADOWSOCKS))
    elsewhere = replace(RECORD, id=replace(RECORD.id, node=NodeCode("fi1")))
    nowhere = replace(RECORD, id=replace(RECORD.id, node=NodeCode("nl1")))

    password = wanted(MONTHLY, RECORD, NOW).outline_password

    assert password == RING.outline_password(MONTHLY, NodeCode("de1"))
    assert wanted(MONTHLY.rotated(), RECORD, NOW).outline_password not in {None, password}
    for without in (through_shadowsocks, elsewhere, nowhere):
        assert wanted(MONTHLY, without, NOW).outline_password is None
