"""Refunds in the database."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, RowMapping, select

from node_a.adapters.database.engine import inserting
from node_a.adapters.database.tables import refunds
from node_a.domain.money import Money
from node_a.domain.payment import PaymentId
from node_a.domain.refund import Refund, RefundId, RefundState


class SqlRefunds:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def find(self, id: RefundId) -> Refund | None:
        return next(iter(self._all(refunds.c.id == id)), None)

    def by_provider_id(self, provider_id: str) -> Refund | None:
        return next(iter(self._all(refunds.c.provider_id == provider_id)), None)

    def of_payment(self, id: PaymentId) -> Sequence[Refund]:
        return self._all(refunds.c.payment_id == id)

    def open_since(self, before: datetime) -> Sequence[Refund]:
        return self._all(refunds.c.settled_at.is_(None), refunds.c.opened_at <= before)

    def save(self, refund: Refund) -> None:
        values = {
            "payment_id": refund.payment_id,
            "amount_minor_units": refund.amount.minor_units,
            "amount_currency": refund.amount.currency,
            "opened_at": refund.opened_at,
            "request": refund.request,
            "state": refund.state.value,
            "provider_id": refund.provider_id,
            "reason": refund.reason,
            "settled_at": refund.settled_at,
            "tries": refund.tries,
        }
        statement = inserting(self._connection, refunds).values(id=refund.id, **values)
        self._connection.execute(statement.on_conflict_do_update(index_elements=["id"], set_=values))

    def _all(self, *conditions: ColumnElement[bool]) -> list[Refund]:
        query = select(refunds).where(*conditions).order_by(refunds.c.opened_at, refunds.c.id)
        return [_refund(row) for row in self._connection.execute(query).mappings()]


def _refund(row: RowMapping) -> Refund:
    return Refund(
        id=RefundId(row["id"]),
        payment_id=PaymentId(row["payment_id"]),
        amount=Money(row["amount_minor_units"], row["amount_currency"]),
        opened_at=row["opened_at"],
        request=row["request"],
        state=RefundState(row["state"]),
        provider_id=row["provider_id"],
        reason=row["reason"],
        settled_at=row["settled_at"],
        tries=row["tries"],
    )
