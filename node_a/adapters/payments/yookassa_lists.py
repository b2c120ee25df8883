"""Lists at YooKassa: all of one, page by page, or an error; never quietly less."""

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Final, TypeVar

import structlog

from node_a.adapters.payments.yookassa_replies import PageReply
from node_a.domain.errors import ProviderUnavailable

T = TypeVar("T")
Entry = Mapping[str, Any]
AskForPage = Callable[[dict[str, str]], PageReply]

LONGEST_PAGE: Final = "100"

_log = structlog.stdlib.get_logger("yookassa")


def since(moment: datetime) -> dict[str, str]:
    """The filter for what was created then or later."""
    if moment.tzinfo is None:
        raise ValueError("a moment without its zone")
    text = moment.astimezone(UTC).isoformat(timespec="milliseconds")
    return {"created_at.gte": text.replace("+00:00", "Z")}


def entries(ask: AskForPage, query: Mapping[str, str]) -> Iterator[Entry]:
    """Raises ProviderUnavailable between two entries."""
    asked = {**query, "limit": LONGEST_PAGE}
    cursors: set[str] = set()
    while True:
        page = ask(asked)
        yield from page.items
        if page.next_cursor is None:
            return
        if page.next_cursor in cursors:
            raise ProviderUnavailable("YooKassa's list goes round in a circle")
        cursors.add(page.next_cursor)
        asked["cursor"] = page.next_cursor


def readable(found: Iterator[Entry], read: Callable[[Entry], T], is_foreign: Callable[[Entry], bool]) -> Iterator[T]:
    """The entries as `read` makes them. One that it cannot read is passed over if it is not ours; any other keeps
    nobody waiting, but ends the list with ProviderUnavailable."""
    unreadable = []
    for entry in found:
        try:
            result = read(entry)
        except ValueError:
            id = str(entry.get("id"))[:64]
            if is_foreign(entry):
                _log.warning("a payment that is not ours cannot be read; it is passed over", provider_id=id)
            else:
                unreadable.append(id)
            continue
        yield result
    if unreadable:
        count, first = len(unreadable), unreadable[0]
        raise ProviderUnavailable(f"YooKassa's list has {count} unreadable entries, the first is {first}")
