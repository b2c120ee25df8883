"""The methods that put something into a chat, change it or take it away."""

from typing import Any

from sandbox.store import Document
from sandbox.telegram.api import Call, Method
from sandbox.telegram.chats import Chat, Chats
from sandbox.telegram.content import caption_content, text_content
from sandbox.telegram.keyboards import read_reply_markup
from sandbox.telegram.parameters import Parameters
from sandbox.telegram.photos import Photos
from sandbox.telegram.rates import Rates
from sandbox.telegram.refusal import bad_request

_ACTIONS = {
    *("typing", "upload_photo", "record_video", "upload_video", "record_voice", "upload_voice"),
    *("upload_document", "choose_sticker", "find_location", "record_video_note", "upload_video_note"),
}


class Sending:
    def __init__(self, bot: Document, chats: Chats, photos: Photos, rates: Rates) -> None:
        self._bot = bot
        self._chats = chats
        self._photos = photos
        self._rates = rates

    def methods(self) -> dict[str, Method]:
        return {
            "sendMessage": self.send_message,
            "sendPhoto": self.send_photo,
            "editMessageText": self.edit_text,
            "editMessageReplyMarkup": self.edit_reply_markup,
            "deleteMessage": self.delete_message,
            "sendChatAction": self.send_chat_action,
        }

    async def send_message(self, call: Call) -> Any:
        chat = self._chats.reachable(call.parameters.text("chat_id"))
        return self._send(chat, call.parameters, text_content(call.parameters))

    async def send_photo(self, call: Call) -> Any:
        chat = self._chats.reachable(call.parameters.text("chat_id"))
        caption = caption_content(call.parameters)
        photo = self._photos.sizes(self._photo(call.parameters))
        return self._send(chat, call.parameters, {"photo": photo, **caption})

    async def edit_text(self, call: Call) -> Any:
        chat, message = self._own_message(call.parameters)
        if "text" not in message:
            raise bad_request("there is no text in the message to edit")
        content = text_content(call.parameters)
        markup = read_reply_markup(call.parameters.json("reply_markup", "reply keyboard markup"), inline_only=True)
        for name in ("text", "entities", "link_preview_options"):
            message.pop(name, None)
        return self._edit(chat, {**message, **content}, markup)

    async def edit_reply_markup(self, call: Call) -> Any:
        chat, message = self._own_message(call.parameters)
        markup = read_reply_markup(call.parameters.json("reply_markup", "reply keyboard markup"), inline_only=True)
        return self._edit(chat, message, markup)

    async def delete_message(self, call: Call) -> Any:
        chat = self._chats.reachable(call.parameters.text("chat_id"))
        message_id = call.parameters.integer("message_id")
        if not message_id:
            raise bad_request("message identifier is not specified")
        if chat.message(message_id) is None:
            raise bad_request("message to delete not found")
        self._chats.delete(chat, message_id)
        return True

    async def send_chat_action(self, call: Call) -> Any:
        self._chats.reachable(call.parameters.text("chat_id"))
        if call.parameters.text("action") not in _ACTIONS:
            raise bad_request("wrong parameter action in request")
        return True

    def _send(self, chat: Chat, parameters: Parameters, content: Document) -> Document:
        markup = read_reply_markup(parameters.json("reply_markup", "reply keyboard markup"))
        if markup is not None:
            content["reply_markup"] = markup
        reply = parameters.json("reply_parameters", "reply parameters")
        if reply is not None:
            answered = chat.message(reply.get("message_id")) if isinstance(reply, dict) else None
            if answered is None:
                raise bad_request("message to be replied not found")
            content["reply_to_message"] = {k: v for k, v in answered.items() if k != "reply_to_message"}
        if parameters.boolean("protect_content"):
            content["has_protected_content"] = True
        self._rates.count(chat.id)
        return self._chats.add(chat, self._bot, content)

    def _edit(self, chat: Chat, message: Document, markup: Document | None) -> Document:
        # The original removes the keyboard when an edit does not repeat it.
        message.pop("reply_markup", None)
        if markup is not None:
            message["reply_markup"] = markup
        before = chat.message(message["message_id"])
        if before == message:
            raise bad_request(
                "message is not modified: specified new message content and reply markup are exactly the same"
                " as a current content and reply markup of the message"
            )
        self._rates.count(chat.id)
        return self._chats.edit(chat, message)

    def _own_message(self, parameters: Parameters) -> tuple[Chat, Document]:
        chat = self._chats.reachable(parameters.text("chat_id"))
        message_id = parameters.integer("message_id")
        if not message_id:
            raise bad_request("message identifier is not specified")
        message = chat.message(message_id)
        if message is None:
            raise bad_request("message to edit not found")
        if message["from"]["id"] != self._bot["id"]:
            raise bad_request("message can't be edited")
        return chat, dict(message)

    def _photo(self, parameters: Parameters) -> str:
        given = parameters.text("photo")
        upload = parameters.uploads.get(given.removeprefix("attach://") if given else "photo")
        if upload is not None:
            return self._photos.add(upload.content)
        if not given:
            raise bad_request("there is no photo in the request")
        if given.startswith(("http://", "https://")):
            raise bad_request("failed to get HTTP URL content")  # offline
        return given
