"""Sends letters through the Bot API: the port Messenger."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import BytesIO
from typing import Final

from telebot import types
from telebot.async_telebot import AsyncTeleBot
from telebot.asyncio_helper import ApiTelegramException

from node_a.adapters.telegram.errors import translated
from node_a.adapters.telegram.pace import Pace
from node_a.application.ports import ActionButton, AppButton, Button, CopyButton, Letter, LinkButton
from node_a.domain.customer import CustomerId

_HTML: Final = "HTML"
_NO_PREVIEW: Final = types.LinkPreviewOptions(is_disabled=True)  # for a preview, Telegram itself would fetch the link
_LONGEST_ACTION: Final = 64  # bytes
_LONGEST_TOAST: Final = 200


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
                    link_preview_options=_NO_PREVIEW,
                )

    async def edit(self, customer_id: CustomerId, message_id: int, letter: Letter) -> None:
        """Put `letter`, which has no picture, in the place of one sent before. Raises as `send` does; MessageRefused
        also when that one cannot be edited any more."""
        await self.pace.wait(customer_id)
        with translated(), _unless_the_same():
            await self.bot.edit_message_text(
                letter.html,
                chat_id=customer_id,
                message_id=message_id,
                parse_mode=_HTML,
                reply_markup=self._keyboard(letter.buttons),
                link_preview_options=_NO_PREVIEW,
            )

    async def answer_press(self, press_id: str, text: str) -> None:
        """The button stops waiting; `text`, if there is any, is shown for a moment. Raises as `send` does."""
        with translated():
            await self.bot.answer_callback_query(press_id, text[:_LONGEST_TOAST] or None)

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
            case ActionButton(label, action):
                if len(action.encode()) > _LONGEST_ACTION:
                    raise ValueError(f"Telegram takes no action of more than 64 bytes: {action!r}")
                return types.InlineKeyboardButton(label, callback_data=action)


@contextmanager
def _unless_the_same() -> Iterator[None]:
    """Telegram refuses an edit that changes nothing."""
    try:
        yield
    except ApiTelegramException as error:
        if "message is not modified" not in str(error.description):
            raise
