"""Many calls at once, for one user and for many; and an agent that is killed among them: what was answered holds, in
the database, in the file and in the running Xray."""

import random
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import httpx
import pytest

from tests.node_b.agent_proofs.crowd import a_crowd
from tests.node_b.agent_proofs.keys import a_key
from tests.node_b.agent_proofs.node import Node, a_client, a_node, assert_all_agree, state
from tests.node_b.agent_proofs.page import Page

SEED: Final = 2022
KILLS: Final = 20
CALLERS: Final = 8


@pytest.fixture
def node(network: None, tmp_path: Path) -> Iterator[Node]:
    with a_node(tmp_path) as node:
        yield node


def all_at_once(calls: list[Callable[[httpx.Client], None]]) -> None:
    """Each on a connection of its own, let go at one moment."""
    start = threading.Barrier(len(calls))

    def make(call: Callable[[httpx.Client], None]) -> None:
        with a_client() as client:
            client.get("/healthz")
            start.wait()
            call(client)

    with ThreadPoolExecutor(len(calls)) as threads:
        for done in [threads.submit(make, call) for call in calls]:
            done.result()


# ── one user ──


def revision_key(name: str, revision: int) -> str:
    return a_key(f"{name} {revision}")


def a_put(name: str, revision: int) -> Callable[[httpx.Client], None]:
    def put(client: httpx.Client) -> None:
        answer = client.put(f"/v1/users/{name}", json=state(revision_key(name, revision), revision, limit=revision))
        assert answer.status_code in {200, 409}, answer.text
        if answer.status_code == 409:
            assert answer.json()["revision"] > revision

    return put


def a_removal(name: str, revision: int) -> Callable[[httpx.Client], None]:
    def delete(client: httpx.Client) -> None:
        answer = client.delete(f"/v1/users/{name}", params={"revision": revision})
        assert answer.status_code in {204, 409}, answer.text

    return delete


@pytest.mark.parametrize("round_", range(5))
def test_of_calls_at_once_for_one_user_the_highest_revision_wins(node: Node, round_: int) -> None:
    chance = random.Random(SEED + round_)
    names = ["anna", "boris", "carl"]
    calls = [a_put(name, revision) for name in names for revision in range(1, 12)]
    calls += [a_removal("boris", 12), a_removal("carl", 6)]
    chance.shuffle(calls)

    all_at_once(calls)

    users = node.users()
    assert {name: (user.key, user.revision) for name, user in users.items()} == {
        name: (revision_key(name, 11), 11) for name in ("anna", "carl")
    }
    assert_all_agree(node)
    late = node.calls.put("/v1/users/boris", json=state(revision_key("boris", 11), 11))
    assert (late.status_code, late.json()["revision"]) == (409, 12)


# ── killed among them ──


@dataclass
class Caller:
    """Puts and removes its own users, one call after another, and remembers what was answered.

    `known`: what must be true of a user by the last answer, its key or None; `open`: what may have become true instead,
    because the last call was not answered."""

    number: int
    chance: random.Random
    known: dict[str, str | None] = field(default_factory=dict)
    open: dict[str, str | None] = field(default_factory=dict)
    revision: int = 0
    answers: int = 0

    def call_until_it_dies(self) -> None:
        with a_client() as client, suppress(httpx.TransportError):
            while True:
                self._call(client)

    def _call(self, client: httpx.Client) -> None:
        name = f"caller_{self.number}_{self.chance.randrange(6)}"
        self.revision += 1
        wanted = None if self.chance.random() < 0.4 else a_key(f"{name} {self.revision}")
        self.open[name] = wanted
        if wanted is None:
            answer = client.delete(f"/v1/users/{name}", params={"revision": self.revision})
        else:
            answer = client.put(f"/v1/users/{name}", json=state(wanted, self.revision))
        assert answer.is_success, answer.text
        self.known[name] = self.open.pop(name)
        self.answers += 1

    def compare(self, held: dict[str, str]) -> None:
        """What was not answered may be so or so; from now on it is known."""
        for name in self.known.keys() | self.open.keys():
            possible = {self.known.get(name), self.open.get(name, self.known.get(name))}
            assert held.get(name) in possible, name
            self.known[name] = held.get(name)
        self.open.clear()


def test_what_was_answered_holds_whenever_the_agent_is_killed(page: Page, tmp_path: Path) -> None:
    chance = random.Random(SEED)
    callers = [Caller(number, random.Random(SEED + number)) for number in range(CALLERS)]
    with a_node(tmp_path) as node:
        for _ in range(KILLS):
            with ThreadPoolExecutor(CALLERS) as threads:
                calling = [threads.submit(caller.call_until_it_dies) for caller in callers]
                threading.Event().wait(chance.uniform(0.0, 1.0))
                node.is_killed()
                for done in calling:
                    done.result()
            if chance.random() < 0.5:
                node.container_ends()
            node.starts_and_is_up()

            held = {name: user.key for name, user in node.users().items()}
            for caller in callers:
                caller.compare(held)
            assert_all_agree(node)
        those_left = {name: key for caller in callers for name, key in caller.known.items() if key is not None}
        with a_crowd(those_left, tmp_path) as crowd:
            assert [name for name in those_left if not crowd.gets_through(name)] == []

    assert sum(caller.answers for caller in callers) > 20 * KILLS
