"""What came in, read off the library's objects: which update brought it, what was written, which button was pressed."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from telebot import types


def update_id_of(carried: Any) -> int:
    """Of a message or press. Our client puts the number on whatever it hands on, and the library knows nothing of it;
    it is the same one when Telegram delivers it again."""
    return int(carried.update_id)


def arguments_of(message: types.Message) -> list[str]:
    """The words after the command; what a message without text has none of."""
    return (message.text or "").split()[1:]


@dataclass(frozen=True, slots=True)
class Press:
    """A button pressed under one of our letters. `action`: as we put it there, or whatever a forger sends;
    `shown_at`: when the letter was sent."""

    id: str
    update_id: int
    message_id: int
    shown_at: datetime
    action: str = field(repr=False)


def press_of(query: types.CallbackQuery) -> Press | None:
    """None for a press that is none of ours to answer: not in the presser's private chat with the bot."""
    message, user = query.message, query.from_user
    if message is None or user.is_bot or message.chat.id != user.id or query.data is None:
        return None
    shown_at = datetime.fromtimestamp(message.date, UTC)  # 1970 for a letter that Telegram cannot show any more
    return Press(query.id, update_id_of(query), message.message_id, shown_at, query.data)
