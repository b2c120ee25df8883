"""The trial and the e-mail for the receipt, in a real browser."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.chromium import IN_CHROMIUM, chromium
from tests.node_a.web.preview import launch
from tests.node_a.web.shop import TRIAL, VLESS, FakeShop, a_subscription
from tests.serving import served

pytestmark = IN_CHROMIUM

HERS = "anna@example.com"
NO_SCRIPT: dict[str, Any] = {"telegram_script_file": Path(__file__).with_name("empty.js")}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    with browser.new_context(viewport={"width": 320, "height": 600}) as context:
        context.route("https://pay.test/**", lambda route: route.fulfill(body="the pay page"))
        page = context.new_page()
        page.set_default_timeout(5000)
        yield page


def fits(page: Page) -> bool:
    heights = page.locator("button, input").evaluate_all("all => all.map(one => one.getBoundingClientRect().height)")
    return bool(page.evaluate("document.documentElement.scrollWidth") == 320 and min(heights) >= 44)


def test_one_tap_gives_a_trial_and_the_keys_appear_by_themselves(page: Page) -> None:
    shop = FakeShop(trial=TRIAL)
    with served(shop.app(**NO_SCRIPT)) as base:
        page.goto(launch(base, "en", "light"))
        expect(page.get_by_test_id("trial")).to_contain_text("3 days, free")
        assert fits(page)
        page.get_by_test_id("take-trial").click()
        expect(page.get_by_test_id("stage")).to_have_attribute("data-stage", "preparing")
        shop.subscription = a_subscription(days=3)
        expect(page.get_by_test_id("key")).to_have_count(2)
        expect(page.get_by_role("heading", level=1)).to_have_text("Done!")
        assert fits(page)
        page.get_by_role("button", name="My subscription").click()
        expect(page.get_by_test_id("home")).to_contain_text("3 days left")
        expect(page.get_by_test_id("trial")).to_have_count(0)


def test_a_trial_whose_answer_was_lost_is_there_after_trying_again(page: Page) -> None:
    shop = FakeShop(trial=TRIAL)
    with served(shop.app(**NO_SCRIPT)) as base:
        page.goto(launch(base, "en", "light"))
        page.route("**/app/trial", lambda route: (route.fetch(), route.abort()))
        page.get_by_test_id("take-trial").click()
        expect(page.get_by_test_id("offline")).to_be_visible()
        assert shop.subscription is not None
        page.unroute("**/app/trial")
        page.get_by_test_id("retry").click()
        expect(page.get_by_test_id("home")).to_contain_text("Your keys are being prepared")
        shop.subscription = a_subscription(days=3)
        expect(page.get_by_test_id("key")).to_have_count(2)


def test_a_missing_address_is_told_at_its_field_before_anything_is_sent(page: Page) -> None:
    shop = FakeShop(receipts=True)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.method))
    with served(shop.app(**NO_SCRIPT)) as base:
        page.goto(launch(base, "en", "light"))
        field, wrong = page.get_by_test_id("receipt-to"), page.get_by_test_id("receipt-wrong")
        expect(field).to_be_visible()  # what is not there yet is hidden, too
        expect(wrong).to_be_hidden()
        assert fits(page)
        for typed in ("", "anna"):
            field.fill(typed)
            expect(wrong).to_be_hidden()
            page.get_by_test_id("plan-month").click()
            expect(wrong).to_be_visible()
            expect(field).to_be_focused()
            expect(page.get_by_role("status")).to_contain_text("needs an e-mail address")
        assert "POST" not in asked
        field.fill(HERS)
        page.get_by_test_id("plan-month").click()
        expect(page.get_by_test_id("stage")).to_have_attribute("data-stage", "waiting")
    assert shop.receipts_to == [HERS]


def test_what_only_the_server_knows_to_be_wrong_is_told_at_the_same_place(page: Page) -> None:
    shop = FakeShop(receipts=True, last_address=HERS)
    with served(shop.app(**NO_SCRIPT)) as base:
        page.goto(launch(base, "en", "light"))
        field = page.get_by_test_id("receipt-to")
        expect(field).to_have_value(HERS)
        field.fill("anna@example")
        page.get_by_test_id("plan-month").click()
        expect(page.get_by_test_id("receipt-wrong")).to_be_visible()
        expect(field).to_have_value("anna@example")
        expect(field).to_be_focused()
        field.press("End")
        field.press_sequentially(".com")
        expect(page.get_by_test_id("receipt-wrong")).to_be_hidden()
        field.press("Enter")
        expect(field).not_to_be_focused()
        page.get_by_test_id("plan-month").click()
        expect(page.get_by_test_id("stage")).to_be_visible()
    assert shop.receipts_to == [HERS]


def test_a_half_written_address_survives_keys_that_arrive_meanwhile(page: Page) -> None:
    shop = FakeShop(receipts=True, subscription=a_subscription(keys=[VLESS], preparing=1))
    with served(shop.app(**NO_SCRIPT)) as base:
        page.goto(launch(base, "en", "light"))
        field = page.get_by_test_id("receipt-to")
        field.press_sequentially("anna@ex")
        shop.subscription = a_subscription()
        with page.expect_response("**/app/home"), page.expect_response("**/app/home"):
            pass
        expect(field).to_be_focused()
        expect(field).to_have_value("anna@ex")
        field.press("Enter")
        expect(page.get_by_test_id("key")).to_have_count(2)
        expect(field).to_have_value("anna@ex")


def test_trying_again_sends_the_same_address(page: Page) -> None:
    shop = FakeShop(receipts=True)
    with served(shop.app(**NO_SCRIPT)) as base:
        page.goto(launch(base, "en", "light"))
        page.get_by_test_id("receipt-to").fill(HERS)
        page.route("**/app/payments", lambda route: route.abort())
        page.get_by_test_id("plan-month").click()
        expect(page.get_by_test_id("offline")).to_be_visible()
        page.unroute("**/app/payments")
        page.get_by_test_id("retry").click()
        expect(page.get_by_test_id("stage")).to_be_visible()
    assert shop.receipts_to == [HERS]


@pytest.mark.parametrize(("language", "theme"), [("ru", "dark"), ("en", "light")])
def test_the_field_is_one_that_phones_fill_in(page: Page, language: str, theme: str) -> None:
    shop = FakeShop(receipts=True, trial=TRIAL)
    with served(shop.app(**NO_SCRIPT)) as base:
        page.goto(launch(base, language, theme))
        field = page.get_by_label({"ru": "E-mail для чека", "en": "E-mail for the receipt"}[language])
        for name, value in (("type", "email"), ("autocomplete", "email"), ("inputmode", "email")):
            expect(field).to_have_attribute(name, value)
        assert field.evaluate("one => parseFloat(getComputedStyle(one).fontSize)") >= 16
        assert fits(page)
