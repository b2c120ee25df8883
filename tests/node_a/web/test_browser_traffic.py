"""The plot of traffic as people see it: on a small phone, by day and by night, under the strict rules of the page."""

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.chromium import IN_CHROMIUM, chromium
from tests.node_a.web.preview import launch
from tests.node_a.web.shop import FakeShop, a_limited_subscription
from tests.serving import served

pytestmark = IN_CHROMIUM

_LOOKS = """bars => bars.map(bar => {
  const box = bar.getBoundingClientRect();
  return [Math.round(box.left), Math.round(box.right), box.height, getComputedStyle(bar).fill];
})"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 390])
def test_the_plot_fits_a_phone_and_its_bars_have_the_colours_of_the_theme(
    browser: Browser, width: int, scheme: str
) -> None:
    shop = FakeShop(subscription=a_limited_subscription())
    complaints: list[str] = []
    with (
        served(shop.app(telegram_script_file=Path(__file__).with_name("empty.js"))) as base,
        browser.new_context(viewport={"width": width, "height": 640}) as context,
    ):
        page = context.new_page()
        page.on("console", lambda line: complaints.append(line.text))
        page.goto(launch(base, "ru", scheme))
        plot = page.get_by_role("img", name="Трафик по дням с 24 октября по 22 ноября")
        expect(plot).to_be_visible()
        bars = plot.locator("rect").evaluate_all(_LOOKS)
        caption = page.get_by_test_id("traffic-plot").locator("figcaption")
        expect(caption).to_contain_text("24 октября")
        accent = page.evaluate("getComputedStyle(document.querySelector('.plan .price b')).color")
        assert page.evaluate("document.documentElement.scrollWidth") <= width

    assert complaints == []
    assert len(bars) == 30
    assert all(0 <= left < right <= width for left, right, _, _ in bars)
    assert all(one[1] <= next[0] for one, next in itertools.pairwise(bars))
    assert {fill for _, _, height, fill in bars if height > 3} == {accent}
    assert len({fill for *_, fill in bars}) == 2
