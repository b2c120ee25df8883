"""Pictures of every screen, for people to look at: `python -m tests.node_a.web.preview [folder]`."""

import json
import logging
import shutil
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode
from uuid import UUID

import structlog
from playwright.sync_api import Browser, Page, sync_playwright

from node_a.application.diagnosis import CaseFacts
from node_a.application.overview import PaymentStage
from node_a.application.statistics import NodeTroubles
from node_a.domain.customer import Standing
from node_a.domain.errors import ProviderUnavailable
from node_a.domain.node import NodeCode, Protocol
from node_a.domain.subscription import SubscriptionState
from sandbox.telegram.init_data import THEMES
from tests.node_a.web.shop import OUTLINE, TRIAL, FakeShop, a_case, a_limited_subscription, a_subscription, init_data
from tests.serving import served

_OF_TRAFFIC = ("active", "suspended", "grace", "unlimited")
_SCREENS = ("new", "active-many", "outline", "ended", "offline", "provider", "outside", *PaymentStage)
_OF_TRIALS = ("trial", "trial-preparing", "trial-ready", "trial-refused", "trial-again")
_OF_RECEIPTS = ("receipt", "receipt-known", "receipt-wrong", "receipt-trial")
_OF_STANDING = ("banned", "being-erased")
_OF_NEW_KEYS = ("rotation", "rotation-preparing", "rotation-ready", "rotation-too-many")
_OF_TROUBLE = ("trouble-new", "trouble-expired", "trouble-limit", "trouble-servers", "trouble-unused", "trouble-fine")


def launch(base: str, language: str, theme: str | None) -> str:
    parts = {"tgWebAppData": init_data(language=language), "tgWebAppVersion": "9.1", "tgWebAppPlatform": "weba"}
    if theme:
        parts["tgWebAppThemeParams"] = json.dumps(THEMES[theme])
    return f"{base}/app#{urlencode(parts, quote_via=quote, safe='')}"


def _shop(screen: str) -> FakeShop:
    shop = FakeShop()
    if screen in set(SubscriptionState):
        shop.subscription = a_limited_subscription(SubscriptionState(screen))
    elif screen == "unlimited":
        shop.subscription = a_subscription()
    elif screen == "outline":
        shop.subscription = a_subscription(outline=[OUTLINE])
    elif screen == "active-many":
        shop.subscription = a_subscription(days=1, preparing=2)
    elif screen == "ended":
        shop.subscription = a_subscription(days=-3)
    elif screen == "provider":
        shop.failing["open_payment"] = ProviderUnavailable("silent")
    elif screen in _OF_STANDING:
        shop.standing = Standing.BANNED if screen == "banned" else Standing.DELETED
    elif screen in {*_OF_TRIALS, "receipt-trial"}:
        shop.trial = TRIAL
    elif screen in set(PaymentStage):
        paid = screen in {PaymentStage.READY, PaymentStage.PREPARING, PaymentStage.SLOW}
        shop.stage(PaymentStage(screen), a_subscription(days=30) if paid else None)
    elif screen in _OF_NEW_KEYS:
        shop.subscription = a_subscription()
        shop.rotations_left = 0 if screen == "rotation-too-many" else 3
    elif screen in _OF_TROUBLE and screen != "trouble-new":
        shop.subscription, shop.case = a_subscription(), _case(screen)
    shop.receipts = screen in _OF_RECEIPTS
    if screen == "receipt-known":
        shop.last_address = "anna.konstantinopolskaya@example.com"
    return shop


def _case(screen: str) -> CaseFacts:
    if screen == "trouble-expired":
        return a_case(state=SubscriptionState.EXPIRED, keys=())
    if screen == "trouble-limit":
        return a_case(state=SubscriptionState.SUSPENDED, keys=(), traffic=a_subscription().traffic)
    if screen == "trouble-servers":
        nodes = {
            NodeCode("de1"): NodeTroubles(is_known=True, broken=frozenset(Protocol)),
            NodeCode("nl1"): NodeTroubles(is_known=True, clock_off=41.0),
        }
        keys = [replace(key, works=key.keeper.protocol is Protocol.SHADOWSOCKS) for key in a_case().keys]
        return a_case(nodes=nodes, keys=keys)
    if screen == "trouble-unused":
        return a_case(keys=[replace(key, used_at=None) for key in a_case().keys])
    return a_case()


