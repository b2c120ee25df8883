"""What waits for each keeper: who may take it now, and what became of it."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Connection,
    Executable,
    and_,
    bindparam,
    case,
    delete,
    func,
    literal,
    select,
    tuple_,
    update,
)

from node_a.adapters.database.access_rows import binds, bound, is_access, of_keeper
from node_a.adapters.database.engine import UtcDateTime
from node_a.adapters.database.rows import unleased
from node_a.adapters.database.tables import accesses, gates
from node_a.application.ports import AccessClaim, Queue, Urgency
from node_a.domain.access import AccessId, WantedAccess
from node_a.domain.node import Keeper, NodeCode, Protocol
from node_a.domain.subscription import SubscriptionId

# Made once: the worker asks these questions all the time, and to make one takes longer than to answer it.
_NOW: Final[Any] = bindparam("now", type_=UtcDateTime())
_ITS: Final = and_(accesses.c.node == bindparam("node"), accesses.c.protocol == bindparam("protocol"))
_WAITING: Final = and_(_ITS, accesses.c.due_at <= _NOW, unleased(accesses.c.leased_until, _NOW))
_WORK: Final = select(literal(1)).where(_WAITING, accesses.c.urgency == bindparam("urgency")).limit(1)
_TRIED: Final = select(literal(1)).where(_ITS, accesses.c.leased_until > _NOW).limit(1)
_GATE: Final = select(gates.c.closed_until).where(
    gates.c.node == bindparam("node"), gates.c.protocol == bindparam("protocol")
)
_QUEUE: Final = (accesses.c.node, accesses.c.protocol, accesses.c.urgency)
_NEXT_QUEUE: Final = (
    select(*_QUEUE)
    .where(accesses.c.due_at.is_not(None))
    .where(tuple_(*_QUEUE) > tuple_(bindparam("node"), bindparam("protocol"), bindparam("urgency")))
    .order_by(*_QUEUE)
    .limit(1)
)
# Before every queue.
_FIRST: Final[Mapping[str, Any]] = {"node": "", "protocol": "", "urgency": -1}

# What the node holds of an access that it was told to forget.
_NOTHING: Final = {
    "applied_revision": 0,
    "applied_rotation": None,
    "applied_until": None,
    "counter": None,
    "counter_at_start": 0,
}


def queues_with_work(connection: Connection, now: datetime) -> Iterator[Queue]:
    """Where somebody may take something now."""
    for queue in _queues(connection):
        if _is_free(connection, queue.keeper, now) and _has_work(connection, queue, now):
            yield queue


def _queues(connection: Connection) -> Iterator[Queue]:
    """All in which anything is planned. From one to the next in the index: however much waits, it is not walked."""
    seen = _FIRST
    while row := connection.execute(_NEXT_QUEUE, seen).one_or_none():
        seen = {"node": row.node, "protocol": row.protocol, "urgency": row.urgency}
        yield Queue(Keeper(NodeCode(row.node), Protocol(row.protocol)), Urgency(row.urgency))


def _is_free(connection: Connection, keeper: Keeper, now: datetime) -> bool:
    """Its gate is not closed, nor open again with somebody already trying."""
    closed_until = connection.scalar(_GATE, _named(keeper))
    return closed_until is None or (closed_until <= now and not _is_tried(connection, keeper, now))


def _is_tried(connection: Connection, keeper: Keeper, now: datetime) -> bool:
    return connection.execute(_TRIED, {**_named(keeper), "now": now}).first() is not None


def _has_work(connection: Connection, queue: Queue, now: datetime) -> bool:
    asked = {**_named(queue.keeper), "urgency": queue.urgency, "now": now}
    return connection.execute(_WORK, asked).first() is not None


def _named(keeper: Keeper) -> dict[str, str]:
    return {"node": keeper.node, "protocol": keeper.protocol.value}


class SqlAccessQueues:
    """The part of the accesses that is about work."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

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
        if keeper is not None:
            keepers = [keeper]
        else:
            keepers = list(dict.fromkeys(queue.keeper for queue in _queues(self._connection)))
        claims: list[AccessClaim] = []
        for one in keepers:
            at_most = self._allowed(one, now, limit - len(claims))
            if at_most > 0 and one not in besides:
                claims += self._claim(one, now, leased_until, at_most, urgency)
        return claims

    def _allowed(self, keeper: Keeper, now: datetime, limit: int) -> int:
        """Behind a gate that has opened one attempt is enough: all of a dead node's work would otherwise go off at
        once."""
        closed_until = self._connection.scalar(_GATE, _named(keeper))
        if closed_until is None or closed_until > now:
            return limit if closed_until is None else 0
        # Locked before the look at what is leased, so that this look sees what the last holder leased.
        locked = self._connection.execute(_GATE.with_for_update(skip_locked=True), _named(keeper)).one_or_none()
        if locked is None or locked.closed_until > now or _is_tried(self._connection, keeper, now):
            return 0
        return min(limit, 1)

    def _claim(
        self, keeper: Keeper, now: datetime, leased_until: datetime, limit: int, urgency: Urgency | None
    ) -> Sequence[AccessClaim]:
        columns = (accesses.c.subscription_id, accesses.c.due_at, accesses.c.attempts, accesses.c.urgency)
        query = select(*columns).where(_WAITING)
        if urgency is not None:
            query = query.where(accesses.c.urgency == urgency)
        query = query.order_by(accesses.c.urgency, accesses.c.due_at).limit(limit)
        query = query.with_for_update(skip_locked=True)
        rows = self._connection.execute(query, {**_named(keeper), "now": now}).all()
        if not rows:
            return []
        taken = and_(of_keeper(keeper), accesses.c.subscription_id.in_([row.subscription_id for row in rows]))
        self._connection.execute(update(accesses).where(taken).values(leased_until=leased_until))
        return [
            AccessClaim(
                id=AccessId(SubscriptionId(row.subscription_id), keeper.node, keeper.protocol),
                due_at=row.due_at,
                attempts=row.attempts,
                leased_until=leased_until,
                urgency=Urgency(row.urgency),
            )
            for row in rows
        ]

    def applied(self, claim: AccessClaim, wanted: WantedAccess) -> None:
        self._all_present([(claim, wanted)])

    def all_applied(self, done: Sequence[tuple[AccessClaim, WantedAccess]]) -> None:
        self._all_present([(claim, wanted) for claim, wanted in done if wanted.present])
        self._all_removed([claim for claim, wanted in done if not wanted.present])

    def removed(self, claim: AccessClaim) -> None:
        self._all_removed([claim])

    def failed(self, claim: AccessClaim, retry_at: datetime) -> None:
        its = and_(is_access(claim.id), accesses.c.leased_until == claim.leased_until)
        due_at = case((accesses.c.due_at == claim.due_at, retry_at), else_=accesses.c.due_at)
        later = {"leased_until": None, "due_at": due_at, "attempts": accesses.c.attempts + 1}
        self._connection.execute(update(accesses).where(its).values(**later))

    def released(self, claims: Sequence[AccessClaim]) -> None:
        self._for_each(update(accesses).where(*_held()).values(leased_until=None), claims)

    def _all_present(self, done: Sequence[tuple[AccessClaim, WantedAccess]]) -> None:
        counter, is_new = accesses.c.counter, accesses.c.applied_revision == 0
        values = {
            "leased_until": None,
            # We have just had it made: its counter begins at zero.
            "counter": case((is_new, func.coalesce(counter, 0)), else_=counter),
            "applied_revision": bindparam("sent_revision"),
            "applied_rotation": bindparam("sent_rotation"),
            "applied_until": bindparam("sent_until", type_=UtcDateTime()),
            "due_at": case((_is_same_work(), None), else_=accesses.c.due_at),
            "behind_since": case((_is_same_work(), None), else_=accesses.c.behind_since),
            "attempts": 0,
        }
        sent = [
            {
                **_claimed(claim),
                "sent_revision": wanted.revision,
                "sent_rotation": wanted.rotation,
                "sent_until": wanted.ends_at,
            }
            for claim, wanted in done
        ]
        if sent:
            self._connection.execute(update(accesses).where(*_held()).values(**values), sent)

    def _all_removed(self, claims: Sequence[AccessClaim]) -> None:
        still_unwanted = and_(accesses.c.present.is_(False), _is_same_work())
        self._for_each(delete(accesses).where(*_held(), still_unwanted), claims)
        # Wanted again meanwhile: the node holds nothing of it, and it stays due.
        self._for_each(update(accesses).where(*_held()).values(leased_until=None, **_NOTHING), claims)

    def _for_each(self, statement: Executable, claims: Sequence[AccessClaim]) -> None:
        if claims:
            self._connection.execute(statement, [_claimed(claim) for claim in claims])


def _held() -> Sequence[ColumnElement[bool]]:
    """The row that `_claimed` names, if it is still held by that claim: its lease may have run out meanwhile."""
    return [*bound(), accesses.c.leased_until == bindparam("claimed_until", type_=UtcDateTime())]


def _is_same_work() -> ColumnElement[bool]:
    """Nothing came to be done since the claim."""
    return accesses.c.due_at == bindparam("claimed_due", type_=UtcDateTime())


def _claimed(claim: AccessClaim) -> dict[str, Any]:
    return {**binds(claim.id), "claimed_until": claim.leased_until, "claimed_due": claim.due_at}
