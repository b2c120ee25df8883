"""The desks that provide: each keeper has its own, so that one that is dead or hangs costs the others nothing; and at
each, customers never wait for upkeep."""

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any, Final

import structlog

from node_a.application.ports import AccessClaim, Activity, Clock, InThread, Ledger, Queue, Urgency
from node_a.application.provisioning import ProvideAccess
from node_a.application.upkeep import ProvideUpkeep
from node_a.domain.errors import Refused
from node_a.domain.node import Keeper, Protocol
from node_a.worker.desk import Desk
from node_a.worker.trouble import Trouble

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

# A lease outlives all time-outs of its attempt. The shorter, the sooner work goes on that a killed worker had in hand:
# behind a gate that has just opened, all of it waits for the one attempt.
ACCESS_LEASE: Final = timedelta(seconds=90)
# After so long no further access of a batch is begun: the last one may take as long as a node is given (60 s).
UPKEEP_BUDGET: Final = timedelta(seconds=15)
# A panel does one thing after another, and a batch in hand is what a customer's access waits for there.
BATCHES_AT_ONCE: Final = 3
BATCH: Final = 100
CUSTOMERS_AT_ONCE: Final = 4

Batch = Sequence[AccessClaim]


def providing_desks(
    *, provide: ProvideAccess, keep_up: ProvideUpkeep, ledger: InThread, clock: Clock
) -> Sequence[Desk[Any]]:
    """Two for each keeper of a node in the settings; one for what is left of nodes that are not there any more."""
    keepers = [Keeper(node, protocol) for node in provide.nodes for protocol in Protocol]
    trouble = Trouble()  # with the database, which they all share

    def claimed(limit: int, **which: Any) -> Callable[[Ledger], Sequence[AccessClaim]]:
        return lambda books: books.accesses.claim_due(clock(), clock() + ACCESS_LEASE, limit, **which)

    async def provide_and_tell(claim: AccessClaim) -> None:
        if not await provide(claim):
            log.warning("an access was given up: its node is not in the settings any more, and was not told")

    async def keep_up_and_tell(batch: Batch) -> None:
        report = await keep_up(batch)
        for task, error in report.failed:
            tell = log.error if isinstance(error, Refused) else log.warning
            tell("an access was not taken", error=type(error).__name__, problem=str(error), **_ids(task.claim))
        if report.down is not None:
            raise report.down[1]

    def of_customers(keeper: Keeper) -> Desk[AccessClaim]:
        queue = Queue(keeper, Urgency.CUSTOMER)
        return Desk(
            activity=Activity.PROVIDE,
            serves=lambda one: one == queue,
            claim=lambda limit: ledger(claimed(limit, keeper=keeper, urgency=Urgency.CUSTOMER)),
            handle=provide_and_tell,
            ids=_ids,
            at_once=CUSTOMERS_AT_ONCE,
            trouble=trouble,
        )

    def of_upkeep(keeper: Keeper) -> Desk[Batch]:
        queue = Queue(keeper, Urgency.UPKEEP)

        async def claim(limit: int) -> Sequence[Batch]:
            return _batches(await ledger(claimed(limit * BATCH, keeper=keeper, urgency=Urgency.UPKEEP)))

        return Desk(
            activity=Activity.PROVIDE,
            serves=lambda one: one == queue,
            claim=claim,
            handle=keep_up_and_tell,
            ids=_ids_of_batch,
            at_once=BATCHES_AT_ONCE,
            trouble=trouble,
        )

    elsewhere: Desk[AccessClaim] = Desk(
        activity=Activity.PROVIDE,
        serves=lambda one: one.keeper not in keepers,
        claim=lambda limit: ledger(claimed(limit, besides=keepers)),
        handle=provide_and_tell,
        ids=_ids,
        at_once=CUSTOMERS_AT_ONCE,
        trouble=trouble,
    )
    return [*map(of_customers, keepers), *map(of_upkeep, keepers), elsewhere]


def _batches(claims: Sequence[AccessClaim]) -> Sequence[Batch]:
    return [claims[start : start + BATCH] for start in range(0, len(claims), BATCH)]


def _ids(claim: AccessClaim) -> Mapping[str, str]:
    return {"subscription": str(claim.id.subscription_id), "node": claim.id.node, "protocol": claim.id.protocol.value}


def _ids_of_batch(batch: Batch) -> Mapping[str, str]:
    keeper = batch[0].id.keeper
    return {"node": keeper.node, "protocol": keeper.protocol.value, "accesses": str(len(batch))}
