"""Subscriptions and their grants in the database."""

from collections.abc import Iterable, Mapping, Sequence, Set
from datetime import datetime
from typing import Any

from sqlalchemy import Column, ColumnElement, Connection, RowMapping, Select, and_, exists, func, select, update

from node_a.adapters.database.engine import inserting
from node_a.adapters.database.rows import AT_ONCE, plan_columns, plan_of
from node_a.adapters.database.tables import accesses, customers, grants, subscriptions
from node_a.domain.customer import CustomerId, Standing
from node_a.domain.grant import Grant, GrantId
from node_a.domain.subscription import Subscription, SubscriptionId


def reminder_is_due(now: datetime) -> ColumnElement[bool]:
    return subscriptions.c.remind_at <= now


def expiry_is_due(now: datetime) -> ColumnElement[bool]:
    return subscriptions.c.expire_at <= now


class SqlSubscriptions:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def find(self, id: SubscriptionId) -> Subscription | None:
        return self._one(subscriptions.c.id == id)

    def of_customer(self, id: CustomerId) -> Subscription | None:
        return self._one(subscriptions.c.customer_id == id)

    def by_grant(self, id: GrantId) -> Subscription | None:
        owner = select(grants.c.subscription_id).where(grants.c.id == id).scalar_subquery()
        return self._one(subscriptions.c.id == owner)

    def find_all(self, ids: Sequence[SubscriptionId]) -> Mapping[SubscriptionId, Subscription]:
        rows: list[RowMapping] = []
        its_grants: dict[SubscriptionId, list[Grant]] = {}
        for start in range(0, len(ids), AT_ONCE):
            some = ids[start : start + AT_ONCE]
            query = select(subscriptions).where(subscriptions.c.id.in_(some))
            rows += self._connection.execute(query).mappings()
            for row in self._connection.execute(_grants_in_order(grants.c.subscription_id.in_(some))).mappings():
                its_grants.setdefault(SubscriptionId(row["subscription_id"]), []).append(_grant(row))
        found = (_subscription(row, its_grants.get(SubscriptionId(row["id"]), ())) for row in rows)
        return {one.id: one for one in found}

    def of_secrets_before(self, secret_number: int, limit: int) -> Sequence[SubscriptionId]:
        older = subscriptions.c.secret_number < secret_number
        query = select(subscriptions.c.id).where(older).order_by(subscriptions.c.id).limit(limit)
        return [SubscriptionId(id) for id in self._connection.scalars(query)]

    def count_of_secrets_before(self, secret_number: int) -> int:
        older = subscriptions.c.secret_number < secret_number
        return self._connection.scalar(select(func.count()).where(older)) or 0

    def granted_sources(self, sources: Sequence[str]) -> Set[str]:
        found: set[str] = set()
        for start in range(0, len(sources), AT_ONCE):
            query = select(grants.c.source).where(grants.c.source.in_(sources[start : start + AT_ONCE]))
            found |= set(self._connection.scalars(query))
        return found

    def save(self, subscription: Subscription, *, remind_at: datetime | None, expire_at: datetime | None) -> None:
        values = {
            "customer_id": subscription.customer_id,
            "secret_number": subscription.secret_number,
            "rotation": subscription.rotation,
            "revision": subscription.revision,
            "suspended": subscription.suspended,
            "counted_from": subscription.counted_from,
            "remind_at": remind_at,
            "expire_at": expire_at,
        }
        # Only whoever holds the customer's lock changes it.
        before = select(subscriptions.c.counted_from).where(subscriptions.c.id == subscription.id)
        is_new_period = self._connection.scalar(before) != subscription.counted_from
        statement = inserting(self._connection, subscriptions).values(id=subscription.id, **values)
        anew = {"used": 0} if is_new_period else {}
        self._connection.execute(statement.on_conflict_do_update(index_elements=["id"], set_={**values, **anew}))
        if is_new_period:
            self._count_from_here(subscription.id)
        for grant in subscription.grants:
            self._save_grant(subscription.id, grant)

    def _count_from_here(self, id: SubscriptionId) -> None:
        """What the nodes have counted so far was before this traffic period."""
        here = update(accesses).where(accesses.c.subscription_id == id)
        self._connection.execute(here.values(counter_at_start=func.coalesce(accesses.c.counter, 0)))

    def revise(self, id: SubscriptionId, revision: int) -> None:
        behind = and_(subscriptions.c.id == id, subscriptions.c.revision < revision)
        self._connection.execute(update(subscriptions).where(behind).values(revision=revision))

    def take_up_forgotten(self, now: datetime) -> int:
        left = exists().where(grants.c.subscription_id == subscriptions.c.id, grants.c.ends_at > now)
        owner = exists().where(
            customers.c.id == subscriptions.c.customer_id, customers.c.standing == Standing.GOOD.value
        )
        forgotten = update(subscriptions).where(subscriptions.c.expire_at.is_(None), left, owner)
        return self._connection.execute(forgotten.values(expire_at=now)).rowcount

    def remind_next(self, id: SubscriptionId, remind_at: datetime | None) -> None:
        self._connection.execute(update(subscriptions).where(subscriptions.c.id == id).values(remind_at=remind_at))

    def due_for_reminder(self, now: datetime, limit: int) -> Sequence[SubscriptionId]:
        return self._due(reminder_is_due(now), subscriptions.c.remind_at, limit)

    def due_for_expiry(self, now: datetime, limit: int) -> Sequence[SubscriptionId]:
        return self._due(expiry_is_due(now), subscriptions.c.expire_at, limit)

    def _due(self, due: ColumnElement[bool], moment: Column[datetime], limit: int) -> list[SubscriptionId]:
        query = select(subscriptions.c.id).where(due).order_by(moment).limit(limit)
        return [SubscriptionId(id) for id in self._connection.scalars(query)]

    def _save_grant(self, id: SubscriptionId, grant: Grant) -> None:
        # By id only: a second grant of the same source must fail loudly, whoever made it.
        interval = {"starts_at": grant.starts_at, "ends_at": grant.ends_at, "days_taken": grant.days_taken}
        statement = inserting(self._connection, grants).values(
            id=grant.id, source=grant.source, subscription_id=id, **plan_columns(grant.plan), **interval
        )
        self._connection.execute(statement.on_conflict_do_update(index_elements=["id"], set_=interval))

    def _one(self, condition: ColumnElement[bool]) -> Subscription | None:
        row = self._connection.execute(select(subscriptions).where(condition)).mappings().one_or_none()
        if row is None:
            return None
        query = _grants_in_order(grants.c.subscription_id == row["id"])
        return _subscription(row, [_grant(grant) for grant in self._connection.execute(query).mappings()])


def _grants_in_order(condition: ColumnElement[bool]) -> Select[Any]:
    return select(grants).where(condition).order_by(grants.c.starts_at, grants.c.ends_at)


def _subscription(row: RowMapping, its_grants: Iterable[Grant]) -> Subscription:
    return Subscription(
        id=SubscriptionId(row["id"]),
        customer_id=CustomerId(row["customer_id"]),
        secret_number=row["secret_number"],
        grants=tuple(its_grants),
        rotation=row["rotation"],
        revision=row["revision"],
        suspended=row["suspended"],
        counted_from=row["counted_from"],
    )


def _grant(row: RowMapping) -> Grant:
    return Grant(GrantId(row["id"]), row["source"], plan_of(row), row["starts_at"], row["ends_at"], row["days_taken"])
