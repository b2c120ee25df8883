"""The addresses from which YooKassa sends its webhooks."""

from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final

Network = IPv4Network | IPv6Network

# https://yookassa.ru/developers/using-api/webhooks#ip; the SDK's own list is narrower for IPv6.
YOOKASSA_NETWORKS: Final[Sequence[Network]] = tuple(
    ip_network(network)
    for network in (
        "185.71.76.0/27",
        "185.71.77.0/27",
        "77.75.153.0/25",
        "77.75.154.128/25",
        "77.75.156.11/32",
        "77.75.156.35/32",
        "2a02:5180::/32",
    )
)


def is_yookassa(address: str, networks: Sequence[Network] = YOOKASSA_NETWORKS) -> bool:
    """Whether a peer with this address may speak for YooKassa; False for whatever is no address at all."""
    try:
        peer = ip_address(address)
    except ValueError:
        return False
    if isinstance(peer, IPv6Address):
        if peer.scope_id is not None:
            return False  # a zone belongs to one of our own links; none of theirs reaches us there
        # A socket that listens on both families shows an IPv4 peer as ::ffff:185.71.76.1.
        peer = peer.ipv4_mapped or peer
    return any(peer in network for network in networks)
