"""A person buys in a real browser: the chat page, the Mini App in its frame, the pay page, through real processes.

Leaves pictures of what the person saw in var/screenshots/.
"""

import itertools
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Literal

import pytest
from playwright.sync_api import Browser, BrowserContext, Frame, FrameLocator, Locator, Page, Request, Response, expect
from sqlalchemy import Update, update

from node_a.adapters.database.engine import open_engine
from node_a.adapters.database.tables import gates, payments
from node_a.application.overview import SLOW_AFTER
from sandbox.shop import Shop, running_shop
from sandbox.stand_ins import BOT_USERNAME
from tests.chromium import IN_CHROMIUM, chromium

PROJECT: Final = Path(__file__).parents[3]
PICTURES: Final = PROJECT / "var" / "screenshots"
# The package's source is Telegram's own script as it is; its `dist` is that, compiled once more.
GENUINE_SCRIPT: Final = PROJECT / "tests" / "browser" / "node_modules/@twa-dev/sdk/src/telegram-web-apps.js"
PATIENCE_MS: Final = 20_000

pytestmark = [*IN_CHROMIUM, pytest.mark.slow]

# What a browser finds wrong becomes a line in its console. It would ask for /favicon.ico only if people saw its window.
_WATCHFUL: Final = """
addEventListener("securitypolicyviolation", (event) =>
  console.error(`policy violated: ${event.effectiveDirective} by ${event.blockedURI} in ${location.pathname}`));
addEventListener("DOMContentLoaded", () => {
  if (parent === window && location.protocol.startsWith("http") && !document.querySelector("link[rel~=icon]"))
    console.error(`no icon is named in ${location.pathname}, and browsers ask for /favicon.ico`);
});
"""

_user_ids = itertools.count(7_100_000_000)


class Phone:
    """A new customer's phone. `chat`: the chat page; `complaints`: whatever went wrong in any page or frame."""

    def __init__(self, context: BrowserContext, shop: Shop) -> None:
        self.user_id = next(_user_ids)
        self.complaints: list[str] = []
        self._context = context
        self._shop = shop
        context.set_default_timeout(PATIENCE_MS)
        context.add_init_script(_WATCHFUL)
        context.on("console", lambda line: self._note(line.type in {"error", "warning"}, line.text))
        context.on("weberror", lambda error: self._note(True, str(error.error)))
        context.on("requestfailed", self._request_failed)
        context.on("response", self._answered)
        self.chat = context.new_page()
        self.chat.goto(f"{shop.chat_url}/?user={self.user_id}")

    def _note(self, bad: bool, words: str) -> None:
        if bad:
            self.complaints.append(words)

    def _request_failed(self, request: Request) -> None:
        # A page that is left lets go of what it was asking for; that is no failure.
        self._note(request.failure != "net::ERR_ABORTED", f"{request.failure}: {request.method} {request.url}")

    def _answered(self, response: Response) -> None:
        self._note(response.status >= 400, f"{response.status}: {response.request.method} {response.url}")

    @property
    def messages(self) -> Locator:
        """What the bot wrote."""
        return self.chat.locator("[data-testid=message][data-from=bot]")

    @property
    def app(self) -> FrameLocator:
        return self.chat.frame_locator("[data-testid=mini-app]")

    @property
    def app_frame(self) -> Frame:
        frame = self.chat.frame(url=re.compile(re.escape(self._shop.web_url)))
        assert frame is not None
        return frame

    @property
    def stage(self) -> Locator:
        """The waiting screen."""
        return self.app.get_by_test_id("stage")

    def speak_english(self) -> None:
        self.chat.get_by_label("Demo settings").first.click()
        self.chat.get_by_role("button", name="English").click()
        self.chat.get_by_label("Demo settings").first.click()

    def start(self) -> None:
        self.chat.get_by_test_id("start").click()
        expect(self.messages).to_have_count(1)

    def open_app(self) -> None:
        """By the last button under the bot's last message."""
        self.messages.last.locator("button.inline-button").last.click()
        expect(self.chat.locator("#sheet")).to_have_attribute("data-state", "ready")

    def close_app(self) -> None:
        self.chat.get_by_test_id("close-mini-app").click()
        expect(self.chat.get_by_test_id("mini-app")).to_have_count(0)

    def tap_towards_paying(self, target: Locator) -> Page:
        """The pay page, which must open by itself in a tab of its own."""
        with self._context.expect_page() as opening:
            target.click()
        pay_page = opening.value
        pay_page.wait_for_url(f"{self._shop.yookassa_url}/pay/*")
        expect(self.chat.locator("#link-banner")).to_be_hidden()
        self.expect_stage("waiting")
        return pay_page

    def choose(self, plan: str) -> Page:
        return self.tap_towards_paying(self.app.get_by_test_id(f"plan-{plan}"))

    def decide(self, pay_page: Page, choice: Literal["pay", "decline", "walk-away"]) -> None:
        """Taps, looks where that leads, and goes back to the chat."""
        pay_page.get_by_test_id(choice).click()
        pay_page.wait_for_url(f"{self._shop.web_url}/pay/return?payment=*")
        stages = {"pay": "waiting|preparing|ready", "decline": "waiting|declined", "walk-away": "waiting"}
        expect_return_page(pay_page, stages[choice])
        back = f"{self._shop.chat_url}/{BOT_USERNAME}"
        expect(pay_page.get_by_test_id("back-to-telegram")).to_have_attribute("href", back)
        self.chat.bring_to_front()

    def expect_stage(self, stage: str) -> None:
        expect(self.stage).to_have_attribute("data-stage", stage, timeout=PATIENCE_MS)

    def keys_in_app(self) -> list[str]:
        return [str(key.get_attribute("data-link")) for key in self.app.get_by_test_id("key").all()]

    def copied(self) -> str:
        return str(self.chat.evaluate("navigator.clipboard.readText()"))

    def expect_message(self, words: str) -> Locator:
        """The bot's last message with these words."""
        message = self.messages.filter(has_text=words).last
        expect(message).to_be_visible(timeout=PATIENCE_MS)
        return message


