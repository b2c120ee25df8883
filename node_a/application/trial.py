"""A trial: days for nothing, once for each person."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from node_a.application.granting import GrantDays
from node_a.application.ports import Clock, Ledger, OpenLedger, Transact
from node_a.domain.customer import CustomerId, Standing
from node_a.domain.errors import CustomerBanned, TrialRefused
from node_a.domain.keys import KeyRing
from node_a.domain.plan import Plan

A_DAY: Final = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class TrialOffer:
    """`plan`: what is given; `per_day`: how many trials are given in any 24 hours."""

    plan: Plan
    per_day: int

    def is_left(self, ledger: Ledger, now: datetime) -> bool:
        return ledger.trials.taken_since(now - A_DAY) < self.per_day


def _had_something(ledger: Ledger, ring: KeyRing, customer_id: CustomerId) -> bool:
    """A trial, perhaps before they were erased; or days for any other reason, and then a trial is of no use."""
    subscription = ledger.subscriptions.of_customer(customer_id)
    has_grant = subscription is not None and bool(subscription.grants)
    return has_grant or ledger.trials.taken(ring.trial_hashes(customer_id))


@dataclass(frozen=True, kw_only=True, slots=True)
class TakeTrial:
    """Raises TrialRefused and CustomerBanned. The customer must be registered. `offer` None: there are no trials."""

    write: Transact
    offer: TrialOffer | None
    ring: KeyRing
    grant_days: GrantDays
    clock: Clock

    def __call__(self, customer_id: CustomerId) -> None:
        offer = self.offer
        if offer is None:
            raise TrialRefused("no trials are given")
        self.write(lambda ledger: self._take(ledger, customer_id, offer))

    def _take(self, ledger: Ledger, customer_id: CustomerId, offer: TrialOffer) -> None:
        now = self.clock()
        # Of two taps the second waits here for the first. Then, for the count, everybody waits for everybody.
        if ledger.customers.locked(customer_id).standing is not Standing.GOOD:
            raise CustomerBanned(customer_id)
        if _had_something(ledger, self.ring, customer_id):
            raise TrialRefused("this person had a trial, or days for another reason")
        ledger.trials.lock()
        if not offer.is_left(ledger, now):
            raise TrialRefused("as many trials were given in these 24 hours as may be")
        hash = self.ring.trial_hashes(customer_id)[0]
        if not ledger.trials.take(hash, now):
            raise TrialRefused("this person had a trial")
        self.grant_days(ledger, customer_id, f"trial:{hash}", offer.plan, now)


@dataclass(frozen=True, kw_only=True, slots=True)
class TrialAvailable:
    """The trial that this customer may take now, or None. A moment later another may have taken the day's last."""

    read_ledger: OpenLedger
    offer: TrialOffer | None
    ring: KeyRing
    clock: Clock

    def __call__(self, customer_id: CustomerId) -> Plan | None:
        if self.offer is None:
            return None
        with self.read_ledger() as ledger:
            customer = ledger.customers.find(customer_id)
            welcome = customer is not None and customer.standing is Standing.GOOD
            if not welcome or _had_something(ledger, self.ring, customer_id):
                return None
            return self.offer.plan if self.offer.is_left(ledger, self.clock()) else None
