"""Operators are told once that a server has gone, and once that it is back, however many look at it."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final

import pytest

from node_a.adapters.threads import Threads
from node_a.application.notices import LookUpNotice, Notice
from node_a.application.outages import NodeOutage, RecordObservations
from node_a.application.ports import Letter
from node_a.application.statistics import ObserveNodes
from node_a.domain.customer import Language
from node_a.domain.errors import MessengerUnavailable
from node_a.domain.faults import Fault
from node_a.domain.health import Health, Outage
from node_a.domain.message import Message, MessageKind
from node_a.domain.node import Node, NodeCode, NodeObservation, NodeState
from tests.builders import DAY, NOW, OLGA, a_node
from tests.fakes.ports import FakeNode
from tests.fakes.shop import ShopUnderTest
from tests.proofs.at_once import at_once

WELL: Final = NodeObservation(NOW, True, True, clock_off=0.1)
DEAD: Final = NodeObservation(NOW, False, False, problem="panel: no answer")
EVERY: Final = timedelta(seconds=30)
LONG_ENOUGH: Final = 5  # looks until an outage is believed


@dataclass
class Watch:
    """The shop's worker looks at its nodes every 30 s; `told`: what operators have read, in that order."""

    shop: ShopUnderTest
    nodes: Sequence[Node]
    told: list[NodeOutage] = field(default_factory=list)

    def __post_init__(self) -> None:
        view = replace(self.shop.view, nodes=self.nodes)
        look_up = LookUpNotice(view=view, clock=lambda: self.shop.now)
        self.shop.deliver_message = replace(self.shop.deliver_message, look_up=look_up, compose=self._compose)

    @property
    def record(self) -> RecordObservations:
        return replace(self.shop.record_observations, nodes=self.nodes)

    def looks(self, *sights: NodeObservation, times: int = 1) -> None:
        """One sight for each node."""
        for _ in range(times):
            self.sees(*sights)
            self.shop.passes(EVERY)

    def sees(self, *sights: NodeObservation) -> None:
        now = self.shop.now
        seen = {node.code: replace(sight, at=now) for node, sight in zip(self.nodes, sights, strict=True)}
        self.shop.database.write(lambda ledger: self.record(ledger, seen, now))

    def reads(self) -> list[tuple[str, Fault, bool]]:
        """What the operators are told now: of which node, of what, and whether it has begun."""
        before = len(self.told)
        while self.unsent():
            self.shop.delivers()
        return [(told.node.code, told.outage.fault, told.outage.ended is None) for told in self.told[before:]]

    def unsent(self) -> Sequence[Message]:
        with self.shop.ledger() as ledger:
            return list(ledger.messages.waiting_since(self.shop.now + DAY))

    def _compose(self, notice: Notice, language: Language) -> Letter:
        assert isinstance(notice, NodeOutage)
        self.told.append(notice)
        return Letter(notice.node.code)


@pytest.fixture
def watch(shop: ShopUnderTest) -> Watch:
    return Watch(shop, [a_node("de1"), a_node("fi1")])


def after(seconds: int) -> datetime:
    return NOW + timedelta(seconds=seconds)


def test_one_letter_when_it_goes_and_one_when_it_is_back(watch: Watch) -> None:
    watch.looks(WELL, WELL)
    watch.looks(DEAD, WELL, times=4)
    assert watch.reads() == []

    watch.looks(DEAD, WELL)
    assert watch.reads() == [("de1", Fault.GONE, True)]
    watch.looks(DEAD, WELL, times=100)
    assert watch.reads() == []

    watch.looks(WELL, WELL, times=100)
    assert watch.reads() == [("de1", Fault.GONE, False)]
    assert watch.told[-1].outage == Outage(Fault.GONE, after(30), after(30 + 105 * 30))
    assert [customer for customer, _ in watch.shop.messenger.sent] == [OLGA, OLGA]


