"""Presses of callback buttons, and what the bot answered to them."""

import secrets
from typing import Any

from sandbox.store import Document
from sandbox.telegram.api import Call, Method
from sandbox.telegram.bell import Bell
from sandbox.telegram.chats import Chat
from sandbox.telegram.refusal import bad_request
from sandbox.telegram.updates import Updates


class Callbacks:
    """In memory only: a press does not outlive a start of Telegram's, either."""

    def __init__(self, bell: Bell, updates: Updates) -> None:
        self._bell = bell
        self._updates = updates
        self._answers: dict[str, Document] = {}

    def methods(self) -> dict[str, Method]:
        return {"answerCallbackQuery": self.answer}

    def press(self, chat: Chat, message: Document, data: str) -> str:
        query_id = str(secrets.randbits(62))
        self._answers[query_id] = {"answered": False}
        self._updates.add(
            "callback_query",
            {
                "id": query_id,
                "from": chat.user,
                "message": message,
                "chat_instance": str(chat.id * 7919),
                "data": data,
            },
        )
        return query_id

    def answer_to(self, query_id: str) -> Document | None:
        return self._answers.get(query_id)

    async def answer(self, call: Call) -> Any:
        query_id = call.parameters.text("callback_query_id")
        if query_id not in self._answers:
            raise bad_request("query is too old and response timeout expired or query ID is invalid")
        text = call.parameters.text("text")
        if len(text) > 200:
            raise bad_request("MESSAGE_TOO_LONG")
        self._answers[query_id] = {
            "answered": True,
            "text": text,
            "show_alert": call.parameters.boolean("show_alert"),
            "url": call.parameters.text("url"),
        }
        self._bell.ring()
        return True
