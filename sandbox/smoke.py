"""`make smoke`: one purchase without a browser; the last line is JSON."""

import base64
import json
import sys
from dataclasses import asdict
from pathlib import Path

import httpx

from sandbox.customer import Customer, CustomerWentAway, Delivery
from sandbox.shop import ShopDidNotStart, begin_anew, running_shop


def smoke(directory: Path) -> int:
    """0 only if both keys came and the subscription link holds the same ones."""
    try:
        begin_anew(directory)
        with running_shop(directory) as shop:
            customer = Customer(shop)
            try:
                delivery = customer.buy("month")
                problem = problem_with(delivery)
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


def problem_with(delivery: Delivery) -> str | None:
    schemes = sorted(key.partition("://")[0] for key in delivery.keys)
    if schemes != ["ss", "vless"]:
        return f"keys of both protocols were expected, these came: {schemes}"
    polled = httpx.get(delivery.subscription_link, trust_env=False)
    held = base64.b64decode(polled.text).decode().split()
    return None if sorted(held) == sorted(delivery.keys) else "the subscription link holds other keys than the chat"
