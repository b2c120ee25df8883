"""Accesses in the database, and the leases for making nodes hold them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    and_,
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
from node_a.adapters.database.rows import unleased
from node_a.adapters.database.tables import accesses, gates, subscriptions
from node_a.application.ports import AccessClaim, AccessProgress
from node_a.domain.access import AccessId, WantedAccess
from node_a.domain.node import NodeCode, Protocol
from node_a.domain.subscription import SubscriptionId


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

    def want(self, ids: Sequence[AccessId], *, present: bool, due_at: datetime) -> None:
        if not ids:
            return
        wanted = {"present": present, "due_at": due_at, "attempts": 0}
        statement = inserting(self._connection, accesses).on_conflict_do_update(
            index_elements=["subscription_id", "node", "protocol"], set_={**wanted, "behind_since": _behind(due_at)}
        )
        row = {"applied_revision": 0, "behind_since": due_at, **wanted}
        self._connection.execute(statement, [{**_names(id), **row} for id in ids])

    def of_subscription(self, id: SubscriptionId) -> Sequence[AccessId]:
        query = select(accesses).where(accesses.c.subscription_id == id)
        return [_access_id(row) for row in self._connection.execute(query)]

    def make_due(self, id: SubscriptionId, due_at: datetime) -> None:
        its = accesses.c.subscription_id == id
        due = {"due_at": due_at, "attempts": 0, "behind_since": _behind(due_at)}
        self._connection.execute(update(accesses).where(its).values(**due))

    def claim_due(self, now: datetime, leased_until: datetime, limit: int) -> Sequence[AccessClaim]:
        mine = self._gates_to_try(now)
        elsewhere = exists().where(_its_gate(), tuple_(gates.c.node, gates.c.protocol).not_in(mine))
        query = (
            select(accesses)
            .where(access_is_due(now), not_(elsewhere))
            .order_by(accesses.c.due_at)
            .limit(limit)
            .with_for_update(skip_locked=True, of=accesses)
        )
        claims: list[AccessClaim] = []
        for row in self._connection.execute(query):
            where = (row.node, row.protocol)
            if where not in mine or where not in {(claim.id.node, claim.id.protocol.value) for claim in claims}:
                claims.append(AccessClaim(_access_id(row), row.due_at, row.attempts, leased_until))
        for claim in claims:
            self._connection.execute(update(accesses).where(_is(claim.id)).values(leased_until=leased_until))
        return claims

    def _gates_to_try(self, now: datetime) -> list[tuple[str, str]]:
        """Gates that have opened, and that nobody else takes work from at this moment. One attempt is enough for each:
        all of a dead node's work would otherwise go off at once. Locked before the look at what is leased, so that this
        look sees what the last holder leased."""
        query = select(gates.c.node, gates.c.protocol).where(gates.c.closed_until <= now)
        return [(row.node, row.protocol) for row in self._connection.execute(query.with_for_update(skip_locked=True))]

    def is_wanted(self, id: AccessId) -> bool:
        return bool(self._connection.scalar(select(accesses.c.present).where(_is(id))))

    def applied(self, claim: AccessClaim, wanted: WantedAccess) -> None:
        self._finish(
            claim,
            applied_revision=wanted.revision,
            applied_rotation=wanted.rotation,
            applied_until=wanted.ends_at,
            due_at=_unless_due_again(claim, None),
            behind_since=_unless_due_again(claim, None, accesses.c.behind_since),
            attempts=0,
        )

    def removed(self, claim: AccessClaim) -> None:
        still_unwanted = and_(accesses.c.present.is_(False), accesses.c.due_at == claim.due_at)
        self._connection.execute(delete(accesses).where(_held_by(claim), still_unwanted))
        # Wanted again meanwhile: the node holds nothing of it, and it stays due.
        self._finish(claim, applied_revision=0, applied_rotation=None, applied_until=None)

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


def _unless_due_again(
    claim: AccessClaim, value: datetime | None, otherwise: Column[Any] = accesses.c.due_at
) -> ColumnElement[Any]:
    return case((accesses.c.due_at == claim.due_at, value), else_=otherwise)


def _held_by(claim: AccessClaim) -> ColumnElement[bool]:
    return and_(_is(claim.id), accesses.c.leased_until == claim.leased_until)


def _names(id: AccessId) -> dict[str, Any]:
    return {"subscription_id": id.subscription_id, "node": id.node, "protocol": id.protocol.value}


def _is(id: AccessId) -> ColumnElement[bool]:
    return and_(*(accesses.c[name] == value for name, value in _names(id).items()))


def _access_id(row: Any) -> AccessId:
    return AccessId(SubscriptionId(row.subscription_id), NodeCode(row.node), Protocol(row.protocol))
