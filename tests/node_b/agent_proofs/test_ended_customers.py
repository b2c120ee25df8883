"""Whoever was removed, has ended, has used up its traffic or has a new key opens no new connection within two seconds,
and nobody else notices."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from tests.node_b.agent_proofs.bystander import a_bystander
from tests.node_b.agent_proofs.crowd import Crowd, a_crowd
from tests.node_b.agent_proofs.keys import a_key
from tests.node_b.agent_proofs.node import IN_A_YEAR, Node, a_node, assert_all_agree
from tests.node_b.agent_proofs.page import Page
from tests.waiting import until

# What the design promises; a call's own effect is there when it is answered.
PROMISED: Final = 2.0
ENOUGH: Final = 5
CUSTOMERS: Final = {name: a_key(name) for name in ("anna", "anna_again", "boris")}


@dataclass(frozen=True)
class Place:
    node: Node
    crowd: Crowd
    page: Page

    def lets_in(self, customer: str) -> bool:
        return self.crowd.gets_through(customer) and self.crowd.gets_a_datagram_through(customer)

    def keeps_out(self, customer: str) -> bool:
        """However often it tries, and whatever it may see of it: nothing of it arrives."""
        before = len(self.page.visits)
        for _ in range(ENOUGH):
            assert not self.crowd.gets_through(customer, patience=1.0)
        assert not self.crowd.gets_a_datagram_through(customer)
        return customer not in {visit.visitor for visit in self.page.visits[before:]}


@pytest.fixture
def place(page: Page, tmp_path: Path) -> Iterator[Place]:
    """Anna and Boris are customers, and work."""
    with ExitStack() as stack:
        node = stack.enter_context(a_node(tmp_path))
        crowd = stack.enter_context(a_crowd(CUSTOMERS, tmp_path, datagrams=True))
        place = Place(node, crowd, page)
        for name in ("anna", "boris"):
            node.put(name, CUSTOMERS[name])
            assert place.lets_in(name)
        yield place
        assert_all_agree(node)


def wait_until(moment: float) -> None:
    """`moment`: seconds since the epoch."""
    time.sleep(max(0.0, moment - time.time()))


def test_a_removed_customer_is_kept_out_when_the_call_is_answered(place: Place) -> None:
    with a_bystander(place.crowd, "boris"):
        place.node.delete("anna")
        assert place.keeps_out("anna")

    assert "anna" not in place.node.keys_in_the_running_xray()


def test_an_expired_customer_is_kept_out_without_node_a(place: Place) -> None:
    ends_at = int(time.time()) + 3
    with a_bystander(place.crowd, "boris"):
        place.node.put("anna", CUSTOMERS["anna"], revision=2, expires_at=ends_at)
        assert place.lets_in("anna")
        wait_until(ends_at + PROMISED)
        assert place.keeps_out("anna")

    assert not place.node.users()["anna"].enabled


def test_a_customer_that_has_used_up_its_traffic_is_kept_out(place: Place) -> None:
    used = place.node.users()["anna"].used_traffic
    with a_bystander(place.crowd, "boris"):
        place.node.put("anna", CUSTOMERS["anna"], revision=2, limit=used + 500_000)
        assert place.lets_in("anna")
        assert place.crowd.gets_through("anna", wanted=600_000)
        wait_until(time.time() + PROMISED)
        assert place.keeps_out("anna")

    assert not place.node.users()["anna"].enabled
    assert place.node.users()["boris"].enabled


def test_a_customer_with_a_new_key_is_kept_out_with_the_old_one(place: Place) -> None:
    until(lambda: place.node.users()["anna"].used_traffic > 0)
    with a_bystander(place.crowd, "boris"):
        place.node.put("anna", CUSTOMERS["anna_again"], revision=2)
        assert place.lets_in("anna_again")
        assert place.keeps_out("anna")

    assert place.node.users()["anna"].used_traffic > 1000, "what it had used before is forgotten"


def suspended(node: Node) -> None:
    """As Node A does it: the end is now."""
    node.put("anna", CUSTOMERS["anna"], revision=2, expires_at=int(time.time()))


def expired(node: Node) -> None:
    ends_at = int(time.time()) + 1
    node.put("anna", CUSTOMERS["anna"], revision=2, expires_at=ends_at)
    wait_until(ends_at + PROMISED)


def removed(node: Node) -> None:
    node.delete("anna", revision=2)


@pytest.mark.parametrize("end", [suspended, expired, removed])
def test_who_was_kept_out_and_pays_again_is_let_in_when_the_call_is_answered(
    place: Place, end: Callable[[Node], None]
) -> None:
    with a_bystander(place.crowd, "boris"):
        end(place.node)
        assert place.keeps_out("anna")
        place.node.put("anna", CUSTOMERS["anna"], revision=3, expires_at=IN_A_YEAR)
        assert place.lets_in("anna")
