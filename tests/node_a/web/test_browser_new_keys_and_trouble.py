"""New keys, and "it does not work?", in a real browser on a small phone."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from node_a.application.statistics import NodeTroubles
from node_a.domain.node import NodeCode, Protocol
from tests.chromium import IN_CHROMIUM, chromium
from tests.node_a.web.preview import launch
from tests.node_a.web.shop import LINK_TOKEN, FakeShop, a_case, a_subscription
from tests.serving import served

pytestmark = IN_CHROMIUM

NO_SCRIPT: dict[str, Any] = {"telegram_script_file": Path(__file__).with_name("empty.js")}
NEW_LINK = f"http://shop.test/sub/1{LINK_TOKEN[1:]}"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    with browser.new_context(viewport={"width": 320, "height": 600}) as context:
        page = context.new_page()
        page.set_default_timeout(5000)
        yield page


@pytest.fixture
def shop() -> FakeShop:
    return FakeShop(subscription=a_subscription(), case=a_case())


def fits(page: Page) -> bool:
    heights = page.locator("button, a.button").evaluate_all("all => all.map(one => one.getBoundingClientRect().height)")
    return bool(page.evaluate("document.documentElement.scrollWidth") == 320 and min(heights) >= 44)


def test_two_taps_give_a_new_link_and_the_keys_appear_by_themselves(page: Page, shop: FakeShop) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    with served(shop.app(**NO_SCRIPT)) as base:
        page.goto(launch(base, "en", "light"))
        page.get_by_test_id("new-keys").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Take new keys?")
        assert shop.rotation == 0
        assert fits(page)
        page.get_by_test_id("rotate").click()
        expect(page.get_by_test_id("stage")).to_have_attribute("data-stage", "preparing")
        page.get_by_test_id("copy-subscription-link").click()
        expect(page.get_by_role("status")).to_have_text("Copied")
        assert page.evaluate("navigator.clipboard.readText()") == NEW_LINK
        assert shop.subscription is not None
        assert fits(page)
        shop.subscription = replace(shop.subscription, keys=a_subscription().keys, preparing=0)
        expect(page.get_by_test_id("key")).to_have_count(2)
        expect(page.get_by_role("heading", level=1)).to_have_text("Your new keys work")
        assert shop.rotation == 1
        assert fits(page)


def test_no_goes_back_and_keeps_the_keys(page: Page, shop: FakeShop) -> None:
    with served(shop.app(**NO_SCRIPT)) as base:
        page.goto(launch(base, "en", "light"))
        page.get_by_test_id("new-keys").click()
        page.get_by_role("button", name="No, keep the old ones").click()
        expect(page.get_by_test_id("home")).to_be_visible()
    assert shop.rotation == 0


def test_an_impatient_thumb_replaces_the_keys_once(page: Page, shop: FakeShop) -> None:
    with served(shop.app(**NO_SCRIPT)) as base:
        page.goto(launch(base, "en", "light"))
        page.get_by_test_id("new-keys").click()
        page.get_by_test_id("rotate").evaluate("button => { for (let tap = 0; tap < 5; tap++) button.click() }")
        expect(page.get_by_test_id("stage")).to_have_attribute("data-stage", "preparing")
    assert shop.rotation == 1


def test_a_yes_whose_answer_was_lost_is_there_after_trying_again(page: Page, shop: FakeShop) -> None:
    with served(shop.app(**NO_SCRIPT)) as base:
        page.goto(launch(base, "en", "light"))
        page.get_by_test_id("new-keys").click()
        page.route("**/app/rotation", lambda route: (route.fetch(), route.abort()))
        page.get_by_test_id("rotate").click()
        expect(page.get_by_test_id("offline")).to_be_visible()
        page.unroute("**/app/rotation")
        page.get_by_test_id("retry").click()
        expect(page.get_by_test_id("subscription-link")).to_have_attribute("data-link", NEW_LINK)
    assert shop.rotation == 1


def test_what_was_found_is_read_out_and_each_button_does_its_work(page: Page, shop: FakeShop) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    down = {NodeCode("de1"): NodeTroubles(is_known=True, broken=frozenset(Protocol))}
    shop.case = a_case(nodes=down, keys=[replace(key, works=False) for key in a_case().keys])
    with served(shop.app(**NO_SCRIPT)) as base:
        page.goto(launch(base, "en", "dark"))
        page.get_by_test_id("it-does-not-work").click()
        expect(page.get_by_role("status")).to_have_text("What we found")
        server, keys = page.get_by_test_id("finding").all()
        expect(server).to_contain_text("Germany de1")
        assert fits(page)
        server.get_by_test_id("remedy").click()
        expect(page.get_by_role("status")).to_have_text("Copied")
        assert shop.subscription is not None
        assert page.evaluate("navigator.clipboard.readText()") == shop.subscription.link
        keys.get_by_test_id("remedy").click()
        expect(page.get_by_test_id("notice")).to_contain_text("We are sending your keys")
        assert len(shop.repairs) == 1
        page.get_by_role("button", name="My subscription").click()
        expect(page.get_by_test_id("home")).to_be_visible()


def test_where_nothing_is_found_the_way_leads_to_new_keys(page: Page, shop: FakeShop) -> None:
    with served(shop.app(**NO_SCRIPT)) as base:
        page.goto(launch(base, "en", "light"))
        page.get_by_test_id("it-does-not-work").click()
        page.get_by_test_id("remedy").click()
        expect(page.get_by_test_id("rotate")).to_be_visible()


def test_inside_telegram_the_support_is_written_to_there(page: Page, shop: FakeShop) -> None:
    page.add_init_script(
        "window.told = []; window.TelegramWebviewProxy = {postEvent: (type, data) => told.push([type, data])}"
    )
    with served(shop.app(**NO_SCRIPT)) as base:
        page.goto(launch(base, "en", "light"))
        page.get_by_test_id("it-does-not-work").click()
        page.get_by_test_id("write").click()
        told = page.evaluate(
            "told.filter(([type]) => type == 'web_app_open_tg_link').map(([, data]) => JSON.parse(data))"
        )
    assert [one["path_full"].startswith("/qent_support?text=It%20does%20not%20work") for one in told] == [True]
