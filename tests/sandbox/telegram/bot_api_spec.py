"""Holds calls of the Bot API against its published description: `specs/telegram-bot-api.json`."""

import json
import re
from collections.abc import Sequence
from typing import Any

from tests.reference import document

_CONSTANT = re.compile(r"(?:must be|always) [“\"]?(\w+)[”\"]?")


def check_call(call: dict[str, Any]) -> list[str]:
    """What is wrong with one entry of `GET /sandbox/calls`: names, types, what is missing, what was answered."""
    specification = document("specs/telegram-bot-api.json")
    name = call["method"]
    method = specification["methods"].get(name)
    if method is None:
        return [f"{name}: there is no such method"]
    fields = {field["name"]: field for field in method.get("fields", [])}
    checker = _Checker(specification["types"])
    problems = [f"{name}: unknown parameter {given}" for given in call["params"] if given not in fields]
    problems += [
        f"{name}: {field['name']} is required"
        for field in fields.values()
        if field["required"] and field["name"] not in call["params"]
    ]
    for given, value in call["params"].items():
        if given in fields:
            problems += checker.sent(value, fields[given]["types"], f"{name}: {given}")
    if call["status"] == 200:
        problems += checker.value(call["result"], method["returns"], f"{name} → result")
    return problems


class _Checker:
    def __init__(self, types: dict[str, Any]) -> None:
        self._types = types

    def sent(self, value: Any, types: Sequence[str], where: str) -> list[str]:
        """A parameter as it was on the wire: text, or a file; all but plain values are JSON."""
        if isinstance(value, dict):
            return [] if "InputFile" in types else [f"{where}: a file, but {types} is expected"]
        return self._best([self._sent_as(value, kind, where) for kind in types])

    def _sent_as(self, value: str, kind: str, where: str) -> list[str]:
        if kind == "String":
            return []
        if kind == "Boolean":
            return [] if value.lower() in {"true", "false"} else [f"{where}: {value!r} is not Boolean"]
        if kind == "InputFile":
            return [] if value.startswith("attach://") else [f"{where}: {value!r} is not a file"]
        try:
            parsed = json.loads(value)
        except ValueError:
            return [f"{where}: {value!r} is not {kind}"]
        return self.value(parsed, [kind], where)

    def value(self, value: Any, types: Sequence[str], where: str) -> list[str]:
        """A value in JSON."""
        return self._best([self._value_as(value, kind, where) for kind in types])

    def _value_as(self, value: Any, kind: str, where: str) -> list[str]:
        if kind.startswith("Array of "):
            if not isinstance(value, list):
                return [f"{where}: not an array"]
            items = enumerate(value)
            return [p for i, item in items for p in self.value(item, [kind[9:]], f"{where}[{i}]")]
        simple = {
            "String": isinstance(value, str),
            "Boolean": isinstance(value, bool),
            "Integer": isinstance(value, int) and not isinstance(value, bool),
            "Float": isinstance(value, int | float) and not isinstance(value, bool),
        }
        if kind in simple:
            return [] if simple[kind] else [f"{where}: {value!r} is not {kind}"]
        declared = self._types[kind]
        if "subtypes" in declared:
            return self._best([self._value_as(value, subtype, where) for subtype in declared["subtypes"]])
        return self._object(value, kind, declared.get("fields", []), where)

    def _object(self, value: Any, kind: str, declared: list[dict[str, Any]], where: str) -> list[str]:
        if not isinstance(value, dict):
            return [f"{where}: {value!r} is not {kind}"]
        fields = {field["name"]: field for field in declared}
        problems = [f"{where}: {kind} has no field {name}" for name in value if name not in fields]
        for name, field in fields.items():
            if name not in value:
                problems += [f"{where}: {kind}.{name} is required"] if field["required"] else []
                continue
            problems += self.value(value[name], field["types"], f"{where}.{name}")
            constant = _CONSTANT.search(field["description"])
            if name in {"type", "status", "source"} and constant and value[name] != constant.group(1):
                problems.append(f"{where}.{name}: must be {constant.group(1)}")
        if kind == "InlineKeyboardButton":
            # The one rule of this type that only its description tells.
            actions = set(value) - {"text", "icon_custom_emoji_id", "style"}
            problems += [] if len(actions) == 1 else [f"{where}: exactly one action, not {sorted(actions)}"]
        return problems

    @staticmethod
    def _best(attempts: list[list[str]]) -> list[str]:
        """No problem if one of the allowed types fits; otherwise those of the nearest."""
        return min(attempts, key=len)
