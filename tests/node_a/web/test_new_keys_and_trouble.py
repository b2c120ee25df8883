"""New keys, and "it does not work?", in the Mini App."""

import html
import re
from dataclasses import replace
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from flask.testing import FlaskClient

from node_a.application.diagnosis import KeyFacts
from node_a.application.statistics import NodeTroubles
from node_a.domain.customer import CustomerId, Standing
from node_a.domain.node import Keeper, NodeCode, Protocol
from node_a.domain.subscription import SubscriptionState
from tests.node_a.web.shop import ANNA, LINK_TOKEN, NOW, VLESS, FakeShop, a_case, a_subscription, tma

DE1 = NodeCode("de1")


@pytest.fixture
def shop() -> FakeShop:
    return FakeShop(subscription=a_subscription(), case=a_case())


@pytest.fixture
def client(shop: FakeShop) -> FlaskClient:
    return shop.client()


def get(client: FlaskClient, path: str, language: str = "en") -> str:
    reply = client.get(path, headers=tma(language=language))
    assert reply.status_code == 200
    return reply.text


def troubles(text: str) -> list[str]:
    return re.findall(r'data-trouble="([^"]+)"', text)


# ── new keys ──


def test_home_offers_new_keys_where_there_are_keys_to_replace(shop: FakeShop) -> None:
    assert "new-keys" in get(shop.client(), "/app/home")
    assert "new-keys" not in get(shop.client(new_keys_offered=False), "/app/home")
    shop.subscription = a_subscription(days=-1)
    assert "new-keys" not in get(shop.client(), "/app/home")


def test_the_question_replaces_nothing_and_carries_what_it_is_about(shop: FakeShop, client: FlaskClient) -> None:
    shop.rotation = 7
    question = get(client, "/app/rotation")
    assert 'data-stage="question"' in question
    assert 'data-rotation="7"' in question
    assert shop.rotation == 7


def test_a_yes_shows_the_new_link_at_once_and_its_keys_as_they_come(shop: FakeShop, client: FlaskClient) -> None:
    reply = client.post("/app/rotation", json={"rotation": 0}, headers=tma())
    assert reply.status_code == 201
    assert shop.rotation == 1
    assert shop.subscription is not None
    assert shop.subscription.link in reply.text
    assert LINK_TOKEN not in reply.text
    assert 'data-poll-path="/app/rotation/done"' in reply.text
    shop.subscription = replace(shop.subscription, keys=a_subscription().keys, preparing=0)
    done = get(client, "/app/rotation/done")
    assert 'data-stage="ready"' in done
    assert html.escape(VLESS) in done
    assert "data-poll-path" not in done


def test_the_same_yes_again_replaces_nothing_more(shop: FakeShop, client: FlaskClient) -> None:
    first = client.post("/app/rotation", json={"rotation": 0}, headers=tma())
    again = client.post("/app/rotation", json={"rotation": 0}, headers=tma())
    assert shop.rotation == 1
    assert (first.status_code, first.text) == (again.status_code, again.text)


@pytest.mark.parametrize(
    "body", [None, [], {}, {"rotation": "0"}, {"rotation": True}, {"rotation": None}, {"rotation": 0.0}]
)
def test_a_yes_to_no_question_replaces_nothing(shop: FakeShop, client: FlaskClient, body: Any) -> None:
    reply = client.post("/app/rotation", json=body, headers=tma())
    assert reply.status_code == 409
    assert 'data-problem="rotation-refused"' in reply.text
    assert shop.rotation == 0


@pytest.mark.parametrize("ask", ["get", "post"])
def test_too_many_are_told_before_and_after_the_question(shop: FakeShop, client: FlaskClient, ask: str) -> None:
    shop.rotations_left = 0
    reply = client.open("/app/rotation", method=ask.upper(), json={"rotation": 0}, headers=tma())
    assert reply.status_code == 409
    assert 'data-problem="too-many-rotations"' in reply.text
    assert shop.rotation == 0


@pytest.mark.parametrize("path", ["/app/rotation", "/app/rotation/done"])
def test_where_nothing_runs_there_are_no_new_keys(shop: FakeShop, client: FlaskClient, path: str) -> None:
    shop.subscription = None
    reply = client.get(path, headers=tma())
    assert reply.status_code == 409
    assert 'data-problem="rotation-refused"' in reply.text


@pytest.mark.parametrize("path", ["/app/rotation", "/app/trouble/repair"])
def test_nobody_unknown_to_telegram_replaces_or_repairs(shop: FakeShop, client: FlaskClient, path: str) -> None:
    assert client.post(path, json={"rotation": 0}).status_code == 401
    assert client.post(path, json={"rotation": 0}, headers=tma(at=NOW - timedelta(days=3))).status_code == 401
    assert (shop.rotation, shop.repairs) == (0, [])


