"""Which desks there are, how much each takes at once, and how long its leases last."""

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

import structlog

from node_a.application.delivery import DeliverMessage
from node_a.application.expiry import ExpireSubscription, RemindCustomer
from node_a.application.ports import (
    AccessClaim,
    Activity,
    Clock,
    InThread,
    Ledger,
    MessageClaim,
    PaymentClaim,
    RunInThread,
)
from node_a.application.provisioning import ProvideAccess
from node_a.application.settlement import SettlePayment
from node_a.domain.payment import PaymentState
from node_a.domain.subscription import SubscriptionId
from node_a.worker.desk import Desk

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

# A lease outlives all time-outs of its attempt, or two would work on the same thing.
LEASE: Final = timedelta(minutes=3)


def desks(
    *,
    settle: SettlePayment,
    provide: ProvideAccess,
    deliver: DeliverMessage,
    remind: RemindCustomer,
    expire: ExpireSubscription,
    ledger: InThread,
    in_provider_thread: RunInThread,
    in_thread: RunInThread,
    clock: Clock,
) -> Sequence[Desk[Any]]:
    def of_time(activity: Activity, due: Any, use_case: Callable[[SubscriptionId], None]) -> Desk[SubscriptionId]:
        """One at a time: these only touch the database, and repeat themselves if two meet."""
        return Desk(
            activity=activity,
            claim=lambda limit: ledger(lambda books: due(books, limit)),
            handle=lambda id: in_thread(lambda: use_case(id)),
            ids=lambda id: {"subscription": str(id)},
            at_once=1,
        )

    async def settle_and_tell(claim: PaymentClaim) -> None:
        payment = await in_provider_thread(lambda: settle(claim))
        if payment.state is PaymentState.DISPUTED:
            log.error("the money is not what was asked for: a person must look", problem=payment.reason)

    def claim_payments(books: Ledger, limit: int) -> Sequence[PaymentClaim]:
        return books.payments.claim_due(clock(), clock() + LEASE, limit)

    def claim_accesses(books: Ledger, limit: int) -> Sequence[AccessClaim]:
        return books.accesses.claim_due(clock(), clock() + LEASE, limit)

    def claim_messages(books: Ledger, limit: int) -> Sequence[MessageClaim]:
        return books.messages.claim_due(clock(), clock() + LEASE, limit)

    return (
        Desk(
            activity=Activity.SETTLE,
            claim=lambda limit: ledger(lambda books: claim_payments(books, limit)),
            handle=settle_and_tell,
            ids=lambda claim: {"payment": str(claim.payment.id), "customer": str(claim.payment.customer_id)},
            at_once=4,
        ),
        Desk(
            activity=Activity.PROVIDE,
            claim=lambda limit: ledger(lambda books: claim_accesses(books, limit)),
            handle=provide,
            ids=_ids_of_access,
            at_once=8,
        ),
        Desk(
            activity=Activity.DELIVER,
            claim=lambda limit: ledger(lambda books: claim_messages(books, limit)),
            handle=deliver,
            ids=lambda claim: {"message": claim.message.kind.value, "customer": str(claim.message.customer_id)},
            at_once=8,
        ),
        of_time(Activity.REMIND, lambda books, limit: books.subscriptions.due_for_reminder(clock(), limit), remind),
        of_time(Activity.EXPIRE, lambda books, limit: books.subscriptions.due_for_expiry(clock(), limit), expire),
    )


def _ids_of_access(claim: AccessClaim) -> Mapping[str, str]:
    subscription: UUID = claim.id.subscription_id
    return {"subscription": str(subscription), "node": claim.id.node, "protocol": claim.id.protocol.value}
