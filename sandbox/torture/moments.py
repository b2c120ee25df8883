"""When Node A's processes are seen at work: their neighbours see their requests."""

import re
import threading
from typing import Final

_AT_WORK: Final = {
    # It asks about a payment, tells a node, or writes to a customer.
    "worker": re.compile(r"GET /v3/payments/|(POST|PUT) /api/user|PUT /agent/v1/users|/sendMessage$"),
    # It opens a payment.
    "web": re.compile(r"POST /v3/payments$"),
    # It answers a customer.
    "bot": re.compile(r"/sendMessage$"),
}


def at_work(method: str, path: str) -> set[str]:
    """Which of Node A's processes may have sent this request."""
    return {command for command, work in _AT_WORK.items() if work.search(f"{method} {path}")}


class Moments:
    """`note` is told of every request."""

    def __init__(self) -> None:
        self._seen = {command: threading.Event() for command in _AT_WORK}

    def note(self, method: str, path: str) -> None:
        for command in at_work(method, path):
            self._seen[command].set()

    def wait_for(self, command: str, seconds: float) -> bool:
        """Until that process is seen at work from now on. False if it was not."""
        self._seen[command].clear()
        return self._seen[command].wait(seconds)
