"""Webhooks at the worst moment: while Node A asks about the very payment."""

import queue
import random
import re
from typing import Final

import httpx

from sandbox.shop import Shop
from sandbox.torture.threads import Background

_A_CHECK: Final = re.compile(r"GET /v3/payments/([0-9a-f-]+)")
_HOW_OFTEN: Final = 0.4


class Interruptions:
    """From `start` to `stop`; `note` is told of every request, in one thread."""

    def __init__(self, shop: Shop, seed: int) -> None:
        self.count = 0
        self._url = f"{shop.yookassa_url}/sandbox/webhooks"
        self._random = random.Random(f"interruptions {seed}")  # noqa: S311 - luck, not secrecy
        self._asked_about: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._thread = Background("interruptions", self._run)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Raises EndedTooSoon if there were none any more."""
        self._asked_about.put(None)
        self._thread.join()

    def note(self, method: str, path: str) -> None:
        check = _A_CHECK.fullmatch(f"{method} {path}")
        if check and self._random.random() < _HOW_OFTEN:
            self._asked_about.put(check[1])

    def _run(self) -> None:
        with httpx.Client(trust_env=False, timeout=30) as http:
            while payment := self._asked_about.get():
                # Nothing in it is to be believed, so that it need not be true.
                body = {"event": "payment.succeeded", "object": {"id": payment, "status": "succeeded"}}
                http.post(self._url, json=body).raise_for_status()
                self.count += 1
