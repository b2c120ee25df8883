"""Xray, the agent, or both are killed, in each order: whoever could use the node can use it within two seconds, nobody
else comes back, and traffic is counted once."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from tests.node_b.agent_proofs.crowd import Crowd, a_crowd
from tests.node_b.agent_proofs.keys import a_key
from tests.node_b.agent_proofs.node import Node, a_node, assert_all_agree, xrays
from tests.node_b.agent_proofs.page import Page
from tests.waiting import until

PROMISED: Final = 2.0
# More than what may be lost at a death, so that it cannot hide behind that if it is counted twice.
MUCH: Final = 5_000_000
USERS: Final = ("anna", "boris", "carl")
CUSTOMERS: Final = {name: a_key(name) for name in (*USERS, "removed", "expired", "expiring")}
GONE: Final = ("removed", "expired", "expiring")


@dataclass(frozen=True)
class Place:
    node: Node
    crowd: Crowd
    page: Page

    def carried(self, customer: str) -> int:
        """Bytes, both ways."""
        return sum(visit.received + visit.sent for visit in self.page.visits if visit.visitor == customer)

    def all_work_by(self, moment: float) -> None:
        """`moment`: of time.monotonic()."""
        waiting = list(USERS)
        while waiting:
            waiting = [customer for customer in waiting if not self.crowd.gets_through(customer, patience=0.5)]
            assert time.monotonic() < moment, f"still waiting: {waiting}"

    def nobody_comes_back(self) -> None:
        before = len(self.page.visits)
        for customer in GONE:
            for _ in range(3):
                assert not self.crowd.gets_through(customer, patience=0.5)
        assert {visit.visitor for visit in self.page.visits[before:]}.isdisjoint(GONE)


@pytest.fixture
def place(page: Page, tmp_path: Path) -> Iterator[Place]:
    with ExitStack() as stack:
        node = stack.enter_context(a_node(tmp_path))
        crowd = stack.enter_context(a_crowd(CUSTOMERS, tmp_path))
        for name in (*USERS, "removed"):
            node.put(name, CUSTOMERS[name])
        node.put("expired", CUSTOMERS["expired"], expires_at=int(time.time()) + 1)
        for name in (*USERS, "removed"):
            assert crowd.gets_through(name, wanted=MUCH)
        node.delete("removed")
        until(lambda: not node.users()["expired"].enabled)
        place = Place(node, crowd, page)
        until(lambda: all(node.users()[name].used_traffic == place.carried(name) for name in USERS))
        yield place
        assert_all_agree(node)


def kill_xray(place: Place) -> None:
    for pid in xrays():
        os.kill(pid, signal.SIGKILL)


def kill_agent(place: Place) -> None:
    place.node.is_killed()


def end_container(place: Place) -> None:
    """Docker ends what is left of it."""
    place.node.container_ends()


DEATHS: Final = {
    "Xray": [kill_xray],
    "the agent": [kill_agent],
    "the agent, and with it its container": [kill_agent, end_container],
    "Xray, then the agent": [kill_xray, kill_agent],
    "the agent, then Xray": [kill_agent, kill_xray],
}


@pytest.mark.parametrize("death", DEATHS)
def test_after_a_death_the_same_customers_work_within_two_seconds(place: Place, death: str) -> None:
    surely = {name: place.carried(name) for name in USERS}
    first_xray = place.node.xray()
    ends_at = int(time.time()) + 1
    place.node.put("expiring", CUSTOMERS["expiring"], expires_at=ends_at)
    for number, name in enumerate(USERS):
        # What is carried right before the death may be lost: it may not have been asked for.
        assert place.crowd.gets_through(name, wanted=1_000_000 * (number + 1))
    perhaps = {name: place.carried(name) - surely[name] for name in USERS}

    for kill in DEATHS[death]:
        kill(place)
    killed_at = time.monotonic()
    if kill_agent in DEATHS[death]:
        place.node.starts()
    place.all_work_by(killed_at + PROMISED)

    until(place.node.is_up)
    assert len(xrays()) == 1
    if kill_xray in DEATHS[death]:
        assert place.node.xray() != first_xray
    time.sleep(max(0.0, ends_at + PROMISED - time.time()))
    place.nobody_comes_back()
    for name in USERS:
        assert place.crowd.gets_through(name, wanted=MUCH)
    afterwards = {name: place.carried(name) - surely[name] - perhaps[name] for name in USERS}
    accounts_are_right(place, surely, perhaps, afterwards)


def accounts_are_right(
    place: Place, surely: dict[str, int], perhaps: dict[str, int], afterwards: dict[str, int]
) -> None:
    """Each byte once; only those of the last interval may be missing."""

    def counted() -> dict[str, int]:
        return {name: place.node.users()[name].used_traffic for name in USERS}

    until(lambda: all(counted()[name] >= surely[name] + afterwards[name] for name in USERS))
    time.sleep(2.5)  # for what would be counted twice
    for name, used in counted().items():
        assert surely[name] + afterwards[name] <= used <= surely[name] + perhaps[name] + afterwards[name]


def test_what_was_carried_before_an_orderly_end_is_counted_to_the_byte(place: Place) -> None:
    for number, name in enumerate(USERS):
        assert place.crowd.gets_through(name, wanted=1_000_000 + number)
    carried = {name: place.carried(name) for name in USERS}

    assert place.node.ends() == 0
    assert xrays() == []
    place.node.starts_and_is_up()

    assert {name: place.node.users()[name].used_traffic for name in USERS} == carried
    place.nobody_comes_back()


def test_an_xray_killed_again_and_again_is_there_again_and_again(place: Place) -> None:
    """Much more often, and it is given a pause to get well."""
    for _ in range(3):
        before = place.node.xray()
        os.kill(before, signal.SIGKILL)
        place.all_work_by(time.monotonic() + PROMISED)
        until(lambda dead=before: xrays() not in ([], [dead]))  # type: ignore[misc]
    place.nobody_comes_back()
