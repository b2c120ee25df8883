"""The pay page over HTTP and, on a telephone's screen, in a real browser."""

from pathlib import Path

import pytest
import requests
from playwright.sync_api import sync_playwright

from tests.sandbox.yookassa.bodies import RETURN_URL, open_payment
from tests.sandbox.yookassa.running import RunningYooKassa

CHROMIUM = "/usr/bin/chromium"


@pytest.mark.parametrize(
    ("choice", "status"), [("pay", "succeeded"), ("decline", "canceled"), ("walk-away", "pending")]
)
def test_every_choice_leads_back_with_nothing_added(yookassa: RunningYooKassa, choice: str, status: str) -> None:
    payment = open_payment(yookassa)

    answer = requests.post(
        payment["confirmation"]["confirmation_url"], {"choice": choice}, allow_redirects=False, timeout=5
    )

    assert (answer.status_code, answer.headers["Location"]) == (303, RETURN_URL)
    assert yookassa.call("GET", f"/payments/{payment['id']}")["status"] == status


def test_what_the_shop_wrote_is_text(yookassa: RunningYooKassa) -> None:
    url = open_payment(yookassa, description="<script>alert(1)</script>")["confirmation"]["confirmation_url"]

    page = requests.get(url, timeout=5)

    assert "<script" not in page.text
    assert "&lt;script&gt;" in page.text
    assert page.headers["X-Frame-Options"] == "DENY"


def test_a_final_payment_cannot_be_paid_again(yookassa: RunningYooKassa) -> None:
    url = open_payment(yookassa)["confirmation"]["confirmation_url"]
    yookassa.advance(3601)

    late = requests.post(url, {"choice": "pay"}, timeout=5)

    assert late.url == url
    assert "Время на оплату вышло" in late.text
    assert requests.get(f"{yookassa.url}/pay/unknown", timeout=5).status_code == 404


@pytest.mark.browser
@pytest.mark.skipif(not Path(CHROMIUM).exists(), reason="no Chromium here")
def test_a_telephone_shows_everything_and_pays(yookassa: RunningYooKassa) -> None:
    # The way back is the stand-in itself: a test needs no other site.
    back = f"{yookassa.url}/sandbox/webhooks?back"
    confirmation = {"type": "redirect", "return_url": back}
    payment = open_payment(yookassa, confirmation=confirmation)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 390, "height": 844})
        page.goto(payment["confirmation"]["confirmation_url"])
        assert page.get_by_test_id("amount").inner_text() == "199\u00a0₽"
        for name in ("pay", "decline", "walk-away"):
            box = page.get_by_test_id(name).bounding_box()
            assert box is not None
            assert box["height"] >= 48  # a finger's width
            assert box["x"] >= 0
            assert box["x"] + box["width"] <= 390
            assert box["y"] + box["height"] <= 844
        page.get_by_test_id("pay").click()
        page.wait_for_url(back)
        page.goto(payment["confirmation"]["confirmation_url"])
        final = page.url
        browser.close()

    assert final == f"{yookassa.url}/pay/{payment['id']}"
    assert yookassa.call("GET", f"/payments/{payment['id']}")["status"] == "succeeded"