# Paid is the last thing that this page has to find out: it says the same of keys on their way and of keys there.
PAID: Final = "preparing|ready"


def expect_return_page(page: Page, stages: str) -> None:
    """It tells the truth about the payment, brings it up to date by itself, and whoever sees it sees no key."""
    expect(page.get_by_test_id("stage")).to_have_attribute(
        "data-stage", re.compile(f"^({stages})$"), timeout=PATIENCE_MS
    )
    assert not re.search(r"vless://|ss://|/sub/", page.locator("html").inner_html())


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@contextmanager
def phone(browser: Browser, shop: Shop, scheme: Literal["light", "dark"] = "light") -> Iterator[Phone]:
    """Nothing may have gone wrong in it when the block ends."""
    with browser.new_context(
        viewport={"width": 390, "height": 844}, device_scale_factor=2, locale="ru-RU", color_scheme=scheme
    ) as context:
        context.grant_permissions(["clipboard-read", "clipboard-write"])
        phone = Phone(context, shop)
        yield phone
        phone.chat.evaluate("0")  # what the browser has to say until now, is said
        assert phone.complaints == []


def picture(page: Page, name: str) -> None:
    page.screenshot(path=PICTURES / f"{name}.png", animations="disabled")


@pytest.fixture
def silent_node(whole_shop: Shop) -> Iterator[None]:
    """Neither the panel nor the agent answers, until somebody switches them on again."""
    troubles = whole_shop.stand_ins.troubles.nodes["de1"]
    troubles.marzban_down = troubles.agent_down = True
    yield
    troubles.marzban_down = troubles.agent_down = False


def time_for_the_slow_sentence(shop: Shop, user_id: int) -> None:
    """Makes the customer's payment old enough."""
    long_ago = datetime.now(UTC) - SLOW_AFTER
    in_the_database(shop, update(payments).where(payments.c.customer_id == user_id).values(settled_at=long_ago))


