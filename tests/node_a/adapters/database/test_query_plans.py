"""What is due stays flat: however much is done, every question of a working shop looks only at what still waits.

The statements are those that are really executed; whoever adds a question to the list below has it looked at."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from datetime import timedelta
from typing import Final
from uuid import UUID

import pytest
from sqlalchemy import Connection, Engine

from node_a.adapters.database.agenda import SqlAgenda
from node_a.adapters.database.ledger import SqlLedger
from node_a.adapters.database.tables import payments
from node_a.application.ports import Activity, Ledger, Urgency
from node_a.domain.access import AccessId
from node_a.domain.customer import CustomerId
from node_a.domain.grant import GrantId
from node_a.domain.node import Keeper, NodeCode, Protocol
from node_a.domain.payment import STATES_WITH_MONEY, PaymentId
from node_a.domain.subscription import SubscriptionId
from tests.builders import DAY, NOW
from tests.databases import KINDS, a_migrated_database
from tests.node_a.adapters.database.plans import (
    Ask,
    Executed,
    executed,
    rows_touched,
    steps_taken,
    watched,
    whole_walks,
)
from tests.node_a.adapters.database.years import DUE, JOBS, LONG_AGO, a_shop_after_years
from tests.postgresql import Cluster

DONE: Final = 5_000
# With fewer, PostgreSQL would be right to read them all: their rows are narrow.
CUSTOMERS: Final = 20_000
LEASED: Final = NOW + timedelta(minutes=3)

PAYMENT: Final = PaymentId(UUID(int=7))
SUBSCRIPTION: Final = SubscriptionId(UUID(int=7))
CUSTOMER: Final = CustomerId(7)
ACCESS: Final = AccessId(SUBSCRIPTION, NodeCode("de1"), Protocol.VLESS)

QUESTIONS: Final[Mapping[str, Callable[[Ledger], object]]] = {
    "payments to check": lambda ledger: ledger.payments.claim_due(NOW, LEASED, 10),
    "accesses to provide": lambda ledger: ledger.accesses.claim_due(NOW, LEASED, 10),
    "messages to send": lambda ledger: ledger.messages.claim_due(NOW, LEASED, 10),
    "jobs to run": lambda ledger: ledger.jobs.claim_due(JOBS, NOW, LEASED, 10),
    "customers to remind": lambda ledger: ledger.subscriptions.due_for_reminder(NOW, 10),
    "subscriptions to end": lambda ledger: ledger.subscriptions.due_for_expiry(NOW, 10),
    "customers to erase": lambda ledger: ledger.customers.due_for_erasure(NOW, 10),
    "payments for a person": lambda ledger: ledger.payments.needing_a_person(),
    "payments without an answer": lambda ledger: ledger.payments.failing_since(NOW),
    "refunds under way": lambda ledger: ledger.refunds.open_since(NOW),
    "accesses behind": lambda ledger: ledger.accesses.behind_since(NOW),
    "messages unsent": lambda ledger: ledger.messages.waiting_since(NOW),
    "nudge by our id": lambda ledger: ledger.payments.nudge(PAYMENT, None, NOW),
    "nudge by the provider's id": lambda ledger: ledger.payments.nudge(None, "p-7", NOW),
    "nudge by both": lambda ledger: ledger.payments.nudge(PAYMENT, "p-8", NOW),
    "nudge about a refund": lambda ledger: ledger.payments.nudge(None, "p-77", NOW, states=STATES_WITH_MONEY),
    "a payment": lambda ledger: ledger.payments.find(PAYMENT),
    "a payment by the provider's id": lambda ledger: ledger.payments.by_provider_id("p-7"),
    "open payments of a customer": lambda ledger: ledger.payments.open_of(CUSTOMER),
    "whether a customer has paid": lambda ledger: ledger.payments.has_paid_since(CUSTOMER, LONG_AGO),
    "payments of a customer": lambda ledger: ledger.payments.of_customer(CUSTOMER),
    "refunds of a payment": lambda ledger: ledger.refunds.of_payment(PAYMENT),
    "a refund by the provider's id": lambda ledger: ledger.refunds.by_provider_id("r-7"),
    "a subscription": lambda ledger: ledger.subscriptions.find(SUBSCRIPTION),
    "the subscription of a customer": lambda ledger: ledger.subscriptions.of_customer(CUSTOMER),
    "the subscription of a grant": lambda ledger: ledger.subscriptions.by_grant(GrantId(UUID(int=7))),
    "which reasons were granted": lambda ledger: ledger.subscriptions.granted_sources(["payment:7", "payment:8"]),
    "accesses of a subscription": lambda ledger: ledger.accesses.of_subscription(SUBSCRIPTION),
    "progress of a subscription": lambda ledger: ledger.accesses.progress(SUBSCRIPTION, NOW),
    "an access": lambda ledger: ledger.accesses.find(ACCESS),
    "accesses of a keeper": lambda ledger: ledger.accesses.claim_due(NOW, LEASED, 10, keeper=ACCESS.keeper),
    "what a keeper does for customers": lambda ledger: ledger.accesses.claim_due(
        NOW, LEASED, 10, keeper=ACCESS.keeper, urgency=Urgency.CUSTOMER
    ),
    "a keeper's upkeep": lambda ledger: ledger.accesses.claim_due(
        NOW, LEASED, 10, keeper=ACCESS.keeper, urgency=Urgency.UPKEEP
    ),
    "accesses of nodes that are no more": lambda ledger: ledger.accesses.claim_due(
        NOW, LEASED, 10, besides=[ACCESS.keeper]
    ),
    "a page to fill": lambda ledger: ledger.accesses.fill(Keeper(NodeCode("fi1"), Protocol.VLESS), None, NOW, 10),
    "a page that is filled": lambda ledger: ledger.accesses.fill(ACCESS.keeper, SUBSCRIPTION, NOW, 10),
    "a page to empty": lambda ledger: ledger.accesses.empty(ACCESS.node, SUBSCRIPTION, NOW, 10),
    "a keeper's settled accesses": lambda ledger: ledger.accesses.settled_at(ACCESS.keeper, SUBSCRIPTION, 10),
    "records of a batch": lambda ledger: ledger.accesses.find_all([ACCESS]),
    "what was told": lambda ledger: ledger.messages.finished(["m-7", "m-8"]),
    "customers, locked": lambda ledger: ledger.customers.lock({CUSTOMER, CustomerId(8)}),
    "make accesses due": lambda ledger: ledger.accesses.make_due(SUBSCRIPTION, NOW),
    "hasten a message": lambda ledger: ledger.messages.hasten("m-7", NOW),
    "trials since": lambda ledger: ledger.trials.taken_since(NOW - DAY),
    "whether a trial was taken": lambda ledger: ledger.trials.taken(["t-7", "t-8"]),
    "a customer, locked": lambda ledger: ledger.customers.locked(CUSTOMER),
}


@pytest.fixture(scope="module", params=KINDS)
def old_shop(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    with ExitStack() as at_the_end:
        if request.param == "sqlite":
            url = f"sqlite:///{a_migrated_database(tmp_path_factory.mktemp('old'))}"
        else:
            cluster: Cluster = request.getfixturevalue("postgresql")
            url = at_the_end.enter_context(cluster.database(migrated=True))
        engine = a_shop_after_years(url, done=DONE, customers_known=CUSTOMERS)
        at_the_end.callback(engine.dispose)
        yield engine


@pytest.fixture(scope="module")
def young_shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    url = f"sqlite:///{a_migrated_database(tmp_path_factory.mktemp('young'))}"
    engine = a_shop_after_years(url, done=DUE, customers_known=DUE)
    yield engine
    engine.dispose()


def of(name: str) -> Ask:
    return lambda connection: QUESTIONS[name](SqlLedger(connection))


def agenda_of(engine: Engine) -> Sequence[Executed]:
    agenda = SqlAgenda(engine)
    with watched(engine) as seen:
        assert agenda.due(NOW) == set(Activity), "not everything is due"
    agenda.close()
    return seen


def once_more(statements: Sequence[Executed]) -> Ask:
    return lambda connection: [connection.exec_driver_sql(*one).first() for one in statements]


def assert_walks_nothing(engine: Engine, statements: Sequence[Executed]) -> None:
    with engine.connect() as connection:
        for statement in statements:
            walks = whole_walks(connection, statement)
            assert not walks, f"from end to end: {walks}\n{statement[0]}"
            if engine.dialect.name == "postgresql":
                touched = rows_touched(connection, statement)
                assert touched < 15 * DUE, f"{touched} rows in hand\n{statement[0]}"
        connection.rollback()


@pytest.mark.parametrize("name", QUESTIONS)
def test_no_question_walks_a_whole_table(old_shop: Engine, name: str) -> None:
    assert_walks_nothing(old_shop, executed(old_shop, of(name)))


def test_the_agenda_walks_no_whole_table(old_shop: Engine) -> None:
    statements = agenda_of(old_shop)

    assert len(statements) >= len(Activity)
    assert_walks_nothing(old_shop, statements)


@pytest.mark.parametrize("old_shop", ["sqlite"], indirect=True)
@pytest.mark.parametrize("name", QUESTIONS)
def test_what_is_done_costs_a_question_nothing(old_shop: Engine, young_shop: Engine, name: str) -> None:
    assert_as_cheap(few=steps_taken(young_shop, of(name)), many=steps_taken(old_shop, of(name)))


@pytest.mark.parametrize("old_shop", ["sqlite"], indirect=True)
def test_what_is_done_costs_the_agenda_nothing(old_shop: Engine, young_shop: Engine) -> None:
    ask = once_more(agenda_of(old_shop))

    assert_as_cheap(few=steps_taken(young_shop, ask), many=steps_taken(old_shop, ask))


def assert_as_cheap(*, few: int, many: int) -> None:
    # Plans may differ a little by what ANALYZE has seen.
    assert many < 2 * few + 100, f"{few} steps became {many}"


def test_a_walk_would_be_noticed(old_shop: Engine) -> None:
    """There is no index for this question."""

    def ask(connection: Connection) -> object:
        return connection.execute(payments.select().where(payments.c.checks > 8))

    with pytest.raises(AssertionError, match="from end to end"):
        assert_walks_nothing(old_shop, executed(old_shop, ask))
