"""Money as YooKassa writes it."""

from node_a.domain.money import Money


def amount_of(money: Money) -> dict[str, str]:
    return {"value": str(money), "currency": money.currency}
