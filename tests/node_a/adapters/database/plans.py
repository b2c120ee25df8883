"""What is really executed for a question, and which way the database takes to its answer."""

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

from sqlalchemy import Connection, Engine, event

from node_a.adapters.database.tables import WAITING_INDEXES

# A handful of rows each, for ever.
TINY: Final = {"jobs", "gates", "nodes", "told_stuck"}
# Nothing but what waits is in them: to walk one from end to end is to look at what waits.
OF_THE_WAITING: Final = {str(index.name) for index in WAITING_INDEXES}

Ask = Callable[[Connection], object]
# The statement and its parameters.
Executed = tuple[str, Any]


@contextmanager
def watched(engine: Engine) -> Iterator[list[Executed]]:
    """Every statement that is executed meanwhile."""
    seen: list[Executed] = []

    def note(_1: Any, _2: Any, statement: str, parameters: Any, _3: Any, many: bool) -> None:
        if statement.startswith(("SELECT", "UPDATE", "INSERT", "DELETE")):
            seen.extend((statement, one) for one in (parameters if many else [parameters]))

    event.listen(engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(engine, "before_cursor_execute", note)


def executed(engine: Engine, ask: Ask) -> Sequence[Executed]:
    """What `ask` executes; nothing of it stays."""
    with engine.connect() as connection:
        with watched(engine) as seen:
            ask(connection)
        connection.rollback()
    assert seen, "nothing was asked"
    return seen


def whole_walks(connection: Connection, statement: Executed) -> list[str]:
    """Which tables or indexes it walks from end to end."""
    sql, parameters = statement
    if connection.dialect.name == "sqlite":
        plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}", parameters)
        return [row.detail for row in plan if _is_walk_of_sqlite(row.detail)]
    return [_in_words(node) for node in _nodes(connection, statement) if _is_walk_of_postgresql(node)]


def _is_walk_of_sqlite(step: str) -> bool:
    said = re.match(r"SCAN (\w+?)(?:_\d+)?(?: USING (?:COVERING )?INDEX (\w+))?$", step)
    if said is None:
        # Everything else that begins so must be known here, or a walk may hide behind words of another version.
        assert not step.startswith("SCAN") or step.startswith(("SCAN CONSTANT ROW", "SCAN (")), step
        return False
    return said[1] not in TINY and said[2] not in OF_THE_WAITING


def _is_walk_of_postgresql(node: dict[str, Any]) -> bool:
    if node.get("Relation Name") in TINY or node.get("Index Name") in OF_THE_WAITING:
        return False
    return node["Node Type"] == "Seq Scan" or ("Index Name" in node and "Index Cond" not in node)


def _in_words(node: dict[str, Any]) -> str:
    return f"{node['Node Type']} of {node.get('Relation Name')} {node.get('Index Name', '')}".strip()


def rows_touched(connection: Connection, statement: Executed) -> int:
    """How many rows PostgreSQL has in hand on the way, counted at every node of the plan."""
    counts = ("Actual Rows", "Rows Removed by Filter", "Rows Removed by Index Recheck", "Rows Removed by Join Filter")
    nodes = _nodes(connection, statement)
    return int(sum(sum(node.get(name, 0) for name in counts) * node["Actual Loops"] for node in nodes))


def _nodes(connection: Connection, statement: Executed) -> Iterator[dict[str, Any]]:
    sql, parameters = statement
    said = connection.exec_driver_sql(f"EXPLAIN (ANALYZE, FORMAT JSON) {sql}", parameters).scalar_one()
    todo = [said[0]["Plan"]]
    while todo:
        node = todo.pop()
        todo.extend(node.get("Plans", []))
        yield node


def steps_taken(engine: Engine, ask: Ask) -> int:
    """How many instructions SQLite's machine executes for it; nothing of it stays."""
    steps = 0

    def count() -> int:
        nonlocal steps
        steps += 1
        return 0

    with engine.connect() as connection:
        driver: Any = connection.connection.driver_connection
        driver.set_progress_handler(count, 1)
        ask(connection)
        driver.set_progress_handler(None, 1)
        connection.rollback()
    return steps
