"""A whole shop in one object: the real use cases, a real database, fakes at the other ports, a clock that stands."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from node_a.adapters.database.agenda import SqlAgenda
from node_a.adapters.database.engine import open_engine
from node_a.adapters.database.ledger import Database
from node_a.adapters.threads import Threads
from node_a.application.alerts import TellOperators
from node_a.application.case import Diagnose
from node_a.application.checkout import OpenPayment
from node_a.application.delivery import DeliverMessage
from node_a.application.erasure import EraseCustomer, RequestErasure
from node_a.application.expiry import ExpireSubscription, RemindCustomer
from node_a.application.filling import Filling, PutNodesIntoEffect
from node_a.application.granting import GrantDays
from node_a.application.limits import KeepToLimit
from node_a.application.notices import KeysReady, LookUpNotice, NewKeys, Notice
from node_a.application.outages import RecordObservations
from node_a.application.overview import (
    OpenSubscriptionLink,
    ShowOpenPayment,
    ShowPayment,
    ShowSubscription,
    ViewSubscription,
)
from node_a.application.ports import Ledger, Letter, NewIds, PaymentClaim, Urgency
from node_a.application.provisioning import ProvideAccess
from node_a.application.reconciliation import ReconcileMoney, Reconciliation
from node_a.application.refunding import ApplyRefunds, OpenRefund, SettleRefunds
from node_a.application.registration import RegisterCustomer
from node_a.application.repair import RepairKeys
from node_a.application.rotation import MoveToNewestSecret, OfferRotation, RotateKeys
from node_a.application.settlement import NudgePayment, RecordOutcome, SettlePayment, locked_payment
from node_a.application.traffic import CountTraffic, RollUpTraffic, ShowTraffic
from node_a.application.trial import TakeTrial, TrialAvailable, TrialOffer
from node_a.application.upkeep import ProvideUpkeep
from node_a.application.wanting import Wanting
from node_a.domain.customer import CustomerId, Language
from node_a.domain.errors import ShopError
from node_a.domain.money import Money
from node_a.domain.node import Keeper, Node, NodeCode, NodeState, Protocol
from node_a.domain.payment import Payment
from node_a.domain.plan import Plan
from node_a.domain.refund import Refund
from node_a.domain.subscription import Subscription
from node_a.wording.formats import MOSCOW
from tests.builders import ANNA, MONTH, NOW, OLGA, RING, THE_SHOP, TRIAL, YEAR, Ids, a_node
from tests.fakes.ports import FakeMessenger, FakeNode, FakeProvider

LEASE = timedelta(minutes=3)


def compose(notice: Notice, language: Language) -> Letter:
    """The kind of notice, and for keys the keys: enough to see what would be written."""
    keys = notice.subscription.keys if isinstance(notice, KeysReady | NewKeys) else []
    links = [labelled.key.link for labelled in keys]
    return Letter(" ".join([type(notice).__name__, *links]))


class ShopUnderTest:
    """`now` is the shop's clock; the verbs of the worker do all that is due then, once each."""

    def __init__(
        self,
        database_url: str,
        world: "ShopUnderTest | None" = None,
        nodes: Sequence[Node] | None = None,
        grace: Plan | None = None,
    ) -> None:
        """`world`: another shop whose provider, nodes and customers are the same, and whose time goes on. `nodes`:
        those of the settings; one if they are not named. `grace`: what follows the paid days."""
        self.now: datetime = world.now if world else NOW
        self.engine = open_engine(database_url)
        self.database = Database(self.engine)
        self.agenda = SqlAgenda(self.engine)
        self.provider: FakeProvider = world.provider if world else FakeProvider()
        self.messenger: FakeMessenger = world.messenger if world else FakeMessenger()
        self.new_ids: NewIds = world.new_ids if world else NewIds(Ids())
        # Looked into at each use: a test may change the settings.
        self.domain_nodes: list[Node] = world.domain_nodes if world else [*(nodes or [a_node()])]
        self.nodes: dict[NodeCode, FakeNode] = (
            world.nodes if world else {node.code: FakeNode() for node in self.domain_nodes}
        )
        self.domain_node = self.domain_nodes[0]
        self.node = self.nodes[self.domain_node.code]
        ids = self.new_ids
        writes: dict[str, Any] = {"write": self.database.write}
        reads: dict[str, Any] = {"read_ledger": self.database.read_ledger}
        clock: dict[str, Any] = {"clock": lambda: self.now}
        chance: dict[str, Any] = {"chance": lambda: 0.5}
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
        grant_days = GrantDays(nodes=self.domain_nodes, ring=RING, new_ids=ids, grace=grace)
        tell_operators = TellOperators(operators=frozenset({OLGA}), language=Language.RUSSIAN, new_ids=ids)
        self.record_observations = RecordObservations(nodes=self.domain_nodes, tell=tell_operators)
        self.record_outcome = RecordOutcome(grant_days=grant_days, tell_operators=tell_operators, new_ids=ids)
        self.apply_refunds = ApplyRefunds(record=self.record_outcome, new_ids=ids)
        self.nudge = NudgePayment(**writes, **clock)
        checking: dict[str, Any] = {**writes, **clock, **chance, "provider": self.provider, "shop": THE_SHOP}
        self.settle_payment = SettlePayment(**checking, record=self.record_outcome)
        self.settle_refunds = SettleRefunds(**reads, **checking, apply=self.apply_refunds)
        self.open_refund = OpenRefund(
            provider=self.provider, describe=lambda payment, language: f"{payment.plan.days} days", new_ids=ids
        )
        self.reconcile_money = ReconcileMoney(
            **reads,
            **writes,
            **clock,
            provider=self.provider,
            record=self.record_outcome,
            apply_refunds=self.apply_refunds,
            shop=THE_SHOP,
            default_language=Language.RUSSIAN,
        )
        providing: dict[str, Any] = {**timed, **chance, "read_ledger": reading, "ledger": writing}
        self.wanting = providing["wanting"] = Wanting(RING, self.domain_nodes)
        self.provide_access = ProvideAccess(**providing, nodes=self.nodes)
        self.provide_upkeep = ProvideUpkeep(**providing, nodes=self.nodes, budget=timedelta(seconds=15))
        self.put_nodes_into_effect = PutNodesIntoEffect(ledger=writing, nodes=self.domain_nodes, **clock)
        self.view = ViewSubscription(nodes=self.domain_nodes, ring=RING, link_base="https://shop.example.org", **clock)
        self.deliver_message = DeliverMessage(
            read_ledger=reading,
            ledger=writing,
            messenger=self.messenger,
            compose=compose,
            look_up=LookUpNotice(view=self.view, **clock),
            **clock,
            **chance,
        )
        self.remind_customer = RemindCustomer(**writes, **timed)
        self.expire_subscription = ExpireSubscription(**writes, **timed, nodes=self.domain_nodes)
        keep_to_limit = KeepToLimit(nodes=self.domain_nodes, **timed)
        self.count_traffic = CountTraffic(ledger=writing, nodes=self.nodes, keep_to_limit=keep_to_limit, **clock)
        self.roll_up_traffic = RollUpTraffic(**writes, **clock)
        self.show_traffic = ShowTraffic(**reads, **clock, zone=MOSCOW)
        self.request_erasure = RequestErasure(**writes, **clock)
        self.erase_customer = EraseCustomer(**writes, **clock)
        trials: dict[str, Any] = {"offer": TrialOffer(TRIAL, per_day=10), "ring": RING, **clock}
        self.take_trial = TakeTrial(**writes, **trials, grant_days=grant_days)
        self.trial_available = TrialAvailable(**reads, **trials)
        rotating: dict[str, Any] = {"per_day": 3, **clock}
        self.offer_rotation = OfferRotation(**reads, **rotating)
        self.rotate_keys = RotateKeys(**writes, **rotating, nodes=self.domain_nodes)
        self.move_to_newest_secret = MoveToNewestSecret(**reads, **writes, **clock, ring=RING, nodes=self.domain_nodes)
        self.diagnose = Diagnose(**reads, **rotating, view=self.view)
        self.repair_keys = RepairKeys(**writes, **clock, nodes=self.domain_nodes)
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

    def leaves(self, customer_id: CustomerId = ANNA.id) -> None:
        """Says yes to a question that came after everything so far, although the clock stands."""
        assert self.request_erasure(customer_id, self.now + timedelta(seconds=1))

    # ── what the worker does ──

    def passes(self, time: timedelta) -> None:
        self.now += time

    def settles(self) -> list[ShopError]:
        with self.database.open_ledger() as ledger:
            claims = ledger.payments.claim_due(self.now, self.now + LEASE, 100)
        return _errors(self._check, claims)

    def _check(self, claim: PaymentClaim) -> Payment:
        return (self.settle_refunds if claim.payment.holds_money else self.settle_payment)(claim)

    def refunds(self, payment: Payment, amount: Money | None = None) -> Refund:
        """An operator pays back, some time later; the worker has not looked yet."""
        self.passes(timedelta(minutes=1))

        def work(ledger: Ledger) -> Refund:
            current, _ = locked_payment(ledger, payment.id)
            return self.open_refund(ledger, current, amount, self.now)

        return self.database.write(work)

    def reconciles(self, days: int = 35) -> Reconciliation:
        return self.reconcile_money(self.now - timedelta(days=days))

    def provides(self) -> list[ShopError]:
        with self.database.open_ledger() as ledger:
            until, keepers = self.now + LEASE, self._keepers()
            claims = [
                *ledger.accesses.claim_due(self.now, until, 100, urgency=Urgency.CUSTOMER),
                *ledger.accesses.claim_due(self.now, until, 100, besides=keepers),
            ]
        return _errors(lambda claim: asyncio.run(self.provide_access(claim)), claims) + self.keeps_up()

    def keeps_up(self) -> list[ShopError]:
        """A batch for each keeper."""
        errors: list[ShopError] = []
        provide = self.provide_access
        keep_up = replace(self.provide_upkeep, nodes=provide.nodes, wanting=provide.wanting)
        for keeper in self._keepers():
            with self.database.open_ledger() as ledger:
                until = self.now + LEASE
                batch = ledger.accesses.claim_due(self.now, until, 100, keeper=keeper, urgency=Urgency.UPKEEP)
            if batch:
                report = asyncio.run(keep_up(batch))
                errors += [error for _, error in report.failed]
                errors += [report.down[1]] if report.down else []
        return errors

    def _keepers(self) -> list[Keeper]:
        return [Keeper(code, protocol) for code in self.provide_access.nodes for protocol in Protocol]

    def fills(self) -> Filling:
        """What the settings say of the nodes; the worker has not told them yet."""
        return asyncio.run(self.put_nodes_into_effect())

    def sets(self, code: str, state: NodeState) -> None:
        """The operator changes the settings, perhaps by a node more; all processes start again with them."""
        node = a_node(code, state=state)
        codes = [one.code for one in self.domain_nodes]
        if node.code in codes:
            self.domain_nodes[codes.index(node.code)] = node
        else:
            self.domain_nodes.append(node)
            self.nodes[node.code] = FakeNode()

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

    def counts(self) -> Sequence[Keeper]:
        """Reads every counter; which keepers did not answer."""
        return asyncio.run(self.count_traffic())

    def erases(self) -> None:
        with self.database.open_ledger() as ledger:
            due = ledger.customers.due_for_erasure(self.now, 100)
        for id in due:
            self.erase_customer(id)

    def works(self) -> list[ShopError]:
        """Everything, in the order of a purchase."""
        self.reminds()
        self.expires()
        errors = self.settles() + self.provides() + self.delivers()
        self.erases()
        return errors

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
