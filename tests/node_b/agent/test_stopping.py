"""Whoever asks for a change while the agent stops is answered at once, one way or the other."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final

from node_b.agent.keeper import NotDurable
from tests.node_b.agent.agents import a_state
from tests.node_b.agent.keepers import Kept, a_keeper

# Much less than a caller's own patience.
AT_ONCE: Final = 10.0


def _in_threads(number: int, work: Callable[[int], None]) -> list[threading.Thread]:
    threads = [threading.Thread(target=work, args=(one,), daemon=True) for one in range(number)]
    for thread in threads:
        thread.start()
    return threads


def _all_end(threads: list[threading.Thread]) -> bool:
    for thread in threads:
        thread.join(AT_ONCE)
    return not any(thread.is_alive() for thread in threads)


def test_everybody_who_asks_again_and_again_while_it_stops_hears_that_it_stops(tmp_path: Path) -> None:
    heard: list[str] = []

    def ask(kept: Kept, number: int) -> None:
        try:
            for revision in range(1, 100_000):
                kept.keeper.wake()  # as an Xray that dies does
                kept.keeper.put(f"q_{number}", a_state(number, revision=revision))
        except NotDurable as refusal:
            heard.append(str(refusal))

    with a_keeper(tmp_path) as kept:
        threads = _in_threads(12, lambda number: ask(kept, number))
        kept.keeper.wake()
        kept.keeper.stop()
        assert _all_end(threads)
    assert heard == ["the agent is stopping"] * 12
