"""Upkeep: the same as providing, for many accesses of one keeper, for whom nobody waits: a node that is filled or
emptied, differences that are put right."""

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field
from datetime import timedelta

from node_a.application.ports import AccessClaim, Chance, Clock, InThread, Ledger, NewIds, Nodes
from node_a.application.provisioning import (
    close_gate,
    news_once_held,
    overtake,
    retry_at,
    tell_that_it_is_held,
)
from node_a.application.wanting import Wanting
from node_a.domain.access import WantedAccess
from node_a.domain.customer import CustomerId
from node_a.domain.errors import NodeIsAhead, NodeRefused, NodeUnavailable, ShopError
from node_a.domain.subscription import Subscription, SubscriptionId


@dataclass(frozen=True, slots=True)
class Task:
    """What one access of a batch comes to. `untold`: its customer may still have to hear that the keys are ready."""

    claim: AccessClaim
    wanted: WantedAccess
    customer_id: CustomerId
    untold: bool


@dataclass(slots=True)
class UpkeepReport:
    """How a batch ended: what the node holds now; what it did not take, and why; what was not tried, because the node
    is down (`down`) or time was over."""

    done: list[Task] = field(default_factory=list)
    failed: list[tuple[Task, ShopError]] = field(default_factory=list)
    down: tuple[Task, NodeUnavailable] | None = None
    untried: list[AccessClaim] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True, slots=True)
class ProvideUpkeep:
    """One attempt for each access of a batch, all of one keeper that is in the settings: one transaction to read, the
    calls one after another, one transaction to record. `budget`: after so long no further one is begun, so that all is
    recorded before the leases end."""

    read_ledger: InThread
    ledger: InThread
    nodes: Nodes
    wanting: Wanting
    clock: Clock
    new_ids: NewIds
    chance: Chance
    budget: timedelta

    async def __call__(self, batch: Sequence[AccessClaim]) -> UpkeepReport:
        tasks = await self.read_ledger(lambda ledger: self._tasks(ledger, batch))
        report = UpkeepReport(untried=[task.claim for task in tasks])
        try:
            await self._do(tasks, report)
        finally:  # whatever else happened to one of them, what the node holds is known
            await self.ledger(lambda ledger: self._record(ledger, report))
        return report

    async def _do(self, tasks: Sequence[Task], report: UpkeepReport) -> None:
        began = self.clock()
        for task in tasks:
            if self.clock() - began > self.budget:
                return
            report.untried.remove(task.claim)
            try:
                await self.nodes[task.claim.id.node].apply(task.wanted)  # absolute facts
            except (NodeRefused, NodeUnavailable) as error:
                if isinstance(error, NodeUnavailable) and not error.answered:
                    report.down = (task, error)
                    return
                report.failed.append((task, error))
            else:
                report.done.append(task)

    # ── reading ──

    def _tasks(self, ledger: Ledger, batch: Sequence[AccessClaim]) -> Sequence[Task]:
        """For those that are still there: what was removed since the claim leaves nothing to hold."""
        now = self.clock()
        subscriptions = ledger.subscriptions.find_all([claim.id.subscription_id for claim in batch])
        records = ledger.accesses.find_all([claim.id for claim in batch])
        untold = self._untold(ledger, subscriptions)
        return [
            Task(
                claim=claim,
                wanted=self.wanting(subscription, record, now),
                customer_id=subscription.customer_id,
                untold=subscription.id in untold,
            )
            for claim in batch
            if (subscription := subscriptions.get(claim.id.subscription_id)) and (record := records.get(claim.id))
        ]

    def _untold(self, ledger: Ledger, subscriptions: Mapping[SubscriptionId, Subscription]) -> Set[SubscriptionId]:
        """Mostly nobody: they have had their keys for long. Whoever gets new days meanwhile has another revision."""
        news = {
            message.unique_key: subscription.id
            for subscription in subscriptions.values()
            for message in news_once_held(subscription, self.new_ids, self.clock())
        }
        finished = ledger.messages.finished(list(news))
        return {id for key, id in news.items() if key not in finished}

    # ── recording ──

    def _record(self, ledger: Ledger, report: UpkeepReport) -> None:
        """Whoever changes an access has its customer's lock, and takes several in one order."""
        failed = [task for task, _ in report.failed]
        ledger.customers.lock({task.customer_id for task in [*report.done, *failed]})
        now = self.clock()
        for task, error in report.failed:
            if isinstance(error, NodeIsAhead):
                overtake(ledger, task.claim, error.revision, now)
            else:
                ledger.accesses.failed(task.claim, retry_at(task.claim, now, self.chance()))
        self._record_held(ledger, report.done)
        ledger.accesses.released(report.untried)
        if report.down is not None:
            close_gate(ledger, report.down[0].claim, now, self.chance())
        elif report.done:
            ledger.nodes.gate_opened(*report.done[0].claim.id.keeper)

    def _record_held(self, ledger: Ledger, done: Sequence[Task]) -> None:
        ledger.accesses.all_applied([(task.claim, task.wanted) for task in done])
        for task in done:
            if task.untold and task.wanted.present:
                subscription = ledger.subscriptions.find(task.claim.id.subscription_id)
                # If what the node holds is behind again, the next attempt speaks.
                if subscription is not None and subscription.revision == task.wanted.revision:
                    tell_that_it_is_held(ledger, subscription, self.new_ids, self.clock())
