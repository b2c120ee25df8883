"""Alerts: operators are told, each once, of what only a person can decide."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from node_a.application.ports import Ledger, NewIds
from node_a.domain.customer import Customer, CustomerId, Language
from node_a.domain.message import Message, MessageKind


@dataclass(frozen=True, kw_only=True, slots=True)
class TellOperators:
    """Called inside a transaction. `language`: for an operator who has never written to the bot; the message waits
    until they do."""

    operators: frozenset[CustomerId]
    language: Language
    new_ids: NewIds

    def __call__(self, ledger: Ledger, kind: MessageKind, *, subject: UUID, key: str, now: datetime) -> None:
        """`key`: what happened; the same one is told only once."""
        for operator in sorted(self.operators):
            ledger.customers.add(Customer(operator, self.language))
            id = self.new_ids.message()
            ledger.messages.queue(Message.to_operator(id, operator, kind, subject=subject, key=key, now=now))
