"""Sends letters through the Bot API: the port Messenger."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from io import BytesIO
from typing import Final

from telebot import types
from telebot.async_telebot import AsyncTeleBot

from node_a.adapters.telegram.errors import translated
from node_a.adapters.telegram.pace import Pace
from node_a.application.ports import AppButton, Button, CopyButton, Letter, LinkButton
from node_a.domain.customer import CustomerId

_HTML: Final = "HTML"


@dataclass(frozen=True, slots=True)
class TelegramMessenger:
    """`app_url`: the Mini App, https (Telegram takes nothing else)."""

    bot: AsyncTeleBot
    app_url: str
    pace: Pace = field(default_factory=Pace)

    async def send(self, customer_id: CustomerId, letter: Letter) -> None:
        await self.pace.wait(customer_id)
        keyboard = self._keyboard(letter.buttons)
        with translated():
            if letter.picture is not None:
                photo = types.InputFile(BytesIO(letter.picture), file_name="qr.png")
                await self.bot.send_photo(
                    customer_id, photo, caption=letter.html, parse_mode=_HTML, reply_markup=keyboard
                )
            else:
                await self.bot.send_message(
                    customer_id,
                    letter.html,
                    parse_mode=_HTML,
                    reply_markup=keyboard,
                    # For a preview, Telegram itself would fetch the link.
                    link_preview_options=types.LinkPreviewOptions(is_disabled=True),
                )

    def _keyboard(self, buttons: Sequence[Button]) -> types.InlineKeyboardMarkup | None:
        if not buttons:
            return None
        return types.InlineKeyboardMarkup([[self._button(button)] for button in buttons])

    def _button(self, button: Button) -> types.InlineKeyboardButton:
        match button:
            case AppButton(label):
                return types.InlineKeyboardButton(label, web_app=types.WebAppInfo(self.app_url))
            case LinkButton(label, url):
                return types.InlineKeyboardButton(label, url=url)
            case CopyButton(label, text):
                return types.InlineKeyboardButton(label, copy_text=types.CopyTextButton(text))
