"""Ten thousand customers, put through the agent's API by 64 connections at once; then a restart: all of them work
within two seconds, and new ones can be put meanwhile."""

import random
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

import httpx

from tests.node_b.agent_proofs.crowd import a_crowd
from tests.node_b.agent_proofs.keys import a_key
from tests.node_b.agent_proofs.node import a_client, a_node, assert_all_agree, state
from tests.node_b.agent_proofs.page import Page
from tests.node_b.agent_proofs.skeleton import placeholder

PROMISED: Final = 2.0
CONNECTIONS: Final = 64
MANY: Final = {f"customer_{number:05}": a_key(f"customer {number}") for number in range(10_000)}
LATER: Final = {f"later_{number:03}": a_key(f"later {number}") for number in range(1000)}
SAMPLE: Final = dict(random.Random(6).sample(sorted(MANY.items()), 200))


def put_all() -> None:
    users = list(MANY.items())
    failures: list[BaseException] = []

    def put(share: list[tuple[str, str]]) -> None:
        with a_client() as client:
            for name, key in share:
                client.put(f"/v1/users/{name}", json=state(key)).raise_for_status()

    with ThreadPoolExecutor(CONNECTIONS) as threads:
        for done in [threads.submit(put, users[number::CONNECTIONS]) for number in range(CONNECTIONS)]:
            if error := done.exception():
                failures.append(error)
    assert failures == []


@contextmanager
def others_being_put() -> Iterator[dict[str, str]]:
    """One after another, beside the block; those whose call was answered, by name."""
    answered: dict[str, str] = {}
    stop = threading.Event()

    def put() -> None:
        with a_client() as client:
            for name, key in LATER.items():
                while name not in answered and not stop.wait(0.01):
                    with suppress(httpx.TransportError):
                        client.put(f"/v1/users/{name}", json=state(key)).raise_for_status()
                        answered[name] = key

    with ThreadPoolExecutor(1) as thread:
        done = thread.submit(put)
        try:
            yield answered
        finally:
            stop.set()
        done.result()


def test_ten_thousand_customers_work_within_two_seconds_of_a_restart(page: Page, tmp_path: Path) -> None:
    with a_node(tmp_path) as node, a_crowd(SAMPLE, tmp_path) as crowd:
        put_all()
        assert node.keys_in_the_running_xray().keys() - placeholder().keys() == MANY.keys()

        with others_being_put() as others:
            node.is_killed()
            node.container_ends()
            begun = time.monotonic()
            node.starts()
            time.sleep(max(0.0, begun + PROMISED - time.monotonic()))

            # No second try, for nobody: what works after two seconds works at once.
            assert [customer for customer in SAMPLE if not crowd.gets_through(customer)] == []
            running = node.keys_in_the_running_xray()
            assert MANY.items() <= running.items()
            before = len(others)
            time.sleep(0.5)
            assert len(others) > before

        assert node.users().keys() == MANY.keys() | others.keys()
        assert_all_agree(node)
        assert page.visitors() == SAMPLE.keys()
