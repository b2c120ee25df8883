"""Named blanks: `{{vless_port}}` in a template, filled strictly.

A blank without a value, a value without a blank, and braces that are no blank are errors by name: a configuration that
was filled by halves is worse than none.
"""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

Value = str | int | bool | list[str]

_BLANK: Final = re.compile(r"\{\{([a-z][a-z0-9_]*)\}\}")
_BRACES: Final = re.compile(r"\{\{|\}\}")


class RenderError(Exception):
    """The template and the values do not fit; says which names, and no value."""


def render_json(template: str, values: Mapping[str, Value]) -> str:
    """`template` as JSON, with each blank replaced by its value: a blank is a whole string there, and takes the value's
    type (`"{{vless_port}}"` becomes 2053)."""
    try:
        document = json.loads(template, object_pairs_hook=_without_doubles)
    except json.JSONDecodeError as error:
        raise RenderError(f"the template is not JSON (line {error.lineno}: {error.msg})") from error
    filling = _Filling(values)
    filled = filling.fill(document)
    filling.finish()
    return json.dumps(filled, indent=2, ensure_ascii=False) + "\n"


def render_text(template: str, values: Mapping[str, Value]) -> str:
    """`template` with each blank replaced inside its line. Lists are not for text; a value is never a second line."""
    filling = _Filling(values)
    rendered = _BLANK.sub(lambda blank: filling.line(blank[1]), template)
    filling.finish()
    outside = _BLANK.sub("", template)
    if braces := _BRACES.search(outside):
        line = outside[: braces.start()].count("\n") + 1
        raise RenderError(f"line {line} of the template holds {braces[0]!r}, which is no blank: {{{{a_name}}}}")
    return rendered


def _without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) != len(pairs):
        names = [name for name, _ in pairs]
        twice = sorted({name for name in names if names.count(name) > 1})
        raise RenderError(f"the template says twice: {', '.join(twice)}")
    return document


class _Filling:
    """Remembers what was asked for and what was missing, so that all of it is told at once."""

    def __init__(self, values: Mapping[str, Value]) -> None:
        self._values = values
        self._used: set[str] = set()
        self._missing: set[str] = set()

    def value(self, name: str) -> Value:
        self._used.add(name)
        if name not in self._values:
            self._missing.add(name)
            return ""
        return self._values[name]

    def line(self, name: str) -> str:
        value = self.value(name)
        if isinstance(value, bool):
            return str(value).lower()
        if isinstance(value, list) or any(character in str(value) for character in "\r\n\0"):
            raise RenderError(f"{{{{{name}}}}} stands in a line and has a value that is more than one")
        return str(value)

    def fill(self, part: Any) -> Any:
        if isinstance(part, dict):
            for name in part:
                self._is_no_blank(name)
            return {name: self.fill(value) for name, value in part.items()}
        if isinstance(part, list):
            return [self.fill(item) for item in part]
        if isinstance(part, str):
            if blank := _BLANK.fullmatch(part):
                return self.value(blank[1])
            self._is_no_blank(part)
        return part

    def finish(self) -> None:
        problems = list(self._problems())
        if problems:
            raise RenderError("; ".join(problems))

    def _problems(self) -> Iterator[str]:
        if self._missing:
            yield f"blanks without a value: {', '.join(sorted(self._missing))}"
        if unknown := self._values.keys() - self._used:
            yield f"values that no blank takes: {', '.join(sorted(unknown))}"

    @staticmethod
    def _is_no_blank(text: str) -> None:
        if _BRACES.search(text):
            raise RenderError(f"in JSON a blank is a whole string value, and {text!r} is not")
