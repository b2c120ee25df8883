"""The checker of calls must itself be able to say no."""

import json
from typing import Any

import pytest

from tests.sandbox.telegram.bot_api_spec import check_call

BUTTON = {"text": "Open", "web_app": {"url": "https://shop.example"}}


def a_call(method: str = "sendMessage", result: Any = None, **params: Any) -> dict[str, Any]:
    return {"method": method, "params": params, "status": 200 if result is not None else 400, "result": result}


def markup(*buttons: Any) -> str:
    return json.dumps({"inline_keyboard": [list(buttons)]})


def test_a_proper_call_has_no_problems() -> None:
    call = a_call(chat_id="7123456789", text="Hello", protect_content="True", reply_markup=markup(BUTTON))
    assert check_call(call) == []


@pytest.mark.parametrize(
    ("call", "problem"),
    [
        (a_call("sendMesage"), "no such method"),
        (a_call(chat_id="1"), "text is required"),
        (a_call(chat_id="1", text="x", colour="red"), "unknown parameter colour"),
        (a_call("deleteMessage", chat_id="1", message_id="one"), "is not Integer"),
        (a_call(chat_id="1", text="x", protect_content="maybe"), "is not Boolean"),
        (a_call(chat_id="1", text="x", reply_markup="{"), "reply_markup"),
        (a_call(chat_id="1", text="x", reply_markup=markup({"text": "x"})), "exactly one action"),
        (a_call(chat_id="1", text="x", reply_markup=markup({**BUTTON, "style": 1})), "style: 1 is not String"),
        (a_call(chat_id="1", text="x", reply_markup=markup({**BUTTON, "web_app": {}})), "WebAppInfo.url"),
        (a_call(chat_id="1", text="x", link_preview_options='{"disabled":true}'), "no field disabled"),
        (a_call(chat_id="1", text={"file": 3}), "a file, but"),
        (a_call("setChatMenuButton", menu_button='{"type":"webapp"}'), "must be"),
        (a_call("getMe", result={"id": 1, "is_bot": True}), "User.first_name is required"),
        (a_call("getMe", result={"id": "1", "is_bot": True, "first_name": "x"}), "id: '1' is not Integer"),
        (a_call("getUpdates", result=[{"update_id": 1, "message": {}}]), "Message.message_id is required"),
    ],
)
def test_a_wrong_call_is_named(call: dict[str, Any], problem: str) -> None:
    assert problem in "\n".join(check_call(call))
