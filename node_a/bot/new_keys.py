"""New keys: one question, one answer, and as often as Telegram delivers it one rotation."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from node_a.application.overview import SubscriptionView
from node_a.application.ports import Clock, Letter, RunInThread
from node_a.application.rotation import RotationOffer
from node_a.bot.updates import Press
from node_a.domain.customer import Customer, CustomerId, Language
from node_a.domain.errors import RotationRefused, TooManyRotations
from node_a.wording.rotations import NO, YES
from node_a.wording.wording import Wording

# An old question, found again by a thumb that scrolls, must not switch off keys that are in use.
ASKED_FOR: Final = timedelta(hours=1)
_LONGEST_NUMBER: Final = 9


@dataclass(frozen=True, kw_only=True, slots=True)
class NewKeys:
    """`offer` and `rotate`: the use cases OfferRotation and RotateKeys."""

    offer: Callable[[CustomerId], RotationOffer | None]
    rotate: Callable[[CustomerId, int], None]
    show_subscription: Callable[[CustomerId, Language], SubscriptionView | None]
    wording: Wording
    in_thread: RunInThread
    clock: Clock

    async def asked(self, customer: Customer) -> Letter:
        offer = await self.in_thread(lambda: self.offer(customer.id))
        if offer is None:
            return self.wording.no_new_keys(customer.language)
        if not offer.left:
            return self.wording.too_many_new_keys(customer.language)
        return self.wording.ask_before_new_keys(offer.rotation, customer.language)

    async def answered(self, customer: Customer, press: Press) -> tuple[str, Letter] | None:
        """What is shown for a moment (nothing), and the letter that takes the question's place."""
        if press.action == NO:
            return "", self.wording.keys_kept(customer.language)
        shown = _number(press.action.removeprefix(YES))
        if not press.action.startswith(YES) or shown is None:
            return None
        if self.clock() - press.shown_at > ASKED_FOR:
            return "", self.wording.question_about_keys_too_old(customer.language)
        return "", await self._rotated(customer, shown)

    async def _rotated(self, customer: Customer, shown: int) -> Letter:
        try:
            await self.in_thread(lambda: self.rotate(customer.id, shown))
        except TooManyRotations:
            return self.wording.too_many_new_keys(customer.language)
        except RotationRefused:
            return self.wording.no_new_keys(customer.language)
        view = await self.in_thread(lambda: self.show_subscription(customer.id, customer.language))
        if view is None:
            return self.wording.no_new_keys(customer.language)
        return self.wording.new_keys_begun(view, customer.language)


def _number(text: str) -> int | None:
    is_number = text.isascii() and text.isdecimal() and len(text) <= _LONGEST_NUMBER
    return int(text) if is_number else None
