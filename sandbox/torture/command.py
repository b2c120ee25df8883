"""`make torture`: one bad night on this machine; the last line is JSON."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import httpx
from sqlalchemy import create_engine, inspect
from sqlalchemy.exc import SQLAlchemyError

from sandbox.shop import ShopDidNotStart, begin_anew, migrated_node_a, shop_without_node_a
from sandbox.torture.night import Morning, Night, survive
from sandbox.torture.storm import say
from sandbox.torture.threads import EndedTooSoon

# One of them fails alone.
_NODES: Final = 2
# With fewer purchases the night may be over before anything has happened.
_LONG_ENOUGH_FOR_KILLS: Final = 20


def torture(directory: Path, purchases: int, seed: int, database_url: str | None = None) -> int:
    """0 only if every purchase was delivered, once, and the night was a bad one. `database_url`: of an empty database;
    without it, a SQLite file in `directory`."""
    say(f"seed {seed}, {purchases} purchases")
    try:
        begin_anew(directory)
        settings = {}
        if database_url is not None:
            _check_is_empty(database_url)
            settings["DATABASE_URL"] = database_url
        with shop_without_node_a(directory, nodes=_NODES) as shop, migrated_node_a(shop, settings) as start:
            say(f"what Node A writes: {shop.log}")
            morning = survive(Night(purchases=purchases, seed=seed, commands=_commands(database_url)), shop, start)
    except (ShopDidNotStart, EndedTooSoon, httpx.HTTPError, OSError) as error:
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
    failures = why_it_fails(morning, purchases)
    for line in (*morning.ended_by_themselves, *morning.gave_up, *failures):
        say(line)
    print(json.dumps({**_counts(morning), "seed": seed}), flush=True)
    return 1 if failures else 0


def why_it_fails(morning: Morning, wanted: int) -> Sequence[str]:
    """Processes that ended by themselves are no reason: when only the leader of the web's processes is killed, the ones
    that it leaves behind hold the port for a while, and the next web cannot have it."""
    reasons = [*morning.verdict.lost, *morning.verdict.doubled]
    if morning.paid != wanted:
        reasons.append(f"{morning.paid} of {wanted} purchases were paid")
    if wanted >= _LONG_ENOUGH_FOR_KILLS:
        if not sum(morning.kills.values()):
            reasons.append("a night without kills proves nothing")
        if not sum(morning.troubles.values()):
            reasons.append("a night without troubles proves nothing")
    return reasons


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
