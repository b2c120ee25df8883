"""`GET /api/users`: filters, order and pages."""

import re
from typing import Final, Literal

from multidict import MultiMapping
from pydantic import BaseModel

from sandbox.marzban.panel import Panel
from sandbox.marzban.payloads import parsed
from sandbox.store import Document

_SORTABLE: Final = frozenset({"username", "used_traffic", "data_limit", "expire", "created_at"})


class BadSort(Exception):
    """400; the text is the original's."""


class _Query(BaseModel):
    offset: int | None = None
    limit: int | None = None
    status: Literal["active", "disabled", "limited", "expired", "on_hold"] | None = None


def page(panel: Panel, query: MultiMapping[str], owner: str) -> tuple[list[Document], int]:
    """The rows asked for and how many there are in all. Raises Refused and BadSort."""
    asked = parsed(_Query, {name: query[name] for name in ("offset", "limit", "status") if name in query})
    names = query.getall("username", [])
    owners = query.getall("admin", [])
    pattern = _like(query.get("search", ""))
    rows = [
        row
        for row in panel.all()
        if (not names or row["username"] in names)
        and (not owners or owner in owners)
        and (asked.status is None or row["status"] == asked.status)
        and (pattern.search(row["username"]) or pattern.search(row["note"] or ""))
    ]
    for option in reversed(query.get("sort", "").split(",") if query.get("sort") else []):
        _sort(rows, option)
    start = asked.offset or 0
    end = start + asked.limit if asked.limit else None  # 0 means all
    return rows[start:end], len(rows)


def _sort(rows: list[Document], option: str) -> None:
    descending, name = option.startswith("-"), option.removeprefix("-")
    if name not in _SORTABLE:
        raise BadSort(f'"{option}" is not a valid sort option')

    # A null comes before every number.
    present = [row for row in rows if row[name] is not None]
    absent = [row for row in rows if row[name] is None]
    present.sort(key=lambda row: row[name], reverse=descending)
    rows[:] = present + absent if descending else absent + present


def _like(search: str) -> re.Pattern[str]:
    """SQL's LIKE: `%` and `_` are wildcards, letters of either case are equal."""
    expression = "".join({"%": ".*", "_": "."}.get(sign, re.escape(sign)) for sign in search)
    return re.compile(expression, re.IGNORECASE | re.DOTALL)
