"""Customers in the database."""

from sqlalchemy import Connection, RowMapping, select

from node_a.adapters.database.engine import inserting
from node_a.adapters.database.tables import customers
from node_a.domain.customer import Customer, CustomerId, Language, Standing


class SqlCustomers:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def find(self, id: CustomerId) -> Customer | None:
        row = self._connection.execute(select(customers).where(customers.c.id == id)).mappings().one_or_none()
        return None if row is None else _customer(row)

    def locked(self, id: CustomerId) -> Customer:
        # SQLite's writer has the whole database to itself already, and its dialect leaves FOR UPDATE out.
        query = select(customers).where(customers.c.id == id).with_for_update()
        return _customer(self._connection.execute(query).mappings().one())

    def save(self, customer: Customer) -> None:
        values = {
            "language": customer.language.value,
            "standing": customer.standing.value,
            "reachable": customer.reachable,
        }
        statement = inserting(self._connection, customers).values(id=customer.id, **values)
        self._connection.execute(statement.on_conflict_do_update(index_elements=["id"], set_=values))


def _customer(row: RowMapping) -> Customer:
    return Customer(CustomerId(row["id"]), Language(row["language"]), Standing(row["standing"]), row["reachable"])
