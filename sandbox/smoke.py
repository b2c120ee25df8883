"""`make smoke`: one purchase without a browser; the last line is JSON."""

import json
import sys
import time
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Final

import httpx

from sandbox.customer import PATIENCE, Customer, CustomerWentAway, Delivery, held_by, linked_keys
from sandbox.nodes import host_of
from sandbox.shop import ShopDidNotStart, begin_anew, running_shop

# The fewest with which a key may be missing on one and not on the other.
_NODES: Final = 2


def smoke(directory: Path) -> int:
    """0 only if keys came into the chat, and the subscription link holds them and those of every node."""
    try:
        begin_anew(directory)
        with running_shop(directory, nodes=_NODES) as shop:
            customer = Customer(shop)
            try:
                delivery = customer.buy("month")
                problem = problem_with(delivery, shop.node_urls)
            finally:
                customer.close()
    except (ShopDidNotStart, CustomerWentAway, httpx.HTTPError, OSError) as error:
        print(f"No keys: {error}", file=sys.stderr)
        return 1
    print(json.dumps(asdict(delivery), ensure_ascii=False))
    if problem:
        print(f"Not as it should be: {problem}", file=sys.stderr)
        return 1
    return 0


def problem_with(delivery: Delivery, nodes: Iterable[str], patience: float = PATIENCE) -> str | None:
    """`nodes`: their codes; `patience`: seconds."""
    wanted = {(scheme, host_of(code)) for code in nodes for scheme in ("vless", "ss")}
    deadline = time.monotonic() + patience
    # The letter does not wait for the slowest node.
    while held_by(linked := linked_keys(delivery.subscription_link)) != wanted and time.monotonic() < deadline:
        time.sleep(0.1)
    if missing := wanted - held_by(linked):
        return f"the subscription link does not hold the keys {sorted(missing)}"
    if surplus := len(linked) - len(wanted):
        return f"the subscription link holds {surplus} keys too many"
    return None if set(delivery.keys) <= set(linked) else "the chat holds other keys than the subscription link"
