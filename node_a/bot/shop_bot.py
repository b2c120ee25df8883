"""The bot as a whole: what it needs, which message goes where, and its life from start to shutdown."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace

import structlog
from telebot import types, util
from telebot.async_telebot import AsyncTeleBot

from node_a.application.case import Diagnose
from node_a.application.erasure import RequestErasure
from node_a.application.overview import ShowSubscription, SubscriptionView
from node_a.application.ports import Clock, Letter, RunInThread
from node_a.application.registration import RegisterCustomer
from node_a.application.repair import RepairKeys
from node_a.application.rotation import OfferRotation, RotateKeys
from node_a.application.statistics import ShowServers
from node_a.application.trial import TakeTrial, TrialAvailable
from node_a.bot.case import CaseOfACustomer
from node_a.bot.farewell import Farewell
from node_a.bot.introduction import introduce, introduce_to_operators
from node_a.bot.new_keys import NewKeys
from node_a.bot.operators import Command, Operations, OperatorsCommands, Written
from node_a.bot.polling import Troubles, keep_polling
from node_a.bot.presses import ChatMessenger, Presses
from node_a.bot.rate import RequestLimit
from node_a.bot.reception import Answer, Reception
from node_a.bot.updates import arguments_of, update_id_of
from node_a.domain.customer import Customer
from node_a.domain.errors import TrialRefused
from node_a.wording.qr import qr_picture
from node_a.wording.wording import Wording

_log = structlog.stdlib.get_logger("bot")


@dataclass(frozen=True, kw_only=True)
class ShopBot:
    """`operators`: who sees figures in /serverstats, and whose are the `operations`; `app_url`: the Mini App, https.
    Whoever opened `bot` closes it after `run` has returned. `grace`: seconds for the answers that are being given at
    shutdown; the process has ten."""

    bot: AsyncTeleBot
    register: RegisterCustomer
    show_subscription: ShowSubscription
    show_servers: ShowServers
    take_trial: TakeTrial
    trial_available: TrialAvailable
    request_erasure: RequestErasure
    offer_rotation: OfferRotation
    rotate_keys: RotateKeys
    diagnose: Diagnose
    repair_keys: RepairKeys
    operations: Operations
    wording: Wording
    messenger: ChatMessenger
    in_thread: RunInThread
    operators: frozenset[int]
    app_url: str
    clock: Clock
    limit: RequestLimit = field(default_factory=RequestLimit)
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    grace: float = 5.0

    async def run(self, stopping: asyncio.Event) -> None:
        """Listen until `stopping` is set; then let the answers that are being given go out."""
        self._register_handlers()
        polling = asyncio.create_task(keep_polling(self.bot, self._introduce, Troubles(), self.sleep))
        stopped = asyncio.create_task(stopping.wait())
        try:
            await asyncio.wait({polling, stopped}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopped.cancel()
            polling.cancel()
            await asyncio.gather(stopped, polling, return_exceptions=True)
            await self._finish_answers()

    async def _introduce(self) -> None:
        language = self.register.default_language
        await introduce(self.bot, self.wording, self.app_url, language)
        await introduce_to_operators(self.bot, self.wording, self.operators, language)

    async def _finish_answers(self) -> None:
        # The library has no way to wait for its handlers but this set.
        pending = set(self.bot._pending_tasks)
        if pending:
            _, left = await asyncio.wait(pending, timeout=self.grace)
            for task in left:
                task.cancel()
            await asyncio.gather(*left, return_exceptions=True)
            _log.info("bot has finished its answers", given_up=len(left))

    def _register_handlers(self) -> None:
        reception = Reception(
            register=self.register,
            wording=self.wording,
            messenger=self.messenger,
            in_thread=self.in_thread,
            limit=self.limit,
            sleep=self.sleep,
        )
        farewell = Farewell(
            request_erasure=self.request_erasure, wording=self.wording, in_thread=self.in_thread, clock=self.clock
        )
        commands = OperatorsCommands(operations=self.operations, wording=self.wording, in_thread=self.in_thread)
        presses = self._presses(reception, farewell, commands)
        self._register_answers(reception, farewell)
        self._register_operators_commands(reception, commands)
        self.bot.register_message_handler(
            _handler(reception, "other", self._other), content_types=util.content_type_media, chat_types=["private"]
        )
        self.bot.register_callback_query_handler(presses.receive, func=lambda _: True)

    def _presses(self, reception: Reception, farewell: Farewell, commands: OperatorsCommands) -> Presses:
        return Presses(
            reception=reception,
            messenger=self.messenger,
            farewell=farewell,
            new_keys=NewKeys(
                offer=self.offer_rotation,
                rotate=self.rotate_keys,
                show_subscription=self.show_subscription,
                wording=self.wording,
                in_thread=self.in_thread,
                clock=self.clock,
            ),
            case=CaseOfACustomer(
                diagnose=self.diagnose, repair=self.repair_keys, wording=self.wording, in_thread=self.in_thread
            ),
            operators_commands=commands,
            operators=self.operators,
        )

    def _register_answers(self, reception: Reception, farewell: Farewell) -> None:
        answers: dict[str, Answer] = {
            "start": self._start,
            "my": self._my,
            "serverstats": self._serverstats,
            "help": self._help,
            "paysupport": self._paysupport,
            "trial": self._trial,
            "delete_me": farewell.asked,
        }
        for name, answer in answers.items():
            handler = _handler(reception, f"/{name}", answer)
            self.bot.register_message_handler(handler, commands=[name], chat_types=["private"])

    def _register_operators_commands(self, reception: Reception, commands: OperatorsCommands) -> None:
        def is_operators(message: types.Message) -> bool:
            # From anybody else it goes the way of every unknown command, and gives no hint that it is one.
            return message.from_user is not None and message.from_user.id in self.operators

        for name, command in commands.all().items():
            self.bot.register_message_handler(
                _operators_handler(reception, f"/{name}", command),
                commands=[name],
                chat_types=["private"],
                func=is_operators,
            )

    async def _start(self, customer: Customer) -> list[Letter]:
        trial = await self.in_thread(lambda: self.trial_available(customer.id))
        return [self.wording.welcome(customer.language, trial)]

    async def _my(self, customer: Customer) -> list[Letter]:
        def look() -> tuple[SubscriptionView | None, bytes | None]:
            view = self.show_subscription(customer.id, customer.language)
            return view, qr_picture(view.link) if view is not None and view.keys else None

        view, picture = await self.in_thread(look)
        *others, letter = self.wording.subscription(view, customer.language, picture)
        if view is not None and view.keys and self.offer_rotation.per_day:
            letter = replace(letter, buttons=(*letter.buttons, self.wording.offer_of_new_keys(customer.language)))
        return [*others, letter]

    async def _serverstats(self, customer: Customer) -> list[Letter]:
        for_operator = customer.id in self.operators
        servers = await self.in_thread(lambda: self.show_servers(for_operator))
        return [self.wording.servers(servers, for_operator, customer.language)]

    async def _help(self, customer: Customer) -> list[Letter]:
        return [self.wording.help(customer.language)]

    async def _paysupport(self, customer: Customer) -> list[Letter]:
        return [self.wording.payment_support(customer.language)]

    async def _trial(self, customer: Customer) -> list[Letter]:
        if self.take_trial.offer is None:
            return await self._other(customer)
        try:
            await self.in_thread(lambda: self.take_trial(customer.id))
        except TrialRefused:
            had = await self.in_thread(lambda: self.show_subscription(customer.id, customer.language))
            language = customer.language
            return [self.wording.trial_is_for_the_new(language) if had else self.wording.no_trial_now(language)]
        return [self.wording.trial_begun(self.take_trial.offer.plan, customer.language)]

    async def _other(self, customer: Customer) -> list[Letter]:
        return [self.wording.unknown_command(customer.language)]


def _handler(reception: Reception, kind: str, answer: Answer) -> Callable[[types.Message], Awaitable[None]]:
    async def handle(message: types.Message) -> None:
        await reception.receive(kind, answer, message.from_user)

    return handle


def _operators_handler(reception: Reception, kind: str, command: Command) -> Callable[[types.Message], Awaitable[None]]:
    async def handle(message: types.Message) -> None:
        written = Written(update_id_of(message), arguments_of(message))

        async def answer(operator: Customer) -> list[Letter]:
            return [await command(operator, written)]

        await reception.receive(kind, answer, message.from_user)

    return handle
