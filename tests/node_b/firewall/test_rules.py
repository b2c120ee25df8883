"""The rules, tried from three machines: every port, open or not, over IPv4 and IPv6, TCP and UDP."""

import ipaddress
from collections.abc import Iterator
from pathlib import Path

import pytest

from node_b.configurations import TUNNEL_PRIORITY, firewall
from tests.node_b.firewall.machines import (
    FOR_ALL,
    LISTENING,
    NODE,
    NODE_A,
    OUTLINE,
    STRANGER,
    Machines,
    everything_open,
    is_pinged,
    some_decisions,
    tcp_open,
    tcp_refused,
    three_machines,
    udp_answered,
)

pytestmark = pytest.mark.proof
FAMILIES = pytest.mark.parametrize("family", [4, 6])
# The provider's inside.
PRIVATE = {4: "10.66.0.30", 6: "fd66::30"}
METADATA = "169.254.169.254"
FOREIGN = """
table ip nat {
  chain DOCKER { type nat hook prerouting priority dstnat; tcp dport 9000 dnat to 172.17.0.2:80; }
}
table ip filter {
  chain FORWARD { type filter hook forward priority filter; policy drop; }
}
"""


@pytest.fixture(scope="module")
def machines() -> Iterator[Machines]:
    with three_machines() as machines, everything_open(machines.node), everything_open(machines.stranger, [80]):
        machines.node.has("10.66.0.10/24", "fd66::10/64")
        machines.node.has("169.254.1.1/16")
        machines.stranger.has(f"{PRIVATE[4]}/24", f"{PRIVATE[6]}/64", f"{METADATA}/16")
        yield machines


@pytest.fixture
def behind(machines: Machines, tmp_path: Path) -> Iterator[Machines]:
    """Its rules for Node A at both addresses; gone after the test."""
    machines.loads(firewall(some_decisions(tmp_path)), tmp_path / "firewall.nft")
    yield machines
    machines.node.run("nft", "flush", "ruleset")


@FAMILIES
def test_without_rules_every_port_is_open(machines: Machines, family: int) -> None:
    assert tcp_open(machines.stranger, NODE[family]) == {*LISTENING}
    assert udp_answered(machines.stranger, NODE[family]) == {*LISTENING}


@FAMILIES
def test_a_stranger_reaches_the_customers_ports_and_sshd_and_hears_nothing_from_others(
    behind: Machines, family: int
) -> None:
    assert tcp_open(behind.stranger, NODE[family]) == FOR_ALL
    assert udp_answered(behind.stranger, NODE[family]) == {443}


@FAMILIES
def test_node_a_reaches_the_proxy_as_well(behind: Machines, family: int) -> None:
    assert tcp_open(behind.node_a, NODE[family]) == {*FOR_ALL, 8443}
    assert udp_answered(behind.node_a, NODE[family]) == {443}


@FAMILIES
def test_outlines_port_is_open_where_the_node_has_one(machines: Machines, family: int, tmp_path: Path) -> None:
    machines.loads(firewall(some_decisions(tmp_path, outline_port=OUTLINE)), tmp_path / "firewall.nft")

    assert tcp_open(machines.stranger, NODE[family]) == {*FOR_ALL, OUTLINE}
    assert udp_answered(machines.stranger, NODE[family]) == {443, OUTLINE}


def test_node_a_may_have_addresses_of_one_kind_only(machines: Machines, tmp_path: Path) -> None:
    for family, other in ((4, 6), (6, 4)):
        only = (ipaddress.ip_network(NODE_A[family]),)
        machines.loads(firewall(some_decisions(tmp_path, node_a=only)), tmp_path / "firewall.nft")

        assert tcp_open(machines.node_a, NODE[family], [8443]) == {8443}
        assert tcp_open(machines.node_a, NODE[other], [8443]) == set()


def test_when_node_a_moves_the_old_address_is_a_strangers(behind: Machines, tmp_path: Path) -> None:
    moved = tuple(ipaddress.ip_network(address) for address in STRANGER.values())

    behind.loads(firewall(some_decisions(tmp_path, node_a=moved)), tmp_path / "firewall.nft")

    for family in (4, 6):
        assert tcp_open(behind.node_a, NODE[family], [8443]) == set()
        assert tcp_open(behind.stranger, NODE[family], [8443]) == {8443}


