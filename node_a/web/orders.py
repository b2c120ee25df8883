"""What is sent by whoever buys: which plan, and where the receipt goes."""

from dataclasses import dataclass, field

from flask import Request

from node_a.domain.errors import RotationRefused, UnknownPlan


@dataclass(frozen=True, slots=True)
class Order:
    """`receipt_to`: as it was typed, and perhaps no address at all; None if the screen did not ask for it."""

    plan_code: str
    receipt_to: str | None = field(default=None, repr=False)

    @classmethod
    def of(cls, request: Request) -> "Order":
        """Raises UnknownPlan if none is named."""
        body = request.get_json(silent=True)
        order = body if isinstance(body, dict) else {}
        code, receipt_to = order.get("plan"), order.get("receipt_to")
        if not isinstance(code, str):
            raise UnknownPlan("no plan named")
        return cls(code, receipt_to if isinstance(receipt_to, str) else None)

    @classmethod
    def of_form(cls, request: Request) -> "Order":
        """From a plain page's form."""
        return cls(request.form.get("plan", ""), request.form.get("email"))


def rotation_shown(request: Request) -> int:
    """The keys that the customer was asked about. Raises RotationRefused if none are named."""
    body = request.get_json(silent=True)
    shown = body.get("rotation") if isinstance(body, dict) else None
    if not isinstance(shown, int) or isinstance(shown, bool):
        raise RotationRefused("no rotation named")
    return shown
