"""What a customer reads in a letter with keys."""

import re
from datetime import datetime, timedelta, timezone
from typing import Final

_MOSCOW: Final = timezone(timedelta(hours=3))
_END: Final = re.compile(r"Действует до (\d+)\s(\w+)\s(\d{4}), (\d\d):(\d\d) МСК")
_MONTHS: Final = (
    *("января", "февраля", "марта", "апреля", "мая", "июня"),
    *("июля", "августа", "сентября", "октября", "ноября", "декабря"),
)


def promised_end(text: str) -> float | None:
    """Seconds since the epoch, of the minute that the letter names; None if it names none."""
    found = _END.search(text)
    if found is None or found[2] not in _MONTHS:
        return None
    day, year, hour, minute = (int(found[group]) for group in (1, 3, 4, 5))
    return datetime(year, _MONTHS.index(found[2]) + 1, day, hour, minute, tzinfo=_MOSCOW).timestamp()