def test_another_outage_is_told_again(watch: Watch) -> None:
    for _ in range(3):
        watch.looks(DEAD, WELL, times=LONG_ENOUGH)
        watch.looks(WELL, WELL, times=2)
        assert watch.reads() == [("de1", Fault.GONE, False)]
    for _ in range(3):
        watch.looks(DEAD, WELL, times=LONG_ENOUGH)
        assert watch.reads() == [("de1", Fault.GONE, True)]
        watch.looks(WELL, WELL, times=2)
        assert watch.reads() == [("de1", Fault.GONE, False)]


def test_a_letter_that_came_too_late_to_be_true_is_not_sent(watch: Watch) -> None:
    """Telegram was down: who reads "it does not answer" then would look for nothing."""
    watch.looks(DEAD, WELL, times=LONG_ENOUGH)
    watch.shop.messenger.fails_with = MessengerUnavailable("down")
    watch.shop.delivers()
    watch.told.clear()
    watch.looks(WELL, WELL, times=20)
    watch.shop.messenger.fails_with = None

    assert watch.reads() == [("de1", Fault.GONE, False)]


def test_a_return_that_did_not_last_is_not_told(watch: Watch) -> None:
    watch.looks(DEAD, WELL, times=LONG_ENOUGH)
    watch.reads()
    watch.looks(WELL, WELL, times=2)
    watch.looks(DEAD, WELL, times=LONG_ENOUGH)

    assert watch.reads() == [("de1", Fault.GONE, True)]
    assert watch.told[-1].outage.began == after(7 * 30)


def test_every_operator_is_told_once(watch: Watch) -> None:
    eva = replace(watch.shop.record_observations.tell, operators=frozenset({OLGA, 2}))  # type: ignore[arg-type]
    watch.shop.record_observations = replace(watch.shop.record_observations, tell=eva)
    watch.looks(DEAD, WELL, times=20)
    watch.reads()
    assert sorted(customer for customer, _ in watch.shop.messenger.sent) == [OLGA, 2]


def test_nobody_is_told_of_a_retired_node(watch: Watch) -> None:
    watch.nodes = [a_node("de1", state=NodeState.RETIRED), a_node("fi1")]
    watch.looks(DEAD, WELL, times=20)
    watch.looks(WELL, WELL, times=20)
    assert watch.unsent() == []


def test_a_node_that_was_retired_meanwhile_is_not_told_of(watch: Watch) -> None:
    watch.looks(DEAD, WELL, times=LONG_ENOUGH)
    retired = [a_node("de1", state=NodeState.RETIRED), a_node("fi1")]
    assert Watch(watch.shop, retired).reads() == []
    assert watch.unsent() == []


def test_a_retired_node_that_is_active_again_begins_anew(watch: Watch) -> None:
    active = watch.nodes
    watch.looks(DEAD, WELL, times=LONG_ENOUGH)
    watch.reads()
    watch.nodes = [a_node("de1", state=NodeState.RETIRED), a_node("fi1")]
    watch.looks(DEAD, WELL, times=LONG_ENOUGH)
    watch.nodes = active

    watch.looks(DEAD, WELL, times=LONG_ENOUGH)

    assert watch.reads() == [("de1", Fault.GONE, True)]


def test_a_draining_node_is_told_of_too(watch: Watch) -> None:
    watch.nodes = [a_node("de1", state=NodeState.DRAINING), a_node("fi1")]
    watch.looks(DEAD, WELL, times=LONG_ENOUGH)
    assert watch.reads() == [("de1", Fault.GONE, True)]


def test_that_no_server_is_left_is_said(watch: Watch) -> None:
    watch.looks(DEAD, WELL, times=LONG_ENOUGH)
    watch.reads()
    assert not watch.told[-1].nobody_is_served

    watch.looks(DEAD, DEAD, times=LONG_ENOUGH)
    assert watch.reads() == [("fi1", Fault.GONE, True)]
    assert watch.told[-1].nobody_is_served


