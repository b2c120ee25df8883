"""Customers in the database."""

from collections.abc import Sequence, Set
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, RowMapping, delete, select, update

from node_a.adapters.database.engine import inserting
from node_a.adapters.database.tables import (
    customers,
    grants,
    messages,
    operator_acts,
    payments,
    refunds,
    rotations,
    subscriptions,
    traffic,
)
from node_a.application.acts import about_customer, about_payment
from node_a.domain.customer import NOBODY, Customer, CustomerId, Language, Standing
from node_a.domain.errors import UnknownCustomer
from node_a.domain.payment import PaymentId

# In place of an erased customer's id.
ERASED: Final = "erased"


def erasure_is_due(now: datetime) -> ColumnElement[bool]:
    return customers.c.erase_at <= now


class SqlCustomers:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def find(self, id: CustomerId) -> Customer | None:
        row = self._connection.execute(select(customers).where(customers.c.id == id)).mappings().one_or_none()
        return None if row is None else _customer(row)

    def locked(self, id: CustomerId) -> Customer:
        # SQLite's writer has the whole database to itself already, and its dialect leaves FOR UPDATE out. On PostgreSQL
        # it is FOR NO KEY UPDATE: whoever only adds a row that points to the customer need not wait, nor lock us out.
        query = select(customers).where(customers.c.id == id).with_for_update(key_share=True)
        row = self._connection.execute(query).mappings().one_or_none()
        if row is None:
            raise UnknownCustomer(str(id))
        return _customer(row)

    def lock(self, ids: Set[CustomerId]) -> None:
        query = select(customers.c.id).where(customers.c.id.in_(sorted(ids))).order_by(customers.c.id)
        self._connection.execute(query.with_for_update(key_share=True)).all()

    def add(self, customer: Customer) -> None:
        statement = inserting(self._connection, customers).values(id=customer.id, **_columns(customer))
        self._connection.execute(statement.on_conflict_do_nothing(index_elements=["id"]))

    def save(self, customer: Customer) -> None:
        values = _columns(customer)
        statement = inserting(self._connection, customers).values(id=customer.id, **values)
        self._connection.execute(statement.on_conflict_do_update(index_elements=["id"], set_=values))

    def erase_next(self, id: CustomerId, at: datetime | None) -> None:
        self._connection.execute(update(customers).where(customers.c.id == id).values(erase_at=at))

    def due_for_erasure(self, now: datetime, limit: int) -> Sequence[CustomerId]:
        query = select(customers.c.id).where(erasure_is_due(now)).order_by(customers.c.erase_at).limit(limit)
        return [CustomerId(id) for id in self._connection.scalars(query)]

    def erase(self, id: CustomerId) -> None:
        self._ensure_nobody()
        its = select(subscriptions.c.id).where(subscriptions.c.customer_id == id)
        payment_ids = [*self._connection.scalars(select(payments.c.id).where(payments.c.customer_id == id))]
        self._forget_in_acts(id, payment_ids)
        paid_back = refunds.c.payment_id.in_(payment_ids)
        self._connection.execute(update(refunds).where(paid_back).values(request=""))
        unnamed = {"customer_id": NOBODY, "request": "", "receipt_to": None}
        self._connection.execute(update(payments).where(payments.c.customer_id == id).values(unnamed))
        self._connection.execute(delete(messages).where(messages.c.customer_id == id))
        for table in (grants, traffic, rotations):
            self._connection.execute(delete(table).where(table.c.subscription_id.in_(its)))
        self._connection.execute(delete(subscriptions).where(subscriptions.c.customer_id == id))
        self._connection.execute(delete(customers).where(customers.c.id == id))

    def _forget_in_acts(self, id: CustomerId, payment_ids: Sequence[PaymentId]) -> None:
        """What operators did stays, but not to whom, nor why: the reasons are free words, and may name anybody."""
        customer, their_payments = about_customer(id), [about_payment(payment) for payment in payment_ids]
        theirs = operator_acts.c.subject.in_([customer, *their_payments])
        self._connection.execute(update(operator_acts).where(theirs).values(reason=""))
        self._connection.execute(
            update(operator_acts).where(operator_acts.c.subject == customer).values(subject=ERASED)
        )

    def _ensure_nobody(self) -> None:
        if self.find(NOBODY) is None:
            self.save(Customer(NOBODY, Language.RUSSIAN, Standing.DELETED, reachable=False))


def _columns(customer: Customer) -> dict[str, Any]:
    return {
        "language": customer.language.value,
        "standing": customer.standing.value,
        "reachable": customer.reachable,
    }


def _customer(row: RowMapping) -> Customer:
    return Customer(CustomerId(row["id"]), Language(row["language"]), Standing(row["standing"]), row["reachable"])
