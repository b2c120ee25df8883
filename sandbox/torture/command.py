"""`make torture`: one bad night on this machine; the last line is JSON."""

import json
from pathlib import Path

import httpx
from sqlalchemy import create_engine, inspect
from sqlalchemy.exc import SQLAlchemyError

from sandbox.shop import ShopDidNotStart, begin_anew, migrated_node_a, shop_without_node_a
from sandbox.torture.night import Morning, Night, survive
from sandbox.torture.storm import say


def torture(directory: Path, purchases: int, seed: int, database_url: str | None = None) -> int:
    """0 only if every purchase was delivered, once. `database_url`: of an empty database; a SQLite file in
    `directory` without one."""
    say(f"seed {seed}, {purchases} purchases")
    try:
        begin_anew(directory)
        settings = {}
        if database_url is not None:
            _check_is_empty(database_url)
            settings["DATABASE_URL"] = database_url
        with shop_without_node_a(directory) as shop, migrated_node_a(shop, settings) as start:
            say(f"what Node A writes: {shop.log}")
            morning = survive(Night(purchases=purchases, seed=seed, commands=_commands(database_url)), shop, start)
    except (ShopDidNotStart, httpx.HTTPError, OSError) as error:
        say(f"no verdict: {error}")
        return 1
    return _told(morning, purchases, seed)


def _commands(database_url: str | None) -> list[str]:
    # Several workers are for PostgreSQL.
    workers = 2 if database_url is not None and database_url.startswith("postgresql") else 1
    return [*["worker"] * workers, "web", "bot"]


def _check_is_empty(database_url: str) -> None:
    """It may be somebody's. Raises ShopDidNotStart."""
    try:
        engine = create_engine(database_url)
        tables = inspect(engine).get_table_names()
        engine.dispose()
    except (SQLAlchemyError, ImportError) as error:
        raise ShopDidNotStart(f"the database cannot be looked at: {type(error).__name__}") from error
    if tables:
        raise ShopDidNotStart(f"the database is not empty ({', '.join(sorted(tables)[:3])} …); it is left alone")


def _told(morning: Morning, purchases: int, seed: int) -> int:
    seen = morning.verdict
    for line in (*morning.ended_by_themselves, *morning.gave_up, *seen.lost, *seen.doubled):
        say(line)
    print(json.dumps({**_counts(morning), "seed": seed}), flush=True)
    return 1 if seen.lost or seen.doubled or morning.paid != purchases else 0


def _counts(morning: Morning) -> dict[str, object]:
    return {
        "purchases": morning.paid,
        "kills": sum(morning.kills.values()),
        "lost": len(morning.verdict.lost),
        "doubled": len(morning.verdict.doubled),
        "repeated_messages": morning.verdict.repeated_messages,
        "customers": morning.customers,
        "killed": dict(morning.kills),
        "killed_at_work": morning.landed,
        "troubles": dict(morning.troubles),
        "repeated_taps": morning.repeated_taps,
        "ended_by_themselves": len(morning.ended_by_themselves),
    }
