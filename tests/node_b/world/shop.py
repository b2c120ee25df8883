"""The shop in the test's Internet: Node A's own processes, the sandbox's Telegram and YooKassa, and one real node."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from sandbox.shop import PROJECT, migrated_node_a, shop_without_node_a
from tests.node_b.world.network import Network
from tests.sandbox.shop.site import Site


@contextmanager
def a_shop(network: Network, directory: Path, node: Mapping[str, str]) -> Iterator[Site]:
    """`node`: the block that the node prints for Node A's settings."""
    plans = directory / "plans.toml"
    limited = '\n[[plans]]\ncode = "small"\ndays = 30\nprice = "99.00"\ntraffic_gb = 1\n'
    plans.write_text((PROJECT / "plans.toml").read_text(encoding="utf-8") + limited, encoding="utf-8")
    settings = {"PLANS_FILE": str(plans), "GRACE_DAYS": "0", **node}
    with ExitStack() as running:
        # Left again before anybody else's turn: only what is started here stays in there.
        with network.entered():
            shop = running.enter_context(shop_without_node_a(directory / "shop", nodes=0))
            start = running.enter_context(migrated_node_a(shop, settings))
            site = Site(shop, start, settings)
            running.callback(site.close)
            site.open()
        yield site
