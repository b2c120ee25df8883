"""The key that an app takes first is one that works, on a server with room."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node_a.domain.health import Health
from node_a.domain.node import NodeCode, NodeObservation, NodeState, Protocol
from node_a.domain.order import Known, in_order
from tests.builders import NOW, a_node

WELL: Final = NodeObservation(NOW, True, True, cpu_percent=10.0, connected_users=40, clock_off=0.0)


def known(**changes: Any) -> Known:
    """A node that has looked so for some minutes."""
    sight, health = replace(WELL, **changes), Health()
    for minute in range(6):
        health, _ = health.after(replace(sight, at=sight.at - timedelta(minutes=5 - minute)))
    return Known(sight, health)


GONE: Final = known(vless_ready=False, shadowsocks_ready=False)
STALE: Final = known(at=NOW - timedelta(minutes=6))
NO_VLESS: Final = known(vless_ready=False)


def order(states: Mapping[str, NodeState], seen: Mapping[str, Known]) -> str:
    """The codes of the nodes as their keys come."""
    nodes = [a_node(code, state=state) for code, state in states.items()]
    shown = in_order(nodes, {NodeCode(code): what for code, what in seen.items()}, NOW)
    codes = [node.code for node, _ in shown]
    assert codes[::2] == codes[1::2], "a node's keys stay together"
    return " ".join(codes[::2])


def of_active(**seen: Known) -> str:
    return order(dict.fromkeys(sorted(seen), NodeState.ACTIVE), seen)


def test_healthy_nodes_come_first_and_silent_ones_last() -> None:
    states = {
        "gone": NodeState.ACTIVE,
        "leaving": NodeState.DRAINING,
        "stale": NodeState.ACTIVE,
        "never": NodeState.ACTIVE,
        "late": NodeState.ACTIVE,
        "half": NodeState.ACTIVE,
        "busy": NodeState.ACTIVE,
        "left": NodeState.RETIRED,
        "well": NodeState.ACTIVE,
    }
    seen = {
        "gone": GONE,
        "leaving": known(),
        "stale": STALE,
        "late": known(clock_off=25.0),
        "half": NO_VLESS,
        "busy": known(cpu_percent=99.0),
        "left": known(),
        "well": known(),
    }
    assert order(states, seen) == "well busy late half stale never leaving gone"


def test_a_draining_node_that_is_silent_is_the_very_last() -> None:
    states = {"leaving": NodeState.DRAINING, "gone": NodeState.ACTIVE, "well": NodeState.DRAINING}
    assert order(states, {"leaving": GONE, "gone": GONE, "well": known()}) == "well gone leaving"


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ({"cpu_percent": 60.0}, {"cpu_percent": 20.0}, "b a"),
        ({"cpu_percent": 90.0}, {"cpu_percent": 70.0}, "b a"),
        ({"cpu_percent": 45.0}, {"cpu_percent": 5.0}, "a b"),  # both have room
        ({"connected_users": 200}, {"connected_users": 20}, "b a"),
        ({"connected_users": 60}, {"connected_users": 40}, "a b"),  # hardly a difference
        ({"cpu_percent": 60.0, "connected_users": 1}, {"connected_users": 500}, "b a"),  # the processor counts first
        ({"cpu_percent": None}, {"cpu_percent": 20.0}, "b a"),
        ({"cpu_percent": 90.0}, {"cpu_percent": None}, "b a"),
        ({"connected_users": None}, {"connected_users": 500}, "a b"),
    ],
)
def test_load_counts_in_coarse_steps(first: dict[str, Any], second: dict[str, Any], expected: str) -> None:
    assert of_active(a=known(**first), b=known(**second)) == expected


def test_equally_loaded_nodes_stay_as_the_settings_name_them() -> None:
    states = {"z": NodeState.ACTIVE, "a": NodeState.ACTIVE, "m": NodeState.ACTIVE}
    assert order(states, {code: known() for code in states}) == "z a m"


def test_one_bad_look_changes_no_order() -> None:
    hiccup = Known(replace(WELL, vless_ready=False, shadowsocks_ready=False), known().health)
    assert of_active(a=hiccup, b=known()) == "a b"


def test_a_broken_protocol_goes_behind_the_other_one_of_its_node() -> None:
    shown = in_order([a_node("half"), a_node("well")], {NodeCode("half"): NO_VLESS, NodeCode("well"): known()}, NOW)
    assert [(node.code, protocol) for node, protocol in shown] == [
        ("well", Protocol.VLESS),
        ("well", Protocol.SHADOWSOCKS),
        ("half", Protocol.SHADOWSOCKS),
        ("half", Protocol.VLESS),
    ]


@given(
    st.lists(st.tuples(st.sampled_from(NodeState), st.sampled_from([None, GONE, STALE, NO_VLESS, known()])), max_size=8)
)
def test_no_key_is_lost_and_none_of_a_retired_node_is_shown(nodes: list[tuple[NodeState, Known | None]]) -> None:
    all_nodes = [a_node(f"n{number}", state=state) for number, (state, _) in enumerate(nodes)]
    seen = {NodeCode(f"n{number}"): what for number, (_, what) in enumerate(nodes) if what is not None}

    shown = in_order(all_nodes, seen, NOW)

    kept = [node.code for node in all_nodes if node.state is not NodeState.RETIRED]
    assert sorted((node.code, protocol) for node, protocol in shown) == sorted(
        (code, protocol) for code in kept for protocol in Protocol
    )
