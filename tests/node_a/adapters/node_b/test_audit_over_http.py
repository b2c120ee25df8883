"""The audit against whole stand-ins: what anybody did to a node by hand is put right by itself."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest

from node_a.adapters.node_b import NodeB
from node_a.adapters.threads import Threads
from node_a.application.audit import AuditNodes
from node_a.application.audit_findings import NodeFindings
from node_a.application.keeper_audit import AuditKeeper
from node_a.application.orphans import RemoveOrphans
from node_a.application.ports import Urgency
from node_a.application.wanting import Wanting
from node_a.domain.access import AccessId, user_name
from node_a.domain.customer import CustomerId
from node_a.domain.node import Keeper, NodeCode, Protocol
from tests.builders import ANNA, RING, YEAR
from tests.fakes.shop import LEASE, ShopUnderTest
from tests.node_a.adapters.node_b.conftest import START, VLESS_ID, Site

DE1 = NodeCode("de1")


@dataclass
class Worker:
    """What the worker does of settling, providing and auditing, with a node that is reached over HTTP."""

    shop: ShopUnderTest
    node: NodeB

    async def sells(self, customer_id: CustomerId = ANNA.id) -> None:
        self.shop.buys(YEAR, customer_id)
        await self.works()

    async def works(self) -> None:
        assert self.shop.settles() == []
        nodes = {DE1: self.node}
        provide = replace(self.shop.provide_access, nodes=nodes)
        for claim in self._claims(urgency=Urgency.CUSTOMER):
            await provide(claim)
        keep_up = replace(self.shop.provide_upkeep, nodes=nodes)
        for protocol in Protocol:
            while batch := self._claims(keeper=Keeper(DE1, protocol)):
                report = await keep_up(batch)
                assert (report.failed, report.down) == ([], None)

    async def audits(self) -> NodeFindings:
        threads = Threads("audit", 2)
        ledger = threads.transaction(self.shop.database.write)
        told: dict[str, Any] = {
            "read": threads.transaction(self.shop.database.read),
            "gateways": {DE1: self.node},
            "clock": lambda: self.shop.now,
        }
        remove_orphans = RemoveOrphans(**told)
        nodes = self.shop.domain_nodes
        audit_keeper = AuditKeeper(
            **told, ledger=ledger, nodes=nodes, wanting=Wanting(RING, nodes), remove_orphans=remove_orphans
        )
        findings = await AuditNodes(ledger=ledger, audit_keeper=audit_keeper, clock=lambda: self.shop.now)()
        return findings[DE1]

    def _claims(self, **which: Any) -> Any:
        with self.shop.database.open_ledger() as ledger:
            return ledger.accesses.claim_due(self.shop.now, self.shop.now + LEASE, 100, **which)

    async def held(self) -> dict[AccessId, Sequence[str] | None]:
        """For each key that was sold: how what the node holds differs from it; None for what it does not hold."""
        found: dict[AccessId, Sequence[str] | None] = {}
        for protocol in Protocol:
            users = {one.user_name: one for one in (await self.node.held(protocol, None)).held}
            with self.shop.ledger() as ledger:
                for record in ledger.accesses.find_all(self._sold(ledger, protocol)).values():
                    subscription = ledger.subscriptions.find(record.id.subscription_id)
                    wanted = self.shop.wanting(subscription, record, self.shop.now)
                    user = users.get(wanted.user_name)
                    found[record.id] = None if user is None else user.differences(wanted)
        return found

    def _sold(self, ledger: Any, protocol: Protocol) -> list[AccessId]:
        payments = [ledger.payments.find(id) for id in self.shop.provider.payments]
        subscriptions = [ledger.subscriptions.of_customer(payment.customer_id) for payment in payments]
        return [AccessId(subscription.id, DE1, protocol) for subscription in subscriptions]


@pytest.fixture
def worker(shop: ShopUnderTest, node: NodeB) -> Worker:
    assert shop.now == START
    return Worker(shop, node)


@pytest.mark.parametrize("part", ["marzban", "agent"])
async def test_a_node_wiped_while_the_shop_sells_gets_all_keys_back(worker: Worker, site: Site, part: str) -> None:
    for number in range(1, 31):
        await worker.sells(CustomerId(number))
        if number == 20:
            await site.control("wipe", part)
    assert list((await worker.held()).values()).count(None) == 20

    findings = await worker.audits()
    await worker.sells(CustomerId(31))

    assert sum(found.missing for found in findings.keepers.values()) == 20
    assert list((await worker.held()).values()) == [[]] * 62
    assert (await worker.audits()).is_as_it_should_be


TAMPERING: Mapping[str, dict[str, Any]] = {
    "end": {"expire": 2_000_000_000},
    "no end": {"expire": 0},
    "an end in milliseconds": {"expire": 2_000_000_000_000},
    "limit": {"data_limit": 1},
    "no limit": {"data_limit": 0},
    "id": {"proxies": {"vless": {"id": VLESS_ID, "flow": "xtls-rprx-vision"}}},
    "flow": {"proxies": {"vless": {"id": VLESS_ID}}},
    "inbounds": {"inbounds": {"vless": []}},
    "disabled": {"status": "disabled"},
    "on hold": {"status": "on_hold", "expire": 0, "on_hold_expire_duration": 60},
    "reset": {"data_limit_reset_strategy": "month"},
}


@pytest.mark.parametrize("what", TAMPERING)
async def test_what_was_done_to_a_user_of_the_panel_by_hand_is_put_right(worker: Worker, site: Site, what: str) -> None:
    await worker.sells()
    right = await site.users()
    [name] = right
    await site.panel("PUT", f"/api/user/{name}", TAMPERING[what])
    assert await site.users() != right

    findings = await worker.audits()
    await worker.works()

    found = findings.keepers[Protocol.VLESS]
    assert found.differing + found.missing == 1  # missing: a row that the panel cannot show
    # What only matters to a user on hold stays behind.
    assert {name: user | {"on_hold_expire_duration": None} for name, user in (await site.users()).items()} == right
    assert (await worker.audits()).is_as_it_should_be


@pytest.mark.parametrize(
    "change",
    [{"key": "AAAAAAAAAAAAAAAAAAAAAA=="}, {"expires_at": 2_000_000_000}, {"traffic_limit": 0}, {"revision": 1}],
)
async def test_what_was_done_to_a_user_of_the_agent_by_hand_is_put_right(
    worker: Worker, site: Site, change: dict[str, Any]
) -> None:
    await worker.sells()
    await worker.sells()  # so that there are older revisions
    right = await site.users("agent")
    [(name, user)] = right.items()
    state = {field: user[field] for field in ("key", "expires_at", "traffic_limit", "revision")} | change
    await site.control("wipe", "agent")
    headers = {"Authorization": "Bearer fake-agent-token"}
    answer = await site.http.put(f"/agent/v1/users/{name}", json=state, headers=headers)
    assert answer.status_code == 200, answer.text

    findings = await worker.audits()
    await worker.works()

    assert findings.keepers[Protocol.SHADOWSOCKS].differing == 1
    assert await site.users("agent") == right


async def test_a_foreign_user_survives_everything(worker: Worker, site: Site) -> None:
    await worker.sells()
    foreign = {"username": "admin_s_phone", "proxies": {"vless": {}}, "inbounds": {"vless": ["VLESS TCP REALITY"]}}
    assert (await site.panel("POST", "/api/user", foreign)).status_code == 200
    before = (await site.users())["admin_s_phone"]

    for _ in range(2):
        await worker.audits()
        await worker.works()
        worker.shop.passes(timedelta(days=1))
        site.time.now = worker.shop.now

    assert (await worker.audits()).foreign == 1
    assert (await site.users())["admin_s_phone"] == before


async def test_users_of_no_subscription_go_from_both_keepers(worker: Worker, site: Site) -> None:
    await worker.sells()
    ours = user_name(worker.shop.subscription().id)
    orphan = "q_" + "a" * 26
    users = {"proxies": {"vless": {}}, "inbounds": {"vless": ["VLESS TCP REALITY"]}}
    assert (await site.panel("POST", "/api/user", {"username": orphan} | users)).status_code == 200
    state = {"key": "AAAAAAAAAAAAAAAAAAAAAA==", "expires_at": 2_000_000_000, "traffic_limit": 0, "revision": 17}
    headers = {"Authorization": "Bearer fake-agent-token"}
    assert (await site.http.put(f"/agent/v1/users/{orphan}", json=state, headers=headers)).status_code == 200

    await worker.audits()
    worker.shop.passes(timedelta(hours=2))
    findings = await worker.audits()

    assert {protocol: found.removed for protocol, found in findings.keepers.items()} == dict.fromkeys(Protocol, 1)
    assert list(await site.users()) == list(await site.users("agent")) == [ours]
