"""Accesses as rows: how one is named in a statement, and read from one."""

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import ColumnElement, and_, bindparam

from node_a.adapters.database.tables import accesses
from node_a.application.ports import AccessRecord
from node_a.domain.access import AccessId
from node_a.domain.node import Keeper, NodeCode, Protocol
from node_a.domain.subscription import SubscriptionId

KEY: Final = ("subscription_id", "node", "protocol")

# What makes a record.
RECORD: Final = (
    accesses.c.subscription_id,
    accesses.c.present,
    accesses.c.due_at.is_(None).label("settled"),
    accesses.c.applied_revision,
    accesses.c.counter,
    accesses.c.counter_at_start,
    accesses.c.used_at,
)


def names(id: AccessId) -> dict[str, Any]:
    return {"subscription_id": id.subscription_id, "node": id.node, "protocol": id.protocol.value}


def is_access(id: AccessId) -> ColumnElement[bool]:
    return and_(*(accesses.c[name] == value for name, value in names(id).items()))


def of_keeper(keeper: Keeper) -> ColumnElement[bool]:
    return and_(accesses.c.node == keeper.node, accesses.c.protocol == keeper.protocol.value)


def bound() -> Sequence[ColumnElement[bool]]:
    """The row that `binds` names, in a statement for many."""
    return [accesses.c[name] == bindparam(f"its_{name}", type_=accesses.c[name].type) for name in KEY]


def binds(id: AccessId) -> dict[str, Any]:
    return {f"its_{name}": value for name, value in names(id).items()}


def access_id(row: Any) -> AccessId:
    return AccessId(SubscriptionId(row.subscription_id), NodeCode(row.node), Protocol(row.protocol))


def access_record(id: AccessId, row: Any) -> AccessRecord:
    return AccessRecord(
        id=id,
        present=row.present,
        settled=row.settled,
        applied_revision=row.applied_revision,
        counter=row.counter,
        counter_at_start=row.counter_at_start,
        used_at=row.used_at,
    )
