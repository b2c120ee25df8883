"""Backing off: each failure doubles the pause, up to a limit, and chance spreads those who failed together."""

from datetime import timedelta
from typing import Final

from node_a.domain.errors import ShopError, Unavailable

# How far chance moves a pause, up or down.
_SPREAD: Final = 0.25
_MOST_DOUBLINGS: Final = 20


def pause(first: timedelta, longest: timedelta, failures: int, chance: float) -> timedelta:
    """After so many failures before this one. `chance`: evenly from 0 to 1; 0.5 gives the middle. Never above
    `longest`."""
    doubled = first * (1 << min(failures, _MOST_DOUBLINGS))
    return min(min(doubled, longest) * (1 - _SPREAD + 2 * _SPREAD * chance), longest)


def asked_for(error: ShopError, longest: timedelta) -> timedelta:
    """How long the other side wants to be left alone, within reason; nothing if it named no time."""
    seconds = error.retry_after if isinstance(error, Unavailable) else None
    return timedelta(seconds=min(seconds or 0, longest.total_seconds()))
