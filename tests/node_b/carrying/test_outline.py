"""The key for Outline's client with the real core: as Node A makes it of the node's own block, told to the panel by
Node A's own client, and used by two programs that are not ours. No shop, agent or proxy is needed for that."""

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final
from uuid import UUID

import pytest

from node_a.adapters.node_b import NodeAccount, NodeB
from node_a.application.ports import AccessRecord
from node_a.application.wanting import Wanting
from node_a.bootstrap import Application
from node_a.domain.access import AccessId, WantedAccess
from node_a.domain.grant import GrantId
from node_a.domain.keys import key_link, outline_link
from node_a.domain.node import Node as KnownNode
from node_a.domain.node import Protocol
from node_a.domain.subscription import Subscription, SubscriptionId
from node_a.settings import read_settings
from tests.builders import ANNA, MONTH, OLGA, RING
from tests.node_a.test_settings import REQUIRED
from tests.node_b.carrying.apps import App, Config, running_app
from tests.node_b.carrying.links import ShadowsocksLink, VlessLink
from tests.node_b.world.names import PAGE, PAGE_NAME, RESOLVER
from tests.node_b.world.network import Network, networks
from tests.node_b.world.node import OUTLINE_PORT, PANEL_PORT, Node
from tests.node_b.world.resolver import resolving
from tests.node_b.world.sites import the_sites
from tests.node_b.world.world import connect
from tests.waiting import until

pytestmark = pytest.mark.proof


@dataclass
class Stage:
    """`known`: the node as Node A knows it by its block."""

    directory: Path
    node: Node
    customers: Network
    known: KnownNode

    def tells(self, wanted: WantedAccess) -> None:
        """As Node A's worker does, over the panel's API."""
        keys = self.node.keys()
        account = NodeAccount(
            url=f"http://127.0.0.1:{PANEL_PORT}",
            certificate=None,
            panel_username=keys["PANEL_USERNAME"],
            panel_password=keys["PANEL_PASSWORD"],
            agent_token=keys["AGENT_TOKEN"],
        )

        async def tell() -> None:
            async with NodeB(account, clock=lambda: datetime.now(UTC)) as gateway:
                await gateway.apply(wanted)

        with self.node.network.entered():
            asyncio.run(tell())

    def wanted(self, subscription: Subscription, known: KnownNode | None = None) -> WantedAccess:
        record = AccessRecord(
            id=AccessId(subscription.id, self.known.code, Protocol.VLESS),
            present=True,
            settled=True,
            applied_revision=0,
            counter=None,
            counter_at_start=0,
            used_at=None,
        )
        return Wanting(RING, [known or self.known])(subscription, record, datetime.now(UTC))

    def link(self, subscription: Subscription) -> ShadowsocksLink:
        assert self.known.outline is not None
        password = RING.outline_password(subscription, self.known.code)
        return ShadowsocksLink.read(outline_link(self.known, self.known.outline, password, "Outline"))

    def vless(self, subscription: Subscription) -> VlessLink:
        id = RING.credential(subscription, self.known.code, Protocol.VLESS)
        return VlessLink.read(key_link(self.known, Protocol.VLESS, id, "VLESS"))


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    directory = tmp_path_factory.mktemp("outline")
    with ExitStack() as stack:
        internet, node_network, shop, customers = stack.enter_context(networks(4))
        connect(internet, node_network, shop, customers)
        resolv_conf = directory / "resolv.conf"
        resolv_conf.write_text(f"nameserver {RESOLVER}\n", encoding="utf-8")
        node_network.mounts[Path("/etc/resolv.conf")] = resolv_conf
        stack.enter_context(resolving(internet))
        stack.enter_context(the_sites(internet, directory))
        node = Node(node_network, directory, outline=True)
        node.is_prepared()
        node.has_its_firewall()
        stack.callback(node.ends)
        node.starts_panel()
        until(lambda: all(map(node.listens, (PANEL_PORT, OUTLINE_PORT))))
        known = Application(read_settings(SETTINGS | node.block(), None)).nodes[0]
        yield Stage(directory, node, customers, known)


SETTINGS: Final = {name: value for name, value in REQUIRED.items() if not name.startswith("NODES__")}


def a_subscription(number: int) -> Subscription:
    empty = Subscription(SubscriptionId(UUID(int=number)), ANNA.id if number % 2 else OLGA, secret_number=1)
    return empty.granted(GrantId(UUID(int=number)), f"payment:{number}", MONTH, datetime.now(UTC))


@pytest.fixture
def phone(stage: Stage) -> Iterator[App]:
    """With what the tests are about: the keys of two customers, one of them after new keys too."""
    links = {
        "anna": stage.link(a_subscription(1)),
        "anna's new": stage.link(a_subscription(1).rotated()),
        "boris": stage.link(a_subscription(2)),
        "nobody": replace(stage.link(a_subscription(1)), password="A" * 22),
    }
    with running_app(stage.customers, Config.of("sing-box", **links), stage.directory) as phone:
        stage.tells(stage.wanted(a_subscription(1)))
        stage.tells(stage.wanted(a_subscription(2)))
        until(lambda: phone.gets_through("anna") and phone.gets_through("boris"))
        yield phone


@pytest.mark.parametrize("program", ["sing-box", "xray"])
def test_the_key_carries_a_page_and_datagrams(stage: Stage, phone: App, program: str) -> None:
    config = Config.of("xray" if program == "xray" else "sing-box", anna=stage.link(a_subscription(1)))
    with running_app(stage.customers, config, stage.directory) as app:
        assert app.sees(f"http://{PAGE}/", "anna") == f"the page, for {stage.known.host}"
        assert app.gets_through("anna")  # by its name
        assert app.resolves(PAGE_NAME, "anna") == [PAGE]


def test_a_password_that_nobody_has_opens_nothing(phone: App) -> None:
    assert not phone.gets_through("nobody")


def test_new_keys_end_the_old_one_and_nobody_else_s(stage: Stage, phone: App) -> None:
    assert not phone.gets_through("anna's new")

    stage.tells(stage.wanted(a_subscription(1).rotated()))

    until(lambda: phone.gets_through("anna's new"))
    assert not phone.gets_through("anna")
    assert phone.gets_through("boris")


@pytest.mark.parametrize("end", ["removed", "ended", "used up", "without that inbound"])
def test_whoever_may_not_any_more_opens_no_new_connection(stage: Stage, phone: App, end: str) -> None:
    wanted = stage.wanted(a_subscription(1))
    ends = {
        "removed": replace(wanted, present=False),
        "ended": replace(wanted, ends_at=datetime.now(UTC) - timedelta(seconds=1)),
        "used up": replace(wanted, traffic_limit=1),
        "without that inbound": stage.wanted(a_subscription(1), replace(stage.known, outline=None)),
    }

    stage.tells(ends[end])

    until(lambda: not phone.gets_through("anna"))
    assert phone.gets_through("boris")


def test_the_same_user_s_vless_key_stays_when_outline_goes(stage: Stage, phone: App) -> None:
    config = Config.of("sing-box", vless=stage.vless(a_subscription(1)))
    with running_app(stage.customers, config, stage.directory) as app:
        until(lambda: app.gets_through("vless"))

        stage.tells(stage.wanted(a_subscription(1), replace(stage.known, outline=None)))

        until(lambda: not phone.gets_through("anna"))
        assert app.gets_through("vless")
