"""The agenda: what is due, and whether anybody has written since we last looked."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Engine, bindparam, literal, select

from node_a.adapters.database.access_queues import queues_with_work
from node_a.adapters.database.customers import erasure_is_due
from node_a.adapters.database.engine import UtcDateTime, reading
from node_a.adapters.database.failures import in_our_words
from node_a.adapters.database.jobs import job_is_due
from node_a.adapters.database.messages import message_is_due
from node_a.adapters.database.payments import payment_is_due
from node_a.adapters.database.subscriptions import expiry_is_due, reminder_is_due
from node_a.adapters.database.tables import customers, jobs, messages, payments, subscriptions
from node_a.adapters.database.watches import watch
from node_a.application.ports import Activity, Queue

_NOW: Final[Any] = bindparam("now", type_=UtcDateTime())
# Made once: to make a question takes longer than to answer it.
_QUESTIONS: Final = {
    Activity.SETTLE: select(literal(1)).select_from(payments).where(payment_is_due(_NOW)).limit(1),
    Activity.DELIVER: select(literal(1)).select_from(messages).where(message_is_due(_NOW)).limit(1),
    Activity.REMIND: select(literal(1)).select_from(subscriptions).where(reminder_is_due(_NOW)).limit(1),
    Activity.EXPIRE: select(literal(1)).select_from(subscriptions).where(expiry_is_due(_NOW)).limit(1),
    Activity.ERASE: select(literal(1)).select_from(customers).where(erasure_is_due(_NOW)).limit(1),
    Activity.JOB: select(literal(1)).select_from(jobs).where(job_is_due(_NOW)).limit(1),
}


class SqlAgenda:
    def __init__(self, engine: Engine) -> None:
        self._reading = reading(engine)
        self._watch = watch(engine)

    def changed(self) -> bool:
        """True at first, and after the watch broke: whatever happened before must be looked at."""
        return self._watch.has_news()

    def due(self, now: datetime) -> frozenset[Activity]:
        self._watch.begin()  # before looking: what is written from now on is told
        with self._looking() as connection:
            due = {
                activity
                for activity, question in _QUESTIONS.items()
                if connection.execute(question, {"now": now}).first() is not None
            }
            if any(True for _ in queues_with_work(connection, now)):
                due.add(Activity.PROVIDE)
            return frozenset(due)

    def queues(self, now: datetime) -> frozenset[Queue]:
        with self._looking() as connection:
            return frozenset(queues_with_work(connection, now))

    @contextmanager
    def _looking(self) -> Iterator[Connection]:
        with in_our_words("the database cannot be read"), self._reading.begin() as connection:
            yield connection

    def close(self) -> None:
        self._watch.end()
