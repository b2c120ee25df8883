"""Accesses in the database: what is wanted of each, and what is known of it."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, and_, case, exists, func, literal, select, true, update

from node_a.adapters.database.access_queues import SqlAccessQueues
from node_a.adapters.database.access_rows import (
    KEY,
    RECORD,
    access_id,
    access_record,
    binds,
    bound,
    names,
    of_keeper,
)
from node_a.adapters.database.engine import UtcDateTime, inserting
from node_a.adapters.database.rows import AT_ONCE
from node_a.adapters.database.tables import accesses, customers, subscriptions
from node_a.application.ports import AccessProgress, AccessRecord, SweptPage, Urgency
from node_a.domain.access import AccessId
from node_a.domain.customer import Standing
from node_a.domain.node import Keeper, NodeCode
from node_a.domain.subscription import SubscriptionId

_BEFORE_ALL: Final = UUID(int=0)


class SqlAccesses(SqlAccessQueues):
    def want(
        self, ids: Sequence[AccessId], *, present: bool, due_at: datetime, urgency: Urgency = Urgency.CUSTOMER
    ) -> None:
        if not ids:
            return
        wanted = {"present": present, "due_at": due_at, "attempts": 0}
        statement = inserting(self._connection, accesses).on_conflict_do_update(
            index_elements=KEY,
            set_={**wanted, "behind_since": _behind(due_at), "urgency": _unless_more_urgent(urgency)},
        )
        row = {"applied_revision": 0, "behind_since": due_at, "urgency": urgency, **wanted}
        self._connection.execute(statement, [{**names(id), **row} for id in ids])

    def forget_unknown(self, ids: Sequence[AccessId], due_at: datetime) -> None:
        if not ids:
            return
        row = {"present": False, "applied_revision": 0, "due_at": due_at, "behind_since": due_at, "attempts": 0}
        statement = inserting(self._connection, accesses).on_conflict_do_nothing(index_elements=KEY)
        self._connection.execute(statement, [{**names(id), **row, "urgency": Urgency.UPKEEP} for id in ids])

    def of_subscription(self, id: SubscriptionId) -> Sequence[AccessId]:
        query = select(accesses).where(accesses.c.subscription_id == id)
        return [access_id(row) for row in self._connection.execute(query)]

    def count_at(self, node: NodeCode) -> int:
        query = select(func.count()).select_from(accesses).where(accesses.c.node == node)
        return self._connection.scalar(query) or 0

    def find(self, id: AccessId) -> AccessRecord | None:
        return self.find_all([id]).get(id)

    def find_all(self, ids: Sequence[AccessId]) -> Mapping[AccessId, AccessRecord]:
        found: dict[AccessId, AccessRecord] = {}
        # Keeper by keeper: there are few, and a list of triples finds no index on SQLite.
        for keeper, its in _by_keeper(ids).items():
            for start in range(0, len(its), AT_ONCE):
                these = accesses.c.subscription_id.in_(list(its)[start : start + AT_ONCE])
                for row in self._connection.execute(select(*RECORD).where(of_keeper(keeper), these)):
                    id = its[row.subscription_id]
                    found[id] = access_record(id, row)
        return found

    def settled_at(self, keeper: Keeper, after: SubscriptionId | None, limit: int) -> Sequence[AccessId]:
        settled = and_(of_keeper(keeper), accesses.c.present.is_(True), accesses.c.due_at.is_(None))
        later = accesses.c.subscription_id > (after or _BEFORE_ALL)
        query = select(accesses).where(settled, later).order_by(accesses.c.subscription_id).limit(limit)
        return [access_id(row) for row in self._connection.execute(query)]

    def make_due(self, id: SubscriptionId, due_at: datetime) -> None:
        its = accesses.c.subscription_id == id
        due = {"due_at": due_at, "attempts": 0, "behind_since": _behind(due_at), "urgency": Urgency.CUSTOMER}
        self._connection.execute(update(accesses).where(its).values(**due))

    def put_right(self, ids: Sequence[AccessId], due_at: datetime) -> None:
        due = {"due_at": due_at, "attempts": 0, "behind_since": due_at, "urgency": Urgency.UPKEEP}
        if ids:
            settled = update(accesses).where(*bound(), accesses.c.due_at.is_(None)).values(**due)
            self._connection.execute(settled, [binds(id) for id in ids])

    def fill(self, keeper: Keeper, after: SubscriptionId | None, now: datetime, limit: int) -> SweptPage:
        page = select(subscriptions.c.id).where(_running(now), subscriptions.c.id > (after or _BEFORE_ALL))
        ids = list(self._connection.scalars(page.order_by(subscriptions.c.id).limit(limit)))
        if not ids:
            return SweptPage(None, 0)
        there = and_(of_keeper(keeper), accesses.c.present.is_(True), accesses.c.subscription_id.in_(ids))
        have = set(self._connection.scalars(select(accesses.c.subscription_id).where(there)))
        lacking = [id for id in ids if id not in have]
        return SweptPage(SubscriptionId(ids[-1]), self._add(keeper, lacking, now) if lacking else 0)

    def _add(self, keeper: Keeper, ids: Sequence[UUID], now: datetime) -> int:
        """How many. Under their customers' locks, and looked at again: somebody may be banned at this very moment."""
        its = subscriptions.c.id.in_(ids)
        owners = select(customers.c.id).join(subscriptions, subscriptions.c.customer_id == customers.c.id).where(its)
        locked = owners.order_by(customers.c.id).with_for_update(key_share=True, of=customers)
        self._connection.execute(locked).all()
        same = {
            "node": literal(keeper.node),
            "protocol": literal(keeper.protocol.value),
            "present": true(),
            "applied_revision": literal(0),
            "due_at": literal(now, UtcDateTime()),
            "behind_since": literal(now, UtcDateTime()),
            "attempts": literal(0),
            "urgency": literal(int(Urgency.UPKEEP)),
        }
        rows = select(subscriptions.c.id, *same.values()).where(its, _running(now))
        statement = inserting(self._connection, accesses).from_select(["subscription_id", *same], rows)
        again = {name: same[name] for name in ("present", "due_at", "behind_since", "attempts", "urgency")}
        counted = statement.on_conflict_do_update(index_elements=KEY, set_=again).execution_options(
            preserve_rowcount=True
        )
        return self._connection.execute(counted).rowcount

    def empty(self, node: NodeCode, after: SubscriptionId | None, now: datetime, limit: int) -> SweptPage:
        page = select(subscriptions.c.id).where(subscriptions.c.id > (after or _BEFORE_ALL))
        ids = list(self._connection.scalars(page.order_by(subscriptions.c.id).limit(limit)))
        if not ids:
            return SweptPage(None, 0)
        there = and_(accesses.c.node == node, accesses.c.present.is_(True), accesses.c.subscription_id.in_(ids))
        found = [access_id(row) for row in self._connection.execute(select(accesses).where(there))]
        self.want(found, present=False, due_at=now, urgency=Urgency.UPKEEP)
        return SweptPage(SubscriptionId(ids[-1]), len(found))

    def progress(self, id: SubscriptionId, now: datetime) -> AccessProgress:
        same_keys = accesses.c.applied_rotation == subscriptions.c.rotation
        query = (
            select(
                accesses,
                (accesses.c.applied_revision >= subscriptions.c.revision).label("is_applied"),
                and_(same_keys, accesses.c.applied_until > now).label("works"),
            )
            .join(subscriptions, subscriptions.c.id == accesses.c.subscription_id)
            .where(accesses.c.subscription_id == id, accesses.c.present.is_(True))
        )
        rows = self._connection.execute(query).all()
        return AccessProgress(
            wanted=frozenset(access_id(row) for row in rows),
            applied=frozenset(access_id(row) for row in rows if row.is_applied),
            working=frozenset(access_id(row) for row in rows if row.works),
        )

    def behind_since(self, before: datetime) -> Sequence[tuple[AccessId, datetime]]:
        query = select(accesses).where(accesses.c.behind_since <= before).order_by(accesses.c.behind_since)
        return [(access_id(row), row.behind_since) for row in self._connection.execute(query)]


def _by_keeper(ids: Sequence[AccessId]) -> Mapping[Keeper, Mapping[UUID, AccessId]]:
    found: dict[Keeper, dict[UUID, AccessId]] = {}
    for id in ids:
        found.setdefault(id.keeper, {})[id.subscription_id] = id
    return found


def _running(now: datetime) -> ColumnElement[bool]:
    """A subscription with keys that are to work, of a customer in good standing."""
    owner = exists().where(customers.c.id == subscriptions.c.customer_id, customers.c.standing == Standing.GOOD.value)
    return and_(subscriptions.c.expire_at > now, subscriptions.c.suspended.is_(False), owner)


def _behind(now: datetime) -> ColumnElement[Any]:
    return func.coalesce(accesses.c.behind_since, literal(now, UtcDateTime()))


def _unless_more_urgent(urgency: Urgency) -> ColumnElement[Any]:
    """Of what is due already and what comes now, the more urgent."""
    more_urgent = and_(accesses.c.due_at.is_not(None), accesses.c.urgency < urgency)
    return case((more_urgent, accesses.c.urgency), else_=int(urgency))
