"""Delivering: a queued message is checked once more, put into words and sent."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from node_a.application.notices import ComposeLetter, LookUpNotice, Notice
from node_a.application.ports import Chance, Clock, InThread, Ledger, MessageClaim, Messenger
from node_a.domain.backoff import asked_for, pause
from node_a.domain.customer import Language, Standing
from node_a.domain.errors import MessageRefused, MessengerUnavailable, UnknownCustomer, Unreachable
from node_a.domain.message import Message, MessageKind

FIRST_PAUSE: Final = timedelta(seconds=2)
BECAUSE_BANNED: Final = "banned"
LONGEST_PAUSE: Final = timedelta(minutes=5)
# Telegram may ask for hours; whoever asks for more has made a mistake.
LONGEST_ASKED_FOR: Final = timedelta(days=1)
# What is still true for somebody whose keys were taken away.
FOR_THE_BANNED: Final = frozenset({MessageKind.PAYMENT_DECLINED, MessageKind.REFUNDED})


@dataclass(frozen=True, slots=True)
class _Ready:
    """What is to be sent; `notice` None: there is nothing to say any more, for the reason in `why_not`."""

    notice: Notice | None
    language: Language
    why_not: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class DeliverMessage:
    """One attempt. MessengerUnavailable and MessageRefused are raised again after the next attempt was planned.
    A crash between sending and recording repeats a message: Telegram has no key against that."""

    read_ledger: InThread
    ledger: InThread
    messenger: Messenger
    compose: ComposeLetter
    look_up: LookUpNotice
    clock: Clock
    chance: Chance

    async def __call__(self, claim: MessageClaim) -> None:
        ready = await self.read_ledger(lambda ledger: self._ready(ledger, claim.message))
        if ready.notice is None:
            await self.ledger(lambda ledger: ledger.messages.dropped(claim, ready.why_not, self.clock()))
            return
        try:
            await self.messenger.send(claim.message.customer_id, self.compose(ready.notice, ready.language))
        except Unreachable:
            await self.ledger(lambda ledger: self._lost(ledger, claim))
            return
        except (MessengerUnavailable, MessageRefused) as error:
            retry_at = self._retry_at(claim, error)
            await self.ledger(lambda ledger: ledger.messages.retry(claim, retry_at))
            raise
        await self.ledger(lambda ledger: ledger.messages.sent(claim, self.clock()))

    def _ready(self, ledger: Ledger, message: Message) -> _Ready:
        customer = ledger.customers.find(message.customer_id)
        if customer is None:
            return _Ready(None, Language.RUSSIAN, "no such customer")
        if customer.standing is Standing.DELETED:
            return _Ready(None, customer.language, "being erased")
        if customer.standing is Standing.BANNED and message.kind not in FOR_THE_BANNED:
            return _Ready(None, customer.language, BECAUSE_BANNED)
        if self.clock() >= message.valid_until:
            return _Ready(None, customer.language, "too late")
        notice = self.look_up(ledger, message, customer)
        return _Ready(notice, customer.language, "" if notice else "not true any more")

    @staticmethod
    def _lost(ledger: Ledger, claim: MessageClaim) -> None:
        try:
            customer = ledger.customers.locked(claim.message.customer_id)
        except UnknownCustomer:
            return  # erased meanwhile, and the message with them
        ledger.customers.save(customer.lost())
        # Not dropped: it waits, unclaimed, until the customer writes to the bot again.
        ledger.messages.retry(claim, claim.message.due)

    def _retry_at(self, claim: MessageClaim, error: MessengerUnavailable | MessageRefused) -> datetime:
        ours = pause(FIRST_PAUSE, LONGEST_PAUSE, claim.attempts, self.chance())
        return self.clock() + max(ours, asked_for(error, LONGEST_ASKED_FOR))
