"""Pictures of the page at the subscription link, for people to look at: `python -m tests.node_a.web.preview_link
[folder]`."""

import logging
import shutil
import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Literal

import structlog
from playwright.sync_api import Browser, sync_playwright

from node_a.application.overview import PaymentStage, SubscriptionView, TrafficView
from node_a.domain.customer import Language
from node_a.domain.errors import ProviderUnavailable
from node_a.domain.subscription import SubscriptionState
from tests.node_a.web.shop import LINK_TOKEN, NOW, OUTLINE, PLANS, FakeShop, a_subscription
from tests.serving import served

ANDROID = "Mozilla/5.0 (Linux; Android 14; Pixel 7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0 Mobile Safari"
IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1"
WINDOWS = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0 Safari/537.36"

GIGABYTE = 10**9
Scheme = Literal["light", "dark"]
_WAYS: tuple[tuple[str, Scheme, int, str], ...] = (
    ("ru", "light", 390, IPHONE),
    ("ru", "dark", 320, ANDROID),
    ("en", "dark", 390, ANDROID),
    ("en", "light", 320, IPHONE),
)


def states(language: Language) -> dict[str, SubscriptionView]:
    """One of each kind."""
    active = replace(a_subscription(days=12), language=language)
    anew = NOW + timedelta(days=12)
    used_up = TrafficView(used=100 * GIGABYTE, limit=100 * GIGABYTE, until=anew)
    over = replace(
        active,
        ends_at=NOW - timedelta(days=1),
        keys_until=NOW + timedelta(days=2),
        days_left=0,
        plan=None,
        traffic=None,
    )
    return {
        "active": replace(active, traffic=TrafficView(used=34_600_000_000, limit=100 * GIGABYTE, until=anew)),
        "unlimited": replace(active, plan=PLANS["year"]),
        "outline": replace(active, outline=a_subscription(outline=[OUTLINE, OUTLINE.replace("de1", "de2")]).outline),
        "preparing": replace(active, keys=[], preparing=2),
        "suspended": replace(active, state=SubscriptionState.SUSPENDED, keys=[], traffic=used_up),
        "grace": replace(over, state=SubscriptionState.GRACE),
        "ended": replace(a_subscription(days=-3), language=language),
        "closed": replace(active, renewable=False, keys=[]),
    }


def _take(browser: Browser, folder: Path, language: str, scheme: Scheme, width: int, agent: str) -> None:
    context = browser.new_context(
        viewport={"width": width, "height": 700}, color_scheme=scheme, user_agent=agent, device_scale_factor=2
    )
    of_language = states(Language(language))
    screens: list[tuple[str, FakeShop, str]] = [
        (name, FakeShop(subscription=view), "") for name, view in of_language.items()
    ]
    for stage in PaymentStage:
        shop = FakeShop(subscription=of_language["active"])
        shop.opened_at_stage = stage
        payment = shop.renew_by_link(LINK_TOKEN, "month", None)
        screens.append((f"payment-{stage}", shop, f"/payments/{payment.id}"))
    screens.append(("receipt", FakeShop(subscription=of_language["ended"], receipts=True), ""))
    with context:
        page = context.new_page()
        for name, shop, path in screens:
            with served(shop.app()) as base:
                page.goto(f"{base}/sub/{LINK_TOKEN}{path}")
                wide = page.evaluate("document.documentElement.scrollWidth")
                if wide > width:
                    print(f"{name} {language} {width}: {wide} px wide")
                page.screenshot(path=folder / f"link-{name}-{language}-{scheme}-{width}.png", full_page=True)
        shop = FakeShop(subscription=of_language["ended"], failing={"renew_by_link": ProviderUnavailable("silent")})
        with served(shop.app()) as base:
            page.goto(f"{base}/sub/{LINK_TOKEN}")
            page.get_by_test_id("plan-month").click()
            page.screenshot(path=folder / f"link-problem-{language}-{scheme}-{width}.png", full_page=True)


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        for way in _WAYS:
            _take(browser, folder, *way)
        browser.close()


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "var/screenshots/link"))
