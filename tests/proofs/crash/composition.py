"""The shop of one run: the product's use cases, adapters and desks, behind ports at which the process may end.

The one place that names them: what a use case newly asks for is given here.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import uuid4

from sqlalchemy import Engine

from node_a.adapters.database.agenda import SqlAgenda
from node_a.adapters.database.engine import open_engine
from node_a.adapters.database.ledger import Database
from node_a.adapters.node_b import NodeAccount, NodeB
from node_a.adapters.payments.yookassa import YooKassa
from node_a.adapters.telegram import Route, TelegramMessenger, close_bot, open_bot
from node_a.adapters.threads import Threads
from node_a.application.alerts import TellOperators
from node_a.application.checkout import OpenPayment
from node_a.application.delivery import DeliverMessage
from node_a.application.erasure import EraseCustomer
from node_a.application.expiry import ExpireSubscription, RemindCustomer
from node_a.application.granting import GrantDays
from node_a.application.notices import LookUpNotice
from node_a.application.overview import ViewSubscription
from node_a.application.ports import NewIds
from node_a.application.provisioning import ProvideAccess
from node_a.application.refunding import ApplyRefunds, SettleRefunds
from node_a.application.registration import RegisterCustomer
from node_a.application.settlement import NudgePayment, RecordOutcome, SettlePayment
from node_a.application.upkeep import ProvideUpkeep
from node_a.application.wanting import Wanting
from node_a.domain.customer import Language
from node_a.wording.wording import Wording
from node_a.worker.desk import Desk
from node_a.worker.desks import desks
from node_a.worker.providing import UPKEEP_BUDGET
from sandbox.stand_ins import PANEL_USERNAME, SHOP_ID
from tests.builders import MONTH, OLGA, RING, THE_SHOP, YEAR, a_node
from tests.proofs.crash.calls import Calls, MortalDatabase, MortalMessenger, MortalNode, MortalProvider
from tests.proofs.crash.job import World

PLANS: Final = {plan.code: plan for plan in (MONTH, YEAR)}
NODE: Final = a_node()
SITE: Final = "https://shop.example.org"


@dataclass(frozen=True, kw_only=True)
class Shop:
    """What a customer, YooKassa and time do to Node A."""

    engine: Engine
    register: RegisterCustomer
    open_payment: OpenPayment
    nudge: NudgePayment
    agenda: SqlAgenda
    desks: Sequence[Desk[Any]]
    threads: Threads


@asynccontextmanager
async def opened(world: World, calls: Calls, clock: Callable[[], datetime]) -> AsyncIterator[Shop]:
    account = NodeAccount(
        url=world.node_url,
        certificate=None,
        panel_username=PANEL_USERNAME,
        panel_password=world.panel_password,
        agent_token=world.agent_token,
    )
    bot = open_bot(world.bot_token, [Route("direct", world.telegram_url)])
    engine = open_engine(world.database_url)
    async with NodeB(account, clock=clock) as node:
        messenger = MortalMessenger(calls, TelegramMessenger(bot, f"{SITE}/app"))
        yield _composed(world, calls, clock, engine, MortalNode(calls, node), messenger)
    await close_bot(bot)
    engine.dispose()


def _composed(
    world: World,
    calls: Calls,
    clock: Callable[[], datetime],
    engine: Engine,
    node: MortalNode,
    messenger: MortalMessenger,
) -> Shop:
    database = MortalDatabase(calls, Database(engine))
    yookassa = YooKassa(
        shop_id=SHOP_ID,
        secret_key=world.yookassa_secret_key,
        return_url=f"{SITE}/pay/return",
        api_url=f"{world.yookassa_url}/v3",
    )
    provider = MortalProvider(calls, yookassa)
    wording = Wording("QentVPN", "@qent_support")
    threads = Threads("ledger", 4)
    writing, reading = threads.transaction(database.write), threads.transaction(database.read)
    writes: dict[str, Any] = {"write": database.write, "clock": clock}
    new_ids = NewIds(uuid4)
    timed: dict[str, Any] = {**writes, "new_ids": new_ids}
    record = RecordOutcome(
        grant_days=GrantDays(nodes=[NODE], ring=RING, new_ids=new_ids),
        tell_operators=TellOperators(operators=frozenset({OLGA}), language=Language.RUSSIAN, new_ids=new_ids),
        new_ids=new_ids,
    )
    providing: dict[str, Any] = {
        "read_ledger": reading,
        "ledger": writing,
        "nodes": {NODE.code: node},
        "wanting": Wanting(RING, [NODE]),
        "clock": clock,
        "new_ids": new_ids,
        "chance": _no_chance,
    }
    checks: dict[str, Any] = {**writes, "provider": provider, "shop": THE_SHOP, "chance": _no_chance}
    return Shop(
        engine=engine,
        register=RegisterCustomer(
            read_ledger=database.read_ledger, write=database.write, default_language=Language.RUSSIAN
        ),
        open_payment=OpenPayment(**timed, provider=provider, plans=PLANS, shop=THE_SHOP, describe=wording.describe),
        nudge=NudgePayment(**writes),
        agenda=SqlAgenda(engine),
        desks=desks(
            settle=SettlePayment(**checks, record=record),
            settle_refunds=SettleRefunds(
                **checks, read_ledger=database.read_ledger, apply=ApplyRefunds(record=record, new_ids=new_ids)
            ),
            provide=ProvideAccess(**providing),
            keep_up=ProvideUpkeep(**providing, budget=UPKEEP_BUDGET),
            deliver=DeliverMessage(
                read_ledger=reading,
                ledger=writing,
                messenger=messenger,
                compose=wording.compose,
                look_up=LookUpNotice(
                    view=ViewSubscription(nodes=[NODE], ring=RING, link_base=SITE, clock=clock), clock=clock
                ),
                clock=clock,
                chance=_no_chance,
            ),
            remind=RemindCustomer(**timed),
            expire=ExpireSubscription(**timed, nodes=[NODE]),
            erase=EraseCustomer(**writes),
            jobs={},  # nothing of a purchase waits for one
            ledger=writing,
            in_provider_thread=Threads("provider", 2).run,
            in_thread=threads.run,
            clock=clock,
        ),
        threads=threads,
    )


def _no_chance() -> float:
    """The same in every run, so that the same call has the same number."""
    return 0.5
