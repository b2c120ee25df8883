"""What the bot says about itself: identity, commands, menu button, descriptions."""

import re
from typing import Any

from sandbox.store import Document, Store
from sandbox.telegram.api import Call, Method
from sandbox.telegram.chats import Chats
from sandbox.telegram.keyboards import check_mini_app_url
from sandbox.telegram.parameters import Parameters
from sandbox.telegram.refusal import bad_request

_SCOPES = {
    *("default", "all_private_chats", "all_group_chats", "all_chat_administrators"),
    *("chat", "chat_administrators", "chat_member"),
}


class Profile:
    def __init__(self, bot: Document, store: Store, chats: Chats) -> None:
        self.bot = bot
        self._chats = chats
        self._table = store.table("telegram profile")

    def methods(self) -> dict[str, Method]:
        return {
            "getMe": self.get_me,
            "setMyCommands": self.set_commands,
            "getMyCommands": self.get_commands,
            "deleteMyCommands": self.delete_commands,
            "setChatMenuButton": self.set_menu_button,
            "getChatMenuButton": self.get_menu_button,
            "setMyDescription": self.set_description,
            "getMyDescription": self.get_description,
            "setMyShortDescription": self.set_short_description,
            "getMyShortDescription": self.get_short_description,
        }

    def shown_to(self, user_id: int, language_code: str) -> Document:
        """What the user's app would show: the most special of each, in the user's language if there is one."""
        commands: list[Document] = []
        for scope in (f"chat:{user_id}", "all_private_chats", "default"):
            for language in (language_code, ""):
                commands = commands or self._value(f"commands {scope} {language}", [])
        default = self._value("menu button", {"type": "commands"})
        button = self._value(f"menu button {user_id}", {"type": "default"})
        description = self._value(f"description {language_code}", "") or self._value("description ", "")
        return {
            "bot": self.bot,
            "commands": commands,
            "menu_button": default if button["type"] == "default" else button,
            "description": description,
        }

    async def get_me(self, call: Call) -> Any:
        return {
            **self.bot,
            "can_join_groups": True,
            "can_read_all_group_messages": False,
            "supports_inline_queries": False,
            "can_connect_to_business": False,
            "has_main_web_app": False,
        }

    async def set_commands(self, call: Call) -> Any:
        commands = call.parameters.json("commands", "commands")
        if not isinstance(commands, list) or len(commands) > 100:
            raise bad_request("can't parse commands: expected an Array of BotCommand")
        self._set(self._commands_key(call.parameters), [_command(command) for command in commands])
        return True

    async def get_commands(self, call: Call) -> Any:
        return self._value(self._commands_key(call.parameters), [])

    async def delete_commands(self, call: Call) -> Any:
        self._set(self._commands_key(call.parameters), [])
        return True

    async def set_menu_button(self, call: Call) -> Any:
        button = call.parameters.json("menu_button", "menu button") or {"type": "default"}
        self._set(self._menu_key(call.parameters), _menu_button(button))
        return True

    async def get_menu_button(self, call: Call) -> Any:
        key = self._menu_key(call.parameters)
        return self._value(key, {"type": "commands" if key == "menu button" else "default"})

    async def set_description(self, call: Call) -> Any:
        return self._describe(call.parameters, "description", 512)

    async def get_description(self, call: Call) -> Any:
        return {"description": self._value(f"description {_language(call.parameters)}", "")}

    async def set_short_description(self, call: Call) -> Any:
        return self._describe(call.parameters, "short_description", 120)

    async def get_short_description(self, call: Call) -> Any:
        return {"short_description": self._value(f"short_description {_language(call.parameters)}", "")}

    def _describe(self, parameters: Parameters, name: str, longest: int) -> bool:
        if len(parameters.text(name)) > longest:
            raise bad_request(f"{name.replace('_', ' ')} is too long")
        self._set(f"{name} {_language(parameters)}", parameters.text(name))
        return True

    def _commands_key(self, parameters: Parameters) -> str:
        scope = parameters.json("scope", "bot command scope") or {"type": "default"}
        if not isinstance(scope, dict) or scope.get("type") not in _SCOPES:
            raise bad_request("can't parse BotCommandScope: unsupported type specified")
        chat = ""
        if str(scope["type"]).startswith("chat"):
            chat = f":{self._chats.reachable(str(scope.get('chat_id', ''))).id}"
        return f"commands {scope['type']}{chat} {_language(parameters)}"

    def _menu_key(self, parameters: Parameters) -> str:
        chat_id = parameters.text("chat_id")
        return f"menu button {self._chats.reachable(chat_id).id}" if chat_id else "menu button"

    def _value(self, key: str, default: Any) -> Any:
        return self._table.get(key, {"value": default})["value"]

    def _set(self, key: str, value: Any) -> None:
        self._table[key] = {"value": value}


def _language(parameters: Parameters) -> str:
    language = parameters.text("language_code")
    if not re.fullmatch(r"([a-z]{2})?", language):
        raise bad_request("invalid language code specified")
    return language


def _command(command: Any) -> Document:
    if not isinstance(command, dict) or not all(
        isinstance(command.get(name), str) for name in ("command", "description")
    ):
        raise bad_request("can't parse BotCommand")
    name = command["command"].removeprefix("/")
    if not re.fullmatch(r"[a-z0-9_]{1,32}", name):
        raise bad_request("BOT_COMMAND_INVALID")
    if not 1 <= len(command["description"]) <= 256:
        raise bad_request("BOT_COMMAND_DESCRIPTION_INVALID")
    return {"command": name, "description": command["description"]}


def _menu_button(button: Any) -> Document:
    kind = button.get("type") if isinstance(button, dict) else None
    if kind in ("commands", "default"):
        return {"type": kind}
    if kind != "web_app":
        raise bad_request("can't parse menu button: MenuButton has unsupported type")
    text, web_app = button.get("text"), button.get("web_app")
    if not isinstance(text, str) or not text.strip():
        raise bad_request("can't parse menu button: text must be non-empty")
    check_mini_app_url(web_app.get("url") if isinstance(web_app, dict) else None, "menu button Web App")
    return {"type": "web_app", "text": text, "web_app": {"url": web_app["url"]}}
