"""The hands of the user, for the chat page and for tests: everything below `/sandbox/`."""

import dataclasses
import time

from aiohttp import web

from sandbox.store import Document
from sandbox.telegram.api import BotApi
from sandbox.telegram.asked import field, hung_up, number, object_in, refuse
from sandbox.telegram.bell import Bell
from sandbox.telegram.callbacks import Callbacks
from sandbox.telegram.chats import Chat, Chats
from sandbox.telegram.entities import found_by_itself
from sandbox.telegram.init_data import THEMES, launch_url
from sandbox.telegram.photos import Photos
from sandbox.telegram.profile import Profile
from sandbox.telegram.updates import Updates
from sandbox.troubles import Troubles

_LONGEST_WAIT = 60  # seconds


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Control:
    token: str
    api: BotApi
    bell: Bell
    callbacks: Callbacks
    chats: Chats
    photos: Photos
    profile: Profile
    troubles: Troubles
    updates: Updates

    def routes(self) -> list[web.RouteDef]:
        chat = "/sandbox/chats/{user_id:[0-9]+}"
        return [
            web.post(f"{chat}/messages", self.write),
            web.get(f"{chat}/messages", self.read),
            web.post(f"{chat}/callbacks", self.press),
            web.get(f"{chat}/callbacks/{{id}}", self.pressed),
            web.post(f"{chat}/web-app", self.open_web_app),
            web.post(f"{chat}/block", self.block),
            web.get(f"{chat}/bot", self.bot),
            web.get("/sandbox/calls", self.calls),
            web.get("/sandbox/troubles", self.get_troubles),
            web.post("/sandbox/troubles", self.set_troubles),
            web.get("/sandbox/files/{file_id}", self.file),
        ]

    async def write(self, request: web.Request) -> web.Response:
        body = await object_in(request)
        text = field(body, "text", str, "").strip()
        if not 1 <= len(text) <= 4096:
            refuse(400, "text must have 1 to 4096 characters")
        chat = self.chats.opened_by(self._user(request, body))
        if chat.blocked:  # as in the app, where writing is possible only after unblocking
            self._set_blocked(chat, False)
        content: Document = {"text": text}
        if entities := found_by_itself(text, []):
            content["entities"] = entities
        message = self.chats.add(chat, chat.user, content)
        self.updates.add("message", message)
        return web.json_response(message)

    async def read(self, request: web.Request) -> web.Response:
        user_id = int(request.match_info["user_id"])
        after, wait = int(number(request, "after")), min(number(request, "wait"), _LONGEST_WAIT)
        gone = hung_up(request)
        # `after` beyond the counter comes from a chat of an earlier store: answered at once, with everything.
        await self.bell.wait_until(lambda: self.chats.version(user_id) != after or gone(), wait)
        version = self.chats.version(user_id)
        changed = self.chats.changed_since(user_id, after if after <= version else 0)
        return web.json_response({"version": version, "messages": changed})

    async def press(self, request: web.Request) -> web.Response:
        body = await object_in(request)
        chat = self._chat(request)
        message = chat.message(field(body, "message_id", int, 0))
        if message is None:
            refuse(404, "no such message")
        data = field(body, "data", str, "")
        if not 1 <= len(data.encode()) <= 64:
            refuse(400, "data must have 1 to 64 bytes")
        return web.json_response({"callback_query_id": self.callbacks.press(chat, message, data)})

    async def pressed(self, request: web.Request) -> web.Response:
        query_id, gone = request.match_info["id"], hung_up(request)
        if self.callbacks.answer_to(query_id) is None:
            refuse(404, "no such callback query")
        await self.bell.wait_until(
            lambda: bool((self.callbacks.answer_to(query_id) or {})["answered"]) or gone(),
            min(number(request, "wait"), _LONGEST_WAIT),
        )
        return web.json_response(self.callbacks.answer_to(query_id))

    async def open_web_app(self, request: web.Request) -> web.Response:
        body = await object_in(request)
        url, theme = field(body, "url", str, ""), field(body, "theme", str, "light")
        if not url.startswith(("http://", "https://")) or theme not in THEMES:
            refuse(400, "url must be http or https, theme light or dark")
        user = self._user(request, body)
        return web.json_response({"url": launch_url(url, token=self.token, user=user, theme=theme)})

    async def block(self, request: web.Request) -> web.Response:
        blocked = field(await object_in(request), "blocked", bool, True)
        chat = self._chat(request)
        if chat.blocked != blocked:
            self._set_blocked(chat, blocked)
        return web.json_response({"blocked": chat.blocked})

    async def bot(self, request: web.Request) -> web.Response:
        user_id = int(request.match_info["user_id"])
        chat = self.chats.get(user_id)
        shown = self.profile.shown_to(user_id, request.query.get("language_code", ""))
        return web.json_response({**shown, "blocked": chat is not None and chat.blocked})

    async def calls(self, request: web.Request) -> web.Response:
        return web.json_response(list(self.api.journal))

    async def get_troubles(self, request: web.Request) -> web.Response:
        return web.json_response(self.troubles.switches())

    async def set_troubles(self, request: web.Request) -> web.Response:
        wanted = await object_in(request)
        known = self.troubles.switches()
        for name, value in wanted.items():
            if name not in known or not isinstance(value, bool):
                refuse(400, f"unknown trouble or not a boolean: {name}")
        for name, value in wanted.items():
            self.troubles.switch(name, value)
        self.bell.ring()
        return await self.get_troubles(request)

    async def file(self, request: web.Request) -> web.Response:
        found = self.photos.content(file_id=request.match_info["file_id"])
        if found is None:
            refuse(404, "no such file")
        return web.Response(body=found[0], content_type=found[1])

    def _chat(self, request: web.Request) -> Chat:
        chat = self.chats.get(int(request.match_info["user_id"]))
        if chat is None:
            refuse(404, "the user has not written to the bot yet")
        return chat

    def _user(self, request: web.Request, body: Document) -> Document:
        """The user as known, with what this request says anew."""
        user_id = int(request.match_info["user_id"])
        chat = self.chats.get(user_id)
        known = chat.user if chat is not None else {"first_name": "Guest", "language_code": "ru"}
        said = {
            name: field(body, name, str, "")
            for name in ("first_name", "last_name", "username", "language_code")
            if body.get(name)
        }
        return {**known, "id": user_id, "is_bot": False, **said}

    def _set_blocked(self, chat: Chat, blocked: bool) -> None:
        member = {"user": self.profile.bot, "status": "member"}
        kicked = {"user": self.profile.bot, "status": "kicked", "until_date": 0}
        self.chats.block(chat, blocked)
        self.updates.add(
            "my_chat_member",
            {
                "chat": chat.shown(),
                "from": chat.user,
                "date": int(time.time()),
                "old_chat_member": member if blocked else kicked,
                "new_chat_member": kicked if blocked else member,
            },
        )
        self.bell.ring()
