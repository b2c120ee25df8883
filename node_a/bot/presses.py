"""Buttons under our letters: whatever happens, a pressed button stops waiting."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import structlog
from telebot import types

from node_a.application.ports import Letter, Messenger
from node_a.bot.case import CaseOfACustomer
from node_a.bot.farewell import Farewell
from node_a.bot.new_keys import NewKeys
from node_a.bot.operators import HANDLED, RETRY, OperatorsCommands
from node_a.bot.reception import WHAT_IS_WRONG, Reception
from node_a.bot.updates import Press, press_of
from node_a.domain.customer import Customer, CustomerId
from node_a.domain.errors import MessageRefused, ShopError
from node_a.wording import rotations, troubles

_log = structlog.stdlib.get_logger("bot")

# What is shown for a moment, and the letter; None: not a button of ours.
Answered = tuple[str, Letter] | None
AnswerPress = Callable[[Customer, Press], Awaitable[Answered]]


class _Answer(NamedTuple):
    """`in_place`: the letter takes the place of the one with the button, which has had its day."""

    kind: str
    give: AnswerPress
    in_place: bool = True


class ChatMessenger(Messenger, Protocol):
    """A messenger that can also change what it sent."""

    async def edit(self, customer_id: CustomerId, message_id: int, letter: Letter) -> None:
        """Raises as `send` does; MessageRefused also when the letter cannot be changed any more."""
        ...

    async def answer_press(self, press_id: str, text: str) -> None:
        """Raises as `send` does."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Presses:
    """An action that is not the presser's to take is answered with nothing, as one that never was."""

    reception: Reception
    messenger: ChatMessenger
    farewell: Farewell
    new_keys: NewKeys
    case: CaseOfACustomer
    operators_commands: OperatorsCommands
    operators: frozenset[int]

    async def receive(self, query: types.CallbackQuery) -> None:
        shown: list[str] = []
        try:
            press = press_of(query)
            if press is not None:
                await self._answer(press, query.from_user, shown)
        finally:
            await self._let_go(query.id, "".join(shown))

    async def _answer(self, press: Press, user: types.User, shown: list[str]) -> None:
        answer = self._answer_to(press, user)
        if answer is None:
            return

        async def answered(customer: Customer) -> list[Letter]:
            said = await answer.give(customer, press)
            if said is None:
                return []
            shown.append(said[0])
            return await self._put_in_place(customer.id, press.message_id, said[1]) if answer.in_place else [said[1]]

        await self.reception.receive(answer.kind, answered, user)

    def _answer_to(self, press: Press, user: types.User) -> _Answer | None:
        if press.action.startswith((RETRY, HANDLED)):
            is_operator = user.id in self.operators
            return _Answer("press of an operator", self.operators_commands.pressed) if is_operator else None
        answers = {
            rotations.ASK: _Answer("press new keys", self._ask_about_new_keys, in_place=False),
            troubles.ASK: _Answer(WHAT_IS_WRONG, self._look_at_the_case, in_place=False),
            "rotate:": _Answer("press new keys", self.new_keys.answered),
            "trouble:": _Answer(WHAT_IS_WRONG, self.case.pressed),
            "delete:": _Answer("press delete", self.farewell.pressed),
        }
        kind = press.action.partition(":")[0] + ":"
        return answers.get(press.action) or answers.get(kind)

    async def _ask_about_new_keys(self, customer: Customer, press: Press) -> Answered:
        return "", await self.new_keys.asked(customer)

    async def _look_at_the_case(self, customer: Customer, press: Press) -> Answered:
        return "", await self.case.looked_at(customer)

    async def _put_in_place(self, id: CustomerId, message_id: int, letter: Letter) -> list[Letter]:
        """What is still to be sent: the letter itself, if the one with the button is gone."""
        try:
            await self.messenger.edit(id, message_id, letter)
        except MessageRefused:
            return [letter]
        return []

    async def _let_go(self, press_id: str, text: str) -> None:
        try:
            await self.messenger.answer_press(press_id, text)
        except ShopError as error:  # too old, or Telegram away: what was to be done is done
            _log.info("a press could not be answered", reason=str(error))
