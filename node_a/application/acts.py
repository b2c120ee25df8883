"""Acts: what operators do by hand, each recorded with who, when and why, and done once however often it arrives."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final
from uuid import UUID

from node_a.application.ports import Clock, Ledger, OperatorAct, Transact
from node_a.domain.customer import Customer, CustomerId, Standing
from node_a.domain.payment import PaymentId

# Telegram's longest message is longer than anybody wants to read again.
LONGEST_REASON: Final = 500


class ActKind(StrEnum):
    """At most 16 characters."""

    GRANT = "grant"
    REFUND = "refund"
    BAN = "ban"
    UNBAN = "unban"
    RETRY = "retry"
    HANDLED = "handled"


class Result(StrEnum):
    """What came of an act. `Answered.detail` is what stands in brackets."""

    GRANTED = "granted"  # (the subscription's end, ISO 8601)
    REFUND_OPENED = "refund opened"  # (the amount and its currency)
    BANNED = "banned"
    UNBANNED = "unbanned"  # (how many payments are looked at again)
    RETRIED = "retried"  # (how many)
    HANDLED = "handled"
    # Nothing was done:
    UNKNOWN_CUSTOMER = "unknown customer"
    UNKNOWN_PAYMENT = "unknown payment"
    IS_BANNED = "is banned"
    IS_NOT_BANNED = "is not banned"
    IS_ERASED = "is being erased"
    IS_OPERATOR = "is an operator"
    NOTHING_THERE = "nothing there"  # it was cured meanwhile
    REFUND_REFUSED = "refund refused"  # (what is left, and its currency)
    NO_RECEIPT_ADDRESS = "no receipt address"
    NUMBER_USED = "number used"  # the update's number is that of another act: another bot had this database
    OF_ANOTHER_RELEASE = "of another release"  # done or refused by one that has a name for it which this one has not


@dataclass(frozen=True, slots=True)
class Answered:
    """What came of an act, as it is recorded and told to the operator."""

    result: Result
    detail: str = ""

    def __str__(self) -> str:
        return f"{self.result}: {self.detail}" if self.detail else str(self.result)

    @classmethod
    def parse(cls, recorded: str) -> "Answered":
        result, _, detail = recorded.partition(": ")
        return cls(Result(result), detail) if result in set(map(str, Result)) else cls(Result.OF_ANOTHER_RELEASE)


@dataclass(frozen=True, slots=True)
class Instruction:
    """An operator's word: the number of the update that brought it, who, and why."""

    update_id: int
    operator_id: CustomerId
    reason: str = ""


def about_customer(id: CustomerId) -> str:
    """The subject of an act: the bare id, by which an erasure finds it."""
    return str(id)


def about_payment(id: PaymentId | UUID) -> str:
    return f"payment:{id}"


_STANDINGS: Final = {
    Standing.GOOD: Result.IS_NOT_BANNED,
    Standing.BANNED: Result.IS_BANNED,
    Standing.DELETED: Result.IS_ERASED,
}


def why_not(customer: Customer | None) -> Answered:
    """Nothing can be done to somebody who stands so."""
    return Answered(_STANDINGS[customer.standing] if customer else Result.UNKNOWN_CUSTOMER)


class _RecordedMeanwhile(Exception):
    """The same update was recorded by another process: all of this transaction is taken back."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PerformAct:
    """The work and its record in one transaction. The same instruction again gets the same answer, and nothing is
    done."""

    write: Transact
    clock: Clock

    def __call__(
        self,
        instruction: Instruction,
        kind: ActKind,
        subject: str,
        work: Callable[[Ledger, datetime], Answered],
    ) -> Answered:
        def perform(ledger: Ledger) -> Answered:
            return self._once(ledger, instruction, kind, subject, work)

        try:
            return self.write(perform)
        except _RecordedMeanwhile:
            return self.write(perform)

    def _once(
        self,
        ledger: Ledger,
        instruction: Instruction,
        kind: ActKind,
        subject: str,
        work: Callable[[Ledger, datetime], Answered],
    ) -> Answered:
        now = self.clock()
        known = ledger.operator_acts.find(instruction.update_id)
        if known is not None:
            same = (known.operator_id, known.act, known.subject) == (instruction.operator_id, kind, subject)
            return Answered.parse(known.outcome) if same else Answered(Result.NUMBER_USED)
        answered = work(ledger, now)
        act = OperatorAct(
            update_id=instruction.update_id,
            operator_id=instruction.operator_id,
            at=now,
            act=kind,
            subject=subject,
            reason=instruction.reason[:LONGEST_REASON],
            outcome=str(answered),
        )
        if not ledger.operator_acts.record(act):
            raise _RecordedMeanwhile
        return answered
