"""How often a page about a payment loads itself anew: often at first, and not for ever."""

from datetime import datetime, timedelta
from typing import Final

from node_a.application.overview import PaymentStage, PaymentView

_OFTEN_FOR: Final = timedelta(minutes=3)
_REFRESHED_FOR: Final = timedelta(hours=1)
# Seconds.
_OFTEN, _RARELY = 3, 15


def refresh_after(view: PaymentView, now: datetime, moving: frozenset[PaymentStage]) -> int | None:
    """Seconds; None when the payment is not in one of the stages that pass by themselves, or too old to wait for."""
    if view.stage not in moving:
        return None
    age = now - (view.payment.settled_at or view.payment.opened_at)
    if age >= _REFRESHED_FOR:
        return None
    return _OFTEN if age < _OFTEN_FOR else _RARELY