def time_for_the_next_attempt(shop: Shop) -> None:
    """Ends the pause after failures, which would be half a minute here."""
    in_the_database(shop, update(gates).values(closed_until=datetime.now(UTC)))


def in_the_database(shop: Shop, statement: Update) -> None:
    """What is done here instead of waiting. The worker wakes up from it, as from any change."""
    engine = open_engine(shop.settings()["DATABASE_URL"])
    with engine.begin() as connection:
        connection.execute(statement)
    engine.dispose()


def test_from_start_to_keys_as_a_person_sees_it(browser: Browser, whole_shop: Shop) -> None:
    with phone(browser, whole_shop) as anna:
        anna.start()
        expect(anna.messages.last).to_contain_text("Здравствуйте")
        picture(anna.chat, "start-ru-light")
        anna.open_app()
        expect(anna.app.get_by_test_id("home")).to_contain_text("199")
        picture(anna.chat, "home-ru-light")
        anna.chat.set_viewport_size({"width": 860, "height": 700})  # where the page draws the phone
        anna.chat.get_by_test_id("phone").screenshot(path=PICTURES / "mini-app.png", animations="disabled")
        anna.chat.set_viewport_size({"width": 390, "height": 844})

        pay_page = anna.choose("month")
        expect(pay_page.get_by_test_id("amount")).to_have_text("199\u00a0₽")
        picture(pay_page, "pay-page-ru-light")
        expect(anna.stage).to_contain_text("Ждём оплату")
        picture(anna.chat, "waiting-ru-light")
        anna.decide(pay_page, "pay")
        expect_return_page(pay_page, PAID)
        picture(pay_page, "return-ru-light")
        pay_page.close()

        anna.expect_stage("ready")
        expect(anna.app.get_by_test_id("key")).to_have_count(2, timeout=PATIENCE_MS)
        picture(anna.chat, "ready-ru-light")
        keys = anna.keys_in_app()
        assert sorted(key.partition("://")[0] for key in keys) == ["ss", "vless"]
        for button, key in zip(anna.app.get_by_test_id("copy-key").all(), keys, strict=True):
            button.click()
            expect(button).to_have_class(re.compile("copied"))
            assert anna.copied() == key
        copy_link = anna.app.get_by_test_id("copy-subscription-link")
        copy_link.click()
        expect(copy_link).to_have_class(re.compile("copied"))
        link = anna.copied()
        assert link.startswith(f"{whole_shop.web_url}/sub/")

        anna.close_app()
        message = anna.expect_message("Ваши ключи готовы")
        expect(message.locator("code")).to_have_text([link, *keys])
        picture(anna.chat, "keys-ru-light")

        anna.chat.get_by_test_id("compose").fill("/my")
        anna.chat.get_by_test_id("send").click()
        message = anna.expect_message("Подписка активна")
        expect(message.locator("code")).to_have_text([link, *keys])
        qr = anna.chat.locator("img.photo")
        qr.scroll_into_view_if_needed()
        expect(qr).to_have_js_property("complete", True)
        assert qr.evaluate("image => image.naturalWidth") >= 200
        picture(anna.chat, "my-ru-light")
        anna.chat.evaluate("navigator.clipboard.writeText('')")
        message.get_by_role("button", name="Скопировать ссылку").click()
        expect(anna.chat.locator("#toast")).to_be_visible()
        assert anna.copied() == link


def test_the_same_in_the_dark_and_in_english(browser: Browser, whole_shop: Shop) -> None:
    with phone(browser, whole_shop, "dark") as john:
        john.speak_english()
        john.start()
        john.open_app()
        expect(john.app.get_by_test_id("home")).to_contain_text("Choose a plan")
        expect(john.app.locator("html")).to_have_attribute("data-scheme", "dark")
        picture(john.chat, "home-en-dark")
        pay_page = john.choose("year")
        picture(pay_page, "pay-page-en-dark")
        picture(john.chat, "waiting-en-dark")
        john.decide(pay_page, "pay")
        john.expect_stage("ready")
        expect(john.app.get_by_test_id("key")).to_have_count(2, timeout=PATIENCE_MS)
        picture(john.chat, "ready-en-dark")
        john.close_app()
        john.expect_message("Your keys are ready")
        picture(john.chat, "keys-en-dark")


