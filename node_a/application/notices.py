"""Notices: what a message has to tell, looked up at the moment of sending; the wording makes a letter of it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from node_a.application.overview import SubscriptionView
from node_a.application.ports import Letter
from node_a.domain.customer import Language
from node_a.domain.payment import Payment


@dataclass(frozen=True, slots=True)
class PaymentReceived:
    payment: Payment


@dataclass(frozen=True, slots=True)
class PaymentDeclined:
    payment: Payment


@dataclass(frozen=True, slots=True)
class KeysReady:
    subscription: SubscriptionView


@dataclass(frozen=True, slots=True)
class EndsSoon:
    ends_at: datetime
    days_left: int


@dataclass(frozen=True, slots=True)
class Ended:
    ends_at: datetime


Notice = PaymentReceived | PaymentDeclined | KeysReady | EndsSoon | Ended


class ComposeLetter(Protocol):
    """The words for a notice in the customer's language."""

    def __call__(self, notice: Notice, language: Language) -> Letter: ...
