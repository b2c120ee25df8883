"""Delivering: a queued message is checked once more, put into words and sent."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from node_a.application.notices import (
    ComposeLetter,
    Ended,
    EndsSoon,
    KeysReady,
    Notice,
    PaymentDeclined,
    PaymentReceived,
)
from node_a.application.overview import ViewSubscription
from node_a.application.ports import Clock, InThread, Ledger, MessageClaim, Messenger
from node_a.domain.customer import Customer, Language
from node_a.domain.errors import MessageRefused, MessengerUnavailable, Unreachable
from node_a.domain.grant import GrantId
from node_a.domain.message import Message, MessageKind
from node_a.domain.payment import Payment, PaymentId
from node_a.domain.subscription import Subscription, SubscriptionId

# The provider's word for a link that nobody used within its hour (YooKassa, cancellation_details.reason).
LINK_RAN_OUT: Final = "expired_on_confirmation"
FIRST_PAUSE: Final = timedelta(seconds=2)
LONGEST_PAUSE: Final = timedelta(minutes=5)


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
    view: ViewSubscription
    clock: Clock

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
        if self.clock() >= message.valid_until:
            return _Ready(None, customer.language, "too late")
        notice = self._notice(ledger, message, customer)
        return _Ready(notice, customer.language, "" if notice else "not true any more")

    def _notice(self, ledger: Ledger, message: Message, customer: Customer) -> Notice | None:
        if message.kind in {MessageKind.PAYMENT_RECEIVED, MessageKind.PAYMENT_DECLINED}:
            return self._notice_of_payment(ledger, ledger.payments.find(PaymentId(message.subject)))
        if message.kind is MessageKind.KEYS_READY:
            subscription = ledger.subscriptions.by_grant(GrantId(message.subject))
            if subscription is None or not subscription.is_active(self.clock()):
                return None
            return KeysReady(self.view(ledger, subscription, customer.language))
        return self._notice_of_time(message, ledger.subscriptions.find(SubscriptionId(message.subject)))

    def _notice_of_payment(self, ledger: Ledger, payment: Payment | None) -> Notice | None:
        if payment is None:
            return None
        if not payment.is_paid:
            # An old link that ran out is no news to somebody who has paid by another one since.
            ran_out = payment.reason == LINK_RAN_OUT
            paid_since = ran_out and ledger.payments.has_paid_since(payment.customer_id, payment.opened_at)
            return None if paid_since else PaymentDeclined(payment)
        subscription = ledger.subscriptions.of_customer(payment.customer_id)
        applied = subscription is not None and ledger.accesses.progress(subscription.id, self.clock()).applied
        return None if applied else PaymentReceived(payment)  # else the message with the keys says it all

    def _notice_of_time(self, message: Message, subscription: Subscription | None) -> Notice | None:
        now = self.clock()
        if subscription is None or subscription.ends_at is None:
            return None
        if message.kind is MessageKind.ENDS_SOON:
            # Renewed meanwhile: the end that the reminder is about is not the end any more.
            renewed = subscription.ends_at != message.valid_until
            return None if renewed else EndsSoon(subscription.ends_at, subscription.days_left(now))
        return None if subscription.is_active(now) else Ended(subscription.ends_at)

    @staticmethod
    def _lost(ledger: Ledger, claim: MessageClaim) -> None:
        customer = ledger.customers.locked(claim.message.customer_id)
        ledger.customers.save(customer.lost())
        # Not dropped: it waits, unclaimed, until the customer writes to the bot again.
        ledger.messages.retry(claim, claim.message.due)

    def _retry_at(self, claim: MessageClaim, error: MessengerUnavailable | MessageRefused) -> datetime:
        pause = min(FIRST_PAUSE * (1 << min(claim.attempts, 10)), LONGEST_PAUSE)
        if isinstance(error, MessengerUnavailable) and error.retry_after is not None:
            pause = max(pause, timedelta(seconds=error.retry_after))
        return self.clock() + pause
