"""Somebody else's Xray on the port, an Xray that an earlier agent left behind, an Xray that refuses to start: it is
noticed, told, and not made worse; and when the trouble is over everything works by itself."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest

from shared.inbounds import SHADOWSOCKS_PORT
from tests.node_b.agent_proofs.crowd import Crowd, a_crowd
from tests.node_b.agent_proofs.keys import a_key
from tests.node_b.agent_proofs.node import ROOT, TOKEN, Node, a_node, a_node_that_may_not_start, assert_all_agree, xrays
from tests.node_b.agent_proofs.page import Page
from tests.node_b.agent_proofs.skeleton import a_bare_xray
from tests.programs import is_open, program
from tests.waiting import until

CUSTOMERS: Final = {name: a_key(name) for name in ("anna", "boris", "ghost")}
# Somebody whom the other Xray lets in.
GHOST: Final = {"ghost": CUSTOMERS["ghost"]}


@pytest.fixture
def crowd(page: Page, tmp_path: Path) -> Iterator[Crowd]:
    with a_crowd(CUSTOMERS, tmp_path) as crowd:
        yield crowd


def says_it_is_healthy() -> bool:
    """What the container's health check asks."""
    environment = {"PATH": os.environ["PATH"], "AGENT_TOKEN": TOKEN}
    command = [sys.executable, "-m", "node_b.agent", "healthy"]
    return subprocess.run(command, cwd=ROOT, env=environment, timeout=30, check=False).returncode == 0


def answers(node: Node) -> bool:
    assert node.process is not None
    assert node.process.poll() is None, node.log.read_text()
    try:
        return not node.status().xray.running
    except Exception:
        return False


def works(crowd: Crowd, *customers: str) -> bool:
    return all(crowd.gets_through(customer, patience=0.5) for customer in customers)


# ── somebody on the port ──


def test_a_stranger_on_the_port_is_named_and_not_joined(crowd: Crowd, tmp_path: Path) -> None:
    """Two Xrays share a port without a word, and half of the connections go to the wrong one."""
    with a_node_that_may_not_start(tmp_path) as node:
        with a_bare_xray(GHOST, tmp_path):
            (stranger,) = xrays()
            node.starts()
            until(lambda: answers(node))
            node.put("anna", CUSTOMERS["anna"])
            until(lambda: not says_it_is_healthy())
            assert xrays() == [stranger], "its own Xray must not share the port, nor is the stranger its to end"
            assert "443" in node.log.read_text()
        until(node.is_up)
        until(lambda: works(crowd, "anna"))
        assert says_it_is_healthy()
        assert not crowd.gets_through("ghost")
        assert_all_agree(node)


def test_a_stranger_that_comes_later_is_noticed(crowd: Crowd, tmp_path: Path) -> None:
    with a_node(tmp_path) as node:
        node.put("anna", CUSTOMERS["anna"])
        assert "held by" not in node.log.read_text()
        with a_bare_xray(GHOST, tmp_path):
            until(lambda: "held by" in node.log.read_text())
            until(lambda: "443" in (node.status().xray.problem or ""))
        until(lambda: [works(crowd, "anna") for _ in range(20)] == [True] * 20)
        until(lambda: node.status().xray.problem is None)


def test_what_a_killed_agent_left_behind_is_ended_and_lets_nobody_in(crowd: Crowd, tmp_path: Path) -> None:
    """Its table is of yesterday: whoever was removed since is still in it."""
    with a_node(tmp_path) as node:
        for name in ("anna", "ghost"):
            node.put(name, CUSTOMERS[name])
        node.is_killed()
        node.container_ends()
        with left_behind(node) as pid:
            assert works(crowd, "ghost")
            node.starts_and_is_up()
            until(lambda: pid not in xrays())
            node.delete("ghost")

            assert len(xrays()) == 1
            assert [crowd.gets_through("ghost", patience=1) for _ in range(10)] == [False] * 10
            assert [crowd.gets_through("anna") for _ in range(10)] == [True] * 10
        assert_all_agree(node)


@contextmanager
def left_behind(node: Node) -> Iterator[int]:
    """An Xray that runs with what the agent wrote, and has no agent."""
    command = [str(program("xray")), "run", "-c", str(node.state / "xray.json")]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            until(lambda: xrays() == [process.pid] and is_open(SHADOWSOCKS_PORT))
            yield process.pid
        finally:
            process.kill()


# ── an Xray that refuses ──

REFUSING: Final = """#!/bin/sh
echo "$@" >> {notes}
case "$*" in *-test*) exec {xray} "$@";; esac
if [ -e {refuse} ]; then
  echo "Failed to start: main: it was told to refuse"
  exit 23
fi
exec {xray} "$@"
"""


class ARefusingXray:
    """Xray, until it is told to refuse whatever it is to start with."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / "xray"
        self._refuse, self._notes = directory / "refuse", directory / "notes"
        script = REFUSING.format(notes=self._notes, refuse=self._refuse, xray=program("xray").resolve())
        self.path.write_text(script, encoding="utf-8")
        self.path.chmod(0o755)

    def refuses(self) -> None:
        self._refuse.touch()

    def takes_it_again(self) -> None:
        self._refuse.unlink()

    @property
    def starts(self) -> int:
        return sum("-test" not in line for line in self._notes.read_text().splitlines())


def test_a_refused_configuration_is_told_with_its_reason_and_not_tried_again_and_again(
    crowd: Crowd, tmp_path: Path
) -> None:
    xray = ARefusingXray(tmp_path)
    with a_node(tmp_path, AGENT_XRAY=str(xray.path)) as node:
        node.put("anna", CUSTOMERS["anna"])
        xray.refuses()
        starts = xray.starts
        os.kill(node.xray(), signal.SIGKILL)
        until(lambda: "it was told to refuse" in node.log.read_text())
        until(lambda: not says_it_is_healthy())
        assert xray.starts - starts <= 2
        assert not node.status().xray.running

        xray.takes_it_again()
        node.put("boris", CUSTOMERS["boris"])
        until(lambda: works(crowd, "anna", "boris"))
        assert says_it_is_healthy()
        assert_all_agree(node)
