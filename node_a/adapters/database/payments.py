"""Payments in the database, and the leases for their checks."""

from collections.abc import Sequence, Set
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, RowMapping, and_, case, false, or_, select, update

from node_a.adapters.database.rows import plan_columns, plan_of, unleased
from node_a.adapters.database.tables import payments, refunds
from node_a.application.ports import PaymentClaim
from node_a.domain.customer import CustomerId
from node_a.domain.money import Money
from node_a.domain.payment import OPEN_STATES, Payment, PaymentId, PaymentState, Shop

# However many nudges come, the provider is asked at most this often about one payment.
SHORTEST_PAUSE: Final = timedelta(seconds=2)

_OPEN: Final = [state.value for state in OPEN_STATES]


def payment_is_due(now: datetime) -> ColumnElement[bool]:
    return and_(payments.c.check_at <= now, unleased(payments.c.leased_until, now))


class SqlPayments:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, payment: Payment, check_at: datetime) -> None:
        self._connection.execute(payments.insert().values(id=payment.id, check_at=check_at, **_columns(payment)))

    def find(self, id: PaymentId) -> Payment | None:
        row = self._connection.execute(select(payments).where(payments.c.id == id)).mappings().one_or_none()
        return None if row is None else _payment(row)

    def by_provider_id(self, provider_id: str) -> Payment | None:
        return next(iter(self._all(payments.c.provider_id == provider_id)), None)

    def of_customer(self, customer_id: CustomerId) -> Sequence[Payment]:
        return self._all(payments.c.customer_id == customer_id)[::-1]

    def paid_between(self, since: datetime, until: datetime) -> Sequence[Payment]:
        opened = and_(payments.c.opened_at >= since, payments.c.opened_at < until)
        return self._all(payments.c.state == PaymentState.PAID.value, opened)

    def needing_a_person(self) -> Sequence[Payment]:
        return self._all(payments.c.attention.is_not(None))

    def failing_since(self, before: datetime) -> Sequence[Payment]:
        return self._all(payments.c.failing_since <= before)

    def open_of(self, customer_id: CustomerId) -> Sequence[Payment]:
        query = (
            select(payments)
            .where(payments.c.customer_id == customer_id, payments.c.state.in_(_OPEN))
            .order_by(payments.c.opened_at.desc())
        )
        return [_payment(row) for row in self._connection.execute(query).mappings()]

    def has_paid_since(self, customer_id: CustomerId, since: datetime) -> bool:
        paid = and_(payments.c.state == PaymentState.PAID.value, payments.c.settled_at >= since)
        query = select(payments.c.id).where(payments.c.customer_id == customer_id, paid).limit(1)
        return self._connection.execute(query).first() is not None

    def save(self, payment: Payment) -> None:
        self._update(payment.id, _columns(payment))

    def schedule(self, id: PaymentId, check_at: datetime | None) -> None:
        self._update(id, {"check_at": check_at})

    def nudge(
        self, id: PaymentId | None, provider_id: str | None, now: datetime, *, states: Set[PaymentState] = OPEN_STATES
    ) -> bool:
        named = or_(
            payments.c.id == id if id is not None else false(),
            payments.c.provider_id == provider_id if provider_id is not None else false(),
        )
        fitting = payments.c.state.in_([state.value for state in states])
        query = select(payments.c.id, payments.c.checked_at).where(named, fitting).with_for_update()
        rows = self._connection.execute(query).all()
        for row in rows:
            allowed = now if row.checked_at is None else max(now, row.checked_at + SHORTEST_PAUSE)
            self._update(PaymentId(row.id), {"check_at": allowed, "checks": 0})
        return bool(rows)

    def check_forgotten_refunds(self, now: datetime) -> None:
        # The release before knows nothing of refunds, and plans no check of a payment that is paid.
        waiting = select(refunds.c.payment_id).where(refunds.c.settled_at.is_(None))
        forgotten = and_(payments.c.id.in_(waiting), payments.c.check_at.is_(None))
        self._connection.execute(update(payments).where(forgotten).values(check_at=now))

    def claim_due(self, now: datetime, leased_until: datetime, limit: int) -> Sequence[PaymentClaim]:
        query = (
            select(payments)
            .where(payment_is_due(now))
            .order_by(payments.c.check_at)
            .limit(limit)
            .with_for_update(skip_locked=True, of=payments)
        )
        claims = [
            PaymentClaim(_payment(row), row["check_at"], leased_until)
            for row in self._connection.execute(query).mappings()
        ]
        for claim in claims:
            self._update(claim.payment.id, {"leased_until": leased_until, "checked_at": now})
        return claims

    def reschedule(self, claim: PaymentClaim, check_at: datetime | None) -> None:
        untouched = payments.c.check_at == claim.check_at  # nobody nudged since the claim
        self._connection.execute(
            update(payments)
            .where(payments.c.id == claim.payment.id, payments.c.leased_until == claim.leased_until)
            .values(check_at=case((untouched, check_at), else_=payments.c.check_at), leased_until=None)
        )

    def _all(self, *conditions: ColumnElement[bool]) -> list[Payment]:
        """The oldest first."""
        query = select(payments).where(*conditions).order_by(payments.c.opened_at, payments.c.id)
        return [_payment(row) for row in self._connection.execute(query).mappings()]

    def _update(self, id: PaymentId, values: dict[str, Any]) -> None:
        self._connection.execute(update(payments).where(payments.c.id == id).values(**values))


def _columns(payment: Payment) -> dict[str, Any]:
    return {
        "customer_id": payment.customer_id,
        **plan_columns(payment.plan),
        "shop_id": payment.shop.id,
        "shop_test": payment.shop.test,
        "opened_at": payment.opened_at,
        "request": payment.request,
        "state": payment.state.value,
        "provider_id": payment.provider_id,
        "link": payment.link,
        "reason": payment.reason,
        "settled_at": payment.settled_at,
        "received_minor_units": payment.received.minor_units if payment.received else None,
        "received_currency": payment.received.currency if payment.received else None,
        "receipt_to": payment.receipt_to,
        "by_link": payment.by_link,
        "checks": payment.checks,
        "failing_since": payment.failing_since,
        "attention": payment.attention,
    }


def _payment(row: RowMapping) -> Payment:
    received = row["received_minor_units"]
    return Payment(
        id=PaymentId(row["id"]),
        customer_id=CustomerId(row["customer_id"]),
        plan=plan_of(row),
        shop=Shop(row["shop_id"], row["shop_test"]),
        opened_at=row["opened_at"],
        request=row["request"],
        state=PaymentState(row["state"]),
        provider_id=row["provider_id"],
        link=row["link"],
        reason=row["reason"],
        settled_at=row["settled_at"],
        received=None if received is None else Money(received, row["received_currency"]),
        receipt_to=row["receipt_to"],
        by_link=row["by_link"],
        checks=row["checks"],
        failing_since=row["failing_since"],
        attention=row["attention"],
    )
