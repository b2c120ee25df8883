"""The audit: what every node really holds against what it should hold; every difference is work again."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from node_a.application.audit_findings import KeeperFindings, NodeFindings
from node_a.application.keeper_audit import AuditKeeper
from node_a.application.ports import Clock, InThread, Ledger
from node_a.domain.node import Keeper, NodeCode, Protocol


@dataclass(frozen=True, kw_only=True, slots=True)
class AuditNodes:
    """All keepers side by side: a dead one costs the others nothing. Raises LedgerUnavailable."""

    ledger: InThread
    audit_keeper: AuditKeeper
    clock: Clock

    async def __call__(self) -> Mapping[NodeCode, NodeFindings]:
        """What was found, which is remembered too."""
        keepers = [Keeper(code, protocol) for code in self.audit_keeper.gateways for protocol in Protocol]
        records = await self.ledger(lambda ledger: ledger.nodes.all())
        before = {record.code: NodeFindings.of(record) for record in records}
        outcomes = await asyncio.gather(
            *(self.audit_keeper(keeper, _of(keeper, before.get(keeper.node))) for keeper in keepers),
            return_exceptions=True,
        )
        found = dict(zip(keepers, outcomes, strict=True))
        findings = self._by_node({keeper: one for keeper, one in found.items() if isinstance(one, KeeperFindings)})
        await self.ledger(lambda ledger: _remember(ledger, findings))
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                raise outcome
        return findings

    def _by_node(self, found: Mapping[Keeper, KeeperFindings]) -> Mapping[NodeCode, NodeFindings]:
        by_node: dict[NodeCode, dict[Protocol, KeeperFindings]] = {}
        for keeper, one in found.items():
            by_node.setdefault(keeper.node, {})[keeper.protocol] = one
        now = self.clock()
        return {code: NodeFindings(at=now, keepers=keepers) for code, keepers in by_node.items()}


def _of(keeper: Keeper, before: NodeFindings | None) -> KeeperFindings:
    return (before.keepers.get(keeper.protocol) if before else None) or KeeperFindings()


def _remember(ledger: Ledger, findings: Mapping[NodeCode, NodeFindings]) -> None:
    for code, found in findings.items():
        ledger.nodes.remember_audit(code, found.as_json())
