"""The addresses that open an app and hand it a subscription link."""

import base64
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from node_a.web.import_links import APPS, App, System, import_links, system_of

URL = "https://shop.test/sub/Zm9yLXRlc3RzX29ubHk"
NAME = "Сова #1 & Ко"
ENCODED_URL = "https%3A%2F%2Fshop.test%2Fsub%2FZm9yLXRlc3RzX29ubHk"
ENCODED_NAME = "%D0%A1%D0%BE%D0%B2%D0%B0%20%231%20%26%20%D0%9A%D0%BE"
BY_NAME = {app.name: app for app in APPS}


@pytest.mark.parametrize(
    ("name", "href"),
    [
        ("Happ", f"happ://add/{URL}"),
        ("v2rayNG", f"v2rayng://install-sub?url={ENCODED_URL}#{ENCODED_NAME.replace('%', '%25')}"),
        ("Hiddify", f"hiddify://import/{URL}#{ENCODED_NAME}"),
        ("Streisand", f"streisand://import/{URL}#{ENCODED_NAME}"),
        ("v2RayTun", f"v2raytun://import/{URL}"),
        (
            "Shadowrocket",
            f"shadowrocket://add/sub://aHR0cHM6Ly9zaG9wLnRlc3Qvc3ViL1ptOXlMWFJsYzNSelgyOXViSGs?remark={ENCODED_NAME}",
        ),
        ("Karing", f"karing://install-config?url={ENCODED_URL}&name={ENCODED_NAME}"),
        ("sing-box", f"sing-box://import-remote-profile?url={ENCODED_URL}#{ENCODED_NAME}"),
        ("Clash Verge Rev", f"clash://install-config?name={ENCODED_NAME}&url={ENCODED_URL}"),
        ("FlClash", f"clash://install-config?name={ENCODED_NAME}&url={ENCODED_URL}"),
    ],
)
def test_each_app_gets_the_link_in_its_own_form(name: str, href: str) -> None:
    assert BY_NAME[name].link(URL, NAME) == href


def test_every_app_is_tried() -> None:
    assert len(APPS) == 10


@pytest.mark.parametrize("app", APPS, ids=lambda app: app.name)
def test_nothing_in_a_name_can_become_part_of_the_address(app: App) -> None:
    href = app.link(URL, NAME)

    assert href.isascii()
    assert not set(" \"'<>") & set(href)
    assert href.count("#") <= 1
    assert set(parse_qs(urlsplit(href).query)) <= {"url", "name", "remark"}


def test_v2rayng_reads_back_the_name_that_it_was_given() -> None:
    """UrlSchemeActivity.kt: the decoded fragment is appended to the address, which is read as a URI once more."""
    parts = urlsplit(BY_NAME["v2rayNG"].link(URL, NAME))
    appended = f"{unquote(parse_qs(parts.query)['url'][0])}#{unquote(parts.fragment)}"

    assert appended.count("#") == 1
    assert unquote(urlsplit(appended).fragment) == NAME


def test_clash_verge_reads_back_the_address_although_it_takes_all_that_follows_it() -> None:
    """scheme.rs: whatever stands behind "url=" is the address."""
    href = BY_NAME["Clash Verge Rev"].link(URL, "a&url=b")

    assert unquote(href[href.index("url=", href.index("?")) + 4 :]) == URL


@pytest.mark.parametrize("tail", ["", "a", "ab", "?>~~"])
def test_shadowrockets_base64_has_nothing_that_an_address_would_change(tail: str) -> None:
    coded = BY_NAME["Shadowrocket"].link(URL + tail, "x").removeprefix("shadowrocket://add/sub://").split("?")[0]

    assert not set("+/=") & set(coded)
    assert base64.urlsafe_b64decode(coded + "=" * (-len(coded) % 4)).decode() == URL + tail


@pytest.mark.parametrize(
    ("agent", "system"),
    [
        ("Mozilla/5.0 (Linux; Android 14; Pixel 7) AppleWebKit/537.36 Chrome/130.0 Mobile Safari", System.ANDROID),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 Safari", System.IOS),
        ("Mozilla/5.0 (iPad; CPU OS 16_6 like Mac OS X) AppleWebKit/605.1.15", System.IOS),
        ("Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/130.0", System.WINDOWS),
        ("Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 Safari", System.MACOS),
        ("Mozilla/5.0 (X11; Linux x86_64; rv:131.0) Gecko/20100101 Firefox/131.0", System.LINUX),
        ("", System.ANDROID),
    ],
)
def test_the_visitors_system_is_guessed_from_the_browsers_name(agent: str, system: System) -> None:
    assert system_of(agent) is system


@pytest.mark.parametrize("system", list(System))
def test_there_is_an_app_for_every_system_and_a_place_to_get_it(system: System) -> None:
    links = import_links(system, URL, NAME)

    assert len(links) >= 3
    assert all(link.source for link in links)
    assert links[0].app == "Happ"
