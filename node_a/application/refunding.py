"""Refunding: money goes back, and the days that it paid for with it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from node_a.application.expiry import begin_period
from node_a.application.ports import (
    Chance,
    Clock,
    DescribePlan,
    Ledger,
    NewIds,
    OpenLedger,
    PaymentClaim,
    PaymentProvider,
    Transact,
)
from node_a.application.settlement import RecordOutcome, check_again, leave_to_a_person, locked_payment
from node_a.domain.customer import Customer, Standing
from node_a.domain.errors import PaymentRefused, ProviderUnavailable, RefundRefused, UnknownCustomer
from node_a.domain.message import Message
from node_a.domain.money import Money
from node_a.domain.payment import STATES_WITH_MONEY, Attention, Payment, Shop
from node_a.domain.refund import (
    Refund,
    RefundId,
    RefundOutcome,
    RefundState,
    days_to_take,
    left_to_refund,
    refund_of,
)

NEVER_ANSWERED = "never answered"


@dataclass(frozen=True, kw_only=True, slots=True)
class OpenRefund:
    """Called inside a transaction that holds the customer's lock: the refund with its exact request is stored, and the
    worker asks the provider for it. Raises RefundRefused, ReceiptAddressNeeded."""

    provider: PaymentProvider
    describe: DescribePlan
    new_ids: NewIds

    def __call__(self, ledger: Ledger, payment: Payment, amount: Money | None, now: datetime) -> Refund:
        """`amount` None: all that is left."""
        if not payment.holds_money:
            raise RefundRefused("nothing was paid")
        left = left_to_refund(payment, ledger.refunds.of_payment(payment.id))
        wanted = left if amount is None else amount
        if wanted.currency != left.currency or not 0 < wanted.minor_units <= left.minor_units:
            raise RefundRefused(f"{left} {left.currency} of it can go back")
        customer = ledger.customers.find(payment.customer_id)
        if customer is None:
            raise UnknownCustomer(str(payment.customer_id))
        refund = Refund(self.new_ids.refund(), payment.id, wanted, now)
        request = self.provider.refund_request_for(payment, refund, self.describe(payment, customer.language))
        refund = replace(refund, request=request)
        ledger.refunds.save(refund)
        ledger.payments.nudge(payment.id, None, now, states=STATES_WITH_MONEY)
        return refund


@dataclass(frozen=True, kw_only=True, slots=True)
class ApplyRefunds:
    """Called inside a transaction that holds the customer's lock: the refunds of a payment after the provider's word,
    and the days that they take. Repeating it changes nothing."""

    record: RecordOutcome
    new_ids: NewIds

    def __call__(
        self,
        ledger: Ledger,
        before: Payment,
        customer: Customer,
        now: datetime,
        *,
        outcomes: Sequence[RefundOutcome],
        refused: Mapping[RefundId, str],
    ) -> Payment:
        """`refused`: why those will never be made that we asked for in vain."""
        payment = before
        for refund, known in self._settled(ledger.refunds.of_payment(before.id), before, outcomes, refused, now):
            ledger.refunds.save(refund)
            if refund.state is RefundState.FAILED and known.state is not RefundState.FAILED:
                payment = payment.needs_a_person(Attention.REFUND_FAILED, refund.reason or "")
            if refund.state is RefundState.DONE and known.state is not RefundState.DONE:
                self._tell(ledger, customer, refund, now)
        refunds = ledger.refunds.of_payment(payment.id)
        left = left_to_refund(payment, refunds).minor_units
        # All of it went back, or a customer who was banned when it came got the days: there is nothing left to decide.
        waits = before.attention is not None  # a person who has dealt with it otherwise gave no days
        owed = bool(left) and waits and self.record.grant_owed(ledger, payment, customer, now)
        if owed or (not left and not _open(refunds)):
            payment = payment.handled()
        self.record.save(ledger, before, payment, now)
        self._take_days(ledger, payment, customer, refunds, now)
        return payment

    def _settled(
        self,
        refunds: Sequence[Refund],
        payment: Payment,
        outcomes: Sequence[RefundOutcome],
        refused: Mapping[RefundId, str],
        now: datetime,
    ) -> list[tuple[Refund, Refund]]:
        """Each refund that changes: as it is now, and as it was."""
        by_id = {refund.id: refund for refund in refunds}
        by_provider_id = {refund.provider_id: refund for refund in by_id.values() if refund.provider_id}
        changed = []
        for outcome in outcomes:
            known = by_provider_id.get(outcome.provider_id) or (by_id.get(outcome.id) if outcome.id else None)
            known = known or refund_of(outcome, self.new_ids.refund(), payment)
            by_id.pop(known.id, None)
            settled = known.settled(outcome, now)
            if settled != by_provider_id.get(outcome.provider_id):
                changed.append((settled, known))
        for id, why in refused.items():
            if id in by_id and by_id[id].is_open:
                changed.append((by_id[id].failed(why, now), by_id[id]))
        return changed

    def _take_days(
        self, ledger: Ledger, payment: Payment, customer: Customer, refunds: Sequence[Refund], now: datetime
    ) -> None:
        subscription = ledger.subscriptions.of_customer(customer.id)
        if subscription is None:
            return
        shortened = subscription.refunded(payment.source, days_to_take(payment, refunds), now)
        if shortened is subscription:
            return
        if customer.standing is not Standing.GOOD:  # time alone must not bring back what was withdrawn
            ledger.subscriptions.save(shortened, remind_at=None, expire_at=None)
        else:
            begin_period(ledger, shortened, self.record.grant_days.nodes, now)  # the next grant's, perhaps
        ledger.accesses.make_due(shortened.id, now)

    def _tell(self, ledger: Ledger, customer: Customer, refund: Refund, now: datetime) -> None:
        if customer.standing is Standing.GOOD:
            ledger.messages.queue(Message.refunded(self.new_ids.message(), customer.id, refund, now))


@dataclass(frozen=True, kw_only=True, slots=True)
class SettleRefunds:
    """One check of a payment whose money has come: refunds that were opened are asked for, and all that the provider
    knows of are applied. ProviderUnavailable and PaymentRefused are raised again after the next check was planned."""

    read_ledger: OpenLedger
    write: Transact
    provider: PaymentProvider
    shop: Shop
    apply: ApplyRefunds
    clock: Clock
    chance: Chance

    def __call__(self, claim: PaymentClaim) -> Payment:
        if claim.payment.shop.id != self.shop.id:
            return self.write(lambda ledger: leave_to_a_person(ledger, claim, self.apply.record, self.clock()))
        with self.read_ledger() as ledger:
            opening = [one for one in ledger.refunds.of_payment(claim.payment.id) if one.state is RefundState.OPENING]
        try:
            outcomes, refused = self._ask(claim.payment, opening)  # outside any transaction
        except (ProviderUnavailable, PaymentRefused) as error:
            not_now = error  # Python forgets `error` at the end of this block
            self.write(lambda ledger: check_again(ledger, claim, not_now, self.clock(), self.chance()))
            raise
        return self.write(lambda ledger: self._applied(ledger, claim, outcomes, refused))

    def _ask(
        self, payment: Payment, opening: Sequence[Refund]
    ) -> tuple[Sequence[RefundOutcome], Mapping[RefundId, str]]:
        refused: dict[RefundId, str] = {}
        for refund in opening:
            if not refund.creation_may_be_repeated(self.clock()):
                refused[refund.id] = NEVER_ANSWERED  # unless it is in the list after all
                continue
            try:
                self.provider.create_refund(refund)
            except PaymentRefused as error:
                refused[refund.id] = str(error)[:64]
        # Asked for in any case: what was made by hand, and what an earlier attempt did not hear of.
        return self.provider.refunds_of(payment), refused

    def _applied(
        self,
        ledger: Ledger,
        claim: PaymentClaim,
        outcomes: Sequence[RefundOutcome],
        refused: Mapping[RefundId, str],
    ) -> Payment:
        now = self.clock()
        before, customer = locked_payment(ledger, claim.payment.id)
        payment = self.apply(ledger, before.checked(), customer, now, outcomes=outcomes, refused=refused)
        waiting = _open(ledger.refunds.of_payment(payment.id))
        for refund in waiting:
            ledger.refunds.save(refund.not_answered())
        check_at = min((refund.next_try(now, self.chance()) for refund in waiting), default=None)
        ledger.payments.reschedule(claim, check_at)
        return payment


def _open(refunds: Sequence[Refund]) -> list[Refund]:
    return [refund for refund in refunds if refund.is_open]