def test_a_declined_payment_is_told_kindly_and_the_next_one_works(browser: Browser, whole_shop: Shop) -> None:
    with phone(browser, whole_shop) as boris:
        boris.start()
        boris.open_app()
        pay_page = boris.choose("month")
        boris.decide(pay_page, "decline")

        boris.expect_stage("declined")
        expect(boris.stage).to_contain_text("Деньги не списаны")
        picture(boris.chat, "declined-ru-light")
        boris.expect_message("Платёж не прошёл")
        expect_return_page(pay_page, "declined")
        boris.decide(boris.tap_towards_paying(boris.app.get_by_test_id("retry")), "pay")

        boris.expect_stage("ready")
        boris.expect_message("Ваши ключи готовы")


def test_whoever_walks_away_finds_the_payment_waiting(browser: Browser, whole_shop: Shop) -> None:
    with phone(browser, whole_shop) as vera:
        vera.start()
        vera.open_app()
        left = vera.choose("month")
        vera.decide(left, "walk-away")
        payment = vera.stage.get_attribute("data-payment")
        vera.close_app()

        vera.open_app()
        vera.expect_stage("waiting")
        expect(vera.stage).to_have_attribute("data-payment", str(payment))
        vera.decide(vera.tap_towards_paying(vera.app.get_by_test_id("pay-link")), "pay")

        vera.expect_stage("ready")
        expect_return_page(left, PAID)


def test_while_a_node_is_silent_the_screen_says_so_and_the_keys_come_by_themselves(
    browser: Browser, whole_shop: Shop, silent_node: None
) -> None:
    with phone(browser, whole_shop) as olga:
        olga.start()
        olga.open_app()
        olga.decide(olga.choose("month"), "pay")
        olga.expect_stage("preparing")
        expect(olga.stage).to_contain_text("Оплачено. Готовим ключи")
        olga.expect_message("Оплата получена")

        time_for_the_slow_sentence(whole_shop, olga.user_id)
        olga.expect_stage("slow")
        expect(olga.stage).to_contain_text("Сервер сейчас не отвечает")
        picture(olga.chat, "slow-ru-light")

        whole_shop.stand_ins.troubles.all_off()
        time_for_the_next_attempt(whole_shop)
        olga.expect_stage("ready")
        expect(olga.app.get_by_test_id("key")).to_have_count(2, timeout=PATIENCE_MS)
        olga.expect_message("Ваши ключи готовы")


@pytest.mark.skipif(not GENUINE_SCRIPT.exists(), reason="npm has not installed Telegram's own script")
def test_the_purchase_works_with_telegrams_genuine_script(browser: Browser, tmp_path: Path) -> None:
    with (
        running_shop(tmp_path, {"TELEGRAM_SCRIPT_FILE": str(GENUINE_SCRIPT)}) as shop,
        phone(browser, shop) as anna,
    ):
        anna.start()
        anna.open_app()
        # The stand-in's script does nothing of this. (The page's policy forbids Playwright to wait for an expression.)
        expect(anna.app.locator("html")).to_have_attribute("style", re.compile("--tg-safe-area-inset-top"))
        assert anna.app_frame.evaluate("Boolean(Telegram.WebView && Telegram.WebApp.CloudStorage)")
        assert anna.app_frame.evaluate("Telegram.WebApp.platform") == "weba"
        anna.decide(anna.choose("month"), "pay")
        anna.expect_stage("ready")
        expect(anna.app.get_by_test_id("key")).to_have_count(2, timeout=PATIENCE_MS)
        keys = anna.keys_in_app()
        anna.close_app()
        expect(anna.expect_message("Ваши ключи готовы").locator("code")).to_contain_text(keys)
