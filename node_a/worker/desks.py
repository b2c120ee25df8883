"""Which desks there are, how much each takes at once, and how long its leases last."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any, Final

import structlog

from node_a.application.delivery import DeliverMessage
from node_a.application.erasure import EraseCustomer
from node_a.application.expiry import ExpireSubscription, RemindCustomer
from node_a.application.jobs import Job, RunJob
from node_a.application.ports import (
    Activity,
    Clock,
    InThread,
    JobClaim,
    Ledger,
    MessageClaim,
    PaymentClaim,
    RunInThread,
)
from node_a.application.provisioning import ProvideAccess
from node_a.application.refunding import SettleRefunds
from node_a.application.settlement import SettlePayment
from node_a.application.upkeep import ProvideUpkeep
from node_a.domain.subscription import SubscriptionId
from node_a.worker.desk import Desk
from node_a.worker.providing import providing_desks

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

# A lease outlives all time-outs of its attempt, or two would work on the same thing.
PAYMENT_LEASE: Final = timedelta(minutes=3)
MESSAGE_LEASE: Final = timedelta(seconds=90)
# A nightly walk through the provider's lists, with a provider that is slow: two at once would help nobody.
NIGHTLY_LEASE: Final = timedelta(hours=2)
# The shorter, the sooner a job is run that a killed worker had in hand.
JOB_LEASE: Final = timedelta(minutes=20)


def desks(
    *,
    settle: SettlePayment,
    settle_refunds: SettleRefunds,
    provide: ProvideAccess,
    keep_up: ProvideUpkeep,
    deliver: DeliverMessage,
    remind: RemindCustomer,
    expire: ExpireSubscription,
    erase: EraseCustomer,
    jobs: Mapping[Job, Callable[[], Awaitable[object]]],
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
        check = settle_refunds if claim.payment.holds_money else settle
        payment = await in_provider_thread(lambda: check(claim))
        if payment.attention is not None and payment.attention != claim.payment.attention:
            log.error("a person must look at a payment", problem=payment.attention)

    def claim_payments(books: Ledger, limit: int) -> Sequence[PaymentClaim]:
        return books.payments.claim_due(clock(), clock() + PAYMENT_LEASE, limit)

    def claim_jobs(books: Ledger, limit: int) -> Sequence[JobClaim]:
        nightly, now = {Job.RECONCILE} & set(jobs), clock()
        claims = books.jobs.claim_due(list(nightly), now, now + NIGHTLY_LEASE, limit)
        others = sorted(set(jobs) - nightly)
        return [*claims, *books.jobs.claim_due(others, now, now + JOB_LEASE, limit - len(claims))]

    def claim_messages(books: Ledger, limit: int) -> Sequence[MessageClaim]:
        return books.messages.claim_due(clock(), clock() + MESSAGE_LEASE, limit)

    return (
        Desk(
            activity=Activity.SETTLE,
            claim=lambda limit: ledger(lambda books: claim_payments(books, limit)),
            handle=settle_and_tell,
            ids=lambda claim: {"payment": str(claim.payment.id), "customer": str(claim.payment.customer_id)},
            at_once=4,
        ),
        *providing_desks(provide=provide, keep_up=keep_up, ledger=ledger, clock=clock),
        Desk(
            activity=Activity.DELIVER,
            claim=lambda limit: ledger(lambda books: claim_messages(books, limit)),
            handle=deliver,
            ids=lambda claim: {"message": claim.message.kind.value, "customer": str(claim.message.customer_id)},
            at_once=8,
        ),
        of_time(Activity.REMIND, lambda books, limit: books.subscriptions.due_for_reminder(clock(), limit), remind),
        Desk(
            activity=Activity.JOB,
            claim=lambda limit: ledger(lambda books: claim_jobs(books, limit)),
            handle=RunJob(ledger=ledger, work=jobs, clock=clock),
            ids=lambda claim: {"job": claim.name},
            at_once=len(Job),  # none waits for another
        ),
        of_time(Activity.EXPIRE, lambda books, limit: books.subscriptions.due_for_expiry(clock(), limit), expire),
        Desk(
            activity=Activity.ERASE,
            claim=lambda limit: ledger(lambda books: books.customers.due_for_erasure(clock(), limit)),
            handle=lambda id: in_thread(lambda: erase(id)),
            ids=lambda id: {"customer": str(id)},
            at_once=1,
        ),
    )
