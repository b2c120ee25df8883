"""Walking: all that a keeper holds, page by page, and never for longer than a job may take."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Final

from node_a.application.ports import Clock, NodeGateway
from node_a.domain.access import HeldPage
from node_a.domain.errors import NodeUnavailable
from node_a.domain.node import Protocol

# Shorter than the lease of a job: of two who read the same counters at once, the slower would see them fall. And
# pages that never end must not keep one run of a job after another busy, until there is room for no other job.
LONGEST_WALK: Final = timedelta(minutes=15)


async def held_pages(node: NodeGateway, protocol: Protocol, clock: Clock) -> AsyncIterator[HeldPage]:
    """The next page is asked for when the one before has been dealt with. Raises NodeUnavailable, also if it takes too
    long."""
    began, after = clock(), None
    while True:
        page = await node.held(protocol, after)
        if clock() - began > LONGEST_WALK:
            raise NodeUnavailable(f"node: its {protocol} users cannot be read within {LONGEST_WALK}", answered=True)
        yield page
        if page.next is None:
            return
        after = page.next
