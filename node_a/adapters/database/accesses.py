"""Accesses in the database, and the leases for making nodes hold them."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Connection,
    and_,
    bindparam,
    case,
    delete,
    exists,
    func,
    literal,
    not_,
    select,
    tuple_,
    update,
)

from node_a.adapters.database.engine import UtcDateTime, inserting
from node_a.adapters.database.rows import AT_ONCE, unleased
from node_a.adapters.database.tables import accesses, customers, gates, subscriptions
from node_a.application.ports import AccessClaim, AccessProgress, AccessRecord, Urgency
from node_a.domain.access import AccessId, WantedAccess
from node_a.domain.customer import Standing
from node_a.domain.node import Keeper, NodeCode, Protocol
from node_a.domain.subscription import SubscriptionId

_KEY: Final = ("subscription_id", "node", "protocol")
_BEFORE_ALL: Final = UUID(int=0)


def access_is_due(now: datetime) -> ColumnElement[bool]:
    """Due, and not kept back by its gate: closed, or open again but with somebody already trying."""
    closed = exists().where(_its_gate(), gates.c.closed_until > now)
    other = accesses.alias()
    tried = exists().where(
        _its_gate(), other.c.node == gates.c.node, other.c.protocol == gates.c.protocol, other.c.leased_until > now
    )
    return and_(accesses.c.due_at <= now, unleased(accesses.c.leased_until, now), not_(closed), not_(tried))


def _its_gate() -> ColumnElement[bool]:
    return and_(gates.c.node == accesses.c.node, gates.c.protocol == accesses.c.protocol)


class SqlAccesses:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def want(
        self, ids: Sequence[AccessId], *, present: bool, due_at: datetime, urgency: Urgency = Urgency.CUSTOMER
    ) -> None:
        if not ids:
            return
        wanted = {"present": present, "due_at": due_at, "attempts": 0}
        statement = inserting(self._connection, accesses).on_conflict_do_update(
            index_elements=_KEY,
            set_={**wanted, "behind_since": _behind(due_at), "urgency": _unless_more_urgent(urgency)},
        )
        row = {"applied_revision": 0, "behind_since": due_at, "urgency": urgency, **wanted}
        self._connection.execute(statement, [{**_names(id), **row} for id in ids])

    def forget_unknown(self, ids: Sequence[AccessId], due_at: datetime) -> None:
        if not ids:
            return
        row = {"present": False, "applied_revision": 0, "due_at": due_at, "behind_since": due_at, "attempts": 0}
        statement = inserting(self._connection, accesses).on_conflict_do_nothing(index_elements=_KEY)
        self._connection.execute(statement, [{**_names(id), **row, "urgency": Urgency.UPKEEP} for id in ids])

    def of_subscription(self, id: SubscriptionId) -> Sequence[AccessId]:
        query = select(accesses).where(accesses.c.subscription_id == id)
        return [_access_id(row) for row in self._connection.execute(query)]

    def find(self, id: AccessId) -> AccessRecord | None:
        row = self._connection.execute(select(accesses).where(_is(id))).one_or_none()
        return None if row is None else _record(row)

    def find_all(self, ids: Sequence[AccessId]) -> Mapping[AccessId, AccessRecord]:
        found: dict[AccessId, AccessRecord] = {}
        for start in range(0, len(ids), AT_ONCE):
            wanted = set(ids[start : start + AT_ONCE])
            # By subscription: there are few nodes, and a list of triples finds no index on SQLite.
            query = select(accesses).where(accesses.c.subscription_id.in_({id.subscription_id for id in wanted}))
            records = (_record(row) for row in self._connection.execute(query))
            found |= {record.id: record for record in records if record.id in wanted}
        return found

    def settled_at(self, keeper: Keeper, after: SubscriptionId | None, limit: int) -> Sequence[AccessId]:
        settled = and_(_of(keeper), accesses.c.present.is_(True), accesses.c.due_at.is_(None))
        later = accesses.c.subscription_id > (after or _BEFORE_ALL)
        query = select(accesses).where(settled, later).order_by(accesses.c.subscription_id).limit(limit)
        return [_access_id(row) for row in self._connection.execute(query)]

    def make_due(self, id: SubscriptionId, due_at: datetime) -> None:
        its = accesses.c.subscription_id == id
        due = {"due_at": due_at, "attempts": 0, "behind_since": _behind(due_at), "urgency": Urgency.CUSTOMER}
        self._connection.execute(update(accesses).where(its).values(**due))

    def put_right(self, ids: Sequence[AccessId], due_at: datetime) -> None:
        due = {"due_at": due_at, "attempts": 0, "behind_since": due_at, "urgency": Urgency.UPKEEP}
        for id in ids:
            self._connection.execute(update(accesses).where(_is(id), accesses.c.due_at.is_(None)).values(**due))

    def fill(self, keeper: Keeper, after: SubscriptionId | None, now: datetime, limit: int) -> SubscriptionId | None:
        running = and_(
            subscriptions.c.expire_at > now,
            subscriptions.c.suspended.is_(False),
            customers.c.standing == Standing.GOOD.value,
        )
        query = select(subscriptions.c.id).join(customers, customers.c.id == subscriptions.c.customer_id)
        query = (
            query.where(running, subscriptions.c.id > (after or _BEFORE_ALL)).order_by(subscriptions.c.id).limit(limit)
        )
        ids = [SubscriptionId(id) for id in self._connection.scalars(query)]
        if not ids:
            return None
        row = {"present": True, "applied_revision": 0, "due_at": now, "behind_since": now, "attempts": 0}
        where = {"node": keeper.node, "protocol": keeper.protocol.value, "urgency": Urgency.UPKEEP}
        absent = accesses.c.present.is_(False)
        statement = inserting(self._connection, accesses).on_conflict_do_update(
            index_elements=_KEY, set_={**row, "applied_revision": accesses.c.applied_revision}, where=absent
        )
        self._connection.execute(statement, [{"subscription_id": id, **where, **row} for id in ids])
        return ids[-1]

    def empty(self, node: NodeCode, now: datetime, limit: int) -> int:
        there = and_(accesses.c.node == node, accesses.c.present.is_(True))
        query = select(accesses).where(there).order_by(accesses.c.subscription_id).limit(limit)
        ids = [_access_id(row) for row in self._connection.execute(query)]
        self.want(ids, present=False, due_at=now, urgency=Urgency.UPKEEP)
        return len(ids)

    def claim_due(
        self,
        now: datetime,
        leased_until: datetime,
        limit: int,
        *,
        keeper: Keeper | None = None,
        besides: Sequence[Keeper] = (),
        urgency: Urgency | None = None,
    ) -> Sequence[AccessClaim]:
        mine = self._gates_to_try(now)
        elsewhere = exists().where(_its_gate(), tuple_(gates.c.node, gates.c.protocol).not_in(mine))
        wanted = [access_is_due(now), not_(elsewhere), *(not_(_of(other)) for other in besides)]
        if keeper is not None:
            wanted.append(_of(keeper))
        if urgency is not None:
            wanted.append(accesses.c.urgency == urgency)
        query = (
            select(accesses)
            .where(*wanted)
            .order_by(accesses.c.urgency, accesses.c.due_at)
            .limit(limit)
            .with_for_update(skip_locked=True, of=accesses)
        )
        claims: list[AccessClaim] = []
        for row in self._connection.execute(query):
            where = (row.node, row.protocol)
            if where not in mine or where not in {(claim.id.node, claim.id.protocol.value) for claim in claims}:
                claim = AccessClaim(_access_id(row), row.due_at, row.attempts, leased_until, Urgency(row.urgency))
                claims.append(claim)
        if claims:
            lease = update(accesses).where(*_bound()).values(leased_until=leased_until)
            self._connection.execute(lease, [_binds(claim.id) for claim in claims])
        return claims

    def _gates_to_try(self, now: datetime) -> list[tuple[str, str]]:
        """Gates that have opened, and that nobody else takes work from at this moment. One attempt is enough for each:
        all of a dead node's work would otherwise go off at once. Locked before the look at what is leased, so that this
        look sees what the last holder leased."""
        query = select(gates.c.node, gates.c.protocol).where(gates.c.closed_until <= now)
        return [(row.node, row.protocol) for row in self._connection.execute(query.with_for_update(skip_locked=True))]

    def applied(self, claim: AccessClaim, wanted: WantedAccess) -> None:
        self._all_present([(claim, wanted)])

    def all_applied(self, done: Sequence[tuple[AccessClaim, WantedAccess]]) -> None:
        present = [(claim, wanted) for claim, wanted in done if wanted.present]
        if present:
            self._all_present(present)
        for claim, wanted in done:
            if not wanted.present:
                self.removed(claim)

    def _all_present(self, done: Sequence[tuple[AccessClaim, WantedAccess]]) -> None:
        same = accesses.c.due_at == bindparam("claimed_due", type_=UtcDateTime())
        counter, is_new = accesses.c.counter, accesses.c.applied_revision == 0
        values = {
            "leased_until": None,
            # We have just had it made: its counter begins at zero.
            "counter": case((is_new, func.coalesce(counter, 0)), else_=counter),
            "applied_revision": bindparam("sent_revision"),
            "applied_rotation": bindparam("sent_rotation"),
            "applied_until": bindparam("sent_until", type_=UtcDateTime()),
            "due_at": case((same, None), else_=accesses.c.due_at),
            "behind_since": case((same, None), else_=accesses.c.behind_since),
            "attempts": 0,
        }
        held = accesses.c.leased_until == bindparam("claimed_until", type_=UtcDateTime())
        sent = [
            {
                **_binds(claim.id),
                "claimed_until": claim.leased_until,
                "claimed_due": claim.due_at,
                "sent_revision": wanted.revision,
                "sent_rotation": wanted.rotation,
                "sent_until": wanted.ends_at,
            }
            for claim, wanted in done
        ]
        self._connection.execute(update(accesses).where(*_bound(), held).values(**values), sent)

    def removed(self, claim: AccessClaim) -> None:
        still_unwanted = and_(accesses.c.present.is_(False), accesses.c.due_at == claim.due_at)
        self._connection.execute(delete(accesses).where(_held_by(claim), still_unwanted))
        # Wanted again meanwhile: the node holds nothing of it, and it stays due.
        nothing = {"applied_rotation": None, "applied_until": None, "counter": None, "counter_at_start": 0}
        self._finish(claim, applied_revision=0, **nothing)

    def failed(self, claim: AccessClaim, retry_at: datetime) -> None:
        self._finish(claim, due_at=_unless_due_again(claim, retry_at), attempts=accesses.c.attempts + 1)

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
            wanted=frozenset(_access_id(row) for row in rows),
            applied=frozenset(_access_id(row) for row in rows if row.is_applied),
            working=frozenset(_access_id(row) for row in rows if row.works),
        )

    def behind_since(self, before: datetime) -> Sequence[tuple[AccessId, datetime]]:
        query = select(accesses).where(accesses.c.behind_since <= before).order_by(accesses.c.behind_since)
        return [(_access_id(row), row.behind_since) for row in self._connection.execute(query)]

    def _finish(self, claim: AccessClaim, **values: Any) -> None:
        self._connection.execute(update(accesses).where(_held_by(claim)).values(leased_until=None, **values))


def _behind(now: datetime) -> ColumnElement[Any]:
    return func.coalesce(accesses.c.behind_since, literal(now, UtcDateTime()))


def _unless_due_again(claim: AccessClaim, value: datetime | None) -> ColumnElement[Any]:
    return case((accesses.c.due_at == claim.due_at, value), else_=accesses.c.due_at)


def _unless_more_urgent(urgency: Urgency) -> ColumnElement[Any]:
    """Of what is due already and what comes now, the more urgent."""
    more_urgent = and_(accesses.c.due_at.is_not(None), accesses.c.urgency < urgency)
    return case((more_urgent, accesses.c.urgency), else_=int(urgency))


def _of(keeper: Keeper) -> ColumnElement[bool]:
    return and_(accesses.c.node == keeper.node, accesses.c.protocol == keeper.protocol.value)


def _bound() -> Sequence[ColumnElement[bool]]:
    """The row that `_binds` names, in a statement for many."""
    return [accesses.c[name] == bindparam(f"its_{name}", type_=accesses.c[name].type) for name in _KEY]


def _binds(id: AccessId) -> dict[str, Any]:
    return {f"its_{name}": value for name, value in _names(id).items()}


def _held_by(claim: AccessClaim) -> ColumnElement[bool]:
    return and_(_is(claim.id), accesses.c.leased_until == claim.leased_until)


def _names(id: AccessId) -> dict[str, Any]:
    return {"subscription_id": id.subscription_id, "node": id.node, "protocol": id.protocol.value}


def _is(id: AccessId) -> ColumnElement[bool]:
    return and_(*(accesses.c[name] == value for name, value in _names(id).items()))


def _record(row: Any) -> AccessRecord:
    return AccessRecord(
        id=_access_id(row),
        present=row.present,
        settled=row.due_at is None,
        applied_revision=row.applied_revision,
        counter=row.counter,
        counter_at_start=row.counter_at_start,
        used_at=row.used_at,
    )


def _access_id(row: Any) -> AccessId:
    return AccessId(SubscriptionId(row.subscription_id), NodeCode(row.node), Protocol(row.protocol))
