"""In which order a customer's keys are shown: apps that do not choose by themselves take the first.

Only what is beyond doubt counts, and load only roughly: an order that changes with every look would help nobody.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import IntEnum
from typing import Final, NamedTuple

from node_a.domain.faults import FAULT_OF, Fault, is_fresh
from node_a.domain.health import Health
from node_a.domain.node import Node, NodeCode, NodeObservation, NodeState, Protocol

# From here on a processor is busy; from there on, heavily loaded.
BUSY_PERCENT: Final = (50.0, 85.0)


class Known(NamedTuple):
    """What is known of a node."""

    observation: NodeObservation | None
    health: Health


class _Place(IntEnum):
    """Lower numbers first."""

    HEALTHY = 0
    IN_TROUBLE = 1
    UNKNOWN = 2  # nobody has looked for too long
    DRAINING = 3
    GONE = 4


def in_order(nodes: Sequence[Node], known: Mapping[NodeCode, Known], now: datetime) -> list[tuple[Node, Protocol]]:
    """Every protocol of every node that is not retired, the best first; what is equally good stays as it was in
    `nodes`. Those that do not answer are listed, too: they may come back before anybody looks again."""
    listed = [node for node in nodes if node.state is not NodeState.RETIRED]
    ranked = sorted(listed, key=lambda node: _rank(node, known.get(node.code), now))
    return [(node, protocol) for node in ranked for protocol in _protocols(known.get(node.code))]


def cpu_band(percent: float | None) -> int:
    """0 to 2; what is not known is in the middle."""
    return 1 if percent is None else sum(percent >= edge for edge in BUSY_PERCENT)


def _rank(node: Node, known: Known | None, now: datetime) -> tuple[int, int, int, bool]:
    place = _place(node, known, now)
    seen = known.observation if known else None
    load = (0, 0) if seen is None or place is _Place.UNKNOWN else _load(seen)
    return place, *load, node.state is not NodeState.ACTIVE


def _place(node: Node, known: Known | None, now: datetime) -> _Place:
    is_known = known is not None and known.observation is not None and is_fresh(known.observation, now)
    faults = known.health.faults if known is not None and is_known else frozenset[Fault]()
    if Fault.GONE in faults:
        return _Place.GONE
    if node.state is not NodeState.ACTIVE:
        return _Place.DRAINING
    if not is_known:
        return _Place.UNKNOWN
    return _Place.IN_TROUBLE if faults else _Place.HEALTHY


def _load(seen: NodeObservation) -> tuple[int, int]:
    """Customers count only if they are about four times as many."""
    return cpu_band(seen.cpu_percent), (seen.connected_users or 0).bit_length() // 2


def _protocols(known: Known | None) -> list[Protocol]:
    faults = known.health.faults if known else frozenset[Fault]()
    return sorted(Protocol, key=lambda protocol: FAULT_OF[protocol] in faults)
