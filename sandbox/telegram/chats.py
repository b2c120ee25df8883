"""The private chats: who the user is, every message, and a counter of changes that readers wait on."""

import re
import time
from dataclasses import dataclass, field
from typing import Any

from sandbox.store import Document, Store
from sandbox.telegram.bell import Bell
from sandbox.telegram.refusal import Refusal, bad_request


@dataclass(slots=True)
class Chat:
    user: Document
    blocked: bool = False
    version: int = 0
    last_message_id: int = 0
    # By message id: {"version": of the last change, "message": as the Bot API shows it, or what is left of it}
    entries: dict[int, Document] = field(default_factory=dict)

    @property
    def id(self) -> int:
        return int(self.user["id"])

    def shown(self) -> Document:
        """The `Chat` object of the Bot API."""
        return {"id": self.id, "first_name": self.user["first_name"], "type": "private"}

    def message(self, message_id: int | None) -> Document | None:
        entry = self.entries.get(message_id or 0)
        if entry is None or entry["message"].get("deleted"):
            return None
        message: Document = entry["message"]
        return message


class Chats:
    """Kept in memory and written through to `store`, where the next start finds them."""

    def __init__(self, store: Store, bell: Bell) -> None:
        self._bell = bell
        self._chats_table = store.table("telegram chats")
        self._messages_table = store.table("telegram messages")
        self._chats: dict[int, Chat] = {}
        for key, document in self._chats_table.items():
            self._chats[int(key)] = Chat(**document)
        for key, document in self._messages_table.items():
            chat_id, message_id = map(int, key.split(":"))
            self._chats[chat_id].entries[message_id] = document

    def get(self, chat_id: int) -> Chat | None:
        return self._chats.get(chat_id)

    def opened_by(self, user: Document) -> Chat:
        """The chat of `user`, who is as described from now on."""
        chat = self._chats.setdefault(user["id"], Chat(user))
        chat.user = user
        self._save(chat)
        return chat

    def reachable(self, chat_id: str) -> Chat:
        """The chat a bot may write to."""
        if not chat_id:
            raise bad_request("chat_id is empty")
        chat = self._chats.get(int(chat_id)) if re.fullmatch(r"-?[0-9]+", chat_id) else None
        if chat is None:
            raise bad_request("chat not found")
        if chat.blocked:
            raise Refusal(403, "Forbidden: bot was blocked by the user")
        return chat

    def block(self, chat: Chat, blocked: bool) -> None:
        chat.blocked = blocked
        self._save(chat)

    def add(self, chat: Chat, sender: Document, content: Document) -> Document:
        chat.last_message_id += 1
        message = {
            "message_id": chat.last_message_id,
            "from": sender,
            "chat": chat.shown(),
            "date": int(time.time()),
            **content,
        }
        self._change(chat, message)
        return message

    def edit(self, chat: Chat, message: Document) -> Document:
        edited = {**message, "edit_date": int(time.time())}
        self._change(chat, edited)
        return edited

    def delete(self, chat: Chat, message_id: int) -> None:
        self._change(chat, {"message_id": message_id, "deleted": True})

    def changed_since(self, chat_id: int, version: int) -> list[Any]:
        """Messages changed after `version`, in the order of the chat."""
        chat = self._chats.get(chat_id)
        entries = [] if chat is None else sorted(chat.entries.items())
        return [entry["message"] for _, entry in entries if entry["version"] > version]

    def version(self, chat_id: int) -> int:
        chat = self._chats.get(chat_id)
        return 0 if chat is None else chat.version

    def _change(self, chat: Chat, message: Document) -> None:
        chat.version += 1
        entry = {"version": chat.version, "message": message}
        chat.entries[message["message_id"]] = entry
        self._messages_table[f"{chat.id}:{message['message_id']}"] = entry
        self._save(chat)
        self._bell.ring()

    def _save(self, chat: Chat) -> None:
        self._chats_table[str(chat.id)] = {
            "user": chat.user,
            "blocked": chat.blocked,
            "version": chat.version,
            "last_message_id": chat.last_message_id,
        }
