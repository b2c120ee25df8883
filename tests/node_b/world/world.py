"""All of it together."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.node_b.world.names import (
    BORROWED,
    CUSTOMERS,
    CUSTOMERS_6,
    NEIGHBOURS,
    NODE,
    NODE_6,
    PAGE,
    PAGE_6,
    RESOLVER,
    SHOP,
)
from tests.node_b.world.network import Network, networks
from tests.node_b.world.node import Node, a_node
from tests.node_b.world.resolver import resolving
from tests.node_b.world.shop import a_shop
from tests.node_b.world.sites import Sites, the_sites
from tests.sandbox.shop.site import Site


@dataclass(frozen=True)
class World:
    """`customers`: where their apps run; `internet`: everything else that is outside."""

    internet: Network
    sites: Sites
    node: Node
    customers: Network
    shop_network: Network
    shop: Site


@contextmanager
def a_world(directory: Path) -> Iterator[World]:
    with ExitStack() as stack:
        internet, node_network, shop_network, customers = stack.enter_context(networks(4))
        connect(internet, node_network, shop_network, customers)
        resolv_conf = directory / "resolv.conf"
        resolv_conf.write_text(f"nameserver {RESOLVER}\n", encoding="utf-8")
        node_network.mounts[Path("/etc/resolv.conf")] = resolv_conf
        stack.enter_context(resolving(internet))
        sites = stack.enter_context(the_sites(internet, directory))
        customers.variables["SSL_CERT_FILE"] = str(sites.certificate)  # to them, the borrowed site is a genuine one
        node = stack.enter_context(a_node(node_network, directory))
        shop = stack.enter_context(a_shop(shop_network, directory, node.block()))
        yield World(internet, sites, node, customers, shop_network, shop)


def connect(internet: Network, node: Network, shop: Network, customers: Network) -> None:
    """Everybody by their addresses; the node, besides, with what is private around it."""
    internet.has(*(f"{address}/24" for address in ("198.51.100.1", PAGE, BORROWED, RESOLVER)))
    internet.has("2001:db8::1/64", f"{PAGE_6}/64")
    node.has(f"{NODE}/24", f"{NODE_6}/64")
    shop.has(f"{SHOP}/24")
    customers.has(f"{CUSTOMERS}/24", f"{CUSTOMERS_6}/64")
    for neighbour, own in NEIGHBOURS.items():
        length = 64 if ":" in neighbour else 24
        internet.has(f"{neighbour}/{length}")
        node.has(f"{own}/{length}")
    for network in (node, shop, customers):
        network.leaves_by("198.51.100.1")
