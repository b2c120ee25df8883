"""Who may speak for YooKassa."""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from node_a.adapters.payments.addresses import YOOKASSA_NETWORKS, is_yookassa

IPV4 = [network for network in YOOKASSA_NETWORKS if isinstance(network, IPv4Network)]
IPV6 = [network for network in YOOKASSA_NETWORKS if isinstance(network, IPv6Network)]


@st.composite
def inside(draw: st.DrawFn) -> IPv4Address | IPv6Address:
    network = draw(st.sampled_from(YOOKASSA_NETWORKS))
    return network[draw(st.integers(0, network.num_addresses - 1))]


@settings(deadline=None)  # a busy machine is no failure
@given(inside())
def test_every_address_of_theirs_is_theirs(address: IPv4Address | IPv6Address) -> None:
    assert is_yookassa(str(address))
    if isinstance(address, IPv4Address):
        assert is_yookassa(f"::ffff:{address}")
    else:
        assert is_yookassa(address.exploded.upper())


@settings(deadline=None)  # a busy machine is no failure
@given(st.ip_addresses(v=4))
def test_any_other_ipv4_address_is_not(address: IPv4Address) -> None:
    expected = any(network.network_address <= address <= network.broadcast_address for network in IPV4)

    assert is_yookassa(str(address)) is expected
    assert is_yookassa(f"::ffff:{address}") is expected


@settings(deadline=None)  # a busy machine is no failure
@given(st.ip_addresses(v=6))
def test_any_other_ipv6_address_is_not(address: IPv6Address) -> None:
    mapped = address.ipv4_mapped
    expected = address in IPV6[0] if mapped is None else any(mapped in network for network in IPV4)

    assert is_yookassa(str(address)) is expected


@settings(deadline=None)  # a busy machine is no failure
@given(st.text())
def test_garbage_is_refused_without_an_error(text: str) -> None:
    assert is_yookassa(f"{text}, 185.71.76.1") is False
    assert is_yookassa(f"{text}x") is False


@pytest.mark.parametrize(
    "address",
    [
        "185.71.75.255",
        "185.71.76.32",
        "77.75.153.128",
        "77.75.154.127",
        "77.75.156.10",
        "77.75.156.12",
        "2a02:5181::",
        "2a02:517f:ffff:ffff:ffff:ffff:ffff:ffff",
        "2a02:5180::1%eth0",
        "::185.71.76.1",  # "compatible", not mapped: no socket shows a peer like this
        "185.71.76.1:443",
        "0185.71.76.1",
        " 185.71.76.1",
        "185.71.76.1\n",
        "",
        "unix:",
    ],
)
def test_neighbours_and_look_alikes_are_refused(address: str) -> None:
    assert is_yookassa(address) is False


def test_the_list_can_be_replaced() -> None:
    assert is_yookassa("127.0.0.1", [ip_network("127.0.0.0/8")])
    assert not is_yookassa("185.71.76.1", [ip_network("127.0.0.0/8")])
    assert not is_yookassa("185.71.76.1", [])