def test_only_active_servers_count_as_left(watch: Watch) -> None:
    watch.nodes = [a_node("de1"), a_node("fi1", state=NodeState.DRAINING)]
    watch.looks(DEAD, WELL, times=LONG_ENOUGH)
    look_up = LookUpNotice(view=replace(watch.shop.view, nodes=watch.nodes), clock=lambda: watch.shop.now)
    watch.shop.deliver_message = replace(watch.shop.deliver_message, look_up=look_up)
    watch.reads()
    assert watch.told[-1].nobody_is_served


def test_of_servers_that_nobody_looks_at_nothing_is_claimed(watch: Watch) -> None:
    watch.looks(DEAD, DEAD, times=LONG_ENOUGH)
    watch.shop.passes(timedelta(minutes=10))
    watch.reads()
    assert [told.nobody_is_served for told in watch.told] == [False, False]


def test_a_wrong_clock_is_told_with_how_much_it_is_off(watch: Watch) -> None:
    watch.looks(replace(WELL, clock_off=26.0), WELL, times=LONG_ENOUGH)
    assert watch.reads() == [("de1", Fault.CLOCK, True)]
    assert watch.told[-1].seen is not None
    assert watch.told[-1].seen.clock_off == 26.0
    watch.looks(WELL, WELL, times=2)
    assert watch.reads() == [("de1", Fault.CLOCK, False)]


def test_a_second_worker_and_a_restart_tell_nothing_again(shop: ShopUnderTest, watch: Watch, database_url: str) -> None:
    other = ShopUnderTest(database_url, world=shop)
    second = Watch(other, watch.nodes)
    for _ in range(30):
        watch.sees(DEAD, WELL)
        other.now = shop.now + timedelta(seconds=7)
        second.sees(DEAD, WELL)
        shop.passes(EVERY)
    other.close()

    assert [(message.kind, message.customer_id) for message in watch.unsent()] == [(MessageKind.OUTAGE, OLGA)]


def test_two_workers_that_see_different_things_at_once_still_agree_on_what_was_told(
    shop: ShopUnderTest, watch: Watch, database_url: str
) -> None:
    """The one sees the look that makes an outage sure, the other sees the node answer."""
    other = ShopUnderTest(database_url, world=shop)
    for number in range(12):
        node = a_node(f"n{number}")
        one, second = Watch(shop, [node]), Watch(other, [node])
        one.looks(DEAD, times=LONG_ENOUGH - 1)
        other.now = shop.now + timedelta(milliseconds=1)
        at_once(lambda: one.sees(DEAD), lambda: second.sees(WELL))  # noqa: B023 — over before the next round

        with shop.ledger() as ledger:
            [record] = [record for record in ledger.nodes.all() if record.code == node.code]
        told = [message for message in one.unsent() if f":{node.code}:" in message.unique_key]
        assert [message.kind for message in told] == (
            [MessageKind.OUTAGE] if Fault.GONE in Health.of(record.health).faults else []
        )
        shop.passes(EVERY)
    other.close()


async def test_what_was_seen_is_stored_with_what_it_means(shop: ShopUnderTest) -> None:
    gateways = {NodeCode("de1"): FakeNode(), NodeCode("fi1"): FakeNode()}
    observe = ObserveNodes(
        ledger=Threads("test", 1).transaction(shop.database.write),
        nodes=gateways,
        record=replace(shop.record_observations, nodes=[a_node("de1"), a_node("fi1")]),
        clock=lambda: shop.now,
    )
    for _ in range(LONG_ENOUGH):
        gateways[NodeCode("de1")].observation = replace(DEAD, at=shop.now)
        gateways[NodeCode("fi1")].observation = replace(WELL, at=shop.now)
        await observe()
        shop.passes(EVERY)

    def read() -> dict[str, tuple[NodeObservation | None, frozenset[Fault]]]:
        with shop.ledger() as ledger:
            return {record.code: (record.observation, Health.of(record.health).faults) for record in ledger.nodes.all()}

    assert await asyncio.to_thread(read) == {
        "de1": (replace(DEAD, at=after(120)), {Fault.GONE}),
        "fi1": (replace(WELL, at=after(120)), frozenset()),
    }
