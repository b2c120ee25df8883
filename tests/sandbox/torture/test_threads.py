"""What rages in the background does not die unnoticed."""

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from sandbox.shop import shop_without_node_a
from sandbox.torture.chaos import Chaos
from sandbox.torture.interruptions import Interruptions
from sandbox.torture.kills import Kills
from sandbox.torture.moments import Moments
from sandbox.torture.processes import respawned
from sandbox.torture.purchases import Purchases
from sandbox.torture.storm import Storm
from sandbox.torture.threads import Background, EndedTooSoon
from tests.waiting import until


def fails() -> None:
    raise OSError("the stand-in is away")


def test_whoever_waits_for_a_thread_hears_what_ended_it() -> None:
    thread = Background("chaos", fails)
    thread.start()

    with pytest.raises(EndedTooSoon, match=r"chaos.*the stand-in is away") as told:
        thread.join()

    assert isinstance(told.value.__cause__, OSError)


def test_a_thread_that_came_to_its_end_is_no_trouble() -> None:
    ran = threading.Event()
    thread = Background("chaos", ran.set)
    thread.start()
    thread.join()

    assert ran.is_set()


def test_one_never_started_need_not_be_waited_for() -> None:
    Background("chaos", fails).join()


def test_an_error_already_named_is_not_wrapped_again() -> None:
    inner = Background("kills", fails)
    inner.start()
    outer = Background("storm", inner.join)
    outer.start()

    with pytest.raises(EndedTooSoon, match=r"^kills ended too soon: OSError"):
        outer.join()


def is_over(name: str) -> bool:
    return name not in {thread.name for thread in threading.enumerate()}


def test_troubles_that_ended_before_the_night_are_no_quiet_night(tmp_path: Path) -> None:
    with shop_without_node_a(tmp_path) as shop:
        chaos = Chaos(shop, Purchases(), 1)
        interruptions = Interruptions(shop, 1)
        chaos.start()
        interruptions.start()
    until(lambda: is_over("chaos"))
    for _ in range(20):
        interruptions.note("GET", "/v3/payments/22d6d597-000f-5000-9000-145f6df21d6f")

    with pytest.raises(EndedTooSoon, match="chaos"):
        chaos.stop()
    with pytest.raises(EndedTooSoon, match="interruptions"):
        interruptions.stop()


def test_kills_that_ended_before_the_night_are_no_quiet_night() -> None:
    kills = Kills([], 1, Moments(), start_takes=0.0)
    kills.start()
    until(lambda: is_over("kills"))

    with pytest.raises(EndedTooSoon, match="kills"):
        kills.stop()


def sleeper(command: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)


def test_a_storm_that_cannot_rage_is_told_to_whoever_works_in_it(tmp_path: Path) -> None:
    worked = threading.Event()
    with respawned(["worker"], sleeper) as processes:
        with shop_without_node_a(tmp_path) as shop:
            storm = Storm(shop, processes, Purchases(), wanted=1, seed=1)

        with pytest.raises(EndedTooSoon, match="storm"):
            storm.rage_around(worked.set)

    assert worked.is_set()
