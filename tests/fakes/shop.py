"""A whole shop in one object: the real use cases, a real SQLite file, fakes at the other ports, a clock that stands."""

import asyncio
import atexit
import functools
import shutil
import tempfile
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from node_a.adapters.database.agenda import SqlAgenda
from node_a.adapters.database.engine import open_engine
from node_a.adapters.database.ledger import Database
from node_a.adapters.database.migration import migrate
from node_a.adapters.threads import Threads
from node_a.application.checkout import OpenPayment
from node_a.application.delivery import DeliverMessage
from node_a.application.expiry import ExpireSubscription, RemindCustomer
from node_a.application.granting import GrantDays
from node_a.application.notices import KeysReady, Notice
from node_a.application.overview import (
    OpenSubscriptionLink,
    ShowOpenPayment,
    ShowPayment,
    ShowSubscription,
    ViewSubscription,
)
from node_a.application.ports import Letter, NewIds
from node_a.application.provisioning import ProvideAccess
from node_a.application.registration import RegisterCustomer
from node_a.application.settlement import NudgePayment, SettlePayment
from node_a.domain.customer import CustomerId, Language
from node_a.domain.errors import ShopError
from node_a.domain.node import NodeCode
from node_a.domain.payment import Payment
from node_a.domain.plan import Plan
from node_a.domain.subscription import Subscription
from tests.builders import ANNA, MONTH, NOW, RING, THE_SHOP, YEAR, Ids, a_node
from tests.fakes.ports import FakeMessenger, FakeNode, FakeProvider

LEASE = timedelta(minutes=3)


def compose(notice: Notice, language: Language) -> Letter:
    """The kind of notice, and for keys the keys: enough to see what would be written."""
    links = [labelled.key.link for labelled in notice.subscription.keys] if isinstance(notice, KeysReady) else []
    return Letter(" ".join([type(notice).__name__, *links]))


@functools.cache
def _template() -> Path:
    """A migrated, empty database, made once per test process: migrating takes longer than most tests."""
    file = Path(tempfile.mkdtemp(prefix="qentvpn-")) / "template.db"
    engine = open_engine(f"sqlite:///{file}")
    migrate(engine)
    engine.dispose()
    atexit.register(shutil.rmtree, file.parent, ignore_errors=True)
    return file


def a_migrated_database(directory: Path) -> Path:
    return Path(shutil.copy(_template(), directory / "shop.db"))


