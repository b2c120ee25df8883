"""A shop that has been open for years: much is done, a little is to be done now."""

from collections.abc import Callable
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Engine, Table, text

from node_a.adapters.database.engine import open_engine
from node_a.adapters.database.tables import (
    accesses,
    customers,
    gates,
    grants,
    jobs,
    messages,
    payments,
    refunds,
    subscriptions,
    trials,
)
from node_a.domain.message import MessageKind
from node_a.domain.payment import PaymentState
from node_a.domain.refund import RefundState
from tests.builders import DAY, NOW

# Of each thing so many wait; their numbers come first.
DUE: Final = 20
LONG_AGO: Final = NOW - 100 * DAY
JOBS: Final = ("audit", "reconcile")

Row = dict[str, Any]

_PLAN: Final = {"plan_code": "month", "plan_days": 30, "price_minor_units": 19_900, "price_currency": "RUB"}


def _when_due(n: int) -> datetime | None:
    return NOW - DAY if n < DUE else None


def _planned(n: int) -> datetime | None:
    """For most there is nothing planned, for some it is far away."""
    return _when_due(n) or (NOW + 9 * DAY if n % 4 == 0 else None)


def _customer(n: int) -> Row:
    return {"id": n, "language": "ru", "standing": "good", "reachable": True, "erase_at": _when_due(n)}


def _payment(n: int) -> Row:
    waits = n < DUE
    return _PLAN | {
        "id": UUID(int=n),
        "customer_id": n,
        "shop_id": "1",
        "shop_test": True,
        "opened_at": LONG_AGO,
        "request": "{}",
        "state": (PaymentState.PENDING if waits else PaymentState.PAID).value,
        "provider_id": f"p-{n}",
        "settled_at": None if waits else NOW - DAY,
        "checks": 0,
        "failing_since": _when_due(n),
        "attention": "look" if waits else None,
        "check_at": _planned(n),
        "leased_until": _when_due(n),  # and whoever it was has died
    }


def _refund(n: int) -> Row:
    waits = n < DUE
    return {
        "id": UUID(int=n),
        "payment_id": UUID(int=n),
        "amount_minor_units": 1,
        "amount_currency": "RUB",
        "opened_at": LONG_AGO,
        "request": "{}",
        "state": (RefundState.PENDING if waits else RefundState.DONE).value,
        "provider_id": f"r-{n}",
        "settled_at": None if waits else NOW,
        "tries": 0,
    }


def _subscription(n: int) -> Row:
    same = {"id": UUID(int=n), "customer_id": n, "secret_number": 1, "rotation": 0, "revision": 1}
    return same | {"remind_at": _planned(n), "expire_at": _planned(n)}


def _grant(n: int) -> Row:
    names = {"id": UUID(int=n), "source": f"payment:{n}", "subscription_id": UUID(int=n)}
    return _PLAN | names | {"starts_at": LONG_AGO, "ends_at": NOW + DAY}


def _access(n: int) -> Row:
    return {
        "subscription_id": UUID(int=n),
        "node": "de1",
        "protocol": "vless" if n % 2 else "shadowsocks",
        "present": True,
        "applied_revision": 0 if n < DUE else 1,
        "due_at": _when_due(n),
        "behind_since": _when_due(n),
        "attempts": 0,
        "leased_until": _when_due(n),
    }


def _message(n: int) -> Row:
    return {
        "id": UUID(int=n),
        "unique_key": f"m-{n}",
        "customer_id": n,
        "kind": MessageKind.ENDED.value,
        "priority": n % 3,
        "due": NOW - DAY,
        "waiting_since": NOW - DAY,
        "valid_until": NOW + DAY,
        "subject": UUID(int=n),
        "attempts": 0,
        "leased_until": _when_due(n),
        "finished_at": None if n < DUE else NOW,
    }


def _trial(n: int) -> Row:
    return {"hash": f"t-{n}", "taken_at": _when_due(n) or LONG_AGO}


_OF_EACH: Final[tuple[tuple[Table, Callable[[int], Row]], ...]] = (
    (payments, _payment),
    (refunds, _refund),
    (subscriptions, _subscription),
    (grants, _grant),
    (accesses, _access),
    (messages, _message),
    (trials, _trial),
)


def a_shop_after_years(url: str, *, done: int, customers_known: int) -> Engine:
    """`url`: of a migrated, empty database."""
    engine = open_engine(url)
    with engine.begin() as connection:
        connection.execute(customers.insert(), [_customer(n) for n in range(DUE + customers_known)])
        for table, row in _OF_EACH:
            connection.execute(table.insert(), [row(n) for n in range(DUE + done)])
        # One keeper that is left alone, and one that may be tried again.
        closed = {"vless": NOW - DAY, "shadowsocks": NOW + DAY}
        gate = {"node": "de1", "failures": 3}
        rows = [gate | {"protocol": protocol, "closed_until": until} for protocol, until in closed.items()]
        connection.execute(gates.insert(), rows)
        connection.execute(jobs.insert(), [{"name": name, "due_at": NOW - DAY} for name in JOBS])
    with engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
        connection.execute(text("ANALYZE"))
    return engine
