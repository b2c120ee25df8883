"""What happens around every answer: the limit, the registration, the log line, and the apology when something fails."""

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

import structlog
from telebot import types

from node_a.application.ports import Letter, Messenger, RunInThread
from node_a.application.registration import RegisterCustomer
from node_a.bot.rate import RequestLimit, Verdict
from node_a.domain.customer import Customer, CustomerId, Language, Standing
from node_a.domain.errors import MessengerUnavailable, ShopError, Unavailable, Unreachable
from node_a.wording.wording import Wording
from shared.logs import bind, new_id

_log = structlog.stdlib.get_logger("bot")

Answer = Callable[[Customer], Awaitable[list[Letter]]]

WHAT_IS_WRONG: Final = "press it does not work"
# What somebody banned, or on the way out, may still ask: money has its own rights.
_FOR_EVERYBODY: Final = frozenset({"/help", "/paysupport", WHAT_IS_WRONG})
ATTEMPTS: Final = 3
# Seconds. Longer than that, the customer asks again sooner than we answer.
LONGEST_PAUSE: Final = 5.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Reception:
    register: RegisterCustomer
    wording: Wording
    messenger: Messenger
    in_thread: RunInThread
    limit: RequestLimit
    sleep: Callable[[float], Awaitable[None]]

    async def receive(self, kind: str, answer: Answer, user: types.User | None) -> None:
        """Answer one message of `user`. Never raises but for a cancellation; the text of a message is never logged."""
        if user is None or user.is_bot:
            return
        with bind(id=new_id(), customer=user.id):
            started = time.perf_counter()
            outcome = await self._outcome(kind, answer, user)
            ms = round((time.perf_counter() - started) * 1000)
            _log.info("update handled", kind=kind, outcome=outcome, ms=ms)

    async def _outcome(self, kind: str, answer: Answer, user: types.User) -> str:
        id = CustomerId(user.id)
        language = Language.best_for(user.language_code, self.register.default_language)
        try:
            verdict = self.limit.verdict(id)
            if verdict is Verdict.ANSWER:
                return await self._answered(kind, answer, id, user.language_code)
            if verdict is Verdict.ASK_TO_SLOW_DOWN:
                await self._send(id, self.wording.slow_down(language))
            return "too many"
        except Unreachable:
            return "unreachable"
        except MessengerUnavailable as error:
            _log.warning("answer could not be sent", reason=str(error))
            return "not sent"
        except Unavailable as error:
            _log.warning("update failed", kind=kind, problem=str(error))
            await self._apologise(id, language)
            return "failed"
        except Exception:  # the edge of an update: nothing may vanish, and the customer must not wait in vain
            _log.exception("update failed", kind=kind)
            await self._apologise(id, language)
            return "failed"

    async def _answered(self, kind: str, answer: Answer, id: CustomerId, language_code: str | None) -> str:
        customer = await self.in_thread(lambda: self.register(id, language_code))
        if customer.standing is not Standing.GOOD and kind not in _FOR_EVERYBODY:
            banned = customer.standing is Standing.BANNED
            closed = self.wording.banned if banned else self.wording.being_erased
            await self._send(id, closed(customer.language))
            return customer.standing.value
        for letter in await answer(customer):
            await self._send(id, letter)
        return "answered"

    async def _apologise(self, id: CustomerId, language: Language) -> None:
        try:
            await self._send(id, self.wording.out_of_order(language))
        except ShopError as error:
            _log.warning("apology could not be sent", reason=str(error))

    async def _send(self, id: CustomerId, letter: Letter) -> None:
        """A short hiccup of Telegram's is waited for: nobody else repeats an answer."""
        for attempt in range(1, ATTEMPTS + 1):
            try:
                await self.messenger.send(id, letter)
                return
            except MessengerUnavailable as error:
                pause = error.retry_after or float(attempt)
                if attempt == ATTEMPTS or pause > LONGEST_PAUSE:
                    raise
                await self.sleep(pause)
