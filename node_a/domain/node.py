"""A node: one Node B, what a key must say of it, and how it was last seen."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple, NewType

from node_a.domain.customer import Language

NodeCode = NewType("NodeCode", str)  # "de1"


class Protocol(StrEnum):
    """How traffic reaches a node."""

    VLESS = "vless"
    SHADOWSOCKS = "shadowsocks"


class Keeper(NamedTuple):
    """Who holds a node's keys of one protocol: its panel or its agent."""

    node: NodeCode
    protocol: Protocol


class NodeState(StrEnum):
    """What the operator wants of a node."""

    ACTIVE = "active"
    DRAINING = "draining"  # keeps the keys that it has, shown last; gets no new ones
    RETIRED = "retired"  # its keys leave the links at once and are removed from it


@dataclass(frozen=True, slots=True)
class RealityInbound:
    """What a client must know of a node's VLESS-Reality inbound. `public_key`: X25519, base64url."""

    port: int
    flow: str
    public_key: str
    short_id: str
    server_name: str
    fingerprint: str


@dataclass(frozen=True, slots=True)
class ShadowsocksInbound:
    """What a client must know of a node's Shadowsocks-2022 inbound. `server_key`: standard base64."""

    port: int
    method: str
    server_key: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class OutlineInbound:
    """What Outline's client must know of a node's inbound for it: the classic Shadowsocks, which the panel keeps beside
    VLESS, for the same users."""

    port: int
    method: str


@dataclass(frozen=True, slots=True)
class Node:
    """`host`: the name or address that keys carry; `names`: what customers call it; `outline`: None where a node has no
    inbound for Outline's client."""

    code: NodeCode
    state: NodeState
    names: Mapping[Language, str]
    host: str
    reality: RealityInbound
    shadowsocks: ShadowsocksInbound
    outline: OutlineInbound | None = None


def offered(nodes: Sequence[Node]) -> Sequence[Node]:
    """Where a subscription gets keys: the active nodes. While there is none, the draining ones: keys there are better
    than none for what was paid."""
    active = [node for node in nodes if node.state is NodeState.ACTIVE]
    return active or [node for node in nodes if node.state is NodeState.DRAINING]


@dataclass(frozen=True, slots=True)
class NodeObservation:
    """How a node looked at `at`. A fact that could not be had is None. `vless_ready` and `shadowsocks_ready`: that
    Xray runs and its keeper answers; `vless_reachable` and `shadowsocks_reachable`: that the customers' port answered
    us; `cpu_percent` over all cores; memory in bytes; `connected_users`: now; `clock_off`: seconds by which the node's
    clock is ahead of ours."""

    at: datetime
    vless_ready: bool
    shadowsocks_ready: bool
    cpu_percent: float | None = None
    memory_used: int | None = None
    memory_total: int | None = None
    connected_users: int | None = None
    users: int | None = None
    problem: str | None = None
    vless_reachable: bool | None = None
    shadowsocks_reachable: bool | None = None
    clock_off: float | None = None
