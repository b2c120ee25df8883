"""Somebody who uses the node all the time, whatever happens to others."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from tests.node_b.agent_proofs.crowd import Crowd


@dataclass
class Bystander:
    """`visits`: how many connections were made and worked; `failures`: how many did not."""

    crowd: Crowd
    customer: str
    wanted: int = 2000
    visits: int = 0
    failures: int = 0
    _stop: threading.Event = field(default_factory=threading.Event)

    def go_on(self) -> None:
        while not self._stop.wait(0.02):
            if self.crowd.gets_through(self.customer, wanted=self.wanted):
                self.visits += 1
            else:
                self.failures += 1

    def stop(self) -> None:
        self._stop.set()


@contextmanager
def a_bystander(crowd: Crowd, customer: str) -> Iterator[Bystander]:
    """Visits the page again and again beside the block, and stays connected; notices nothing, or the block fails."""
    bystander = Bystander(crowd, customer)
    thread = threading.Thread(target=bystander.go_on)
    with crowd.staying(customer) as conversation:
        thread.start()
        try:
            yield bystander
        finally:
            bystander.stop()
            thread.join()
        assert bystander.failures == 0
        assert bystander.visits > 0
        assert conversation.goes_on()
