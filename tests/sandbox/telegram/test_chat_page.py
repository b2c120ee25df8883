"""The chat page in a real browser: a whole conversation with a Mini App in it."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from playwright.async_api import Page, async_playwright, expect
from telebot import types
from telebot.async_telebot import AsyncTeleBot

from tests.chromium import IN_CHROMIUM, LAUNCH
from tests.sandbox.telegram.conftest import USER, Telegram

MINI_APP = """<!doctype html><title>Test app</title><link rel="icon" href="data:,">
<script src="{script}"></script>
<button id="pay">Pay</button><p id="who"></p><p id="asked"></p>
<script>
  const app = Telegram.WebApp;
  document.getElementById("who").textContent = app.initDataUnsafe.user.id + " " + app.colorScheme;
  document.getElementById("pay").onclick = () => app.openLink(new URL("/pay", location.href).href);
  try { app.openLink("happ://add/x"); } catch (error) { document.body.dataset.refused = error.message; }
  app.BackButton.onClick(() => app.showConfirm("Sure?", (yes) => {
    document.getElementById("asked").textContent = String(yes);
  })).show();
  app.MainButton.setText("Buy").onClick(() => app.close()).show();
  app.ready();
</script>"""

pytestmark = IN_CHROMIUM


@pytest.fixture
async def shop(telegram: Telegram) -> AsyncIterator[TestServer]:
    async def mini_app(request: web.Request) -> web.Response:
        page = MINI_APP.replace("{script}", telegram.url + "/telegram-web-app.js")
        return web.Response(text=page, content_type="text/html")

    async def pay(request: web.Request) -> web.Response:
        text = '<!doctype html><title>Pay page</title><link rel="icon" href="data:,">'
        return web.Response(text=text, content_type="text/html")

    app = web.Application()
    app.add_routes([web.get("/app", mini_app), web.get("/pay", pay)])
    server = TestServer(app)
    await server.start_server()
    yield server
    await server.close()


@pytest.fixture
async def answering(bot: AsyncTeleBot, shop: TestServer) -> AsyncIterator[None]:
    """A bot that answers everything with one button that opens the Mini App."""

    async def answer(message: types.Message) -> None:
        keyboard = types.InlineKeyboardMarkup()
        link = types.WebAppInfo(str(shop.make_url("/app")))
        keyboard.add(types.InlineKeyboardButton("Open the shop", web_app=link))
        keyboard.add(types.InlineKeyboardButton("Say hello", callback_data="hello"))
        await bot.send_message(
            message.chat.id, "Oh, <b>Hi</b> &lt;img src=x&gt;", parse_mode="HTML", reply_markup=keyboard
        )

    async def greet(query: types.CallbackQuery) -> None:
        await bot.answer_callback_query(query.id, "Hello to you")

    bot.register_message_handler(answer, func=lambda message: True)
    bot.register_callback_query_handler(greet, func=lambda query: True)
    polling = asyncio.create_task(bot.polling(non_stop=True, timeout=10))
    yield
    polling.cancel()
    await asyncio.gather(polling, return_exceptions=True)


@pytest.fixture
async def page() -> AsyncIterator[Page]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(**LAUNCH)
        page = await browser.new_page(viewport={"width": 390, "height": 844})
        page.set_default_timeout(5000)
        yield page
        await browser.close()


async def test_a_customer_talks_to_the_bot_and_uses_the_mini_app(
    telegram: Telegram, answering: None, page: Page
) -> None:
    complaints: list[str] = []
    expected = "[Telegram.WebApp] Url protocol is not supported"  # what the test's own page provokes
    page.on(
        "console",
        lambda line: complaints.append(line.text) if line.type == "error" and expected not in line.text else None,
    )
    page.on("pageerror", lambda error: complaints.append(str(error)))

    await page.goto(f"{telegram.url}/?user={USER}")
    await expect(page.get_by_test_id("start")).to_be_visible()
    await page.get_by_test_id("compose").fill("/start")
    await page.get_by_test_id("send").click()
    answer = page.get_by_test_id("message").nth(1)
    await expect(answer.locator("b")).to_have_text("Hi")
    await expect(answer).to_contain_text("Oh, Hi <img src=x>")

    await page.locator("button.inline-button", has_text="Say hello").click()
    await expect(page.get_by_role("status")).to_have_text("Hello to you")

    await page.locator("button.inline-button", has_text="Open the shop").click()
    app = page.frame_locator("[data-testid=mini-app]")
    await expect(app.locator("#who")).to_have_text(f"{USER} light")
    await expect(app.locator("body")).to_have_attribute("data-refused", "WebAppTgUrlInvalid")
    await expect(page.locator("#sheet")).to_have_attribute("data-state", "ready")

    async with page.context.expect_page() as opening:
        await app.locator("#pay").click()
    pay_page = await opening.value
    await expect(pay_page).to_have_title("Pay page")
    await pay_page.close()
    await page.evaluate("window.open = () => null")  # a browser that blocks new windows
    await app.locator("#pay").click()
    await expect(page.get_by_role("link", name="Open http")).to_have_attribute("href", pay_page.url)

    await page.get_by_test_id("mini-app-back").click()
    await page.locator("dialog").get_by_text("OK").click()
    await expect(app.locator("#asked")).to_have_text("true")
    await page.get_by_test_id("main-button").click()
    await expect(page.get_by_test_id("mini-app")).to_have_count(0)

    await page.get_by_label("Demo settings").first.click()
    async with page.expect_response(lambda r: r.request.method == "POST") as switching:
        await page.get_by_test_id("trouble-de2.marzban_down").check()
    assert (await (await switching.value).json())["de2.marzban_down"] is True
    assert [node.marzban_down for node in telegram.troubles.nodes.values()] == [False, True]
    await expect(page.locator(".trouble", has_text="DE2: Marzban is down")).to_have_count(1)
    assert complaints == []
