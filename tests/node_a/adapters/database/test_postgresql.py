"""What only PostgreSQL does: sessions with limits, a server that goes away, transactions that give way."""

import threading
import traceback
from collections.abc import Callable

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError, InternalError

from node_a.adapters.database.engine import open_engine
from node_a.adapters.database.ledger import Database
from node_a.application.ports import Ledger
from node_a.domain.customer import Customer, CustomerId, Language
from node_a.domain.errors import LedgerUnavailable
from tests.builders import ANNA
from tests.databases import on_postgresql
from tests.postgresql import Cluster

pytestmark = on_postgresql

BORIS = Customer(CustomerId(2), Language.RUSSIAN)


@pytest.fixture
def database(engine: Engine) -> Database:
    database = Database(engine)
    for customer in (ANNA, BORIS):
        database.write(saving(customer))
    return database


def saving(customer: Customer) -> Callable[[Ledger], None]:
    return lambda ledger: ledger.customers.save(customer)


def language_of(database: Database, customer: Customer) -> Language:
    with database.read_ledger() as ledger:
        found = ledger.customers.find(customer.id)
    assert found is not None
    return found.language


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("TimeZone", "UTC"),
        ("lock_timeout", "10s"),
        ("statement_timeout", "30s"),
        ("idle_in_transaction_session_timeout", "1min"),
        ("application_name", "qentvpn"),
        ("transaction_isolation", "read committed"),
    ],
)
def test_every_session_is_prepared(engine: Engine, setting: str, value: str) -> None:
    with engine.connect() as connection:
        assert connection.execute(text(f"SHOW {setting}")).scalar_one() == value


def test_what_the_operator_wrote_into_the_url_goes_before_our_own_settings(database_url: str) -> None:
    engine = open_engine(f"{database_url}&application_name=night%20shift")
    with engine.connect() as connection:
        assert connection.execute(text("SHOW application_name")).scalar_one() == "night shift"
    engine.dispose()


def test_a_reader_cannot_write(database: Database) -> None:
    with pytest.raises(InternalError, match="read-only"), database.read_ledger() as ledger:
        ledger.customers.save(ANNA)


@pytest.mark.parametrize(
    ("code", "name"),
    [
        ("53100", "disk full"),
        ("53300", "too many connections"),
        ("55P03", "lock not available"),
        ("57P01", "admin shutdown"),
        ("57014", "query canceled"),
        ("25006", "a server that takes no writes for now"),
    ],
)
def test_what_may_pass_by_itself_is_said_in_our_words(engine: Engine, code: str, name: str) -> None:
    with pytest.raises(LedgerUnavailable, match="the server says so"):
        Database(engine).write(lambda _: fail_with(engine, code))


@pytest.mark.parametrize("code", ["23505", "42P01", "22001", "XX001"])
def test_a_bug_stays_one(engine: Engine, code: str) -> None:
    with pytest.raises(DBAPIError, match="the server says so"):
        Database(engine).write(lambda _: fail_with(engine, code))


def fail_with(engine: Engine, code: str) -> None:
    with engine.begin() as connection:
        connection.execute(text(f"DO $$ BEGIN RAISE 'the server says so' USING ERRCODE = '{code}'; END $$"))


def test_a_server_that_goes_away_in_the_middle_is_said_in_our_words_and_nothing_is_stored(
    database: Database, engine: Engine, postgresql: Cluster
) -> None:
    def work(ledger: Ledger) -> None:
        ledger.customers.save(ANNA.seen(Language.ENGLISH))
        with postgresql.without(str(engine.url.database)):
            ledger.customers.find(BORIS.id)

    with pytest.raises(LedgerUnavailable):
        database.write(work)

    assert language_of(database, ANNA) is Language.RUSSIAN, "and the next transaction works"


def test_nothing_works_while_the_server_is_away_and_everything_afterwards(
    database: Database, engine: Engine, postgresql: Cluster
) -> None:
    with postgresql.without(str(engine.url.database)):
        with pytest.raises(LedgerUnavailable):
            database.write(saving(ANNA))
        with pytest.raises(LedgerUnavailable), database.read_ledger():
            pass

    database.write(saving(ANNA.seen(Language.ENGLISH)))
    assert language_of(database, ANNA) is Language.ENGLISH


def test_two_that_lock_each_other_out_both_end_up_stored(database: Database) -> None:
    both_hold_one = threading.Barrier(2)
    tries: list[CustomerId] = []

    def locks(first: Customer, second: Customer) -> None:
        def work(ledger: Ledger) -> None:
            tries.append(first.id)
            ledger.customers.save(first.seen(Language.ENGLISH))
            if tries.count(first.id) == 1:
                both_hold_one.wait(20)
            ledger.customers.save(ledger.customers.locked(second.id))

        database.write(work)

    threads = [threading.Thread(target=locks, args=pair) for pair in ((ANNA, BORIS), (BORIS, ANNA))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    assert [language_of(database, customer) for customer in (ANNA, BORIS)] == [Language.ENGLISH] * 2
    assert len(tries) == 3, "one gave way, once"


@pytest.mark.parametrize("code", ["40001", "40P01"])
def test_whoever_gives_way_again_and_again_is_told_to_come_later(engine: Engine, code: str) -> None:
    tries: list[int] = []

    def work(_: Ledger) -> None:
        tries.append(1)
        fail_with(engine, code)

    with pytest.raises(LedgerUnavailable, match="the server says so"):
        Database(engine).write(work)
    assert len(tries) == 5


def test_what_is_not_a_conflict_is_not_done_again(engine: Engine) -> None:
    tries: list[int] = []

    def work(_: Ledger) -> None:
        tries.append(1)
        fail_with(engine, "53100")

    with pytest.raises(LedgerUnavailable):
        Database(engine).write(work)
    assert len(tries) == 1


def test_the_password_is_in_no_error(database_url: str) -> None:
    engine = open_engine(database_url.replace("shop@", "guarded:correct-horse@"))

    with pytest.raises(LedgerUnavailable, match="password authentication failed") as refused:
        Database(engine).write(lambda _: None)

    told = "".join(traceback.format_exception(refused.value)) + repr(engine) + repr(engine.url)
    assert "guarded" in told
    assert "correct-horse" not in told
