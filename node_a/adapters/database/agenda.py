"""The agenda: what is due, and whether anybody has written since we last looked."""

from datetime import datetime

from sqlalchemy import Engine, literal, select

from node_a.adapters.database.accesses import access_is_due
from node_a.adapters.database.customers import erasure_is_due
from node_a.adapters.database.engine import reading
from node_a.adapters.database.failures import in_our_words
from node_a.adapters.database.jobs import job_is_due
from node_a.adapters.database.messages import message_is_due
from node_a.adapters.database.payments import payment_is_due
from node_a.adapters.database.subscriptions import expiry_is_due, reminder_is_due
from node_a.adapters.database.tables import accesses, customers, jobs, messages, payments, subscriptions
from node_a.adapters.database.watches import watch
from node_a.application.ports import Activity


class SqlAgenda:
    def __init__(self, engine: Engine) -> None:
        self._reading = reading(engine)
        self._watch = watch(engine)

    def changed(self) -> bool:
        """True at first, and after the watch broke: whatever happened before must be looked at."""
        return self._watch.has_news()

    def due(self, now: datetime) -> frozenset[Activity]:
        questions = {
            Activity.SETTLE: select(literal(1)).select_from(payments).where(payment_is_due(now)),
            Activity.PROVIDE: select(literal(1)).select_from(accesses).where(access_is_due(now)),
            Activity.DELIVER: select(literal(1)).select_from(messages).where(message_is_due(now)),
            Activity.REMIND: select(literal(1)).select_from(subscriptions).where(reminder_is_due(now)),
            Activity.EXPIRE: select(literal(1)).select_from(subscriptions).where(expiry_is_due(now)),
            Activity.ERASE: select(literal(1)).select_from(customers).where(erasure_is_due(now)),
            Activity.JOB: select(literal(1)).select_from(jobs).where(job_is_due(now)),
        }
        self._watch.begin()  # before looking: what is written from now on is told
        with in_our_words("the database cannot be read"), self._reading.begin() as connection:
            return frozenset(
                activity
                for activity, question in questions.items()
                if connection.execute(question.limit(1)).first() is not None
            )

    def close(self) -> None:
        self._watch.end()
