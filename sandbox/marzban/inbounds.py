"""What customers may come in through, as the core's configuration has it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from shared.inbounds import OUTLINE_TAG, VLESS_PORT, VLESS_TAG

# By protocol.
Tags = Mapping[str, Sequence[str]]


@dataclass(frozen=True, slots=True)
class Inbound:
    """As the panel speaks of it. `protocol`: "vless", or "shadowsocks", which is the classic one; `tls`: "reality" or
    "none"."""

    tag: str
    protocol: str
    port: int
    tls: str


VLESS: Final = Inbound(VLESS_TAG, "vless", VLESS_PORT, "reality")


def with_outline(port: int | None) -> Sequence[Inbound]:
    """Those of a node whose `node.env` says so; None: VLESS alone."""
    return (VLESS,) if port is None else (VLESS, Inbound(OUTLINE_TAG, "shadowsocks", port, "none"))


def tags_of(inbounds: Sequence[Inbound]) -> Tags:
    return {one.protocol: [other.tag for other in inbounds if other.protocol == one.protocol] for one in inbounds}
