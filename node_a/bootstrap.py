"""The composition root: settings become adapters, adapters become use cases. The only file that names them all.

The libraries of Telegram, of the nodes, of payments and of the web are imported by the processes that use them: a small
server pays for each of them in memory and in the seconds of every start.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property, partial
from random import random
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit
from uuid import uuid4

import structlog
from sqlalchemy import Engine
from sqlalchemy.exc import OperationalError, SQLAlchemyError

from node_a.adapters.database.agenda import SqlAgenda
from node_a.adapters.database.engine import open_engine
from node_a.adapters.database.key_checks import idle_secrets, is_remembered, remember_secrets, wrong_secrets
from node_a.adapters.database.ledger import Database
from node_a.adapters.database.migration import RowsPointNowhere, is_good_enough, is_later, migrate, revision_of
from node_a.adapters.database.room import lacks_room
from node_a.adapters.plans import GIGABYTE, read_plans
from node_a.adapters.threads import Threads
from node_a.application.acts import PerformAct
from node_a.application.alerts import TellOperators
from node_a.application.audit import AuditNodes
from node_a.application.banning import BanCustomer, UnbanCustomer
from node_a.application.case import Diagnose
from node_a.application.checkout import LastReceiptAddress, OpenPayment
from node_a.application.delivery import DeliverMessage
from node_a.application.erasure import EraseCustomer, RequestErasure
from node_a.application.expiry import ExpireSubscription, RemindCustomer
from node_a.application.filling import PutNodesIntoEffect, hasten_filling
from node_a.application.granting import GrantDays
from node_a.application.jobs import RECONCILED_DAYS, Job, ensure_jobs
from node_a.application.keeper_audit import AuditKeeper
from node_a.application.limits import KeepToLimit
from node_a.application.lookup import FindCustomer
from node_a.application.notices import LookUpNotice
from node_a.application.operations import GrantByHand, RefundByHand
from node_a.application.orphans import RemoveOrphans
from node_a.application.outages import RecordObservations
from node_a.application.overview import (
    OpenSubscriptionLink,
    ShowOpenPayment,
    ShowPayment,
    ShowSubscription,
    ViewSubscription,
)
from node_a.application.ports import NewIds, NodeGateway, PaymentProvider
from node_a.application.provisioning import ProvideAccess
from node_a.application.reconciliation import ReconcileMoney, Reconciliation
from node_a.application.refunding import ApplyRefunds, OpenRefund, SettleRefunds
from node_a.application.registration import RegisterCustomer
from node_a.application.renewal import RenewByLink, ShowRenewal
from node_a.application.repair import RepairKeys
from node_a.application.retrying import HandleMoney, RetryStuck
from node_a.application.rotation import MoveToNewestSecret, OfferRotation, RotateKeys
from node_a.application.settlement import NudgePayment, RecordOutcome, SettlePayment
from node_a.application.statistics import ObserveNodes, ShowServers
from node_a.application.stuck import ListStuck, WatchStuck
from node_a.application.traffic import CountTraffic, RollUpTraffic, ShowTraffic
from node_a.application.trial import TakeTrial, TrialAvailable, TrialOffer
from node_a.application.upkeep import ProvideUpkeep
from node_a.application.wanting import Wanting
from node_a.domain.customer import CustomerId, Language
from node_a.domain.errors import LedgerUnavailable
from node_a.domain.keys import KeyRing
from node_a.domain.money import Money
from node_a.domain.node import Node, NodeCode, NodeState, OutlineInbound, RealityInbound, ShadowsocksInbound
from node_a.domain.payment import Shop
from node_a.domain.plan import Plan
from node_a.settings import NodeSettings, Settings
from node_a.wording.formats import MOSCOW
from node_a.wording.wording import Wording
from node_a.worker.desks import desks
from node_a.worker.providing import UPKEEP_BUDGET
from node_a.worker.worker import Worker
from shared.environment import ConfigurationProblems
from shared.inbounds import (
    OUTLINE_METHOD,
    SHADOWSOCKS_METHOD,
    SHADOWSOCKS_PORT,
    TELEGRAM_PREFIX,
    VLESS_FLOW,
    VLESS_PORT,
)

if TYPE_CHECKING:
    from flask import Flask
    from telebot.async_telebot import AsyncTeleBot

    from node_a.adapters.node_b import PublicAddress
    from node_a.adapters.telegram.messenger import TelegramMessenger
    from node_a.adapters.telegram.probing import Sight
    from node_a.adapters.telegram.routes import Route
    from node_a.bot import Operations

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

# SQLite has one writer: more threads would only wait.
LEDGER_THREADS: Final = 8
# A provider that hangs holds at most so many threads, and none of the ledger's.
PROVIDER_THREADS: Final = 4

# Bytes in the days of grace: enough to renew.
GRACE_TRAFFIC: Final = GIGABYTE

_NOT_MIGRATED: Final = "the database is not at this release: run `python -m node_a migrate`"


def now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class Application:
    """Everything that this process may need, made when it is first asked for. Nothing here decides anything."""

    settings: Settings

    # ── values ──

    @cached_property
    def plans(self) -> Mapping[str, Plan]:
        return read_plans(self.settings.plans_file)

    @cached_property
    def ring(self) -> KeyRing:
        secrets = self.settings.key_secrets
        return KeyRing({number: secret.get_secret_value().encode() for number, secret in secrets.items()})

    @cached_property
    def nodes(self) -> tuple[Node, ...]:
        return tuple(_node(NodeCode(code), node) for code, node in self.settings.nodes.items())

    @cached_property
    def new_ids(self) -> NewIds:
        return NewIds(uuid4)

    @property
    def default_language(self) -> Language:
        return Language(self.settings.default_language)

    @property
    def shop(self) -> Shop:
        return Shop(self.settings.yookassa_shop_id, self.settings.yookassa_test_shop)

    @property
    def trial_offer(self) -> TrialOffer | None:
        settings = self.settings
        if not settings.trial_days:
            return None
        traffic = settings.trial_traffic_gb
        limit = None if traffic is None else traffic * GIGABYTE
        return TrialOffer(Plan("trial", settings.trial_days, Money(0), limit), settings.trials_per_day)

    @property
    def grace(self) -> Plan | None:
        days = self.settings.grace_days
        return Plan("grace", days, Money(0), GRACE_TRAFFIC) if days else None

    @property
    def app_url(self) -> str:
        return f"{self.settings.public_url}/app"

    # ── the world ──

    @cached_property
    def engine(self) -> Engine:
        return open_engine(self.settings.database_url.get_secret_value())

    @cached_property
    def database(self) -> Database:
        return Database(self.engine)

    @cached_property
    def threads(self) -> Threads:
        return Threads("ledger", LEDGER_THREADS)

    @cached_property
    def provider(self) -> PaymentProvider:
        from node_a.adapters.payments.yookassa import YooKassa
        from node_a.adapters.payments.yookassa_receipts import Receipts

        settings = self.settings
        return YooKassa(
            shop_id=settings.yookassa_shop_id,
            secret_key=settings.yookassa_secret_key.get_secret_value(),
            return_url=f"{settings.public_url}/pay/return",
            api_url=settings.yookassa_api_url,
            receipts=Receipts(settings.receipt_vat_code, settings.receipt_tax_system) if settings.receipts else None,
        )

    @cached_property
    def wording(self) -> Wording:
        return Wording(self.settings.shop_name, self.settings.support_contact, self.settings.telegram_link_url)

    # ── use cases ──

    @cached_property
    def register(self) -> RegisterCustomer:
        return RegisterCustomer(
            read_ledger=self.database.read_ledger,
            write=self.database.write,
            default_language=self.default_language,
        )

    @cached_property
    def grant_days(self) -> GrantDays:
        return GrantDays(nodes=self.nodes, ring=self.ring, new_ids=self.new_ids, grace=self.grace)

    @cached_property
    def tell_operators(self) -> TellOperators:
        operators = frozenset(map(CustomerId, self.settings.operators))
        return TellOperators(operators=operators, language=self.default_language, new_ids=self.new_ids)

    @cached_property
    def record_outcome(self) -> RecordOutcome:
        return RecordOutcome(grant_days=self.grant_days, tell_operators=self.tell_operators, new_ids=self.new_ids)

    @cached_property
    def apply_refunds(self) -> ApplyRefunds:
        return ApplyRefunds(record=self.record_outcome, new_ids=self.new_ids)

    @cached_property
    def reconcile_money(self) -> ReconcileMoney:
        return ReconcileMoney(
            read_ledger=self.database.read_ledger,
            write=self.database.write,
            provider=self.provider,
            record=self.record_outcome,
            apply_refunds=self.apply_refunds,
            shop=self.shop,
            default_language=self.default_language,
            clock=now,
        )

    @cached_property
    def view(self) -> ViewSubscription:
        return ViewSubscription(nodes=self.nodes, ring=self.ring, link_base=self.settings.public_url, clock=now)

    @cached_property
    def show_subscription(self) -> ShowSubscription:
        return ShowSubscription(read_ledger=self.database.read_ledger, view=self.view)

    @cached_property
    def trial_available(self) -> TrialAvailable:
        return TrialAvailable(read_ledger=self.database.read_ledger, offer=self.trial_offer, ring=self.ring, clock=now)

    @cached_property
    def take_trial(self) -> TakeTrial:
        write = self.database.write
        return TakeTrial(write=write, offer=self.trial_offer, ring=self.ring, grant_days=self.grant_days, clock=now)

    @cached_property
    def offer_rotation(self) -> OfferRotation:
        per_day = self.settings.rotations_per_day
        return OfferRotation(read_ledger=self.database.read_ledger, per_day=per_day, clock=now)

    @cached_property
    def rotate_keys(self) -> RotateKeys:
        per_day = self.settings.rotations_per_day
        return RotateKeys(write=self.database.write, nodes=self.nodes, per_day=per_day, clock=now)

    @cached_property
    def move_to_newest_secret(self) -> MoveToNewestSecret:
        reads, write = self.database.read_ledger, self.database.write
        return MoveToNewestSecret(read_ledger=reads, write=write, ring=self.ring, nodes=self.nodes, clock=now)

    @cached_property
    def diagnose(self) -> Diagnose:
        return Diagnose(
            read_ledger=self.database.read_ledger,
            view=self.view,
            per_day=self.settings.rotations_per_day,
            clock=now,
        )

    @cached_property
    def repair_keys(self) -> RepairKeys:
        return RepairKeys(write=self.database.write, nodes=self.nodes, clock=now)

    # ── processes ──

    def web(self) -> None:
        """Serve the Mini App, webhooks and links until told to stop."""
        from node_a.web.server import serve

        serve(
            self._web_app,
            host=self.settings.web_host,
            port=self.settings.web_port,
            threads=self.settings.web_threads,
            on_ready=partial(log.info, "web is at work", port=self.settings.web_port),
        )

    async def bot(self, stopping: asyncio.Event) -> None:
        """Answer customers until told to stop."""
        from node_a.bot import ShopBot

        async with self._telegram() as (bot, messenger):
            await ShopBot(
                bot=bot,
                register=self.register,
                show_subscription=self.show_subscription,
                show_servers=ShowServers(read_ledger=self.database.read_ledger, nodes=self.nodes, clock=now),
                take_trial=self.take_trial,
                trial_available=self.trial_available,
                request_erasure=RequestErasure(write=self.database.write, clock=now),
                offer_rotation=self.offer_rotation,
                rotate_keys=self.rotate_keys,
                diagnose=self.diagnose,
                repair_keys=self.repair_keys,
                operations=self._operations(),
                wording=self.wording,
                messenger=messenger,
                in_thread=self.threads.run,
                operators=self.settings.operators,
                app_url=self.app_url,
                clock=now,
            ).run(stopping)

    async def worker(self, stopping: asyncio.Event) -> None:
        """Settle, provide, deliver, remind and expire until told to stop."""
        async with self._telegram() as (_, messenger), self._gateways() as gateways:
            ledger = self.threads.transaction(self.database.write)
            write, clock, new_ids = self.database.write, now, self.new_ids
            in_provider_thread = Threads("provider", PROVIDER_THREADS).run
            watch_stuck = WatchStuck(write=write, tell=self.tell_operators, clock=clock, new_ids=new_ids)
            put_nodes_into_effect = PutNodesIntoEffect(ledger=ledger, nodes=self.nodes, clock=clock)
            read = self.threads.transaction(self.database.read)
            wanting = Wanting(self.ring, self.nodes)
            providing: dict[str, Any] = {
                "read_ledger": read,
                "ledger": ledger,
                "nodes": gateways,
                "wanting": wanting,
                "clock": clock,
                "new_ids": new_ids,
                "chance": random,
            }
            audit_nodes = AuditNodes(
                ledger=ledger,
                audit_keeper=AuditKeeper(
                    read=read,
                    ledger=ledger,
                    gateways=gateways,
                    nodes=self.nodes,
                    wanting=wanting,
                    clock=clock,
                    remove_orphans=RemoveOrphans(read=read, gateways=gateways, clock=clock),
                ),
                clock=clock,
            )
            keep_to_limit = KeepToLimit(nodes=self.nodes, clock=clock, new_ids=new_ids)
            count_traffic = CountTraffic(ledger=ledger, nodes=gateways, keep_to_limit=keep_to_limit, clock=clock)
            jobs = {
                Job.RECONCILE: lambda: in_provider_thread(self._reconcile_and_tell),
                Job.WATCH_STUCK: lambda: self.threads.run(watch_stuck),
                Job.AUDIT: lambda: self._audit_and_tell(audit_nodes),
                Job.COUNT_TRAFFIC: lambda: self._count_and_tell(count_traffic),
                Job.ROLL_UP_TRAFFIC: lambda: self.threads.run(RollUpTraffic(write=write, clock=clock)),
                Job.FILL_NODES: lambda: self._fill_and_tell(put_nodes_into_effect),
            }
            await ledger(lambda books: ensure_jobs(books, clock()))
            await ledger(lambda books: hasten_filling(books, self.nodes, clock()))
            agenda = SqlAgenda(self.engine)
            worker = Worker(
                agenda=agenda,
                desks=desks(
                    settle=SettlePayment(
                        write=write,
                        provider=self.provider,
                        shop=self.shop,
                        record=self.record_outcome,
                        clock=clock,
                        chance=random,
                    ),
                    settle_refunds=SettleRefunds(
                        read_ledger=self.database.read_ledger,
                        write=write,
                        provider=self.provider,
                        shop=self.shop,
                        apply=self.apply_refunds,
                        clock=clock,
                        chance=random,
                    ),
                    provide=ProvideAccess(**providing),
                    keep_up=ProvideUpkeep(**providing, budget=UPKEEP_BUDGET),
                    deliver=DeliverMessage(
                        read_ledger=read,
                        ledger=ledger,
                        messenger=messenger,
                        compose=self.wording.compose,
                        look_up=LookUpNotice(view=self.view, clock=clock),
                        clock=clock,
                        chance=random,
                    ),
                    remind=RemindCustomer(write=write, clock=clock, new_ids=new_ids),
                    expire=ExpireSubscription(write=write, clock=clock, new_ids=new_ids, nodes=self.nodes),
                    erase=EraseCustomer(write=write, clock=clock),
                    jobs=jobs,
                    ledger=ledger,
                    in_provider_thread=in_provider_thread,
                    in_thread=self.threads.run,
                    clock=clock,
                ),
                observe=ObserveNodes(
                    ledger=ledger,
                    nodes=gateways,
                    record=RecordObservations(nodes=self.nodes, tell=self.tell_operators),
                    clock=clock,
                ),
                in_thread=self.threads.run,
                clock=clock,
            )
            try:
                await worker.run(stopping)
            finally:
                agenda.close()

    def migrate(self) -> str:
        """Bring the database to this release's shape; what became of it. Raises as `check` does."""
        with _failures_in_words():
            if is_later(revision_of(self.engine)):
                return "The database is a later release's, and this one can work with it: nothing was changed."
            migrate(self.engine)
            return "The database is at this release."

    def reconcile(self, days: int) -> Reconciliation:
        """Walk the provider's lists of so many days back. Raises ProviderUnavailable, PaymentRefused and
        LedgerUnavailable."""
        return self.reconcile_money(now() - timedelta(days=days))

    async def _fill_and_tell(self, put_nodes_into_effect: PutNodesIntoEffect) -> None:
        filling = await put_nodes_into_effect()
        if filling.added or filling.removed:
            log.info("nodes are put into effect", added=dict(filling.added), removed=dict(filling.removed))

    async def _count_and_tell(self, count_traffic: CountTraffic) -> None:
        for keeper in await count_traffic():
            log.info("traffic could not be counted there now", node=keeper.node, protocol=keeper.protocol)

    def _reconcile_and_tell(self) -> None:
        found = self.reconcile(RECONCILED_DAYS)
        told = log.warning if found.rebuilt or found.settled or found.differences or found.unreadable else log.info
        told(
            "reconciled",
            payments=found.payments,
            refunds=found.refunds,
            rebuilt=found.rebuilt,
            settled=found.settled,
            shortened=found.shortened,
            foreign=found.foreign,
            unreadable=found.unreadable,
            differences=[str(payment.id) for payment in found.differences],
        )

    async def _audit_and_tell(self, audit_nodes: AuditNodes) -> None:
        for code, found in (await audit_nodes()).items():
            told = log.info if found.is_as_it_should_be else log.warning
            told("audited", node=code, **found.summary())
            if found.refused_orphans:
                log.error(
                    "a node holds many users of subscriptions that are not in the database, and none was removed: is it"
                    " the right database? After a restore: `python -m node_a reconcile`",
                    node=code,
                    orphans=found.refused_orphans,
                )

    def check(self, *, remember: bool) -> None:
        """What must hold before any process works. `remember`: the secrets too, for the next check; else it writes
        nothing. Raises ConfigurationProblems, or LedgerUnavailable if only the database is missing, perhaps for now."""
        problems: list[str] = []
        try:
            _ = self.plans
        except ConfigurationProblems as error:
            problems += error.problems
        try:
            with _failures_in_words():
                problems += self._database_problems()
                if remember and not problems:
                    remember_secrets(self.engine, self.ring)
        except ConfigurationProblems as error:
            problems += error.problems
        except LedgerUnavailable as error:
            if not problems:
                raise
            problems.append(str(error))
        if problems:
            raise ConfigurationProblems(problems)

    def telegram_routes(self) -> "list[tuple[Route, Sight]]":
        """Each way to Telegram, and what came of asking it. Takes a few seconds where one is dead."""
        from node_a.adapters.telegram.client import look_at_routes

        token = self.settings.telegram_bot_token.get_secret_value()
        return asyncio.run(look_at_routes(token, self._telegram_routes()))

    def why_not_to_move_secrets(self) -> str | None:
        """Why nobody's keys should come from another secret now; None if they may. Raises LedgerUnavailable."""
        newest = self.ring.newest
        if len(self.ring.secrets) == 1:
            return f"KEY_SECRETS__{newest} is the only one: add the next, restart bot, web and worker, and repeat this"
        with _failures_in_words():
            if not is_remembered(self.engine, self.ring, newest):
                return f"nothing runs with KEY_SECRETS__{newest} yet: restart bot, web and worker, and repeat this"
        return None

    def idle_secrets(self) -> list[int]:
        """The numbers of the older secrets that may be removed from the settings. Raises LedgerUnavailable."""
        with _failures_in_words():
            return idle_secrets(self.engine, self.ring)

    # ── pieces ──

    def _database_problems(self) -> list[str]:
        revision = revision_of(self.engine)
        if not is_good_enough(revision):
            return [_NOT_MIGRATED]
        if is_later(revision):
            log.warning("the database is a later release's; this one works with it", revision=revision)
        return wrong_secrets(self.engine, self.ring)

    def _is_ready(self) -> str | None:
        """None, or what is missing before customers can be served; strangers may read it."""
        try:
            return lacks_room(self.engine) if is_good_enough(revision_of(self.engine)) else _NOT_MIGRATED
        except (SQLAlchemyError, OSError) as error:
            return f"the database cannot be read now ({type(error).__name__})"

    def _operations(self) -> "Operations":
        from node_a.bot import Operations

        reads, perform = self.database.read_ledger, PerformAct(write=self.database.write, clock=now)
        open_refund = OpenRefund(provider=self.provider, describe=self.wording.describe, new_ids=self.new_ids)
        return Operations(
            list_stuck=ListStuck(read_ledger=reads, clock=now),
            retry=RetryStuck(perform=perform),
            handle_money=HandleMoney(perform=perform),
            find=FindCustomer(read_ledger=reads, clock=now),
            grant=GrantByHand(perform=perform, grant_days=self.grant_days),
            refund=RefundByHand(read_ledger=reads, perform=perform, open_refund=open_refund),
            ban=BanCustomer(perform=perform, operators=frozenset(map(CustomerId, self.settings.operators))),
            unban=UnbanCustomer(perform=perform, nodes=self.nodes),
        )

    def _web_app(self) -> "Flask":
        from node_a.adapters.payments.addresses import YOOKASSA_NETWORKS, is_yookassa
        from node_a.web import Web, create_app

        settings, reads, write = self.settings, self.database.read_ledger, self.database.write
        open_payment = OpenPayment(
            write=write,
            provider=self.provider,
            plans=self.plans,
            shop=self.shop,
            describe=self.wording.describe,
            clock=now,
            new_ids=self.new_ids,
            receipts=settings.receipts,
        )
        show_payment = ShowPayment(read_ledger=reads, view=self.view, clock=now)
        return create_app(
            Web(
                public_url=settings.public_url,
                bot_username=settings.telegram_bot_username,
                bot_token=settings.telegram_bot_token.get_secret_value(),
                telegram_link_url=settings.telegram_link_url,
                telegram_script_url=settings.telegram_script_url,
                telegram_script_file=settings.telegram_script_file,
                frame_ancestors=settings.frame_ancestors,
                init_data_max_age=timedelta(seconds=settings.init_data_max_age_seconds),
                trusted_proxies=settings.trusted_proxies,
                is_provider_address=partial(
                    is_yookassa, networks=settings.yookassa_webhook_networks or YOOKASSA_NETWORKS
                ),
                shop_name=settings.shop_name,
                support_contact=settings.support_contact,
                default_language=self.default_language,
                plans=self.plans,
                # A provider that hangs must leave threads for webhooks and links.
                payments_at_once=max(1, settings.web_threads // 2),
                clock=now,
                is_ready=self._is_ready,
                register=self.register,
                open_payment=open_payment,
                receipts=settings.receipts,
                last_receipt_address=LastReceiptAddress(read_ledger=reads),
                trial_available=self.trial_available,
                take_trial=self.take_trial,
                new_keys_offered=settings.rotations_per_day > 0,
                offer_rotation=self.offer_rotation,
                rotate_keys=self.rotate_keys,
                diagnose=self.diagnose,
                repair_keys=self.repair_keys,
                show_subscription=self.show_subscription,
                show_traffic=ShowTraffic(read_ledger=reads, zone=MOSCOW, clock=now),
                show_open_payment=ShowOpenPayment(read_ledger=reads, clock=now),
                show_payment=show_payment,
                open_link=OpenSubscriptionLink(read_ledger=reads, view=self.view, ring=self.ring),
                renew_by_link=RenewByLink(read_ledger=reads, ring=self.ring, open_payment=open_payment),
                show_renewal=ShowRenewal(read_ledger=reads, ring=self.ring, show_payment=show_payment),
                nudge=NudgePayment(write=write, clock=now),
            )
        )

    @contextlib.asynccontextmanager
    async def _telegram(self) -> "AsyncIterator[tuple[AsyncTeleBot, TelegramMessenger]]":
        from node_a.adapters.telegram.client import close_bot, open_bot
        from node_a.adapters.telegram.messenger import TelegramMessenger

        bot = open_bot(self.settings.telegram_bot_token.get_secret_value(), self._telegram_routes())
        try:
            yield bot, TelegramMessenger(bot, self.app_url)
        finally:
            await close_bot(bot)

    def _telegram_routes(self) -> "list[Route]":
        return [_telegram_route(route.get_secret_value(), self.settings) for route in self.settings.telegram_routes]

    @contextlib.asynccontextmanager
    async def _gateways(self) -> AsyncIterator[Mapping[NodeCode, NodeGateway]]:
        from node_a.adapters.node_b.gateway import NodeAccount, NodeB

        async with contextlib.AsyncExitStack() as stack:
            gateways = {}
            for code, node in self.settings.nodes.items():
                account = NodeAccount(
                    url=node.url,
                    certificate=node.certificate,
                    panel_username=node.panel_username,
                    panel_password=node.panel_password.get_secret_value(),
                    agent_token=node.agent_token.get_secret_value(),
                    public=_public_address(node) if node.probe else None,
                )
                gateways[NodeCode(code)] = await stack.enter_async_context(NodeB(account, clock=now))
            yield gateways


@contextlib.contextmanager
def _failures_in_words() -> Iterator[None]:
    """What fails around the database becomes one line: LedgerUnavailable if it may pass by itself, otherwise
    ConfigurationProblems."""
    try:
        yield
    except ModuleNotFoundError as error:
        needs = f"the database of DATABASE_URL needs the Python package {error.name}, which is not installed"
        raise ConfigurationProblems([needs]) from error
    except (OperationalError, OSError) as error:
        said = error.orig if isinstance(error, OperationalError) else error.strerror
        line = " ".join(str(said).split())
        raise LedgerUnavailable(f"the database cannot be used now ({line}): look at DATABASE_URL") from error
    except SQLAlchemyError as error:
        line = f"the database cannot be used ({type(error).__name__}): look at DATABASE_URL"
        raise ConfigurationProblems([line]) from error
    except RowsPointNowhere as error:
        raise ConfigurationProblems([str(error)]) from error


def _public_address(node: NodeSettings) -> "PublicAddress":
    from node_a.adapters.node_b import PublicAddress

    return PublicAddress(host=node.host, server_name=node.reality_server_name)


def _telegram_route(text: str, settings: Settings) -> "Route":
    """As written in TELEGRAM_ROUTES."""
    from node_a.adapters.pinning import pinned
    from node_a.adapters.telegram.routes import Route

    if text == "direct":
        return Route(text, settings.telegram_api_url)
    if text.startswith("node:"):
        node = settings.nodes[text.removeprefix("node:")]
        return Route(
            text, node.url + TELEGRAM_PREFIX, tls=pinned(node.certificate) if node.certificate is not None else None
        )
    parts = urlsplit(text)
    name = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
    if parts.scheme == "https":
        return Route(name, text.rstrip("/"))
    return Route(name, settings.telegram_api_url, proxy=text)


def _node(code: NodeCode, node: NodeSettings) -> Node:
    return Node(
        code=code,
        state=NodeState(node.state),
        names={Language.RUSSIAN: node.name_ru, Language.ENGLISH: node.name_en},
        host=node.host,
        reality=RealityInbound(
            port=VLESS_PORT,
            flow=VLESS_FLOW,
            public_key=node.reality_public_key,
            short_id=node.reality_short_id,
            server_name=node.reality_server_name,
            fingerprint=node.reality_fingerprint,
        ),
        shadowsocks=ShadowsocksInbound(
            port=SHADOWSOCKS_PORT,
            method=SHADOWSOCKS_METHOD,
            server_key=node.shadowsocks_server_key.get_secret_value(),
        ),
        outline=OutlineInbound(node.outline_port, OUTLINE_METHOD) if node.outline_port else None,
    )
