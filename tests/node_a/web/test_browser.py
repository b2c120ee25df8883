"""The Mini App in a real browser, with fake use cases behind it."""

import re
import socket
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from markupsafe import escape
from playwright.sync_api import Browser, Page, expect

from node_a.application.overview import PaymentStage
from node_a.domain.errors import ProviderUnavailable
from sandbox.telegram.init_data import THEMES
from tests.chromium import IN_CHROMIUM, chromium
from tests.node_a.web.preview import launch
from tests.node_a.web.shop import LINK_TOKEN, OUTLINE, VLESS, FakeShop, a_subscription
from tests.serving import served

pytestmark = IN_CHROMIUM


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture
def shop() -> FakeShop:
    return FakeShop()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    with browser.new_context(viewport={"width": 390, "height": 700}) as context:
        context.route("https://pay.test/**", lambda route: route.fulfill(body="the pay page"))
        page = context.new_page()
        page.set_default_timeout(5000)
        yield page


@dataclass
class Complaints:
    """What the browser's console says."""

    of: list[str] = field(default_factory=list)

    def listen(self, page: Page) -> None:
        page.on("console", lambda line: self.of.append(line.text) if line.type in {"error", "warning"} else None)
        page.on("pageerror", lambda error: self.of.append(str(error)))


@pytest.fixture
def complaints(page: Page) -> Complaints:
    complaints = Complaints()
    complaints.listen(page)
    return complaints


def no_script(**changes: Any) -> dict[str, Any]:
    """Telegram's script is served by us and empty, so that nothing leaves this machine."""
    return {"telegram_script_file": Path(__file__).with_name("empty.js"), **changes}


def test_a_customer_buys_and_sees_the_truth_until_the_keys_are_there(
    shop: FakeShop, page: Page, complaints: Complaints
) -> None:
    with served(shop.app(**no_script())) as base:
        page.goto(launch(base, "en", "dark"))
        with page.expect_popup() as pay_page:
            page.get_by_test_id("plan-month").click()
        expect(page.get_by_test_id("stage")).to_have_attribute("data-stage", "waiting")
        pay_page.value.wait_for_url("https://pay.test/1")
        assert pay_page.value.evaluate("document.referrer + String(opener)") == "null"
        expect(page.get_by_test_id("pay-link")).to_have_attribute("href", "https://pay.test/1")
        (id,) = shop.payments
        for stage, words in ((PaymentStage.PREPARING, "Preparing your keys"), (PaymentStage.SLOW, "a little later")):
            shop.move(id, stage)
            expect(page.get_by_test_id("stage")).to_have_attribute("data-stage", stage.value)
            expect(page.get_by_role("heading", level=1)).to_contain_text(words)
            expect(page.get_by_role("status")).to_contain_text(words)
        shop.subscription = a_subscription(days=30)
        shop.move(id, PaymentStage.READY, shop.subscription)
        expect(page.get_by_test_id("key")).to_have_count(2)
        assert page.get_by_test_id("key").first.get_attribute("data-link") == VLESS
        page.reload()
        expect(page.get_by_test_id("home")).to_contain_text("30 days left")
    assert complaints.of == []


def test_keys_and_link_are_copied_with_a_word_about_it(shop: FakeShop, page: Page, complaints: Complaints) -> None:
    shop.subscription = a_subscription(outline=[OUTLINE])
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    with served(shop.app(**no_script())) as base:
        page.goto(launch(base, "en", "light"))
        link = f"http://shop.test/sub/{LINK_TOKEN}"
        for button, text in (("copy-subscription-link", link), ("copy-key", VLESS), ("copy-outline-key", OUTLINE)):
            page.get_by_test_id(button).first.click()
            expect(page.get_by_role("status")).to_have_text("Copied")
            expect(page.get_by_test_id(button).first).to_have_class(re.compile("copied"))
            assert page.evaluate("navigator.clipboard.readText()") == text
    assert complaints.of == []


def test_without_the_clipboards_permission_copying_still_works(shop: FakeShop, page: Page) -> None:
    shop.subscription = a_subscription()
    page.add_init_script("Object.defineProperty(navigator, 'clipboard', {value: undefined})")
    page.add_init_script(
        "document.execCommand = name => { window.copied = [name, String(getSelection())]; return true }"
    )
    with served(shop.app(**no_script())) as base:
        page.goto(launch(base, "en", "light"))
        page.get_by_test_id("copy-key").first.click()
        expect(page.get_by_role("status")).to_have_text("Copied")
        assert page.evaluate("window.copied") == ["copy", VLESS]
        page.evaluate("document.execCommand = () => false")
        page.get_by_test_id("copy-key").first.click()
        expect(page.locator("textarea")).to_have_value(VLESS)  # there to be selected by hand


@pytest.mark.parametrize("answering", [True, False], ids=["hanging", "refusing"])
def test_the_page_works_while_telegrams_script_is_out_of_reach(shop: FakeShop, page: Page, answering: bool) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        if answering:
            listener.listen()  # takes the connection and never says a word
        address = f"http://127.0.0.1:{listener.getsockname()[1]}/telegram-web-app.js"
        with served(shop.app(telegram_script_url=address)) as base:
            page.goto(launch(base, "ru", "dark"), wait_until="commit")
            page.get_by_test_id("plan-month").click()
            expect(page.get_by_test_id("stage")).to_have_attribute("data-stage", "waiting")
            assert page.evaluate("getComputedStyle(document.documentElement).backgroundColor") == "rgb(14, 22, 33)"
            assert page.evaluate("document.documentElement.lang") == "ru"
            page.close()


