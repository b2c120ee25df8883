"""What the bot does when Telegram does not take its introduction."""

from typing import Any

import pytest
from telebot.async_telebot import AsyncTeleBot
from telebot.asyncio_helper import ApiTelegramException

from node_a.bot.introduction import introduce
from node_a.domain.customer import Language
from tests.node_a.bot.conftest import APP_URL, WORDING
from tests.sandbox.telegram.conftest import TOKEN


class RefusedBot(AsyncTeleBot):
    """Every call is refused with one code."""

    def __init__(self, code: int) -> None:
        super().__init__(TOKEN)
        self.code = code

    async def delete_webhook(self, *args: Any, **kwargs: Any) -> bool:
        answer = {"error_code": self.code, "description": "No"}
        raise ApiTelegramException("deleteWebhook", None, answer)  # type: ignore[no-untyped-call]


@pytest.mark.parametrize("code", [429, 500, 502])
async def test_it_is_tried_again_when_telegram_is_only_busy(code: int) -> None:
    with pytest.raises(ApiTelegramException):
        await introduce(RefusedBot(code), WORDING, APP_URL, Language.RUSSIAN)


async def test_a_refusal_for_good_is_logged_and_passed_over(logs: list[Any]) -> None:
    await introduce(RefusedBot(400), WORDING, APP_URL, Language.RUSSIAN)
    assert [line["event"] for line in logs] == ["telegram refused the bot's commands or menu"]
