"""What is killed comes again, and nothing of it stays."""

import subprocess
import sys
from collections.abc import Iterator

import psutil
import pytest

from sandbox.torture.processes import Respawned, respawned
from tests.waiting import until

SLEEPS = "import time; time.sleep(600)"
HAS_A_CHILD = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'import time; time.sleep(600)'])"


def start(program: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", program], start_new_session=True)


@pytest.fixture
def sleeper() -> Iterator[Respawned]:
    with respawned([SLEEPS], start) as [process]:
        yield process


def is_gone(process: psutil.Process) -> bool:
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


def test_whoever_is_killed_is_started_again(sleeper: Respawned) -> None:
    first = sleeper.process.pid

    assert sleeper.kill()

    until(lambda: sleeper.process.pid != first and sleeper.process.poll() is None)
    assert sleeper.ended_by_itself == []


def test_whoever_ends_by_itself_is_started_again_and_that_is_told() -> None:
    with respawned(["raise SystemExit(3)"], start) as [process]:
        first = process.process
        until(lambda: process.process is not first)

        assert process.ended_by_itself[0] == 3


@pytest.mark.parametrize("leader_only", [True, False])
def test_nothing_of_a_killed_process_stays_when_all_is_over(leader_only: bool) -> None:
    with respawned([HAS_A_CHILD], start) as [process]:
        leader = psutil.Process(process.process.pid)
        until(lambda: bool(leader.children()))
        [child] = leader.children()
        assert process.kill(leader_only=leader_only)
        until(lambda: process.process.pid != leader.pid)
        until(lambda: leader_only or is_gone(child))

    until(lambda: is_gone(child))