# ── it does not work ──


def test_each_finding_has_one_button(shop: FakeShop, client: FlaskClient) -> None:
    down = {DE1: NodeTroubles(is_known=True, broken=frozenset(Protocol))}
    unused = [replace(key, used_at=None, works=key.keeper.node == DE1) for key in a_case().keys]
    cases: dict[str, dict[str, Any]] = {
        "nothing bought": {"state": None, "keys": ()},
        "expired": {"state": SubscriptionState.EXPIRED},
        "in grace": {"state": SubscriptionState.GRACE},
        "traffic used up": {"state": SubscriptionState.SUSPENDED},
        "server down": {"nodes": down},
        "no server answers": {"nodes": down, "keys": [key for key in a_case().keys if key.keeper.node == DE1]},
        "keys on the way": {"keys": unused},
        "server&#39;s clock": {"nodes": {DE1: NodeTroubles(is_known=True, clock_off=44.0)}},
        "nothing found": {},
    }
    for trouble, changes in cases.items():
        shop.case = a_case(**changes)
        text = get(client, "/app/trouble")
        assert trouble in troubles(text)
        assert text.count('data-testid="remedy"') == len(troubles(text))


def test_a_person_is_the_remedy_where_no_new_keys_are_left(shop: FakeShop, client: FlaskClient) -> None:
    shop.case = a_case(may_rotate=False)
    text = get(client, "/app/trouble")
    assert troubles(text) == ["nothing found"]
    assert 'data-testid="remedy"' not in text
    assert 'data-testid="write"' in text


def test_a_server_is_named_as_the_customer_knows_it(shop: FakeShop, client: FlaskClient) -> None:
    shop.case = a_case(nodes={DE1: NodeTroubles(is_known=True, broken=frozenset({Protocol.VLESS}))})
    assert "It is Germany de1 · VLESS, and" in get(client, "/app/trouble")
    assert "Это Германия de1 · VLESS, остальное" in get(client, "/app/trouble", "ru")


def test_a_repair_is_asked_for_once_and_told_each_time(shop: FakeShop, client: FlaskClient) -> None:
    shop.case = a_case(keys=[KeyFacts(Keeper(DE1, Protocol.VLESS), works=False)])
    first = client.post("/app/trouble/repair", json={}, headers=tma())
    assert "We are sending your keys to all servers again" in first.text
    second = client.post("/app/trouble/repair", json={}, headers=tma())
    assert "were sent again a moment ago" in second.text
    assert shop.repairs == [ANNA, ANNA]
    assert "notice" not in get(client, "/app/trouble")


@pytest.mark.parametrize(
    ("contact", "opens"),
    [
        ("@qent_support", "https://t.me/qent_support?text="),
        ("help@shop.example.org", "mailto:help@shop.example.org?body="),
        ("https://help.example.org", None),
        ("8 800 000-00-00", None),
    ],
)
def test_the_support_gets_the_facts_and_no_secret(shop: FakeShop, contact: str, opens: str | None) -> None:
    text = get(shop.client(support_contact=contact), "/app/trouble")
    written = re.search(r'href="([^"]+)"[^>]*data-testid="write"', text)
    assert (written is not None) == (opens is not None)
    assert opens is not None or "copy-facts" in text
    assert ("go with your message" in text) is (opens is not None)
    if written and opens:
        url = html.unescape(written[1])
        assert url.startswith(opens)
        [facts] = parse_qs(urlsplit(url).query).get("text") or parse_qs(urlsplit(url).query)["body"]
        assert f"customer {ANNA}" in facts
        assert "last used 2026-11-22 11:00 UTC" in facts
        assert "found: nothing" in facts
        assert len(url) < 2000
        assert LINK_TOKEN not in url
        assert "vless%3A%2F%2F" not in url
        # Telegram's apps open no e-mail by themselves: there it stays an ordinary link.
        assert ("data-action" in written[0]) == contact.startswith("@")


def test_what_a_customer_asks_is_answered_about_nobody_else(shop: FakeShop) -> None:
    asked: list[CustomerId] = []

    def diagnose(id: CustomerId, language: Any) -> Any:
        asked.append(id)
        return shop.diagnose(id, language)

    get(shop.client(diagnose=diagnose), "/app/trouble")
    assert asked == [ANNA]


def test_the_banned_are_told_so_and_to_whom_they_can_write(shop: FakeShop, client: FlaskClient) -> None:
    shop.standing = Standing.BANNED
    reply = client.get("/app/trouble", headers=tma())
    assert reply.status_code == 403
    assert 'data-problem="banned"' in reply.text
    assert "qent_support" in reply.text
