"""Banning: a customer loses the shop and every key, and may get both back."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from node_a.application.acts import (
    ActKind,
    Answered,
    Instruction,
    PerformAct,
    Result,
    about_customer,
    why_not,
)
from node_a.application.delivery import BECAUSE_BANNED
from node_a.application.expiry import give_keys, plan_its_time, withdraw_keys
from node_a.application.ports import Ledger
from node_a.application.registration import locked_if_known
from node_a.domain.customer import CustomerId, Standing
from node_a.domain.node import Node
from node_a.domain.payment import STATES_WITH_MONEY


@dataclass(frozen=True, kw_only=True, slots=True)
class BanCustomer:
    """The days stay as they are, and run on. `operators` cannot be banned: nobody could undo it from the chat."""

    perform: PerformAct
    operators: frozenset[CustomerId]

    def __call__(self, instruction: Instruction, id: CustomerId) -> Answered:
        def work(ledger: Ledger, now: datetime) -> Answered:
            return self._ban(ledger, id, now)

        return self.perform(instruction, ActKind.BAN, about_customer(id), work)

    def _ban(self, ledger: Ledger, id: CustomerId, now: datetime) -> Answered:
        if id in self.operators:
            return Answered(Result.IS_OPERATOR)
        customer = locked_if_known(ledger, id)
        if customer is None or customer.standing is not Standing.GOOD:
            return why_not(customer)
        ledger.customers.save(customer.now_in(Standing.BANNED))
        subscription = ledger.subscriptions.of_customer(id)
        if subscription is not None:
            withdraw_keys(ledger, subscription, now)
        return Answered(Result.BANNED)


@dataclass(frozen=True, kw_only=True, slots=True)
class UnbanCustomer:
    """The same keys work again for what is left of the days. Money that came meanwhile is looked at again by the
    worker, which gives the days that are owed for it."""

    perform: PerformAct
    nodes: Sequence[Node]

    def __call__(self, instruction: Instruction, id: CustomerId) -> Answered:
        def work(ledger: Ledger, now: datetime) -> Answered:
            return self._unban(ledger, id, now)

        return self.perform(instruction, ActKind.UNBAN, about_customer(id), work)

    def _unban(self, ledger: Ledger, id: CustomerId, now: datetime) -> Answered:
        customer = locked_if_known(ledger, id)
        if customer is None or customer.standing is not Standing.BANNED:
            return why_not(customer)
        ledger.customers.save(customer.now_in(Standing.GOOD))
        self._give_back(ledger, id, now)
        return Answered(Result.UNBANNED, str(_owed_looked_at(ledger, id, now)))

    def _give_back(self, ledger: Ledger, id: CustomerId, now: datetime) -> None:
        subscription = ledger.subscriptions.of_customer(id)
        if subscription is None or not subscription.runs(now):
            return
        given_back = plan_its_time(ledger, subscription.revised(), now)
        if given_back.is_active(now):
            give_keys(ledger, given_back, self.nodes, now)
        ledger.messages.take_up_again(id, BECAUSE_BANNED, now)


def _owed_looked_at(ledger: Ledger, id: CustomerId, now: datetime) -> int:
    """How many payments with money that nobody has decided on are checked again."""
    waiting = [one for one in ledger.payments.of_customer(id) if one.holds_money and one.attention is not None]
    for payment in waiting:
        ledger.payments.nudge(payment.id, None, now, states=STATES_WITH_MONEY)
    return len(waiting)
