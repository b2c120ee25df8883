"""The page at the subscription link in a real browser: with and without scripts, on the smallest phone."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from node_a.application.overview import PaymentStage
from node_a.domain.customer import Language
from node_a.domain.errors import ProviderUnavailable
from tests.chromium import IN_CHROMIUM, chromium
from tests.node_a.web.preview_link import ANDROID, states
from tests.node_a.web.shop import LINK_TOKEN, FakeShop
from tests.serving import served

pytestmark = IN_CHROMIUM

STATES = states(Language.ENGLISH)
PAGE = f"/sub/{LINK_TOKEN}"
# The page looks anew every 3 seconds.
A_FEW_LOOKS = 15_000


@dataclass
class Tab:
    page: Page
    complaints: list[str] = field(default_factory=list)

    def listen(self) -> None:
        page = self.page
        page.on("console", lambda one: self.complaints.append(one.text) if one.type in {"error", "warning"} else None)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@contextmanager
def a_tab(browser: Browser, *, scripts: bool = True, width: int = 390) -> Iterator[Tab]:
    context = browser.new_context(
        viewport={"width": width, "height": 700}, user_agent=ANDROID, java_script_enabled=scripts
    )
    with context:
        tab = Tab(context.new_page())
        tab.page.set_default_timeout(5000)
        tab.listen()
        yield tab


@pytest.fixture(params=[True, False], ids=["with-scripts", "without-scripts"])
def tab(browser: Browser, request: pytest.FixtureRequest) -> Iterator[Tab]:
    with a_tab(browser, scripts=request.param) as tab:
        yield tab


def the_provider(page: Page, shop: FakeShop, base: str) -> None:
    """Its pay page takes the money at once and has a plain link back, as the address that we gave it says."""

    def pay_page(route: Route) -> None:
        (id,) = shop.payments
        back = f"{base}/pay/return?payment={id}"
        html = f"<!doctype html><link rel=icon href=data:,><a id=back href='{back}'>Back to the shop</a>"
        route.fulfill(body=html, content_type="text/html")

    page.route("https://pay.test/**", pay_page)


@contextmanager
def opened(tab: Tab, shop: FakeShop, path: str = PAGE) -> Iterator[str]:
    # Its cookies are for http here, as the server is.
    with served(shop.app(public_url="http://shop.test")) as base:
        the_provider(tab.page, shop, base)
        tab.page.goto(f"{base}{path}")
        yield base


def test_whoever_has_nothing_but_the_link_pays_and_comes_back_to_working_keys(tab: Tab) -> None:
    shop, page = FakeShop(subscription=STATES["ended"]), tab.page
    with opened(tab, shop) as base:
        page.get_by_test_id("plan-month").click()
        expect(page.get_by_test_id("stage")).to_have_attribute("data-stage", "waiting")
        (id,) = shop.payments
        assert page.url == f"{base}{PAGE}/payments/{id}"
        page.get_by_test_id("pay-link").click()
        page.locator("#back").click()
        expect(page.get_by_test_id("stage")).to_have_attribute("data-stage", "waiting")  # it was not told yet
        assert page.url == f"{base}{PAGE}/payments/{id}"
        shop.move(id, PaymentStage.PREPARING)
        expect(page.get_by_test_id("stage")).to_have_attribute("data-stage", "preparing", timeout=A_FEW_LOOKS)
        shop.subscription = STATES["active"]
        shop.move(id, PaymentStage.READY, shop.subscription)
        expect(page.get_by_role("heading")).to_have_text("Paid: the keys work", timeout=A_FEW_LOOKS)
        page.get_by_test_id("home").click()
        expect(page.get_by_test_id("link-page")).to_have_attribute("data-state", "active")
    assert tab.complaints == []


def test_a_silent_provider_loses_nothing_and_one_tap_tries_again(tab: Tab) -> None:
    shop, page = FakeShop(subscription=STATES["ended"], receipts=True), tab.page
    shop.failing["renew_by_link"] = ProviderUnavailable("silent")
    with opened(tab, shop):
        page.get_by_test_id("email").fill("stranger@example.com")
        page.get_by_test_id("plan-year").click()
        expect(page.get_by_test_id("problem")).to_contain_text("No money was taken, and nothing is lost")
        shop.failing.clear()
        page.get_by_test_id("retry").click()
        expect(page.get_by_test_id("stage")).to_contain_text("1 year")
    assert shop.receipts_to == ["stranger@example.com"]


def test_a_wrong_address_is_told_at_its_field(tab: Tab) -> None:
    shop, page = FakeShop(subscription=STATES["ended"], receipts=True), tab.page
    with opened(tab, shop):
        page.get_by_test_id("email").fill("anna@localhost")  # the browser lets it pass, we do not
        page.get_by_test_id("plan-month").click()
        expect(page.get_by_test_id("receipt-wrong")).to_be_visible()
        expect(page.get_by_test_id("email")).to_have_value("anna@localhost")
        page.get_by_test_id("email").fill("anna@example.com")
        page.get_by_test_id("plan-month").click()
        expect(page.get_by_test_id("stage")).to_be_visible()


def test_everything_unfolds_and_the_language_changes(tab: Tab) -> None:
    page = tab.page
    with opened(tab, FakeShop(subscription=STATES["active"])):
        hidden = page.get_by_test_id("system-windows").get_by_role("link", name="Clash Verge Rev")
        expect(hidden).to_be_hidden()
        page.get_by_test_id("system-windows").locator("summary").click()
        expect(hidden).to_have_attribute("href", re.compile("^clash://install-config"))
        page.get_by_test_id("qr").locator("summary").click()
        expect(page.locator("svg.qr")).to_be_visible()
        page.get_by_test_id("other-language").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Осталось 12 дней")
        page.get_by_test_id("other-language").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("12 days left")
    assert tab.complaints == []


def test_the_link_is_copied_with_one_tap(browser: Browser) -> None:
    shop = FakeShop(subscription=STATES["active"])
    with a_tab(browser) as tab, opened(tab, shop):
        tab.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        tab.page.get_by_test_id("copy").click()
        expect(tab.page.get_by_role("status")).to_have_text("Copied")
        assert tab.page.evaluate("navigator.clipboard.readText()") == f"http://shop.test{PAGE}"
    assert tab.complaints == []


def test_a_key_for_outline_is_there_without_scripts_and_copied_with_one_tap(tab: Tab, browser: Browser) -> None:
    view = STATES["outline"]
    with opened(tab, FakeShop(subscription=view)):
        tab.page.get_by_test_id("outline").locator("summary").click()
        keys = tab.page.get_by_test_id("outline-key")
        assert keys.all_text_contents() == [one.link for one in view.outline]
        expect(keys.last).to_be_visible()
    with a_tab(browser) as scripted, opened(scripted, FakeShop(subscription=view)):
        scripted.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        scripted.page.get_by_test_id("outline").locator("summary").click()
        scripted.page.get_by_test_id("copy-outline-key").last.click()
        expect(scripted.page.get_by_role("status")).to_have_text("Copied")
        assert scripted.page.evaluate("navigator.clipboard.readText()") == view.outline[-1].link
    assert tab.complaints + scripted.complaints == []


def test_without_the_clipboard_the_link_is_selected(browser: Browser) -> None:
    with a_tab(browser) as tab:
        tab.page.add_init_script("Object.defineProperty(navigator, 'clipboard', {value: undefined})")
        tab.page.add_init_script("document.execCommand = () => false")
        with opened(tab, FakeShop(subscription=STATES["active"])):
            tab.page.get_by_test_id("copy").click()
            assert tab.page.evaluate("String(getSelection())") == f"http://shop.test{PAGE}"
            expect(tab.page.get_by_role("status")).to_be_empty()


def test_without_scripts_there_is_no_button_that_does_nothing(browser: Browser) -> None:
    shop = FakeShop(subscription=STATES["active"])
    with a_tab(browser, scripts=False) as tab, opened(tab, shop):
        expect(tab.page.get_by_test_id("address")).to_have_text(f"http://shop.test{PAGE}")
        expect(tab.page.get_by_test_id("copy")).to_be_hidden()


@pytest.mark.parametrize("language", list(Language))
def test_no_state_is_wider_than_the_smallest_phone_and_every_target_is_big_enough(
    browser: Browser, language: Language
) -> None:
    with a_tab(browser, width=320) as tab:
        for name, view in states(language).items():
            with opened(tab, FakeShop(subscription=view, receipts=True)):
                tab.page.locator("summary").evaluate_all("all => all.forEach(one => one.parentElement.open = true)")
                assert tab.page.evaluate("document.documentElement.scrollWidth") == 320, name
                targets = tab.page.locator("button:visible, summary, a.app, a.button, .masthead a, input")
                heights = targets.evaluate_all("all => all.map(one => one.getBoundingClientRect().height)")
                assert min(heights) >= 44, name
        assert tab.complaints == []


def test_the_page_is_light_enough_for_a_slow_network(browser: Browser) -> None:
    sizes: dict[str, int] = {}
    with a_tab(browser) as tab:
        tab.page.on("response", lambda answer: sizes.update({answer.url: len(answer.body())}))
        with opened(tab, FakeShop(subscription=STATES["active"])):
            tab.page.wait_for_load_state("networkidle")
            assert len(sizes) == 3, sizes  # itself, one sheet, one module
            assert sum(sizes.values()) < 60_000, sizes


def test_a_payment_that_was_paid_in_another_tab_is_noticed_by_the_first(browser: Browser) -> None:
    """A bank's app comes back in a browser of its own: there is no cookie there."""
    shop = FakeShop(subscription=STATES["ended"])
    with a_tab(browser) as tab, a_tab(browser) as another, opened(tab, shop) as base:
        tab.page.get_by_test_id("plan-month").click()
        expect(tab.page.get_by_test_id("pay-link")).to_be_visible()
        (id,) = shop.payments
        shop.move(id, PaymentStage.READY, replace(STATES["active"]))
        another.page.goto(f"{base}/pay/return?payment={id}")
        expect(another.page.get_by_test_id("stage")).to_have_attribute("data-stage", "ready")
        assert LINK_TOKEN not in another.page.content()
        expect(tab.page.get_by_role("heading")).to_have_text("Paid: the keys work", timeout=A_FEW_LOOKS)
        expect(tab.page.get_by_role("status")).to_have_text("Paid: the keys work")
    assert tab.complaints == []
