"""Lists of payments and refunds: newest first, filtered by query parameters, in pages with a cursor."""

import operator
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime

from sandbox.store import Document
from sandbox.yookassa.problems import invalid

_COMPARISONS: dict[str, Callable[[datetime, datetime], bool]] = {
    "gte": operator.ge,
    "gt": operator.gt,
    "lte": operator.le,
    "lt": operator.lt,
}


def page(oldest_first: Iterable[Document], query: Mapping[str, str]) -> Document:
    """`{"type": "list", "items": […], "next_cursor": …}`; the cursor is the id at which the next page begins.

    The specification's limit is 1 to 100, 10 without one.
    """
    limit = _limit(query.get("limit", "10"))
    found = [document for document in oldest_first if _matches(document, query)][::-1]
    start = 0
    if (cursor := query.get("cursor")) is not None:
        places = [place for place, document in enumerate(found) if document["id"] == cursor]
        if not places:
            raise invalid("Unknown cursor", "cursor")
        start = places[0]
    answer: Document = {"type": "list", "items": found[start : start + limit]}
    if start + limit < len(found):
        answer["next_cursor"] = found[start + limit]["id"]
    return answer


def _limit(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= 100:
        raise invalid("A number from 1 to 100", "limit")
    return int(text)


def _matches(document: Document, query: Mapping[str, str]) -> bool:
    if "status" in query and document["status"] != query["status"]:
        return False
    if "payment_id" in query and document.get("payment_id") != query["payment_id"]:
        return False
    if "payment_method" in query and document.get("payment_method", {}).get("type") != query["payment_method"]:
        return False
    return all(_within(document, name, query) for name in ("created_at", "captured_at"))


def _within(document: Document, name: str, query: Mapping[str, str]) -> bool:
    for suffix, compare in _COMPARISONS.items():
        bound = query.get(f"{name}.{suffix}")
        if bound is None:
            continue
        if name not in document or not compare(
            datetime.fromisoformat(document[name]), _moment(bound, f"{name}.{suffix}")
        ):
            return False
    return True


def _moment(text: str, parameter: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise invalid("Not a date and time in ISO 8601", parameter) from error
    if moment.tzinfo is None:
        raise invalid("A time without its zone", parameter)
    return moment
