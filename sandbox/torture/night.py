"""One bad night from its beginning to the verdict."""

import contextlib
import random
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import httpx

from sandbox.nodes import host_of
from sandbox.shop import GRACE_DAYS, Shop, StartNodeA
from sandbox.torture.customers import Habit, crowd, let_them_come
from sandbox.torture.evidence import Evidence
from sandbox.torture.processes import respawned
from sandbox.torture.purchases import Purchases
from sandbox.torture.storm import Storm, say
from sandbox.torture.verdict import Promise, Verdict, verdict

# Seconds. What a killed process had in hand is taken up again when its lease ends, three minutes later: only then has
# everything happened that can happen twice.
LEASES_END_AFTER: Final = 185.0
SETTLES_WITHIN: Final = 270.0
_LOOK_EVERY: Final = 3.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Night:
    """What is asked of it. `quiet_for`: seconds to watch after the last kill, whatever has come by then;
    `when_quiet`: called after the last kill."""

    purchases: int
    seed: int
    commands: Sequence[str] = ("worker", "web", "bot")
    quiet_for: float = LEASES_END_AFTER
    settles_within: float = SETTLES_WITHIN
    when_quiet: Callable[[], None] = lambda: None


@dataclass(frozen=True, kw_only=True, slots=True)
class Morning:
    """What became of it. `kills`: by process; `landed`: those in the middle of a piece of work; `ended_by_themselves`:
    processes that nobody killed."""

    verdict: Verdict
    paid: int
    customers: int
    kills: Mapping[str, int]
    landed: int
    troubles: Mapping[str, int]
    repeated_taps: int
    ended_by_themselves: Sequence[str]
    gave_up: Sequence[str]


def survive(night: Night, shop: Shop, start: StartNodeA) -> Morning:
    """Raises ShopDidNotStart."""
    guests, purchases = _guests(night), Purchases()
    with respawned(night.commands, start) as processes:
        shop.wait_until_ready(*(one.process for one in processes))
        storm = Storm(shop, processes, purchases, wanted=night.purchases, seed=night.seed)
        storm.rage_around(lambda: let_them_come(shop, guests, purchases, night.seed))
        say(f"quiet now, after {storm.kills.total} kills and {sum(storm.troubles.values())} troubles")
        night.when_quiet()
        return Morning(
            verdict=_settled(night, shop, guests, purchases),
            paid=purchases.number_paid,
            customers=len(guests),
            kills=storm.kills.count,
            landed=storm.kills.landed,
            troubles=storm.troubles,
            repeated_taps=purchases.repeated_taps,
            ended_by_themselves=[f"{one.command} with {code}" for one in processes for code in one.ended_by_itself],
            gave_up=purchases.gave_up,
        )


def _guests(night: Night) -> Mapping[int, Habit]:
    """By Telegram's id, of people who did not come in any earlier night."""
    habits = crowd(night.purchases, random.Random(f"crowd {night.seed}"))  # noqa: S311 - luck, not secrecy
    first = int(time.time()) * 1000
    return {first + number: habit for number, habit in enumerate(habits)}


def _settled(night: Night, shop: Shop, customers: Iterable[int], purchases: Purchases) -> Verdict:
    """As it is once nothing is missing any more and the night was quiet long enough; or when the time is up."""
    began = time.monotonic()
    promise = Promise(frozenset(map(host_of, shop.node_urls)), GRACE_DAYS)
    with contextlib.closing(Evidence(shop, customers, purchases)) as evidence:
        while True:
            seen, elapsed = _looked_at(evidence, promise), time.monotonic() - began
            if elapsed >= night.settles_within or (elapsed >= night.quiet_for and not seen.lost):
                return seen
            say(f"quiet for {elapsed:.0f} s, {len(seen.lost)} customers still wait")
            time.sleep(_LOOK_EVERY)


def _looked_at(evidence: Evidence, promise: Promise) -> Verdict:
    try:
        return verdict(*evidence.collect(), promise)
    except httpx.HTTPError as error:
        return Verdict([f"not to be seen: {error!r}"], [], 0)
