"""Nodes come, go, drain, die and come back in any order, while customers buy, expire and are banned: in the end, with
all nodes up and all work done, everybody has exactly what is theirs on every node, and nobody else has anything."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from hypothesis import example, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from node_a.adapters.database.tables import accesses
from node_a.application.acts import Instruction, PerformAct
from node_a.application.banning import BanCustomer, UnbanCustomer
from node_a.domain.access import AccessId, WantedAccess
from node_a.domain.customer import CustomerId, Standing
from node_a.domain.errors import NodeUnavailable
from node_a.domain.node import NodeCode, NodeState, Protocol, offered
from node_a.domain.subscription import Subscription
from tests.builders import DAY, OLGA, a_node
from tests.databases import a_migrated_database
from tests.fakes.ports import FakeNode
from tests.fakes.shop import ShopUnderTest

# Smaller than it is usual: each is a whole database.
EXAMPLES: Final = 40
CODES: Final = ("de1", "fi1", "nl1")
CUSTOMERS: Final = [CustomerId(100 + number) for number in range(3)]
# A gate is closed for a minute at most, an access that was refused waits for ten.
LONG_ENOUGH: Final = timedelta(minutes=11)
_DOWN: Final = {protocol: NodeUnavailable("down") for protocol in Protocol}


@dataclass
class RememberingNode(FakeNode):
    """Also what it was told to forget, and did."""

    confirmed: set[AccessId] = field(default_factory=set)

    async def apply(self, wanted: WantedAccess) -> None:
        await super().apply(wanted)
        if wanted.present:
            self.confirmed.discard(wanted.id)
        else:
            self.confirmed.add(wanted.id)


class Scene:
    """One shop, at first with one node."""

    def __init__(self, shop: ShopUnderTest) -> None:
        self.shop = shop
        shop.nodes[NodeCode(CODES[0])] = RememberingNode()
        perform = PerformAct(write=shop.database.write, clock=lambda: shop.now)
        self._ban = BanCustomer(perform=perform, operators=frozenset())
        self._unban = UnbanCustomer(perform=perform, nodes=shop.domain_nodes)
        self._acts = count(1)

    # ── what may happen ──

    def buys(self, number: int) -> None:
        customer = CUSTOMERS[number]
        with self.shop.ledger() as ledger:
            known = ledger.customers.find(customer)
        if known is None or known.standing is Standing.GOOD:
            self.shop.passes(timedelta(minutes=46))  # afterwards another payment is made
            self.shop.buys(customer_id=customer)
            self.shop.settles()

    def is_banned(self, number: int) -> None:
        self._ban(Instruction(next(self._acts), OLGA), CUSTOMERS[number])

    def is_unbanned(self, number: int) -> None:
        self._unban(Instruction(next(self._acts), OLGA), CUSTOMERS[number])

    def is_active(self, number: int) -> None:
        """Perhaps for the first time."""
        self._is_set(number, NodeState.ACTIVE)

    def is_draining(self, number: int) -> None:
        self._is_set(number, NodeState.DRAINING)

    def is_retired(self, number: int) -> None:
        self._is_set(number, NodeState.RETIRED)

    def _is_set(self, number: int, state: NodeState) -> None:
        code = NodeCode(CODES[number])
        self.shop.nodes.setdefault(code, RememberingNode())
        node = self.shop.nodes[code]
        self.shop.sets(code, state)
        self.shop.nodes[code] = node

    def goes_down(self, number: int) -> None:
        if node := self.shop.nodes.get(NodeCode(CODES[number])):
            node.fails_with = _DOWN

    def comes_up(self, number: int) -> None:
        if node := self.shop.nodes.get(NodeCode(CODES[number])):
            node.fails_with = {}

    def is_filled(self, _: int) -> None:
        self.shop.fills()

    def the_worker_works(self, _: int) -> None:
        before = self._rows()
        self.shop.expires()
        self.shop.provides()
        self._assert_confirmed(before - self._rows())

    def minutes_pass(self, number: int) -> None:
        self.shop.passes(timedelta(minutes=1 + 5 * number))

    def weeks_pass(self, number: int) -> None:
        self.shop.passes((1 + number) * 11 * DAY)

    def takes(self, step: "Step", number: int) -> None:
        """And no step gives a draining node a key that it did not have, as long as there are others."""
        before = {id for id in self._rows() if id.node in self._draining()}
        draining = self._draining()
        step(self, number)
        new = {id for id in self._rows() - before if id.node in self._draining() & draining}
        assert not new, f"a draining node got {new}"

    def _draining(self) -> set[NodeCode]:
        nodes = self.shop.domain_nodes
        return {node.code for node in nodes if node.state is NodeState.DRAINING and node not in offered(nodes)}

    # ── the end of it ──

    def everything_is_done(self) -> None:
        for number in range(len(CODES)):
            self.comes_up(number)
        for _ in range(4):
            self.is_filled(0)
            self.the_worker_works(0)
            self.shop.passes(LONG_ENOUGH)
        self.the_worker_works(0)

    def subscriptions(self) -> Iterator[tuple[Subscription, bool]]:
        """Each, and whether its keys are to work."""
        with self.shop.ledger() as ledger:
            for customer in CUSTOMERS:
                if subscription := ledger.subscriptions.of_customer(customer):
                    good = ledger.customers.find(customer).standing is Standing.GOOD
                    yield subscription, good and subscription.is_active(self.shop.now)

    def _rows(self) -> set[AccessId]:
        with self.shop.engine.connect() as connection:
            rows = connection.execute(select(accesses)).all()
        return {AccessId(row.subscription_id, NodeCode(row.node), Protocol(row.protocol)) for row in rows}

    def _assert_confirmed(self, gone: set[AccessId]) -> None:
        for id in gone:
            node = self.shop.nodes[id.node]
            assert isinstance(node, RememberingNode)
            assert id in node.confirmed, f"the row of {id} went, and the node never said that it holds nothing"


Step = Callable[[Scene, int], None]
_MAY_HAPPEN: Final[Sequence[Step]] = (
    Scene.buys,
    Scene.is_banned,
    Scene.is_unbanned,
    Scene.is_active,
    Scene.is_draining,
    Scene.is_retired,
    Scene.goes_down,
    Scene.comes_up,
    Scene.is_filled,
    Scene.the_worker_works,
    Scene.minutes_pass,
    Scene.weeks_pass,
)
STEPS: Final = {step.__name__: step for step in _MAY_HAPPEN}

a_step = st.tuples(st.sampled_from(sorted(STEPS)), st.integers(0, 2))


@contextmanager
def a_scene() -> Iterator[Scene]:
    with TemporaryDirectory() as directory:
        shop = ShopUnderTest(f"sqlite:///{a_migrated_database(Path(directory))}", nodes=[a_node(CODES[0])])
        try:
            yield Scene(shop)
        finally:
            shop.close()


@settings(max_examples=EXAMPLES)
@given(st.lists(a_step, min_size=3, max_size=25))
@example([("buys", 0), ("is_active", 1), ("is_filled", 0), ("is_retired", 1), ("is_active", 1)])
@example(
    [("buys", 0), ("is_active", 1), ("goes_down", 1), ("is_filled", 0), ("the_worker_works", 0), ("is_retired", 1)]
)
@example([("is_active", 1), ("buys", 0), ("the_worker_works", 0), ("is_draining", 1), ("buys", 0), ("buys", 1)])
@example([("buys", 0), ("is_draining", 0), ("is_active", 1), ("weeks_pass", 2), ("buys", 0)])
@example([("buys", 0), ("is_banned", 0), ("is_active", 1), ("is_filled", 0), ("is_unbanned", 0)])
def test_whatever_becomes_of_the_nodes_everybody_has_what_is_theirs_and_nobody_else_anything(
    steps: list[tuple[str, int]],
) -> None:
    with a_scene() as scene:
        for name, number in steps:
            scene.takes(STEPS[name], number)
        scene.everything_is_done()

        allowed: set[AccessId] = set()
        for subscription, works in scene.subscriptions():
            if works:
                assert_holds_everything(scene.shop, subscription)
                allowed |= accesses_of(scene.shop, subscription)
        held = {id for node in scene.shop.nodes.values() for id in node.holds}
        assert held <= allowed, "something is held for somebody who has no right to it"


def assert_holds_everything(shop: ShopUnderTest, subscription: Subscription) -> None:
    """On each node where keys are offered exactly what it is now; on a draining one that or nothing."""
    for node in shop.domain_nodes:
        for protocol in Protocol:
            held = shop.nodes[node.code].holds.get(AccessId(subscription.id, node.code, protocol))
            if node in offered(shop.domain_nodes):
                assert held is not None, f"nothing on {node.code}, which is {node.state}"
            if held is not None:
                assert node.state is not NodeState.RETIRED, f"still a key on {node.code}, which is retired"
                said = (held.revision, held.ends_at, held.rotation)
                assert said == (subscription.revision, subscription.ends_at, subscription.rotation)


def accesses_of(shop: ShopUnderTest, subscription: Subscription) -> set[AccessId]:
    return {AccessId(subscription.id, node.code, protocol) for node in shop.domain_nodes for protocol in Protocol}
