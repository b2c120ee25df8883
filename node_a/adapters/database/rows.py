"""Rows and values: the pieces that several tables share."""

from datetime import datetime
from typing import Any, Final

from sqlalchemy import Column, ColumnElement, RowMapping, or_

from node_a.domain.money import Money
from node_a.domain.plan import Plan

# So many values an IN holds on either database.
AT_ONCE: Final = 500


def plan_of(row: RowMapping) -> Plan:
    price = Money(row["price_minor_units"], row["price_currency"])
    return Plan(row["plan_code"], row["plan_days"], price, row["plan_traffic_limit"])


def plan_columns(plan: Plan) -> dict[str, Any]:
    return {
        "plan_code": plan.code,
        "plan_days": plan.days,
        "plan_traffic_limit": plan.traffic_limit,
        "price_minor_units": plan.price.minor_units,
        "price_currency": plan.price.currency,
    }


def unleased(leased_until: Column[datetime], now: datetime) -> ColumnElement[bool]:
    """Nobody works on the row, or whoever did has died."""
    return or_(leased_until.is_(None), leased_until <= now)
