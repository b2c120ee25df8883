"""What can be seen from outside when the night is over: the provider's list, the chats, the links, the nodes' users."""

import tomllib
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import unquote, urlsplit

import httpx

from sandbox.customer import keys_and_link, linked_keys
from sandbox.nodes import host_of
from sandbox.shop import PROJECT, Shop
from sandbox.stand_ins import SHOP_ID
from sandbox.torture.letters import promised_end
from sandbox.torture.purchases import Purchases
from sandbox.torture.verdict import Account

Json = dict[str, Any]
# Host and credential of a key to the user's name on that node, and its end in seconds since the epoch.
Users = Mapping[tuple[str, str], tuple[str, float]]


@dataclass(frozen=True, slots=True)
class Payment:
    """One that the provider calls succeeded; `id`: the provider's; `at`: seconds since the epoch."""

    id: str
    days: int
    at: float


@dataclass(frozen=True, slots=True)
class User:
    """As a node's panel or agent has it. `ends_at`: seconds since the epoch; `let_in`: whether the key opens it now."""

    name: str
    credential: str
    ends_at: float
    let_in: bool


class Evidence:
    """`customers`: everybody who came."""

    def __init__(self, shop: Shop, customers: Iterable[int], purchases: Purchases) -> None:
        self._shop = shop
        self._customers = list(customers)
        self._purchases = purchases
        self._http = httpx.Client(trust_env=False, timeout=10)

    def close(self) -> None:
        self._http.close()

    def collect(self) -> tuple[list[Account], list[str]]:
        """Every customer's account, and the nodes' users whose keys nobody was given. Raises httpx.HTTPError while
        somebody does not answer."""
        payments, users = self._payments(), self._users()
        accounts = [self._account(customer, payments[customer], users) for customer in self._customers]
        given = {user_of(key) for account in accounts for key in account.linked_keys}
        return accounts, sorted(f"{name} at {user[0]}" for user, (name, _) in users.items() if user not in given)

    def _account(self, customer: int, payments: list[Payment], users: Users) -> Account:
        url = f"{self._shop.chat_url}/sandbox/chats/{customer}/messages"
        letters = [
            (message["text"], found) for message in self._get(url)["messages"] if (found := keys_and_link(message))
        ]
        told = [found for _, found in letters]
        ends = {end for text, _ in letters if (end := promised_end(text)) is not None}
        linked = {key for link in {link for _, link in told} for key in linked_keys(link)}
        return Account(
            customer=customer,
            paid=self._purchases.paid_by(customer),
            succeeded=frozenset(payment.id for payment in payments),
            days=tuple(payment.days for payment in payments),
            first_paid_at=min((payment.at for payment in payments), default=0.0),
            keys_messages=len(told),
            promised_ends=frozenset(ends),
            chat_keys=frozenset(key for keys, _ in told for key in keys),
            linked_keys=frozenset(linked),
            ends={key: users[user_of(key)][1] for key in linked if user_of(key) in users},
        )

    def _payments(self) -> Mapping[int, list[Payment]]:
        """By customer. What a payment bought is known by its amount."""
        plans = tomllib.loads((PROJECT / "plans.toml").read_text(encoding="utf-8"))["plans"]
        days = {plan["price"]: int(plan["days"]) for plan in plans}
        found: defaultdict[int, list[Payment]] = defaultdict(list)
        for payment in self._succeeded():
            customer = self._purchases.customer_of(payment["id"])
            if customer is None:
                raise RuntimeError(f"payment {payment['id']} was paid by nobody")
            at = datetime.fromisoformat(payment["captured_at"]).timestamp()
            found[customer].append(Payment(payment["id"], days[payment["amount"]["value"]], at))
        return found

    def _succeeded(self) -> list[Json]:
        """Asked as the shop would."""
        items: list[Json] = []
        query = {"status": "succeeded", "limit": "100"}
        auth = (SHOP_ID, self._shop.secrets.yookassa_secret_key)
        while True:
            page = self._get(f"{self._shop.yookassa_url}/v3/payments", params=query, auth=auth)
            items += page["items"]
            if "next_cursor" not in page:
                return items
            query["cursor"] = page["next_cursor"]

    def _users(self) -> Users:
        """Of every panel and agent. Whoever is not let in has no end to speak of."""
        return {
            (host_of(code), user.credential): (user.name, user.ends_at if user.let_in else 0.0)
            for code, url in self._shop.node_urls.items()
            for user in users_at(self._http, url)
        }

    def _get(self, url: str, **more: Any) -> Any:
        return self._http.get(url, **more).raise_for_status().json()


def users_at(http: httpx.Client, node_url: str) -> list[User]:
    """Of the panel and of the agent."""
    panel, agent = (
        http.get(f"{node_url}/sandbox/{part}/users").raise_for_status().json() for part in ("marzban", "agent")
    )
    return [
        *(
            User(name, row["proxies"]["vless"]["id"], float(row["expire"]), row["status"] == "active")
            for name, row in panel.items()
        ),
        *(User(name, row["key"], float(row["expires_at"]), row["enabled"]) for name, row in agent.items()),
    ]


def user_of(key: str) -> tuple[str, str]:
    """Host and credential."""
    return urlsplit(key).hostname or "", credential_of(key)


def credential_of(key: str) -> str:
    """`vless://ID@…` and `ss://METHOD:SERVER%3AUSER@…`: what the node knows the user by."""
    user = urlsplit(key).netloc.partition("@")[0]
    return unquote(user).rpartition(":")[2]
