"""Keyboards and Mini App buttons: what Telegram accepts in `reply_markup` and as a menu button."""

import ipaddress
from typing import Any
from urllib.parse import urlsplit

from sandbox.telegram.refusal import bad_request

_ACTIONS = {
    "url": str,
    "callback_data": str,
    "web_app": dict,
    "login_url": dict,
    "switch_inline_query": str,
    "switch_inline_query_current_chat": str,
    "switch_inline_query_chosen_chat": dict,
    "copy_text": dict,
    "callback_game": dict,
    "pay": bool,
}
_STYLES = ("danger", "success", "primary")


def read_reply_markup(markup: Any, *, inline_only: bool = False) -> dict[str, Any] | None:
    """The inline keyboard a message then shows, or None for the other kinds of markup."""
    if markup is None:
        return None
    if not isinstance(markup, dict):
        raise bad_request("object expected as reply markup")
    if "inline_keyboard" in markup:
        rows = [
            [_inline_button(button) for button in row] for row in _rows(markup["inline_keyboard"], "InlineKeyboard")
        ]
        rows = [row for row in rows if row]
        return {"inline_keyboard": rows} if rows else None
    if inline_only and markup:
        raise bad_request("inline keyboard expected")
    if "keyboard" in markup:
        for row in _rows(markup["keyboard"], "Keyboard"):
            for button in row:
                _keyboard_button(button)
    elif "remove_keyboard" in markup or "force_reply" in markup:
        if not isinstance(markup.get("remove_keyboard", markup.get("force_reply")), bool):
            raise bad_request("can't parse reply keyboard markup: boolean expected")
    elif markup:
        raise bad_request("can't parse reply keyboard markup: unknown kind")
    return None


def check_mini_app_url(url: object, what: str) -> None:
    """https, or http on loopback (see the package's docstring)."""
    if not isinstance(url, str) or not url:
        raise bad_request(f"{what} URL '' is invalid: URL must be non-empty")
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        raise bad_request(f"{what} URL '{url}' is invalid: Wrong HTTP URL") from None
    if not host or (parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(host))):
        raise bad_request(f"{what} URL '{url}' is invalid: Only HTTPS links are allowed")


def is_loopback(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _rows(keyboard: Any, kind: str) -> list[list[Any]]:
    if not isinstance(keyboard, list) or not all(isinstance(row, list) for row in keyboard):
        raise bad_request(f"can't parse reply keyboard markup: {kind} must be an Array of Array")
    return keyboard


def _text_of(button: Any) -> str:
    text = button.get("text") if isinstance(button, dict) else None
    if not isinstance(text, str):
        raise bad_request('can\'t parse keyboard button: field "text" must be a String')
    if not text.strip():
        raise bad_request("keyboard button text must be non-empty")
    return text


def _keyboard_button(button: Any) -> None:
    if isinstance(button, str):
        button = {"text": button}
    _text_of(button)
    if "web_app" in button:
        check_mini_app_url(_object(button, "web_app").get("url"), "keyboard button Web App")


def _inline_button(button: Any) -> dict[str, Any]:
    _text_of(button)
    actions = [name for name in _ACTIONS if name in button]
    if not actions:
        raise bad_request("text buttons are unallowed in the inline keyboard")
    if len(actions) > 1:
        raise bad_request("BUTTON_TYPE_INVALID")  # the original silently takes the first
    action = actions[0]
    if not isinstance(button[action], _ACTIONS[action]):
        raise bad_request(f'can\'t parse inline keyboard button: field "{action}" has a wrong type')
    if button.get("style", _STYLES[0]) not in _STYLES:
        raise bad_request("invalid button style specified")
    if action == "callback_data" and not 1 <= len(button[action].encode()) <= 64:
        raise bad_request("BUTTON_DATA_INVALID")
    if action == "copy_text":
        text = _object(button, action).get("text")
        if not isinstance(text, str) or not 1 <= len(text) <= 256:
            raise bad_request("BUTTON_COPY_TEXT_INVALID")
    if action == "url":
        _check_link(button[action])
    if action == "web_app":
        check_mini_app_url(_object(button, action).get("url"), "inline keyboard button Web App")
    return {name: value for name, value in button.items() if name in {"text", "style", action}}


def _object(button: Any, name: str) -> dict[str, Any]:
    value = button[name]
    if not isinstance(value, dict):
        raise bad_request(f'can\'t parse keyboard button: field "{name}" must be an Object')
    return value


def _check_link(url: str) -> None:
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        parts, host = urlsplit(""), ""
    if parts.scheme not in {"http", "https", "tg", "ton"}:
        raise bad_request(f"inline keyboard button URL '{url}' is invalid: Unsupported URL protocol")
    if not host or (parts.scheme in {"http", "https"} and "." not in host and not is_loopback(host)):
        raise bad_request(f"inline keyboard button URL '{url}' is invalid: Wrong HTTP URL")
