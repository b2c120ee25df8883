"""Many customers, and all that happens to them at once: who is left alone, who is rotated, who comes and goes; some of
each kind never visit anybody, so that traffic booked to them belongs to another."""

import random
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Final

import httpx

from tests.node_b.agent_proofs.crowd import Crowd
from tests.node_b.agent_proofs.history import Attempt, History, Told
from tests.node_b.agent_proofs.keys import a_key
from tests.node_b.agent_proofs.node import a_client, state
from tests.node_b.agent_proofs.page import Page

SEED: Final = 2022
OPERATORS: Final = 12
VISITORS: Final = 5
# A key comes again only after so many others.
KEYS: Final = 6


def _names(kind: str, count: int) -> list[str]:
    return [f"{kind}_{number:02}" for number in range(count)]


STEADY: Final = _names("steady", 8)
ROTATED: Final = _names("rotated", 12)
CHURNED: Final = _names("churned", 12)
QUIET_STEADY: Final = _names("quiet_steady", 8)
QUIET_ROTATED: Final = _names("quiet_rotated", 4)
QUIET_CHURNED: Final = _names("quiet_churned", 8)
VISITING: Final = [*STEADY, *ROTATED, *CHURNED]
QUIET: Final = [*QUIET_STEADY, *QUIET_ROTATED, *QUIET_CHURNED]
# Bytes of a visit, different for each, so that a mistaken account shows whose traffic it has.
WANTED: Final = {name: 2000 + 137 * number for number, name in enumerate(VISITING)}


def _key(name: str, number: int) -> str:
    return a_key(f"{name} {number % KEYS}")


def customers() -> dict[str, str]:
    """With every key that they will ever have."""
    numbered = {f"{name}.{number}": _key(name, number) for name in [*ROTATED, *CHURNED] for number in range(KEYS)}
    return {**{f"{name}.0": _key(name, 0) for name in STEADY}, **numbered}


class Stress:
    """`histories`: what the agent was told of each, by name; `attempts`: with what each was called at the page."""

    def __init__(self, crowd: Crowd, page: Page) -> None:
        self._crowd = crowd
        self._page = page
        self._stop = threading.Event()
        self._numbers = dict.fromkeys([*VISITING, *QUIET], 0)
        self.histories = {name: History() for name in [*VISITING, *QUIET]}
        self._made: list[tuple[str, Attempt]] = []

    @contextmanager
    def going_on(self) -> Iterator[None]:
        """Beside the block."""
        with ThreadPoolExecutor(OPERATORS + VISITORS) as threads:
            working = [threads.submit(self._operate, number) for number in range(OPERATORS)]
            working += [threads.submit(self._visit, number) for number in range(VISITORS)]
            try:
                yield
            finally:
                self._stop.set()
            for done in working:
                done.result()

    def begin(self) -> None:
        """All are there, with their first keys."""
        with a_client() as client:
            for name in self.histories:
                self._put(client, name)

    @property
    def calls(self) -> int:
        return sum(len(history.told) for history in self.histories.values())

    def attempts(self) -> list[Attempt]:
        """With what was seen at the page."""
        seen = self._page.visitors()
        return [
            Attempt(made.name, made.key, made.begun, made.ended, label in seen, made.whole)
            for label, made in list(self._made)
        ]

    def brought_between_calls(self, page: Page) -> dict[str, int]:
        """Bytes by name, of visits that no call about the visitor met."""
        firm = {label for label, made in self._made if self.histories[made.name].had_to_open(made)}
        brought = dict.fromkeys(VISITING, 0)
        for visit in page.visits:
            if visit.visitor in firm:
                brought[visit.visitor.partition(".")[0]] += visit.received + visit.sent
        return brought

    # ── the operators ──

    def _operate(self, operator: int) -> None:
        chance = random.Random(SEED + operator)
        mine = [*ROTATED, *CHURNED, *QUIET_ROTATED, *QUIET_CHURNED][operator::OPERATORS]
        with a_client() as client:
            while not self._stop.is_set():
                self._change(client, chance.choice(mine))

    def _change(self, client: httpx.Client, name: str) -> None:
        is_there = self.histories[name].told[-1].key is not None
        if is_there and "churned" in name:
            self._remove(client, name)
        else:
            self._numbers[name] += 1
            self._put(client, name)

    def _put(self, client: httpx.Client, name: str) -> None:
        key = _key(name, self._numbers[name])
        begun = time.monotonic()
        client.put(f"/v1/users/{name}", json=state(key, self._revision(name))).raise_for_status()
        self.histories[name].told.append(Told(key, begun, time.monotonic()))

    def _remove(self, client: httpx.Client, name: str) -> None:
        begun = time.monotonic()
        client.delete(f"/v1/users/{name}", params={"revision": self._revision(name)}).raise_for_status()
        self.histories[name].told.append(Told(None, begun, time.monotonic()))

    def _revision(self, name: str) -> int:
        return len(self.histories[name].told) + 1

    # ── the visitors ──

    def _visit(self, visitor: int) -> None:
        chance = random.Random(SEED - visitor)
        number = 0
        while not self._stop.is_set():
            number += 1
            name = chance.choice(VISITING)
            # Mostly with the key that it has, or had last; else with one from before.
            age = 0 if name in STEADY else chance.choices(range(KEYS), weights=[20, *[1] * (KEYS - 1)])[0]
            self._attempt(name, (self._numbers[name] - age) % KEYS, f"{name}.{visitor}.{number}")

    def _attempt(self, name: str, number: int, label: str) -> None:
        begun = time.monotonic()
        whole = self._crowd.gets_through(f"{name}.{number}", wanted=WANTED[name], patience=2.0, under=label)
        attempt = Attempt(name, _key(name, number), begun, time.monotonic(), opened=False, whole=whole)
        self._made.append((label, attempt))
