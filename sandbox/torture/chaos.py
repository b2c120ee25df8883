"""Everything around Node A fails, a little of it at a time."""

import random
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from typing import Any, Final

import httpx

from sandbox.shop import Shop
from sandbox.torture.purchases import Purchases
from sandbox.torture.threads import Background

_YOOKASSA_FAULTS: Final = ("500", "500_after_work", "html", "html_200", "drop", "drop_after_work", "429")
_NODE_FAULTS: Final = ("500_after_work", "drop", "drop_after_work", "401")
_PARTS: Final = ("marzban", "agent")
_WEBHOOKS: Final = {"lost": 0.2, "twice": 0.25, "late": 0.3, "latest_seconds": 6.0}
_PAUSES: Final = (0.3, 1.2)
# Seconds for which a neighbour is away.
_AWAY_FOR: Final = (2.0, 6.0)


class Chaos:
    """From `start` to `stop`, after which everything works again. `count`: by kind of trouble."""

    def __init__(self, shop: Shop, purchases: Purchases, seed: int) -> None:
        self.count: Counter[str] = Counter()
        self._shop = shop
        self._purchases = purchases
        self._seed = seed
        self._random = random.Random(f"chaos {seed}")  # noqa: S311 - luck, not secrecy
        self._http = httpx.Client(trust_env=False, timeout=30)
        # The codes of nodes that are switched off, and the names of switches; until when.
        self._away: dict[str, float] = {}
        self._stopping = threading.Event()
        self._thread = Background("chaos", self._run)

    def start(self) -> None:
        self._webhooks_are(_WEBHOOKS)
        self._thread.start()

    def stop(self) -> None:
        """Raises EndedTooSoon if the trouble has ended before."""
        self._stopping.set()
        self._thread.wait()
        try:
            with closing(self._http):
                self._everything_works_again()
        finally:
            self._thread.join()

    def _everything_works_again(self) -> None:
        for name in list(self._away):
            self._come_back(name)
        self._webhooks_are({})
        self._post(f"{self._shop.yookassa_url}/sandbox/faults", {})
        for code in self._shop.node_urls:
            for part in _PARTS:
                self._node_will(code, part, {"next": "drop", "count": 0})

    def _run(self) -> None:
        kinds: dict[Callable[[], str], int] = {
            self._yookassa_fails: 10,
            self._yookassa_hangs: 1,
            self._node_fails: 6,
            self._node_hangs: 1,
            self._node_is_switched_off: 2,
            self._somebody_goes_away: 4,
            self._forge_a_success: 6,
            self._forge_something_unknown: 3,
        }
        while not self._stopping.wait(self._random.uniform(*_PAUSES)):
            for name in [name for name, until in self._away.items() if time.monotonic() >= until]:
                self._come_back(name)
            [make_trouble] = self._random.choices(list(kinds), list(kinds.values()))
            self.count[make_trouble()] += 1

    def _yookassa_fails(self) -> str:
        fault = self._random.choice(_YOOKASSA_FAULTS)
        body = {"next": fault, "count": self._random.randint(1, 3)}
        self._post(f"{self._shop.yookassa_url}/sandbox/faults", body)
        return f"yookassa {fault}"

    def _yookassa_hangs(self) -> str:
        self._post(
            f"{self._shop.yookassa_url}/sandbox/faults", {"next": self._random.choice(["hang", "hang_after_work"])}
        )
        return "yookassa hangs"

    def _node_fails(self) -> str:
        fault = self._random.choice(_NODE_FAULTS)
        return self._some_node_will({"next": fault, "count": self._random.randint(1, 2)})

    def _node_hangs(self) -> str:
        return self._some_node_will({"next": self._random.choice(["hang", "hang_after_work"])})

    def _some_node_will(self, fault: dict[str, Any]) -> str:
        code, part = self._random.choice(list(self._shop.node_urls)), self._random.choice(_PARTS)
        if code not in self._away:
            self._node_will(code, part, fault)
        return f"{part} {fault['next']}"

    def _node_will(self, code: str, part: str, fault: dict[str, Any]) -> None:
        self._post(f"{self._shop.node_urls[code]}/sandbox/{part}/faults", fault)

    def _node_is_switched_off(self) -> str:
        code = self._random.choice(list(self._shop.node_urls))
        if code not in self._away:
            self._shop.stand_ins.stop_node(code)
            self._goes_away(code)
        return "a node switched off"

    def _somebody_goes_away(self) -> str:
        code = self._random.choice(list(self._shop.node_urls))
        switches = [f"{code}.{name}" for name in ("marzban_down", "agent_down", "down", "slow")]
        name = self._random.choice([*switches, "telegram_down", "telegram_down"])
        self._post(f"{self._shop.chat_url}/sandbox/troubles", {name: True})
        self._goes_away(name)
        return name.rpartition(".")[2].replace("_", " ")

    def _goes_away(self, name: str) -> None:
        self._away[name] = time.monotonic() + self._random.uniform(*_AWAY_FOR)

    def _come_back(self, name: str) -> None:
        if name in self._shop.node_urls:
            self._shop.stand_ins.start_node(name)
        else:
            self._post(f"{self._shop.chat_url}/sandbox/troubles", {name: False})
        del self._away[name]

    def _forge_a_success(self) -> str:
        """About a payment that nobody has paid."""
        unpaid = self._purchases.unpaid()
        if not unpaid:
            return self._forge_something_unknown()
        payment = self._random.choice(unpaid)
        self._send("payment.succeeded", {"id": payment, "status": "succeeded", "paid": True})
        return "forged success"

    def _forge_something_unknown(self) -> str:
        event = self._random.choice(["payment.succeeded", "payment.canceled", "refund.succeeded"])
        metadata = {"payment_id": str(uuid.UUID(int=self._random.getrandbits(128), version=4))}
        unknown = str(uuid.UUID(int=self._random.getrandbits(128)))
        self._send(event, {"id": unknown, "payment_id": unknown, "status": "succeeded", "metadata": metadata})
        return "forged unknown"

    def _send(self, event: str, subject: dict[str, Any]) -> None:
        self._post(f"{self._shop.yookassa_url}/sandbox/webhooks", {"event": event, "object": subject})

    def _webhooks_are(self, odds: dict[str, float]) -> None:
        self._post(f"{self._shop.yookassa_url}/sandbox/webhooks/odds", {**odds, "seed": self._seed})

    def _post(self, url: str, body: dict[str, Any]) -> None:
        self._http.post(url, json=body).raise_for_status()
