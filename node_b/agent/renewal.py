"""When the nightly hand-over is due."""

from datetime import UTC, datetime, time, timedelta


def passed(renew_at: time, before: float, now: float) -> bool:
    """Whether `renew_at` (UTC) came to pass between the two moments, seconds since the epoch. A clock that is put back
    brings it again, one that jumps over it brings it once; both do no harm."""
    moment = datetime.fromtimestamp(now, UTC)
    last = datetime.combine(moment.date(), renew_at, UTC)
    if last > moment:
        last -= timedelta(days=1)
    return before < last.timestamp() <= now
