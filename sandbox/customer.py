"""A customer without a phone: buys as a person does, through the same HTTP."""

import base64
import re
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final, TypeVar
from urllib.parse import parse_qs, urlsplit

import httpx

from sandbox.shop import Shop

T = TypeVar("T")

PATIENCE: Final = 40.0


class CustomerWentAway(Exception):
    """What the customer waited for did not come."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """What came into the chat after a purchase. `purchase_to_keys_ms`: from the tap on "pay" to the message."""

    purchase_to_keys_ms: int
    keys: list[str]
    subscription_link: str


class Customer:
    """One Telegram user of the sandbox. `patience`: seconds to wait for a message."""

    def __init__(
        self, shop: Shop, user_id: int = 7_000_000_001, language: str = "ru", patience: float = PATIENCE
    ) -> None:
        self.user_id = user_id
        self._shop = shop
        self._chat = f"{shop.chat_url}/sandbox/chats/{user_id}"
        self._language = language
        self._patience = patience
        self._http = httpx.Client(trust_env=False, timeout=30)
        self._version = 0
        self._unread: list[dict[str, Any]] = []

    def close(self) -> None:
        self._http.close()

    def write(self, text: str) -> None:
        body = {"text": text, "language_code": self._language, "first_name": "Анна"}
        self._post(f"{self._chat}/messages", body)

    def buy(self, plan: str) -> Delivery:
        """From `/start` to the keys in the chat."""
        payment_id = self.choose(plan)
        started = time.monotonic()
        self.pay(payment_id)
        keys, link = self.wait_for(keys_and_link)
        return Delivery(round((time.monotonic() - started) * 1000), keys, link)

    def choose(self, plan: str) -> str:
        """From `/start` to the pay page; the provider's id of the payment."""
        return self.tap(plan, *self.enter())

    def enter(self) -> tuple[str, str]:
        """From `/start` to the Mini App: the init data that Telegram hands to the page, and the page's address."""
        self.write("/start")
        return self.open_mini_app(self.wait_for(web_app_url))

    def pay(self, payment_id: str, how: str = "pay") -> None:
        """What the buttons of the pay page do: "pay" or "decline"."""
        self._post(f"{self._shop.yookassa_url}/sandbox/payments/{payment_id}/{how}", {})

    def open_mini_app(self, url: str) -> tuple[str, str]:
        """The init data that Telegram hands to the page, and the page's address."""
        launched = self._post(f"{self._chat}/web-app", {"url": url, "language_code": self._language})["url"]
        fragment = parse_qs(urlsplit(launched).fragment, keep_blank_values=True)
        page = launched.partition("#")[0]
        self._http.get(page).raise_for_status()
        return fragment["tgWebAppData"][0], page

    def tap(self, plan: str, init_data: str, app_url: str) -> str:
        """On a plan of the Mini App; the provider's id of the payment, read from the pay page's address."""
        headers = {"Authorization": f"tma {init_data}"}
        home = self._http.get(f"{app_url}/home", headers=headers).raise_for_status()
        if f'data-testid="plan-{plan}"' not in home.text:
            raise CustomerWentAway(f"the plan {plan} is not on sale")
        checkout = self._http.post(f"{app_url}/payments", headers=headers, json={"plan": plan}).raise_for_status()
        found = re.search(re.escape(self._shop.yookassa_url) + r"/pay/([0-9a-f-]+)", checkout.text)
        if found is None:
            raise CustomerWentAway("the Mini App gave no link to the pay page")
        self._http.get(found[0]).raise_for_status()
        return found[1]

    def press(self, message: dict[str, Any], action: str) -> None:
        """On the button under a message that tells the bot `action`."""
        pressed = {"message_id": message["message_id"], "data": action}
        self._post(f"{self._chat}/callbacks", pressed)

    def wait_for(self, find: Callable[[dict[str, Any]], T | None]) -> T:
        """The first thing that `find` sees in a message that is new since the last call."""
        deadline = time.monotonic() + self._patience
        while time.monotonic() < deadline:
            if not self._unread:
                unread = {"after": self._version, "wait": min(5.0, self._patience)}
                answer = self._http.get(f"{self._chat}/messages", params=unread).json()
                self._version, self._unread = answer["version"], answer["messages"]
            while self._unread:
                found = find(self._unread.pop(0))
                if found:
                    return found
        raise CustomerWentAway(f"waited {self._patience:.0f} s for {find.__name__.replace('_', ' ')}")

    def read_again(self) -> list[dict[str, Any]]:
        """The whole chat, as it is now."""
        messages: list[dict[str, Any]] = self._http.get(f"{self._chat}/messages").json()["messages"]
        return messages

    def _post(self, url: str, body: dict[str, Any]) -> dict[str, Any]:
        answer: dict[str, Any] = self._http.post(url, json=body).raise_for_status().json()
        return answer


def linked_keys(subscription_link: str) -> list[str]:
    """What an app gets that knows nothing better than a list."""
    answer = httpx.get(subscription_link, trust_env=False, timeout=30).raise_for_status()
    return base64.b64decode(answer.text).decode().split()


def held_by(keys: Iterable[str]) -> set[tuple[str, str]]:
    """Scheme and host of each."""
    return {(split.scheme, split.hostname or "") for split in map(urlsplit, keys)}


def actions(message: dict[str, Any]) -> list[str]:
    """What its buttons would tell the bot."""
    return [button["callback_data"] for button in buttons(message) if "callback_data" in button]


def buttons(message: dict[str, Any]) -> list[dict[str, Any]]:
    return [button for row in message.get("reply_markup", {}).get("inline_keyboard", []) for button in row]


def web_app_url(message: dict[str, Any]) -> str | None:
    return next((button["web_app"]["url"] for button in buttons(message) if "web_app" in button), None)


def keys_and_link(message: dict[str, Any]) -> tuple[list[str], str] | None:
    text = message.get("text", "")
    keys = re.findall(r"(?:vless|ss)://\S+", text)
    links = re.findall(r"https?://\S+/sub/\S+", text)
    return (keys, links[0]) if keys and links else None
