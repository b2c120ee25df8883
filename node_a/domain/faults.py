"""Faults: what one look at a node shows to be wrong."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from node_a.domain.node import NodeObservation, Protocol

# Older observations say nothing about now.
STALE_AFTER: Final = timedelta(minutes=5)
# Shadowsocks-2022 refuses 30 s; below that there is time to act.
CLOCK_MAY_BE_OFF: Final = timedelta(seconds=20)


class Fault(StrEnum):
    """What can be wrong with a node. The words stand in the database."""

    GONE = "gone"  # customers can use neither protocol
    SILENT = "silent"  # customers can, but neither panel nor agent answers us
    VLESS = "vless"  # it alone does not work, or its panel is silent
    SHADOWSOCKS = "shadowsocks"  # it alone does not work, or its agent is silent
    CLOCK = "clock"


FAULT_OF: Final = {Protocol.VLESS: Fault.VLESS, Protocol.SHADOWSOCKS: Fault.SHADOWSOCKS}


def works(observation: NodeObservation, protocol: Protocol) -> bool:
    """Whether customers can use the protocol there, as far as could be seen: their port says more than the keeper."""
    port, keeper = {
        Protocol.VLESS: (observation.vless_reachable, observation.vless_ready),
        Protocol.SHADOWSOCKS: (observation.shadowsocks_reachable, observation.shadowsocks_ready),
    }[protocol]
    return keeper if port is None else port


def faults_seen(observation: NodeObservation) -> Mapping[Fault, bool | None]:
    """Which faults one look shows. None: it says nothing about this one, which would only be a part of a greater."""
    gone = not any(works(observation, protocol) for protocol in Protocol)
    silent = not (gone or observation.vless_ready or observation.shadowsocks_ready)
    vless = observation.vless_ready and works(observation, Protocol.VLESS)
    shadowsocks = observation.shadowsocks_ready and works(observation, Protocol.SHADOWSOCKS)
    return {
        Fault.GONE: gone,
        Fault.SILENT: None if gone else silent,
        Fault.VLESS: None if gone or silent else not vless,
        Fault.SHADOWSOCKS: None if gone or silent else not shadowsocks,
        Fault.CLOCK: None if observation.clock_off is None else clock_is_off(observation.clock_off),
    }


def clock_is_off(seconds: float) -> bool:
    return abs(seconds) > CLOCK_MAY_BE_OFF.total_seconds()


def is_fresh(observation: NodeObservation, now: datetime) -> bool:
    return now - observation.at <= STALE_AFTER