def test_a_network_of_node_a_lets_its_members_in(machines: Machines, tmp_path: Path) -> None:
    decisions = some_decisions(tmp_path, node_a=(ipaddress.ip_network("198.51.100.16/29"),))
    machines.loads(firewall(decisions), tmp_path / "firewall.nft")

    assert tcp_open(machines.node_a, NODE[4], [8443]) == {8443}
    assert tcp_open(machines.stranger, NODE[4], [8443]) == set()


@FAMILIES
def test_the_node_reaches_its_own_loopback_and_others(behind: Machines, family: int) -> None:
    loopback = {4: "127.0.0.1", 6: "::1"}[family]

    assert tcp_open(behind.node, loopback) == {*LISTENING}
    assert tcp_open(behind.node, STRANGER[family], [80]) == {80}
    assert udp_answered(behind.node, STRANGER[family], [80]) == {80}


@FAMILIES
def test_what_the_node_sends_to_its_own_address_is_treated_like_a_strangers(behind: Machines, family: int) -> None:
    assert tcp_open(behind.node, NODE[family]) == FOR_ALL
    assert udp_answered(behind.node, NODE[family]) == {443}


@FAMILIES
def test_pings_are_answered_and_neighbours_found_anew(behind: Machines, family: int) -> None:
    for machine in (behind.node, behind.stranger):
        machine.run("ip", "neighbour", "flush", "all")

    assert is_pinged(behind.stranger, NODE[family])
    assert is_pinged(behind.node, STRANGER[family])


def test_what_customers_send_is_not_let_out_to_private_addresses(behind: Machines) -> None:
    for address in (*PRIVATE.values(), METADATA, "127.0.0.1", "::1"):
        assert tcp_open(behind.node, address, [80]) == {80}, address
        assert udp_answered(behind.node, address, [80]) == {80}, address

        assert tcp_refused(behind.node, address, 80, TUNNEL_PRIORITY), address
        assert udp_answered(behind.node, address, [80], TUNNEL_PRIORITY) == set(), address


def test_what_customers_send_does_not_reach_the_node_by_its_public_addresses(behind: Machines) -> None:
    for address in (*NODE.values(), "10.66.0.10", "fd66::10"):
        assert tcp_open(behind.node, address, [443]) == {443}, address

        assert tcp_refused(behind.node, address, 443, TUNNEL_PRIORITY), address
        assert udp_answered(behind.node, address, [443], TUNNEL_PRIORITY) == set(), address


@FAMILIES
def test_what_customers_send_to_public_addresses_and_the_node_itself_anywhere_is_let_out(
    behind: Machines, family: int
) -> None:
    assert tcp_open(behind.node, STRANGER[family], [80], TUNNEL_PRIORITY) == {80}
    assert udp_answered(behind.node, STRANGER[family], [80], TUNNEL_PRIORITY) == {80}
    assert tcp_open(behind.node, PRIVATE[family], [80]) == {80}
    assert udp_answered(behind.node, PRIVATE[family], [80]) == {80}


def test_other_tables_such_as_dockers_are_left_alone(machines: Machines, tmp_path: Path) -> None:
    machines.loads(FOREIGN, tmp_path / "foreign.nft")
    before = machines.node.run("nft", "list", "ruleset")

    for _ in range(2):
        machines.loads(firewall(some_decisions(tmp_path)), tmp_path / "firewall.nft")
    machines.node.run("nft", "delete", "table", "inet", "qentvpn_node_b")

    assert machines.node.run("nft", "list", "ruleset") == before
    machines.node.run("nft", "flush", "ruleset")


def test_nothing_is_logged_or_counted(tmp_path: Path) -> None:
    rules = [line for line in firewall(some_decisions(tmp_path)).splitlines() if not line.strip().startswith("#")]

    assert not [line for line in rules if {"log", "counter", "meter", "update", "add"} & {*line.split()}]
