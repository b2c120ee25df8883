"""At night a fresh Xray takes over, so that dummies and left-over connections go: no new connection is refused by it,
and no traffic is forgotten."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from tests.node_b.agent_proofs.crowd import LINE, Crowd, a_crowd
from tests.node_b.agent_proofs.keys import a_key
from tests.node_b.agent_proofs.node import a_node, assert_all_agree, xrays
from tests.node_b.agent_proofs.page import Page
from tests.node_b.agent_proofs.skeleton import placeholder
from tests.waiting import until

USERS: Final = [f"user_{number}" for number in range(8)]
REMOVED: Final = [f"removed_{number}" for number in range(8)]
TALKER: Final = "talker"
CUSTOMERS: Final = {name: a_key(name) for name in (*USERS, *REMOVED, TALKER)}
MINUTE: Final = 60
UNASKED: Final = 0.25


def soon() -> tuple[str, float]:
    """The next full minute that leaves time to get ready, as a setting and in seconds since the epoch."""
    moment = (int(time.time()) + 10) // MINUTE * MINUTE + MINUTE
    return datetime.fromtimestamp(moment, UTC).strftime("%H:%M"), moment


def test_a_fresh_xray_takes_over_and_no_new_connection_is_refused(page: Page, tmp_path: Path) -> None:
    renew_at, moment = soon()
    with ExitStack() as stack:
        node = stack.enter_context(a_node(tmp_path, AGENT_RENEW_AT=renew_at))
        crowd = stack.enter_context(a_crowd(CUSTOMERS, tmp_path))
        for name, key in CUSTOMERS.items():
            node.put(name, key)
        left_over = stack.enter_context(crowd.staying(REMOVED[0]))
        for name in REMOVED:
            node.delete(name)
        first = node.xray()
        with_dummies = len(node.keys_in_the_running_xray())
        load = stack.enter_context(a_load(crowd, page))
        talk = stack.enter_context(ThreadPoolExecutor(1)).submit(talk_until_cut, crowd)

        until(lambda: time.time() > moment - 1)
        assert node.xray() == first
        until(lambda: xrays() not in ([], [first]))
        until(lambda: first not in xrays())
        until_more(load)
        load.stop()

        assert time.time() > moment - 1
        assert load.refused == []
        assert with_dummies > 1 + len(USERS)
        assert node.keys_in_the_running_xray().keys() == {*placeholder(), *USERS, TALKER}
        assert not left_over.goes_on()
        heard = talk.result()
        print(f"{load.visits} visits, {len(load.cut)} cut; {heard} bytes of talk")
        assert [name for name in REMOVED if crowd.gets_through(name)] == []
        until(lambda: all(node.users()[name].used_traffic >= load.brought(name) for name in USERS))
        until(lambda: node.users()[TALKER].used_traffic >= heard)
        print(f"{node.users()[TALKER].used_traffic} of them counted")
        time.sleep(2.5)  # for what would be counted twice
        assert node.users()[TALKER].used_traffic <= carried(page, TALKER)
        assert {name for name in USERS if node.users()[name].used_traffic > carried(page, name)} == set()
        assert_all_agree(node)


def carried(page: Page, name: str) -> int:
    return sum(visit.received + visit.sent for visit in page.visits if visit.visitor.partition(".")[0] == name)


def talk_until_cut(crowd: Crowd) -> int:
    """Bytes, both ways, of what was said and answered on a connection that the old Xray keeps to its end; without the
    very last, said between the question what it has carried and its end."""
    heard: list[float] = []
    with crowd.staying(TALKER) as conversation:
        while conversation.goes_on():
            heard.append(time.monotonic())
    return 2 * len(LINE) * sum(moment < heard[-1] - UNASKED for moment in heard)


class Load:
    """Customers who visit the page all the time. `refused`: visits that did not get there; `cut`: those that got there
    and were not brought what they wanted, because the Xray that had let them in ended."""

    def __init__(self, crowd: Crowd, page: Page) -> None:
        self._crowd = crowd
        self._page = page
        self._stop = threading.Event()
        self._whole: set[str] = set()
        self._tried: list[str] = []

    def visit(self, name: str) -> None:
        number = 0
        while not self._stop.wait(0.03):
            number += 1
            under = f"{name}.{number}"
            if self._crowd.gets_through(name, wanted=5000, under=under):
                self._whole.add(under)
            self._tried.append(under)

    def stop(self) -> None:
        self._stop.set()

    @property
    def visits(self) -> int:
        return len(self._tried)

    @property
    def refused(self) -> list[str]:
        return sorted(set(self._tried) - self._page.visitors())

    @property
    def cut(self) -> list[str]:
        return sorted(set(self._tried) - self._whole - set(self.refused))

    def brought(self, name: str) -> int:
        return sum(
            visit.received + visit.sent
            for visit in self._page.visits
            if visit.visitor in self._whole and visit.visitor.startswith(f"{name}.")
        )


class a_load:  # noqa: N801 (read as a phrase)
    def __init__(self, crowd: Crowd, page: Page) -> None:
        self._load = Load(crowd, page)
        self._threads = ThreadPoolExecutor(len(USERS))

    def __enter__(self) -> Load:
        for name in USERS:
            self._threads.submit(self._load.visit, name)
        return self._load

    def __exit__(self, *_: object) -> None:
        self._load.stop()
        self._threads.shutdown()


def until_more(load: Load) -> None:
    before = load.visits
    until(lambda: load.visits > before + 200)
