"""What the bot says of itself to Telegram: its commands in every language, and the button that opens the Mini App."""

from collections.abc import Iterable

import structlog
from telebot import types
from telebot.async_telebot import AsyncTeleBot
from telebot.asyncio_helper import ApiTelegramException

from node_a.domain.customer import Language
from node_a.wording.wording import Wording

_log = structlog.stdlib.get_logger("bot")


async def introduce(bot: AsyncTeleBot, wording: Wording, app_url: str, default_language: Language) -> None:
    """Safe to repeat. A refusal is logged and passed over: without a menu the bot still sells.

    Raises what pyTelegramBotAPI raises when Telegram does not answer.
    """
    try:
        # A webhook left by whatever ran under this token before would keep every update from us (409).
        await bot.delete_webhook()
        await _set_commands(bot, wording, default_language, language_code=None)
        for language in Language:
            await _set_commands(bot, wording, language, language_code=language.value)
        button = types.MenuButtonWebApp(wording.menu_button, types.WebAppInfo(app_url))
        await bot.set_chat_menu_button(menu_button=button)
    except ApiTelegramException as error:
        if error.error_code == 429 or error.error_code >= 500:
            raise
        _log.warning("telegram refused the bot's commands or menu", code=error.error_code, reason=error.description)


async def introduce_to_operators(
    bot: AsyncTeleBot, wording: Wording, operators: Iterable[int], default_language: Language
) -> None:
    """Each operator's chat has a menu of its own. Telegram refuses it for whoever has not started the bot yet: they
    get it the next time the bot starts. Safe to repeat. Raises as `introduce`."""
    for operator in sorted(operators):
        scope = types.BotCommandScopeChat(operator)
        try:
            for code, language in [(None, default_language), *((one.value, one) for one in Language)]:
                listed = [*wording.commands(language), *wording.operators_commands(language)]
                commands = [types.BotCommand(name, what) for name, what in listed]
                await bot.set_my_commands(commands, scope=scope, language_code=code)
        except ApiTelegramException as error:
            if error.error_code == 429 or error.error_code >= 500:
                raise
            _log.info("no menu for an operator", operator=operator, reason=error.description)


async def _set_commands(bot: AsyncTeleBot, wording: Wording, language: Language, language_code: str | None) -> None:
    commands = [types.BotCommand(name, what) for name, what in wording.commands(language)]
    scope = types.BotCommandScopeAllPrivateChats()  # type: ignore[no-untyped-call] # the library leaves it untyped
    await bot.set_my_commands(commands, scope=scope, language_code=language_code)
