"""The disk under the agent's state is full: calls are refused plainly, nothing is changed by halves, customers notice
nothing, and everything goes on when there is room."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.node_b.agent_proofs.bystander import a_bystander
from tests.node_b.agent_proofs.crowd import a_crowd
from tests.node_b.agent_proofs.keys import a_key
from tests.node_b.agent_proofs.node import a_node, assert_all_agree, state, xrays
from tests.node_b.agent_proofs.page import Page
from tests.node_b.agent_proofs.skeleton import placeholder
from tests.proofs.test_full_disk import SmallDisk, a_small_disk
from tests.waiting import until

PROMISED: Final = 2.0
CUSTOMERS: Final = {name: a_key(name) for name in ("anna", "boris", "carl", "anna_again")}


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    """Where the agent keeps its state. Asked for before the network, whose end ends who uses it."""
    with a_small_disk(tmp_path / "agent") as disk:
        yield disk


def test_a_full_disk_refuses_calls_plainly_and_changes_nothing(disk: SmallDisk, page: Page, tmp_path: Path) -> None:
    with a_node(tmp_path) as node, a_crowd(CUSTOMERS, tmp_path) as crowd:
        for name in ("anna", "boris"):
            node.put(name, CUSTOMERS[name])
        before, in_file, in_xray = node.users(), node.keys_in_the_file(), node.keys_in_the_running_xray()
        pid = node.xray()
        with a_bystander(crowd, "anna"):
            disk.fill()
            refused = [
                node.calls.put("/v1/users/carl", json=state(CUSTOMERS["carl"])),
                node.calls.put("/v1/users/anna", json=state(CUSTOMERS["anna_again"], 2)),
                node.calls.delete("/v1/users/boris", params={"revision": 2}),
            ]

            assert all(500 <= answer.status_code < 600 for answer in refused)
            assert all("error" in answer.json() for answer in refused)
            told = {name: user.model_copy(update={"used_traffic": 0}) for name, user in node.users().items()}
            assert told == {name: user.model_copy(update={"used_traffic": 0}) for name, user in before.items()}
            assert node.keys_in_the_file() == in_file
            # Dummies open no door: nobody knows their keys.
            assert in_xray.items() <= node.keys_in_the_running_xray().items()
            assert "carl" not in node.keys_in_the_running_xray()
            assert [crowd.gets_through(name) for name in CUSTOMERS] == [True, True, False, False]

            disk.gets_room()
            node.put("carl", CUSTOMERS["carl"])
            node.delete("boris", revision=2)
            assert [crowd.gets_through(name) for name in CUSTOMERS] == [True, False, True, False]

        assert node.xray() == pid
        carried = sum(visit.received + visit.sent for visit in page.visits if visit.visitor == "anna")
        until(lambda: node.users()["anna"].used_traffic == carried)
        assert_all_agree(node)


def test_who_has_ended_is_kept_out_although_the_disk_is_full(disk: SmallDisk, page: Page, tmp_path: Path) -> None:
    """A customer must not use a node for nothing because a disk is full."""
    with a_node(tmp_path) as node, a_crowd(CUSTOMERS, tmp_path) as crowd:
        node.put("anna", CUSTOMERS["anna"], limit=100_000)
        node.put("boris", CUSTOMERS["boris"])
        ends_at = int(time.time()) + 2
        node.put("carl", CUSTOMERS["carl"], expires_at=ends_at)
        disk.fill()
        assert crowd.gets_through("anna", wanted=200_000)
        log_before = len(node.log.read_text().splitlines())

        time.sleep(PROMISED)
        assert not crowd.gets_through("anna", patience=0.5)
        time.sleep(max(0.0, ends_at + PROMISED - time.time()))
        assert crowd.gets_through("boris")  # there is traffic to be saved, and it cannot be
        assert not crowd.gets_through("carl", patience=0.5)
        assert crowd.gets_through("boris")
        time.sleep(PROMISED)
        assert len(node.log.read_text().splitlines()) < log_before + 10, "it says the same again and again"

        disk.gets_room()
        until(lambda: not node.users()["anna"].enabled)
        assert not crowd.gets_through("anna", patience=0.5)
        assert node.users()["anna"].used_traffic >= 200_000
        until(lambda: set(node.keys_in_the_file()) == {"boris", *placeholder()})
        assert_all_agree(node)


def test_an_agent_that_starts_on_a_full_disk_carries_traffic_or_says_why(
    disk: SmallDisk, page: Page, tmp_path: Path
) -> None:
    with a_node(tmp_path) as node, a_crowd(CUSTOMERS, tmp_path) as crowd:
        node.put("anna", CUSTOMERS["anna"])
        node.is_killed()
        node.container_ends()
        disk.fill()
        log_before = node.log.read_text()
        node.starts()
        until(lambda: crowd.gets_through("anna", patience=0.5) or node.log.read_text() != log_before)

        disk.gets_room()
        assert node.process is not None
        if node.process.poll() is not None:  # the container's policy starts it again
            node.starts()
        until(node.is_up)
        until(lambda: crowd.gets_through("anna"))
        assert len(xrays()) == 1
        assert_all_agree(node)
