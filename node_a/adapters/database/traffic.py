"""Traffic in the database: what the nodes' counters brought, by hours and days."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, and_, bindparam, delete, select, tuple_, update

from node_a.adapters.database.accesses import SqlAccesses
from node_a.adapters.database.engine import inserting
from node_a.adapters.database.tables import accesses, subscriptions, traffic
from node_a.application.ports import AccessRecord, Count
from node_a.domain.subscription import SubscriptionId

# How many hours a row is about.
AN_HOUR: Final = 1
A_DAY: Final = 24


class SqlTraffic:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def count(self, counts: Sequence[Count], now: datetime) -> Mapping[SubscriptionId, int]:
        known = SqlAccesses(self._connection).find_all([count.id for count in counts])
        moved = [(known[count.id], count.counter) for count in counts if count.id in known]
        moved = [(record, counter) for record, counter in moved if counter != record.counter]
        came: Counter[SubscriptionId] = Counter()
        for record, counter in moved:
            came[record.id.subscription_id] += _came(record, counter)
        came = +came
        # Subscriptions before accesses: in this order everybody takes them.
        self._add_to_periods(came)
        self._remember(moved, now)
        self._add_to_hours(came, now)
        return {id: self.used(id) for id in came}

    def used(self, id: SubscriptionId) -> int:
        return self._connection.scalar(select(subscriptions.c.used).where(subscriptions.c.id == id)) or 0

    def by_hour(self, id: SubscriptionId, since: datetime) -> Mapping[datetime, int]:
        its = and_(traffic.c.subscription_id == id, traffic.c.starts_at >= since)
        query = select(traffic.c.starts_at, traffic.c.bytes).where(its).order_by(traffic.c.starts_at)
        booked: Counter[datetime] = Counter()
        for row in self._connection.execute(query):
            booked[row.starts_at] += row.bytes
        return booked

    def roll_up(self, before: datetime, limit: int) -> int:
        old = and_(traffic.c.hours == AN_HOUR, traffic.c.starts_at < before)
        rows = self._connection.execute(select(traffic).where(old).order_by(traffic.c.starts_at).limit(limit)).all()
        days: Counter[tuple[SubscriptionId, datetime]] = Counter()
        for row in rows:
            day = row.starts_at.replace(hour=0)
            days[SubscriptionId(row.subscription_id), day] += row.bytes
        self._book(dict(days), hours=A_DAY)
        key = tuple_(traffic.c.subscription_id, traffic.c.starts_at)
        for row in rows:
            self._connection.execute(
                delete(traffic).where(
                    traffic.c.hours == AN_HOUR,
                    key == (row.subscription_id, row.starts_at),
                )
            )
        return len(rows)

    def _add_to_periods(self, came: Mapping[SubscriptionId, int]) -> None:
        if came:
            more = subscriptions.c.used + bindparam("came")
            statement = update(subscriptions).where(subscriptions.c.id == bindparam("its_id")).values(used=more)
            self._connection.execute(statement, [{"its_id": id, "came": came[id]} for id in sorted(came)])

    def _remember(self, moved: Sequence[tuple[AccessRecord, int]], now: datetime) -> None:
        for record, counter in moved:
            values: dict[str, Any] = {"counter": counter}
            if _came(record, counter):
                values["used_at"] = now
            if record.counter is not None and counter < record.counter:
                values["counter_at_start"] = 0  # the node has forgotten what was before
            its = [accesses.c.subscription_id == record.id.subscription_id, accesses.c.node == record.id.node]
            its.append(accesses.c.protocol == record.id.protocol.value)
            self._connection.execute(update(accesses).where(*its).values(**values))

    def _add_to_hours(self, came: Mapping[SubscriptionId, int], now: datetime) -> None:
        hour = now.replace(minute=0, second=0, microsecond=0)
        self._book({(id, hour): amount for id, amount in came.items()}, hours=AN_HOUR)

    def _book(self, amounts: Mapping[tuple[SubscriptionId, datetime], int], *, hours: int) -> None:
        if not amounts:
            return
        statement = inserting(self._connection, traffic)
        more = traffic.c.bytes + statement.excluded.bytes
        rows = [
            {"subscription_id": id, "hours": hours, "starts_at": start, "bytes": amount}
            for (id, start), amount in sorted(amounts.items())
        ]
        self._connection.execute(
            statement.on_conflict_do_update(
                index_elements=["subscription_id", "hours", "starts_at"], set_={"bytes": more}
            ),
            rows,
        )


def _came(record: AccessRecord, counter: int) -> int:
    """Since the counter was last read: none if it never was (who knows since when it counts), and all of one that is
    lower than it was, for it has begun anew."""
    if record.counter is None:
        return 0
    return counter - record.counter if counter >= record.counter else counter
