"""/delete_me: one question, one answer."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from node_a.application.ports import Clock, Letter, RunInThread
from node_a.bot.updates import Press
from node_a.domain.customer import Customer, CustomerId
from node_a.wording.farewell import NO, YES
from node_a.wording.wording import Wording

# An old question, found again by a thumb that scrolls, must not delete what was bought since.
ASKED_FOR: Final = timedelta(hours=1)


@dataclass(frozen=True, kw_only=True, slots=True)
class Farewell:
    """`request_erasure`: the use case RequestErasure."""

    request_erasure: Callable[[CustomerId, datetime], bool]
    wording: Wording
    in_thread: RunInThread
    clock: Clock

    async def asked(self, customer: Customer) -> list[Letter]:
        return [self.wording.ask_before_deleting(customer.language)]

    async def pressed(self, customer: Customer, press: Press) -> tuple[str, Letter] | None:
        """What is shown for a moment (nothing), and the letter that takes the question's place."""
        if press.action == NO:
            return "", self.wording.nothing_deleted(customer.language)
        if press.action != YES:
            return None
        in_time = self.clock() - press.shown_at <= ASKED_FOR
        if in_time and await self.in_thread(lambda: self.request_erasure(customer.id, press.shown_at)):
            return "", self.wording.last_word(customer.language)
        return "", self.wording.question_too_old(customer.language)
