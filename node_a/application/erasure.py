"""Erasure: a customer who wants to be forgotten is, as soon as no node holds anything of them."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from node_a.application.expiry import withdraw_keys
from node_a.application.ports import Clock, Ledger, Transact
from node_a.application.registration import locked_if_known
from node_a.domain.customer import CustomerId, Standing
from node_a.domain.refund import RefundState

# Nodes mostly answer within seconds; one that is down is asked again by its own rules.
LOOKED_AT_AGAIN_AFTER: Final = timedelta(minutes=1)


@dataclass(frozen=True, kw_only=True, slots=True)
class RequestErasure:
    """From now on the customer is being erased: no key works any longer than it takes to tell the nodes, nothing can be
    bought. There is no way back. Safe to repeat, and for somebody whom nobody knows any more.

    `asked_at`: when they were asked whether they are sure. False, and nothing is done, if they have begun something
    since: their yes may be an old one that Telegram delivers again, and it was not about that.
    """

    write: Transact
    clock: Clock

    def __call__(self, customer_id: CustomerId, asked_at: datetime) -> bool:
        return self.write(lambda ledger: self._request(ledger, customer_id, asked_at))

    def _request(self, ledger: Ledger, id: CustomerId, asked_at: datetime) -> bool:
        customer, now = locked_if_known(ledger, id), self.clock()
        if customer is None or customer.standing is Standing.DELETED:
            return True
        if _has_begun_something(ledger, id, asked_at, now):
            return False
        ledger.customers.save(customer.now_in(Standing.DELETED))
        subscription = ledger.subscriptions.of_customer(id)
        if subscription is not None:
            withdraw_keys(ledger, subscription, now)
        for payment in ledger.payments.open_of(id):
            given_up = payment.abandoned(now)
            if given_up is not payment:
                ledger.payments.save(given_up)
                ledger.payments.schedule(payment.id, None)
        ledger.customers.erase_next(id, now)
        return True


def _has_begun_something(ledger: Ledger, id: CustomerId, since: datetime, now: datetime) -> bool:
    """A payment, or days that run: a trial, a gift. Days that begin later may have been there before."""
    if ledger.payments.has_paid_since(id, since) or any(one.opened_at >= since for one in ledger.payments.open_of(id)):
        return True
    subscription = ledger.subscriptions.of_customer(id)
    given = [grant for grant in subscription.grants if not grant.is_grace] if subscription else []
    return any(since <= grant.starts_at <= now for grant in given)


@dataclass(frozen=True, kw_only=True, slots=True)
class EraseCustomer:
    """One attempt: everything goes that tells who it was, or the next attempt is planned."""

    write: Transact
    clock: Clock

    def __call__(self, customer_id: CustomerId) -> None:
        self.write(lambda ledger: self._erase(ledger, customer_id))

    def _erase(self, ledger: Ledger, id: CustomerId) -> None:
        customer = locked_if_known(ledger, id)
        if customer is None:
            return
        if customer.standing is not Standing.DELETED:
            ledger.customers.erase_next(id, None)
        elif _must_wait(ledger, id):
            ledger.customers.erase_next(id, self.clock() + LOOKED_AT_AGAIN_AFTER)
        else:
            ledger.customers.erase(id)


def _must_wait(ledger: Ledger, id: CustomerId) -> bool:
    """For nodes that still hold a key; for a refund whose request, with the buyer's e-mail, may have to be repeated."""
    subscription = ledger.subscriptions.of_customer(id)
    if subscription is not None and ledger.accesses.of_subscription(subscription.id):
        return True
    payments = ledger.payments.of_customer(id)
    refunds = [refund for payment in payments for refund in ledger.refunds.of_payment(payment.id)]
    return any(refund.state is RefundState.OPENING for refund in refunds)
