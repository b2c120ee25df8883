"""`make demo`: the shop to play with, until Ctrl-C."""

import signal
import sys
import threading
from pathlib import Path
from typing import Final

from sandbox.shop import ShopDidNotStart, running_shop

# So that people see how a subscription has keys on all of them.
_NODES: Final = 2


def demo(directory: Path) -> int:
    """Prints one address; the exit code."""
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    print("Starting the shop …", flush=True)
    try:
        with running_shop(directory, nodes=_NODES) as shop:
            print(f"\n  Open  {shop.chat_url}\n\nCtrl-C ends everything. What Node A writes: {shop.log}", flush=True)
            stop.wait()
            print("\nEnding …", flush=True)
    except (ShopDidNotStart, OSError) as problem:
        print(f"The shop did not start: {problem}", file=sys.stderr)
        return 1
    return 0
