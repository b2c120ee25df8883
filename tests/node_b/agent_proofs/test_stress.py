"""Customers are added, removed and rotated as fast as the agent takes it while they connect: Xray does not die, nobody
who was removed gets in, nobody who is there is kept out, and no traffic is booked to another.

AGENT_STRESS_SECONDS says for how long; five minutes if not given."""

import os
import time
from collections import Counter, defaultdict
from pathlib import Path
from typing import Final

from tests.node_b.agent_proofs.crowd import a_crowd
from tests.node_b.agent_proofs.history import Attempt
from tests.node_b.agent_proofs.node import Node, a_node, assert_all_agree
from tests.node_b.agent_proofs.page import Page
from tests.node_b.agent_proofs.stress import QUIET, ROTATED, STEADY, VISITING, Stress, customers
from tests.waiting import until

SECONDS: Final = float(os.environ.get("AGENT_STRESS_SECONDS") or 300)
# Nobody waits this long for a node that has its key.
LONG: Final = 2.0


def test_customers_come_and_go_as_fast_as_the_agent_takes_it(page: Page, tmp_path: Path) -> None:
    with a_node(tmp_path) as node, a_crowd(customers(), tmp_path) as crowd:
        xray = node.xray()
        stress = Stress(crowd, page)
        stress.begin()
        with stress.going_on():
            time.sleep(SECONDS)
        attempts = stress.attempts()
        print(f"{stress.calls} calls, {len(attempts)} visits, of them {Counter(a.opened for a in attempts)}")

        assert node.xray() == xray, "it died"
        nobody_removed_got_in(stress, attempts)
        nobody_was_kept_out(stress, attempts)
        accounts_are_right(node, stress, page)
        assert_all_agree(node)
        assert {name: user.key for name, user in node.users().items()} == {
            name: history.told[-1].key for name, history in stress.histories.items() if history.told[-1].key
        }
    assert stress.calls > 5 * SECONDS
    assert sum(attempt.whole for attempt in attempts) > 5 * SECONDS


def nobody_removed_got_in(stress: Stress, attempts: list[Attempt]) -> None:
    assert [a for a in attempts if a.opened and not stress.histories[a.name].could_open(a)] == []
    kept_out = [a for a in attempts if not a.opened and not stress.histories[a.name].could_open(a)]
    assert kept_out, "nobody tried"


def nobody_was_kept_out(stress: Stress, attempts: list[Attempt]) -> None:
    """A single attempt may fail, as in any network; not one after another."""
    failing_since: dict[str, float] = {}
    entitled = [a for a in attempts if stress.histories[a.name].had_to_open(a)]
    for attempt in sorted(entitled, key=lambda attempt: attempt.ended):
        if attempt.whole:
            failing_since.pop(attempt.name, None)
        else:
            since = failing_since.setdefault(attempt.name, attempt.begun)
            assert attempt.ended - since < LONG, attempt
    failed = [attempt for attempt in entitled if not attempt.whole]
    assert len(failed) <= len(entitled) / 1000, failed[:10]


def accounts_are_right(node: Node, stress: Stress, page: Page) -> None:
    carried: dict[str, int] = defaultdict(int)
    for visit in page.visits:
        carried[visit.visitor.partition(".")[0]] += visit.received + visit.sent
    until(lambda: all(node.users()[name].used_traffic == carried[name] for name in STEADY))
    used = {name: user.used_traffic for name, user in node.users().items()}
    assert {name: used[name] for name in QUIET if used.get(name)} == {}
    # Who is removed loses its account; a visit during a call may be lost to a dummy, but goes to nobody else.
    assert [name for name in VISITING if used.get(name, 0) > carried[name]] == []
    undisturbed = stress.brought_between_calls(page)
    assert [name for name in ROTATED if used[name] < undisturbed[name]] == []
