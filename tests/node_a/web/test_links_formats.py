"""The subscription link: which form is sent, what its headers say, when it is sent again."""

import base64
import json
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
import yaml
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from node_a.application.overview import SubscriptionView, TrafficView
from node_a.domain.customer import Language
from node_a.domain.subscription import SubscriptionState
from node_a.web.link_formats import Format, Profile, rendered
from node_a.web.link_formats.shelf import Shelf
from node_a.web.links import links
from node_a.web.pages import Pages
from node_a.web.static_files import asset_urls
from tests.node_a.web.link_formats.profiles import NODES, SUBSCRIPTION, keys_of
from tests.node_a.web.link_formats.test_choice import CHROME
from tests.node_a.web.shop import LINK_TOKEN, NOW, OUTLINE, FakeShop, a_subscription

LINK = f"/sub/{LINK_TOKEN}"
BROWSER = {"User-Agent": CHROME, "Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
FORMS = ["base64", "links", "sing-box", "clash", "mihomo", "xray"]


def a_view(**changes: Any) -> SubscriptionView:
    return replace(a_subscription(), keys=keys_of(*NODES), **changes)


def an_ended_view(**changes: Any) -> SubscriptionView:
    return replace(a_subscription(days=-1), **changes)


def a_suspended_view(until: datetime) -> SubscriptionView:
    """Nine days before its end."""
    used_up = TrafficView(used=5, limit=5, until=until)
    return replace(a_subscription(days=9, keys=()), state=SubscriptionState.SUSPENDED, traffic=used_up)


def get(view: SubscriptionView, query: str = "", headers: dict[str, str] | None = None) -> TestResponse:
    return FakeShop(subscription=view).client().get(LINK + query, headers=headers or {})


def in_plain(value: str) -> str:
    return base64.b64decode(value.removeprefix("base64:")).decode()


@pytest.mark.parametrize("form", FORMS)
def test_a_key_for_outline_is_in_no_form_for_other_apps(form: str) -> None:
    without, query = a_view(), f"?format={form}"
    with_it = replace(without, outline=a_subscription(outline=[OUTLINE]).outline)

    assert get(with_it, query).data == get(without, query).data


# ── which form ──


@pytest.mark.parametrize(
    ("user_agent", "form", "media_type"),
    [
        ("v2rayNG/2.2.6", "base64", "text/plain"),
        ("HiddifyNext/4.1.1 (android) like ClashMeta v2ray sing-box", "base64", "text/plain"),
        ("SFI/1.13.15 (sing-box 1.13.15)", "sing-box", "application/json"),
        ("clash-verge/v2.4.2", "clash", "text/yaml"),
    ],
)
def test_an_app_gets_what_it_reads_best_and_may_ask_for_another(user_agent: str, form: str, media_type: str) -> None:
    by_name = get(a_view(), headers={"User-Agent": user_agent})
    asked_for = get(a_view(), f"?format={form}", headers=BROWSER)
    assert by_name.data == asked_for.data != b""
    assert by_name.mimetype == asked_for.mimetype == media_type
    assert set(by_name.vary) == {"User-Agent", "Accept"}


def test_every_form_holds_every_key() -> None:
    credentials = [key.credential for key in keys_of(*NODES)]
    lists = {form: get(a_view(), f"?format={form}").get_data(as_text=True) for form in FORMS}
    lists["base64"] = base64.b64decode(lists["base64"]).decode()
    for form in ("sing-box", "clash", "mihomo", "xray"):
        assert [one for one in credentials if one not in lists[form]] == [], form
    assert lists["base64"] == lists["links"]
    assert lists["links"].split("\n") == [key.key.link for key in keys_of(*NODES)]
    assert lists["clash"] == lists["mihomo"]


def test_a_browser_gets_the_page_and_whoever_asks_for_it() -> None:
    for answer in (get(a_view(), headers=BROWSER), get(a_view(), "?format=page")):
        assert answer.status_code == 200
        assert answer.mimetype == "text/html"
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert answer.headers["X-Robots-Tag"] == "noindex, nofollow"
        assert set(answer.vary) == {"User-Agent", "Accept"}
        assert "ETag" not in answer.headers


def test_a_form_that_there_is_not_is_refused_in_plain_words() -> None:
    answer = get(a_view(), "?format=surge")
    assert answer.status_code == 400
    assert answer.mimetype == "text/plain"
    assert answer.text == (
        "There is no such format here. Known ones: base64, links, sing-box, clash, xray, page, mihomo.\n"
    )


def test_an_unknown_token_is_not_found_in_every_form() -> None:
    client = FakeShop(subscription=a_view()).client()
    answers = [client.get(f"/sub/{'A' * 43}{query}") for query in ("", *(f"?format={form}" for form in FORMS))]
    answers.append(client.get(f"/sub/{'A' * 43}", headers=BROWSER))
    assert {answer.status_code for answer in answers} == {404}
    assert len({answer.data for answer in answers}) == 1


@pytest.mark.parametrize("form", [*FORMS, "page"])
def test_head_says_what_get_would(form: str) -> None:
    client = FakeShop(subscription=a_view()).client()
    head, whole = client.head(f"{LINK}?format={form}"), client.get(f"{LINK}?format={form}")
    assert head.status_code == 200
    assert head.data == b""
    assert dict(head.headers) == dict(whole.headers)
    assert head.content_length == len(whole.data)


# ── no keys ──


@pytest.mark.parametrize(
    ("view", "words"),
    [
        (an_ended_view(), "Подписка закончилась: продлите её и обновите здесь"),
        (
            a_suspended_view(NOW + timedelta(days=3)),
            "Трафик закончился: новый будет 25 ноября 2026 или сразу после продления",
        ),
        (a_suspended_view(NOW + timedelta(days=9)), "Трафик закончился: продлите подписку и обновите её здесь"),
        (a_subscription(keys=[], preparing=2), "Ключи готовятся: обновите подписку через минуту"),
        (a_subscription(keys=[]), "Сейчас нет свободных серверов: обновите подписку чуть позже"),
        (an_ended_view(language=Language.ENGLISH), "The subscription has ended: renew it and refresh it here"),
    ],
    ids=["ended", "suspended", "suspended in its last period", "preparing", "no node", "in English"],
)
def test_without_keys_every_form_says_why(view: SubscriptionView, words: str) -> None:
    assert get(view, "?format=base64").data == get(view, "?format=links").data == b""
    assert in_plain(get(view).headers["announce"]) == words
    sing_box = json.loads(get(view, "?format=sing-box").data)
    assert sing_box["outbounds"][0]["tag"] == words
    clash = yaml.safe_load(get(view, "?format=clash").data)
    assert [group["name"] for group in clash["proxy-groups"]] == [words]
    [xray] = json.loads(get(view, "?format=xray").data)
    assert xray["remarks"] == words


def test_the_way_to_the_shop_stays_open_without_keys() -> None:
    assert yaml.safe_load(get(an_ended_view(), "?format=clash").data)["rules"][0] == "DOMAIN,shop.test,DIRECT"


# ── headers ──


def test_an_app_is_told_what_is_used_and_until_when() -> None:
    until = NOW + timedelta(days=12)
    limited = a_view(traffic=TrafficView(used=1_500, limit=10**11, until=until))
    assert get(limited).headers["subscription-userinfo"] == (
        f"upload=0; download=1500; total=100000000000; expire={int(until.timestamp())}"
    )
    unlimited = a_view(traffic=TrafficView(used=1_500, limit=None, until=until))
    assert "download=1500; total=0;" in get(unlimited).headers["subscription-userinfo"]
    ended = get(an_ended_view()).headers["subscription-userinfo"]
    assert ended == f"upload=0; download=0; total=0; expire={int((NOW - timedelta(days=1)).timestamp())}"


def test_the_expiry_that_apps_show_is_the_paid_end_and_not_that_of_the_grace() -> None:
    view = a_view(ends_at=NOW, keys_until=NOW + timedelta(days=3), state=SubscriptionState.GRACE)
    assert get(view).headers["subscription-userinfo"].endswith(f"expire={int(NOW.timestamp())}")


@pytest.mark.parametrize("form", FORMS)
def test_an_app_is_told_where_to_go_and_what_it_is_called(form: str) -> None:
    client = FakeShop(subscription=a_view()).client(shop_name='Сова "VPN"', support_contact="@qent_support")
    headers = client.get(f"{LINK}?format={form}").headers
    assert in_plain(headers["profile-title"]) == 'Сова "VPN"'
    assert headers["profile-web-page-url"] == f"http://shop.test/sub/{LINK_TOKEN}"
    assert headers["support-url"] == "https://t.me/qent_support"
    name = "%D0%A1%D0%BE%D0%B2%D0%B0%20%22VPN%22"
    assert headers["Content-Disposition"] == f"attachment; filename*=UTF-8''{name}"
    assert headers["profile-update-interval"] == "12"
    assert headers["Cache-Control"] == "no-store"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["X-Robots-Tag"] == "noindex, nofollow"
    assert "announce" not in headers


def test_an_address_with_cyrillic_letters_stands_in_a_header_as_ascii() -> None:
    view = replace(a_view(), link=f"https://сова.рф/sub/{LINK_TOKEN}")
    client = FakeShop(subscription=view).client(support_contact="https://сова.рф/помощь")
    headers = client.get(LINK).headers
    assert headers["profile-web-page-url"] == f"https://xn--80ad9al.xn--p1ai/sub/{LINK_TOKEN}"
    assert headers["support-url"] == "https://xn--80ad9al.xn--p1ai/%D0%BF%D0%BE%D0%BC%D0%BE%D1%89%D1%8C"


def test_no_support_is_promised_where_there_is_none() -> None:
    client = FakeShop(subscription=a_view()).client(support_contact="")
    assert "support-url" not in client.get(LINK).headers


@pytest.mark.parametrize("view", [an_ended_view(), a_view(preparing=1), a_subscription(keys=[], preparing=2)])
def test_an_app_looks_again_soon_while_there_is_something_to_wait_for(view: SubscriptionView) -> None:
    assert get(view).headers["profile-update-interval"] == "1"


# ── again ──


@pytest.mark.parametrize("form", FORMS)
def test_what_has_not_changed_is_not_sent_again(form: str) -> None:
    client = FakeShop(subscription=a_view()).client()
    first = client.get(f"{LINK}?format={form}")
    tag, is_weak = first.get_etag()
    assert tag
    assert is_weak is False
    again = client.get(f"{LINK}?format={form}", headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")
    assert again.headers["ETag"] == first.headers["ETag"]
    assert again.headers["subscription-userinfo"] == first.headers["subscription-userinfo"]
    assert again.headers["Cache-Control"] == "no-store"
    other = client.get(f"{LINK}?format={form}", headers={"If-None-Match": '"another"'})
    assert (other.status_code, other.data) == (200, first.data)


def test_each_form_has_its_own_tag() -> None:
    tags = {form: get(a_view(), f"?format={form}").headers["ETag"] for form in FORMS}
    assert tags["clash"] == tags["mihomo"]
    assert len(set(tags.values())) == len(FORMS) - 1


CHANGES = {
    "renewed": {"ends_at": NOW + timedelta(days=42), "revision": 2},
    "used": {"traffic": TrafficView(used=1_500_000_001, limit=None, until=NOW)},
    "rotated": {"keys": keys_of(*NODES, subscription=SUBSCRIPTION.rotated())},
    "ordered anew": {"keys": keys_of(*reversed(NODES))},
    "a node more": {"keys": keys_of(*NODES[:2])},
}


@pytest.mark.parametrize("changes", CHANGES.values(), ids=CHANGES.keys())
@pytest.mark.parametrize("form", FORMS)
def test_a_change_is_seen_at_once(form: str, changes: dict[str, Any]) -> None:
    shop = FakeShop(subscription=a_view())
    client = shop.client()
    first = client.get(f"{LINK}?format={form}")
    shop.subscription = replace(a_view(), **changes)
    again = client.get(f"{LINK}?format={form}", headers={"If-None-Match": first.headers["ETag"]})
    assert again.status_code == 200
    assert again.headers["ETag"] != first.headers["ETag"]
    assert again.data == get(shop.subscription, f"?format={form}").data


def test_a_revision_that_changes_nothing_for_an_app_changes_no_tag() -> None:
    assert get(a_view(revision=1)).headers["ETag"] == get(a_view(revision=2)).headers["ETag"]


def a_client_with(shop: FakeShop, shelf: Shelf) -> FlaskClient:
    web = shop.web()
    app = Flask(__name__)
    app.register_blueprint(links(web, Pages(web, asset_urls()), shelf))
    return app.test_client()


def test_an_app_that_polls_makes_us_render_nothing_until_something_changes() -> None:
    calls: list[Format] = []

    def render(format: Format, profile: Profile) -> bytes:
        calls.append(format)
        return rendered(format, profile)

    shop = FakeShop(subscription=a_view())
    client = a_client_with(shop, Shelf(render))
    first = [client.get(f"{LINK}?format=clash").data for _ in range(10)]
    assert len(set(first)) == 1
    assert calls == [Format.CLASH]
    # Days and traffic are in the headers: a renewal changes those, and no list.
    shop.subscription = a_view(ends_at=NOW + timedelta(days=42), revision=2)
    renewed = client.get(f"{LINK}?format=clash")
    assert str(int((NOW + timedelta(days=42)).timestamp())) in renewed.headers["subscription-userinfo"]
    assert calls == [Format.CLASH]
    shop.subscription = replace(a_view(), keys=keys_of(*NODES, subscription=SUBSCRIPTION.rotated()))
    assert client.get(f"{LINK}?format=clash").data != first[0]
    assert calls == [Format.CLASH] * 2
