"""The agenda: what is due, and whether anybody has written since we last looked."""

from contextlib import closing
from datetime import timedelta

import psycopg
import pytest
from sqlalchemy import event, text

from node_a.adapters.database.agenda import SqlAgenda
from node_a.application.ports import Activity
from node_a.domain.errors import LedgerUnavailable
from tests.builders import DAY, NOW
from tests.databases import on_postgresql, on_sqlite
from tests.fakes.shop import ShopUnderTest
from tests.postgresql import Cluster
from tests.waiting import until


def test_the_agenda_knows_what_is_due_and_writes_nothing(shop: ShopUnderTest) -> None:
    assert shop.agenda.due(NOW) == frozenset()

    shop.buys()
    assert shop.agenda.due(NOW) == {Activity.SETTLE}
    shop.settles()
    assert shop.agenda.due(NOW) == {Activity.PROVIDE}
    shop.provides()
    assert shop.agenda.due(NOW) == {Activity.DELIVER}
    shop.delivers()
    shop.passes(timedelta(seconds=2))
    assert shop.agenda.due(shop.now) == {Activity.DELIVER}  # "payment received", which nobody needs any more
    shop.delivers()

    assert shop.agenda.due(NOW + timedelta(minutes=1)) == frozenset()
    assert shop.agenda.due(NOW + 27 * DAY) == {Activity.REMIND}
    assert shop.agenda.due(NOW + 30 * DAY) == {Activity.REMIND, Activity.EXPIRE}


def test_the_agenda_notices_every_commit_and_only_commits(shop: ShopUnderTest) -> None:
    assert shop.agenda.changed(), "whatever happened before must be looked at"
    shop.agenda.due(NOW)
    assert not shop.agenda.changed()

    shop.registers()

    until(shop.agenda.changed)
    assert not shop.agenda.changed()


def connected(shop: ShopUnderTest) -> psycopg.Connection[tuple[object, ...]]:
    """Somebody else, of the same database."""
    return psycopg.connect(shop.engine.url.set(drivername="postgresql").render_as_string(), autocommit=True)


@on_sqlite
def test_whoever_looks_for_work_in_vain_wakes_nobody(shop: ShopUnderTest) -> None:
    """Else an idle worker would wake itself for ever."""
    shop.agenda.changed()

    shop.works()

    assert not shop.agenda.changed()


@on_postgresql
def test_whoever_looks_for_work_in_vain_tells_nobody(shop: ShopUnderTest) -> None:
    with closing(connected(shop)) as listener:
        listener.execute("LISTEN qentvpn")
        shop.works()
        shop.registers()
        listener.execute("NOTIFY qentvpn, 'the end'")

        heard = [notice.payload for notice in listener.notifies(timeout=20, stop_after=2)]

    assert heard == ["", "the end"], "only the registration wrote anything"


@on_postgresql
def test_a_listener_that_dies_scans_first_and_listens_again(shop: ShopUnderTest) -> None:
    shop.agenda.due(NOW)
    assert not shop.agenda.changed()
    with closing(connected(shop)) as other:
        ended = other.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND query ~ 'LISTEN' AND pid <> pg_backend_pid()"
        )
        assert ended.fetchall() == [(True,)]

    until(shop.agenda.changed)
    assert shop.agenda.changed(), "until the tables were looked at"
    shop.agenda.due(NOW)
    assert not shop.agenda.changed()
    shop.registers()
    until(shop.agenda.changed)


@on_postgresql
def test_while_the_server_is_away_the_agenda_says_so_and_comes_back_by_itself(
    shop: ShopUnderTest, postgresql: Cluster
) -> None:
    shop.agenda.due(NOW)
    with postgresql.without(str(shop.engine.url.database)):
        until(shop.agenda.changed)
        with pytest.raises(LedgerUnavailable, match="cannot be watched"):
            shop.agenda.due(NOW)
        with pytest.raises(LedgerUnavailable):
            shop.agenda.due(NOW)
        assert shop.agenda.changed()

    assert shop.agenda.due(NOW) == frozenset()
    assert not shop.agenda.changed()


@on_postgresql
def test_what_is_written_between_listening_and_looking_is_not_missed(shop: ShopUnderTest) -> None:
    said: list[str] = []
    event.listen(shop.engine, "before_cursor_execute", lambda *parts: said.append(parts[2].split()[0]))

    shop.agenda.due(NOW)

    assert said[0] == "LISTEN"
    assert set(said[1:]) == {"SELECT"}


@on_sqlite
def test_watching_keeps_nobody_from_writing(shop: ShopUnderTest) -> None:
    """It once held a transaction open, and with it the whole database."""
    shop.agenda.changed()
    with shop.engine.connect() as connection:
        connection.execute(text("PRAGMA busy_timeout = 50"))
        connection.commit()

    shop.registers()

    assert shop.agenda.changed()


@on_sqlite
def test_an_agenda_that_cannot_be_read_says_so(shop: ShopUnderTest) -> None:
    with shop.engine.begin() as connection:
        connection.execute(text("DROP TABLE messages"))

    with pytest.raises(LedgerUnavailable):
        SqlAgenda(shop.engine).due(NOW)


@on_sqlite
def test_a_watch_that_breaks_is_said_in_our_words_and_begun_again(shop: ShopUnderTest) -> None:
    broken = False
    shop.engine.dispose()
    event.listen(shop.engine, "connect", lambda connection, _: connection.set_progress_handler(lambda: broken, 1))
    agenda = SqlAgenda(shop.engine)
    assert agenda.changed()

    broken = True
    with pytest.raises(LedgerUnavailable, match="interrupted"):
        agenda.changed()
    with pytest.raises(LedgerUnavailable):
        agenda.changed()  # nor can it be opened again
    broken = False

    assert agenda.changed(), "whatever happened meanwhile must be looked at"
    assert not agenda.changed()
    agenda.close()