class ShopUnderTest:
    """`now` is the shop's clock; the verbs of the worker do all that is due then, once each."""

    def __init__(self, directory: Path) -> None:
        self.now: datetime = NOW
        self.engine = open_engine(f"sqlite:///{a_migrated_database(directory)}")
        self.database = Database(self.engine)
        self.agenda = SqlAgenda(self.engine)
        self.provider = FakeProvider()
        self.node = FakeNode()
        self.messenger = FakeMessenger()
        self.domain_node = a_node()
        ids = NewIds(Ids())
        writes: dict[str, Any] = {"write": self.database.write}
        reads: dict[str, Any] = {"read_ledger": self.database.read_ledger}
        clock: dict[str, Any] = {"clock": lambda: self.now}
        timed: dict[str, Any] = {**clock, "new_ids": ids}
        threads = Threads("test", 2)
        writing = threads.transaction(self.database.write)
        reading = threads.transaction(self.database.read)
        self.register = RegisterCustomer(**writes, **reads, default_language=Language.RUSSIAN)
        self.open_payment = OpenPayment(
            **writes,
            **timed,
            provider=self.provider,
            plans={MONTH.code: MONTH, YEAR.code: YEAR},
            shop=THE_SHOP,
            describe=lambda payment, language: f"{payment.plan.days} days",
        )
        grant_days = GrantDays(nodes=[self.domain_node], ring=RING, new_ids=ids)
        self.nudge = NudgePayment(**writes, **clock)
        self.settle_payment = SettlePayment(**writes, **timed, provider=self.provider, grant_days=grant_days)
        nodes = {NodeCode("de1"): self.node}
        self.provide_access = ProvideAccess(ledger=writing, nodes=nodes, ring=RING, **timed)
        self.view = ViewSubscription(nodes=[self.domain_node], ring=RING, link_base="https://shop.example.org", **clock)
        self.deliver_message = DeliverMessage(
            read_ledger=reading,
            ledger=writing,
            messenger=self.messenger,
            compose=compose,
            view=self.view,
            **clock,
        )
        self.remind_customer = RemindCustomer(**writes, **timed)
        self.expire_subscription = ExpireSubscription(**writes, **timed)
        self.show_subscription = ShowSubscription(**reads, view=self.view)
        self.show_open_payment = ShowOpenPayment(**reads, **clock)
        self.show_payment = ShowPayment(**reads, **clock, view=self.view)
        self.open_link = OpenSubscriptionLink(**reads, view=self.view, ring=RING)

    def close(self) -> None:
        self.agenda.close()
        self.engine.dispose()

    # ── what a customer does ──

    def registers(self) -> None:
        self.register(ANNA.id, "ru")

    def chooses(self, plan: Plan = MONTH, customer_id: CustomerId = ANNA.id) -> Payment:
        self.register(customer_id, "ru")
        return self.open_payment(customer_id, plan.code)

    def buys(self, plan: Plan = MONTH, customer_id: CustomerId = ANNA.id) -> Payment:
        """Pays; the worker has not looked yet."""
        payment = self.chooses(plan, customer_id)
        self.provider.pays(payment)
        self.nudge(payment.id, None)
        return payment

    def buys_and_gets(self, plan: Plan = MONTH) -> Payment:
        payment = self.buys(plan)
        self.works()
        return payment

    # ── what the worker does ──

    def passes(self, time: timedelta) -> None:
        self.now += time

    def settles(self) -> list[ShopError]:
        with self.database.open_ledger() as ledger:
            claims = ledger.payments.claim_due(self.now, self.now + LEASE, 100)
        return _errors(self.settle_payment, claims)

    def provides(self) -> list[ShopError]:
        with self.database.open_ledger() as ledger:
            claims = ledger.accesses.claim_due(self.now, self.now + LEASE, 100)
        return _errors(lambda claim: asyncio.run(self.provide_access(claim)), claims)

    def delivers(self) -> list[ShopError]:
        with self.database.open_ledger() as ledger:
            claims = ledger.messages.claim_due(self.now, self.now + LEASE, 100)
        return _errors(lambda claim: asyncio.run(self.deliver_message(claim)), claims)

    def reminds(self) -> None:
        with self.database.open_ledger() as ledger:
            due = ledger.subscriptions.due_for_reminder(self.now, 100)
        for id in due:
            self.remind_customer(id)

    def expires(self) -> None:
        with self.database.open_ledger() as ledger:
            due = ledger.subscriptions.due_for_expiry(self.now, 100)
        for id in due:
            self.expire_subscription(id)

    def works(self) -> list[ShopError]:
        """Everything, in the order of a purchase."""
        self.reminds()
        self.expires()
        return self.settles() + self.provides() + self.delivers()

    # ── what can be seen, always through a second transaction ──

    def ledger(self) -> Any:
        return self.database.read_ledger()

    def payment(self, payment: Payment) -> Payment:
        with self.database.read_ledger() as ledger:
            found = ledger.payments.find(payment.id)
        assert found is not None
        return found

    def subscription(self) -> Subscription:
        with self.database.read_ledger() as ledger:
            found = ledger.subscriptions.of_customer(ANNA.id)
        assert found is not None
        return found

    def has_subscription(self) -> bool:
        with self.database.read_ledger() as ledger:
            return ledger.subscriptions.of_customer(ANNA.id) is not None

    def letters(self) -> list[str]:
        """The first word of each letter sent."""
        return [letter.html.split()[0] for _, letter in self.messenger.sent]


def _errors(work: Any, claims: Any) -> list[ShopError]:
    errors: list[ShopError] = []
    for claim in claims:
        try:
            work(claim)
        except ShopError as error:
            errors.append(error)
    return errors
