"""Operators' commands: words and presses in, the use case, the letter out. Whoever asks here is an operator."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from node_a.application.acts import Answered, Instruction
from node_a.application.banning import BanCustomer, UnbanCustomer
from node_a.application.lookup import FindCustomer
from node_a.application.operations import GrantByHand, RefundByHand
from node_a.application.ports import Letter, RunInThread
from node_a.application.retrying import HandleMoney, RetryStuck
from node_a.application.stuck import ListStuck, Thing, ThingKind
from node_a.bot.arguments import amount_in, customer_in, days_in
from node_a.bot.updates import Press
from node_a.domain.customer import Customer, CustomerId
from node_a.wording.wording import Wording

RETRY: Final = "retry:"
HANDLED: Final = "handled:"


@dataclass(frozen=True, kw_only=True, slots=True)
class Operations:
    """What operators may do."""

    list_stuck: ListStuck
    retry: RetryStuck
    handle_money: HandleMoney
    find: FindCustomer
    grant: GrantByHand
    refund: RefundByHand
    ban: BanCustomer
    unban: UnbanCustomer


@dataclass(frozen=True, slots=True)
class Written:
    """A command as an operator wrote it: which update brought it, and the words after the command."""

    update_id: int
    words: list[str]

    def instruction(self, operator: Customer, before_the_reason: int) -> Instruction:
        return Instruction(self.update_id, operator.id, " ".join(self.words[before_the_reason:]))


Command = Callable[[Customer, Written], Awaitable[Letter]]


@dataclass(frozen=True, kw_only=True, slots=True)
class OperatorsCommands:
    operations: Operations
    wording: Wording
    in_thread: RunInThread

    def all(self) -> dict[str, Command]:
        return {
            "stuck": self.stuck,
            "find": self.find,
            "grant": self.grant,
            "refund": self.refund,
            "ban": self.ban,
            "unban": self.unban,
        }

    async def stuck(self, operator: Customer, written: Written) -> Letter:
        return await self._list(operator)

    async def find(self, operator: Customer, written: Written) -> Letter:
        if not written.words:
            return self.wording.usage("find", operator.language)
        found = await self.in_thread(lambda: self.operations.find(" ".join(written.words)))
        return self.wording.customer_file(found, operator.language)

    async def grant(self, operator: Customer, written: Written) -> Letter:
        words = [*written.words, "", ""]
        customer, days = customer_in(words[0]), days_in(words[1])
        instruction = written.instruction(operator, 2)
        if customer is None or days is None or not instruction.reason:
            return self.wording.usage("grant", operator.language)
        return await self._done(operator, lambda: self.operations.grant(instruction, customer, days))

    async def refund(self, operator: Customer, written: Written) -> Letter:
        words = [*written.words, "", ""]
        is_amount, amount = amount_in(words[1])
        instruction = written.instruction(operator, 2)
        if not is_amount or not instruction.reason:
            return self.wording.usage("refund", operator.language)
        return await self._done(operator, lambda: self.operations.refund(instruction, words[0], amount))

    async def ban(self, operator: Customer, written: Written) -> Letter:
        return await self._judged("ban", self.operations.ban, operator, written)

    async def unban(self, operator: Customer, written: Written) -> Letter:
        return await self._judged("unban", self.operations.unban, operator, written)

    async def pressed(self, operator: Customer, press: Press) -> tuple[str, Letter] | None:
        """What is shown for a moment, and the letter that takes the place of the one with the button. None for an
        action that no button of ours ever had."""
        act = self._act(Instruction(press.update_id, operator.id), press.action)
        if act is None:
            return None
        answered = await self.in_thread(act)
        return self.wording.done_in_a_line(answered, operator.language), await self._list(operator)

    async def _judged(
        self, name: str, judge: Callable[[Instruction, CustomerId], Answered], operator: Customer, written: Written
    ) -> Letter:
        customer = customer_in((written.words or [""])[0])
        instruction = written.instruction(operator, 1)
        if customer is None or not instruction.reason:
            return self.wording.usage(name, operator.language)
        return await self._done(operator, lambda: judge(instruction, customer))

    def _act(self, instruction: Instruction, action: str) -> Callable[[], Answered] | None:
        if action.startswith(RETRY):
            thing = Thing.named(action.removeprefix(RETRY))
            return None if thing is None else lambda: self.operations.retry(instruction, thing)
        payment = Thing.named(f"{ThingKind.PAYMENT}:{action.removeprefix(HANDLED)}")
        if not action.startswith(HANDLED) or payment is None:
            return None
        return lambda: self.operations.handle_money(instruction, payment.payment_id)

    async def _list(self, operator: Customer) -> Letter:
        return self.wording.stuck(await self.in_thread(self.operations.list_stuck), operator.language)

    async def _done(self, operator: Customer, act: Callable[[], Answered]) -> Letter:
        return self.wording.done(await self.in_thread(act), operator.language)