def _taps(page: Page, shop: FakeShop, screen: str) -> None:
    """What leads from home to this screen."""
    if screen == "provider":
        page.get_by_test_id("plan-month").click()
        page.get_by_test_id("problem").wait_for()
    elif screen == "receipt-wrong":
        page.get_by_test_id("receipt-to").fill("anna@example")
        page.get_by_test_id("plan-month").click()
        page.get_by_test_id("receipt-wrong").wait_for()
    elif screen in {"trial-preparing", "trial-ready", "trial-again"}:
        page.get_by_test_id("take-trial").click()
        page.get_by_test_id("stage").wait_for()
        if screen == "trial-ready":
            shop.subscription = a_subscription(days=3)
            page.get_by_test_id("key").first.wait_for()
        elif screen == "trial-again":
            page.get_by_role("button").click()
            page.get_by_test_id("home").wait_for()
    elif screen in _OF_NEW_KEYS:
        page.get_by_test_id("new-keys").click()
        page.locator("[data-view=rotation], [data-view=problem]").wait_for()
        if screen in {"rotation-preparing", "rotation-ready"}:
            page.get_by_test_id("rotate").click()
            page.get_by_test_id("subscription-link").wait_for()
        if screen == "rotation-ready":
            shop.subscription = a_subscription()
            page.get_by_test_id("key").first.wait_for()
    elif screen in _OF_TROUBLE:
        page.get_by_test_id("it-does-not-work").click()
        page.get_by_test_id("trouble").wait_for()
    elif screen == "trial-refused":
        shop.trial = None
        page.get_by_test_id("take-trial").click()
        page.get_by_test_id("problem").wait_for()


def _take(browser: Browser, folder: Path, screen: str, language: str, scheme: str, width: int, themed: bool) -> None:
    shop = _shop(screen)
    with served(shop.app(telegram_script_file=Path("absent.js"))) as base:
        options: dict[str, Any] = {"color_scheme": scheme, "viewport": {"width": width, "height": 700}}
        with browser.new_context(**options, locale=language, device_scale_factor=2, reduced_motion="reduce") as context:
            page = context.new_page()
            address = f"{base}/app" if screen == "outside" else launch(base, language, scheme if themed else None)
            if screen in set(PaymentStage):
                resume = f"sessionStorage.setItem('qentvpn-payment', '/app/payments/{UUID(int=1)}')"
                context.add_init_script(resume)
            if screen == "offline":
                page.route("**/app/home", lambda route: route.abort())
            page.goto(address)
            page.locator("#screen [data-view]").wait_for()
            _taps(page, shop, screen)
            wide = page.evaluate("document.documentElement.scrollWidth")
            if wide > width:
                print(f"{screen} {language} {width}: {wide} px wide")
            page.screenshot(path=folder / f"{screen}-{language}-{scheme}-{width}.png", full_page=True)
            if screen in set(PaymentStage):
                page.goto(f"{base}/pay/return?payment={UUID(int=1)}")
                page.screenshot(path=folder / f"return-{screen}-{language}-{scheme}-{width}.png", full_page=True)


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        for screen in (*_SCREENS, *_OF_TRAFFIC, *_OF_TRIALS, *_OF_RECEIPTS, *_OF_STANDING, *_OF_NEW_KEYS, *_OF_TROUBLE):
            for language, scheme, width, themed in (
                ("ru", "light", 390, True),
                ("ru", "dark", 320, True),
                ("en", "dark", 390, False),
                ("en", "light", 320, False),
            ):
                _take(browser, folder, screen, language, scheme, width, themed)
        browser.close()


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "var/screenshots/web"))