def test_inside_telegram_links_open_through_the_app_even_without_its_script(shop: FakeShop, page: Page) -> None:
    page.add_init_script("window.told = []")
    page.add_init_script(
        "window.TelegramWebviewProxy = {postEvent: (type, data) => told.push([type, JSON.parse(data)])}"
    )
    with served(shop.app(**no_script())) as base:
        page.goto(launch(base, "en", "light"))
        page.get_by_test_id("plan-month").click()
        page.get_by_test_id("pay-link").click()
        opened = ["web_app_open_link", {"url": "https://pay.test/1"}]
        assert page.evaluate("told") == [["web_app_ready", {}], ["web_app_expand", {}], opened, opened]
        assert len(page.context.pages) == 1


def test_in_telegram_webs_frame_the_parent_opens_links_and_changes_the_theme(
    shop: FakeShop, page: Page, complaints: Complaints
) -> None:
    messenger = Flask("messenger")
    with served(messenger) as outside, served(shop.app(**no_script(frame_ancestors=[outside]))) as base:
        frame = escape(launch(base, "en", "light"))
        script = "window.told = []; onmessage = event => told.push(JSON.parse(event.data))"
        html = f"<!doctype html><link rel=icon href=data:,><script>{script}</script><iframe src='{frame}'></iframe>"
        messenger.add_url_rule("/", view_func=lambda: html)
        page.goto(outside)
        page.frame_locator("iframe").get_by_test_id("plan-month").click()
        expect(page.frame_locator("iframe").get_by_test_id("pay-link")).to_be_visible()
        assert page.evaluate("told.map(one => one.eventType)") == [
            "web_app_ready",
            "web_app_expand",
            "web_app_open_link",
        ]
        assert page.evaluate("told.at(-1).eventData") == {"url": "https://pay.test/1"}
        dark = {"eventType": "theme_changed", "eventData": {"theme_params": THEMES["dark"]}}
        page.evaluate("message => frames[0].postMessage(JSON.stringify(message), '*')", dark)
        expect(page.frame_locator("iframe").locator("html")).to_have_attribute("data-scheme", "dark")
    assert complaints.of == []


def test_telegrams_own_script_opens_the_pay_page_when_it_is_there(shop: FakeShop, page: Page) -> None:
    page.add_init_script("window.TelegramWebviewProxy = {postEvent: () => {}}; window.opened = []")
    page.add_init_script("window.Telegram = {WebApp: {openLink: url => opened.push(url)}}")
    with served(shop.app(**no_script())) as base:
        page.goto(launch(base, "en", "light"))
        page.get_by_test_id("plan-month").click()
        expect(page.get_by_test_id("stage")).to_be_visible()
        assert page.evaluate("opened") == ["https://pay.test/1"]


def test_a_lost_network_is_told_in_the_customers_language_and_can_be_tried_again(shop: FakeShop, page: Page) -> None:
    with served(shop.app(**no_script())) as base:
        page.route("**/app/home", lambda route: route.abort())
        page.goto(launch(base, "ru", "light"))
        expect(page.get_by_test_id("offline")).to_contain_text("Нет связи")
        page.unroute("**/app/home")
        page.get_by_test_id("retry").click()
        expect(page.get_by_test_id("plan-month")).to_be_visible()


def test_a_silent_provider_is_told_and_the_same_tap_can_be_repeated(shop: FakeShop, page: Page) -> None:
    shop.failing["open_payment"] = ProviderUnavailable("silent")
    with served(shop.app(**no_script())) as base:
        page.goto(launch(base, "en", "light"))
        page.get_by_test_id("plan-month").click()
        expect(page.get_by_test_id("problem")).to_contain_text("No money was taken")
        shop.failing.clear()
        with page.expect_popup():
            page.get_by_test_id("retry").click()
        expect(page.get_by_test_id("stage")).to_have_attribute("data-stage", "waiting")
    assert len(shop.payments) == 1


def test_a_reload_returns_to_the_payment_and_the_address_is_never_sent(shop: FakeShop, page: Page) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    with served(shop.app(**no_script())) as base:
        page.goto(launch(base, "en", "light"))
        page.get_by_test_id("plan-month").click()
        expect(page.get_by_test_id("stage")).to_be_visible()
        page.goto(f"{base}/app?again")  # even without the fragment
        expect(page.get_by_test_id("stage")).to_have_attribute("data-stage", "waiting")
    assert not any("tgWebAppData" in url.split("#")[0] or "hash=" in url.split("#")[0] for url in asked)


def test_keys_that_are_still_on_the_way_appear_at_home_by_themselves(shop: FakeShop, page: Page) -> None:
    shop.subscription = a_subscription(keys=[VLESS], preparing=1)
    with served(shop.app(**no_script())) as base:
        page.goto(launch(base, "en", "light"))
        expect(page.get_by_test_id("key")).to_have_count(1)
        expect(page.get_by_test_id("home")).to_contain_text("1 more key is being prepared")
        shop.subscription = a_subscription()
        expect(page.get_by_test_id("key")).to_have_count(2)


def test_no_screen_is_wider_than_the_smallest_phone_and_every_target_is_big_enough(shop: FakeShop, page: Page) -> None:
    shop.subscription = a_subscription(preparing=1)
    page.set_viewport_size({"width": 320, "height": 600})
    with served(shop.app(**no_script())) as base:
        page.goto(launch(base, "ru", "light"))
        expect(page.get_by_test_id("home")).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") == 320
        heights = page.locator("button").evaluate_all("all => all.map(one => one.getBoundingClientRect().height)")
        assert min(heights) >= 44
