"""Traffic in the database: what the nodes' counters brought, by hours and days."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Boolean, Connection, Update, and_, bindparam, case, delete, literal, select, update

from node_a.adapters.database.access_rows import binds, bound
from node_a.adapters.database.accesses import SqlAccesses
from node_a.adapters.database.engine import UtcDateTime, inserting
from node_a.adapters.database.tables import accesses, subscriptions, traffic
from node_a.application.ports import AccessRecord, Count, Urgency
from node_a.domain.subscription import SubscriptionId

# How many hours a row is about.
AN_HOUR: Final = 1
A_DAY: Final = 24


class SqlTraffic:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def count(self, counts: Sequence[Count], now: datetime) -> Mapping[SubscriptionId, int]:
        counters = {count.id: count.counter for count in counts}
        self._lock({id.subscription_id for id in counters})
        known = SqlAccesses(self._connection).find_all([*counters])
        moved = [(record, counters[id]) for id, record in known.items() if counters[id] != record.counter]
        came: Counter[SubscriptionId] = Counter()
        for record, counter in moved:
            came[record.id.subscription_id] += _came(record, counter)
        came = +came  # without those that had none
        self._add_to_periods(came)
        self._remember(moved, now)
        self._add_to_hours(came, now)
        return self._used([*came])

    def used(self, id: SubscriptionId) -> int:
        return self._used([id]).get(id, 0)

    def by_hour(self, id: SubscriptionId, since: datetime) -> Mapping[datetime, int]:
        its = and_(traffic.c.subscription_id == id, traffic.c.starts_at >= since)
        query = select(traffic.c.starts_at, traffic.c.bytes).where(its).order_by(traffic.c.starts_at)
        booked: Counter[datetime] = Counter()  # an hour's row and its day's may begin together
        for row in self._connection.execute(query):
            booked[row.starts_at] += row.bytes
        return booked

    def roll_up(self, before: datetime, limit: int) -> int:
        old = and_(traffic.c.hours == AN_HOUR, traffic.c.starts_at < before)
        query = select(traffic).where(old).order_by(traffic.c.starts_at, traffic.c.subscription_id).limit(limit)
        rows = self._connection.execute(query.with_for_update()).all()
        days: Counter[tuple[SubscriptionId, datetime]] = Counter()
        for row in rows:
            days[SubscriptionId(row.subscription_id), row.starts_at.replace(hour=0)] += row.bytes
        self._book(days, hours=A_DAY)
        self._forget_hours([{"its_id": row.subscription_id, "its_hour": row.starts_at} for row in rows])
        return len(rows)

    def _lock(self, ids: set[SubscriptionId]) -> None:
        """Two who count the same at the same time would both add what has come. Before the accesses: in this order
        everybody takes them."""
        query = select(subscriptions.c.id).where(subscriptions.c.id.in_(ids)).order_by(subscriptions.c.id)
        self._connection.execute(query.with_for_update(key_share=True))

    def _used(self, ids: Sequence[SubscriptionId]) -> Mapping[SubscriptionId, int]:
        query = select(subscriptions.c.id, subscriptions.c.used).where(subscriptions.c.id.in_(ids))
        return {SubscriptionId(row.id): row.used for row in self._connection.execute(query)}

    def _add_to_periods(self, came: Mapping[SubscriptionId, int]) -> None:
        more = subscriptions.c.used + bindparam("came")
        statement = update(subscriptions).where(subscriptions.c.id == bindparam("its_id")).values(used=more)
        self._for_each(statement, [{"its_id": id, "came": amount} for id, amount in came.items()])

    def _remember(self, moved: Sequence[tuple[AccessRecord, int]], now: datetime) -> None:
        """What each counter was, and from where the period is counted on it."""
        at = literal(now, UtcDateTime())
        # A limit that was sent for another beginning is put right, unless something goes there anyway.
        is_wrong = and_(accesses.c.due_at.is_(None), accesses.c.counter_at_start != bindparam("start"))
        put_right = {"due_at": at, "behind_since": at, "urgency": int(Urgency.UPKEEP)}
        values = {
            "counter": bindparam("now_at"),
            "counter_at_start": bindparam("start"),
            "used_at": case((bindparam("had_traffic", type_=Boolean()), at), else_=accesses.c.used_at),
            **{name: case((is_wrong, value), else_=accesses.c[name]) for name, value in put_right.items()},
        }
        statement = update(accesses).where(*bound()).values(**values)
        self._for_each(statement, [_remembered(record, counter) for record, counter in moved])

    def _add_to_hours(self, came: Mapping[SubscriptionId, int], now: datetime) -> None:
        hour = now.replace(minute=0, second=0, microsecond=0)
        self._book({(id, hour): amount for id, amount in came.items()}, hours=AN_HOUR)

    def _book(self, amounts: Mapping[tuple[SubscriptionId, datetime], int], *, hours: int) -> None:
        statement = inserting(self._connection, traffic)
        more = traffic.c.bytes + statement.excluded.bytes
        whole = statement.on_conflict_do_update(
            index_elements=["subscription_id", "hours", "starts_at"], set_={"bytes": more}
        )
        rows = [
            {"subscription_id": id, "hours": hours, "starts_at": start, "bytes": amount}
            for (id, start), amount in sorted(amounts.items())
        ]
        if rows:
            self._connection.execute(whole, rows)

    def _forget_hours(self, rows: Sequence[Mapping[str, Any]]) -> None:
        its = [traffic.c.subscription_id == bindparam("its_id"), traffic.c.starts_at == bindparam("its_hour")]
        if rows:
            self._connection.execute(delete(traffic).where(traffic.c.hours == AN_HOUR, *its), rows)

    def _for_each(self, statement: Update, rows: Sequence[Mapping[str, Any]]) -> None:
        if rows:
            self._connection.execute(statement, rows)


def _came(record: AccessRecord, counter: int) -> int:
    """Since the counter was last read: none if it never was (who knows since when it counts), and all of one that is
    lower than it was, for it has begun anew."""
    if record.counter is None:
        return 0
    return counter - record.counter if counter >= record.counter else counter


def _remembered(record: AccessRecord, counter: int) -> Mapping[str, Any]:
    if record.counter is None:
        start = counter  # the period is counted from here
    elif counter < record.counter:
        start = 0  # the node has forgotten what was before
    else:
        start = record.counter_at_start
    return {
        **binds(record.id),
        "now_at": counter,
        "start": start,
        "had_traffic": _came(record, counter) > 0,
    }
