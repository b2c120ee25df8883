"""The worker's jobs: when each is due, and who runs it."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, and_, func, literal, or_, select, update

from node_a.adapters.database.engine import UtcDateTime, inserting
from node_a.adapters.database.rows import unleased
from node_a.adapters.database.tables import jobs
from node_a.application.ports import JobClaim


def job_is_due(now: datetime) -> ColumnElement[bool]:
    return and_(jobs.c.due_at <= now, unleased(jobs.c.leased_until, now))


class SqlJobs:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def ensure(self, name: str, due_at: datetime) -> None:
        statement = inserting(self._connection, jobs).values(name=name, due_at=due_at)
        self._connection.execute(statement.on_conflict_do_nothing(index_elements=["name"]))

    def claim_due(self, names: Sequence[str], now: datetime, leased_until: datetime, limit: int) -> Sequence[JobClaim]:
        due = select(jobs.c.name).where(jobs.c.name.in_(names), job_is_due(now))
        query = due.order_by(jobs.c.due_at).limit(limit).with_for_update(skip_locked=True)
        claims = [JobClaim(name, leased_until) for name in self._connection.scalars(query)]
        for claim in claims:
            self._connection.execute(update(jobs).where(jobs.c.name == claim.name).values(leased_until=leased_until))
        return claims

    def finished(self, claim: JobClaim, due_at: datetime, failed_at: datetime | None = None) -> None:
        held = and_(jobs.c.name == claim.name, jobs.c.leased_until == claim.leased_until)
        failing = func.coalesce(jobs.c.failing_since, literal(failed_at, UtcDateTime())) if failed_at else None
        done = {"due_at": due_at, "leased_until": None, "failing_since": failing}
        self._connection.execute(update(jobs).where(held).values(**done))

    def hasten(self, name: str, due_at: datetime) -> None:
        later = or_(jobs.c.due_at > due_at, jobs.c.leased_until > due_at)
        soon = update(jobs).where(jobs.c.name == name, later).values(due_at=due_at, leased_until=None)
        self._connection.execute(soon)

    def failing_since(self, before: datetime) -> Sequence[tuple[str, datetime]]:
        query = select(jobs).where(jobs.c.failing_since <= before).order_by(jobs.c.failing_since)
        return [(row.name, row.failing_since) for row in self._connection.execute(query)]

    def make_due(self, name: str, now: datetime) -> bool:
        failing = and_(jobs.c.name == name, jobs.c.failing_since.is_not(None))
        return bool(self._connection.execute(update(jobs).where(failing).values(due_at=now)).rowcount)
