"""Messages in the database, and the leases for sending them."""

from collections.abc import Sequence, Set
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, RowMapping, and_, exists, or_, select, update

from node_a.adapters.database.engine import inserting
from node_a.adapters.database.rows import AT_ONCE, unleased
from node_a.adapters.database.tables import customers, messages
from node_a.application.ports import MessageClaim
from node_a.domain.customer import CustomerId
from node_a.domain.message import Message, MessageId, MessageKind, Priority

_ABOUT_KEYS: Final = (MessageKind.KEYS_READY.value, MessageKind.NEW_KEYS.value)


def message_is_due(now: datetime) -> ColumnElement[bool]:
    waiting = and_(messages.c.finished_at.is_(None), messages.c.due <= now, _known())
    # What came too late goes in any case, unsent: else the backlog of all who ever blocked the bot would pile up.
    told_or_dropped = or_(_reachable(), messages.c.valid_until <= now)
    return and_(waiting, unleased(messages.c.leased_until, now), told_or_dropped)


def _reachable() -> ColumnElement[bool]:
    return exists().where(customers.c.id == messages.c.customer_id, customers.c.reachable.is_(True))


def _known() -> ColumnElement[bool]:
    """A later release may have queued what this one cannot say; it must not stand in the way of the rest."""
    return messages.c.kind.in_([kind.value for kind in MessageKind])


class SqlMessages:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def queue(self, message: Message) -> bool:
        statement = (
            inserting(self._connection, messages)
            .values(
                id=message.id,
                unique_key=message.unique_key,
                customer_id=message.customer_id,
                kind=message.kind.value,
                priority=int(message.priority),
                due=message.due,
                waiting_since=message.due,
                valid_until=message.valid_until,
                subject=message.subject,
                attempts=0,
            )
            .on_conflict_do_nothing(index_elements=["unique_key"])
            .returning(messages.c.id)
        )
        return self._connection.execute(statement).one_or_none() is not None

    def hasten(self, unique_key: str, due: datetime) -> None:
        waiting = and_(messages.c.unique_key == unique_key, messages.c.finished_at.is_(None), messages.c.due > due)
        self._connection.execute(update(messages).where(waiting, messages.c.attempts == 0).values(due=due))

    def claim_due(self, now: datetime, leased_until: datetime, limit: int) -> Sequence[MessageClaim]:
        query = (
            select(messages)
            .where(message_is_due(now))
            .order_by(messages.c.priority, messages.c.due)
            .limit(limit)
            .with_for_update(skip_locked=True, of=messages)
        )
        first_of_each: dict[int, MessageClaim] = {}
        for row in self._connection.execute(query).mappings():
            first_of_each.setdefault(row["customer_id"], MessageClaim(_message(row), row["attempts"], leased_until))
        for claim in first_of_each.values():
            self._update(messages.c.id == claim.message.id, leased_until=leased_until)
        return list(first_of_each.values())

    def sent(self, claim: MessageClaim, now: datetime) -> None:
        self._update(messages.c.id == claim.message.id, finished_at=now, leased_until=None)

    def dropped(self, claim: MessageClaim, reason: str, now: datetime) -> None:
        self._update(_held_by(claim), finished_at=now, dropped_because=reason, leased_until=None)

    def retry(self, claim: MessageClaim, due: datetime) -> None:
        self._update(_held_by(claim), due=due, attempts=claim.attempts + 1, leased_until=None)

    def finished(self, unique_keys: Sequence[str]) -> Set[str]:
        found: set[str] = set()
        for start in range(0, len(unique_keys), AT_ONCE):
            named = messages.c.unique_key.in_(unique_keys[start : start + AT_ONCE])
            query = select(messages.c.unique_key).where(named, messages.c.finished_at.is_not(None))
            found |= set(self._connection.scalars(query))
        return found

    def waiting_since(self, before: datetime) -> Sequence[Message]:
        waiting = and_(messages.c.finished_at.is_(None), messages.c.waiting_since <= before, _reachable(), _known())
        query = select(messages).where(waiting).order_by(messages.c.waiting_since)
        return [_message(row) for row in self._connection.execute(query).mappings()]

    def make_due(self, id: MessageId, now: datetime) -> None:
        self._update(and_(messages.c.id == id, messages.c.finished_at.is_(None)), due=now, attempts=0)

    def take_up_again(self, customer_id: CustomerId, dropped_because: str, now: datetime) -> None:
        its = and_(messages.c.customer_id == customer_id, messages.c.kind.in_(_ABOUT_KEYS))
        dropped = and_(its, messages.c.dropped_because == dropped_because)
        self._update(dropped, finished_at=None, dropped_because=None, due=now, attempts=0)

    def _update(self, which: ColumnElement[bool], **values: Any) -> None:
        self._connection.execute(update(messages).where(which).values(**values))


def _held_by(claim: MessageClaim) -> ColumnElement[bool]:
    return and_(messages.c.id == claim.message.id, messages.c.leased_until == claim.leased_until)


def _message(row: RowMapping) -> Message:
    return Message(
        id=MessageId(row["id"]),
        unique_key=row["unique_key"],
        customer_id=CustomerId(row["customer_id"]),
        kind=MessageKind(row["kind"]),
        priority=Priority(row["priority"]),
        due=row["due"],
        valid_until=row["valid_until"],
        subject=row["subject"],
    )
