"""Message text: HTML as Telegram reads it, and what it finds in plain text by itself.

Offsets and lengths of entities are UTF-16 code units, those in errors are bytes of the source, as in the original.
"""

import html
import re
from dataclasses import dataclass, field
from typing import Any

from sandbox.telegram.refusal import Refusal, bad_request

Entity = dict[str, Any]

_TYPES = {
    **dict.fromkeys(("b", "strong"), "bold"),
    **dict.fromkeys(("i", "em"), "italic"),
    **dict.fromkeys(("u", "ins"), "underline"),
    **dict.fromkeys(("s", "strike", "del"), "strikethrough"),
    **{"code": "code", "pre": "pre", "a": "text_link", "blockquote": "blockquote"},
    **{"tg-spoiler": "spoiler", "span": "spoiler", "tg-emoji": "custom_emoji"},
}
_REFERENCE = re.compile(r"&(?:lt|gt|amp|quot|#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6});")
_ATTRIBUTE = re.compile(r"""\s+([a-zA-Z_-]+)(?:\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'>]+)))?""")
_FOUND_BY_ITSELF = re.compile(
    r"(?P<url>https?://[^\s<>\"']*[^\s<>\"'.,:;!?)])"
    r"|(?<![\w/<>@])(?P<bot_command>/[a-zA-Z0-9_]{1,64}(?:@\w+)?)"
    r"|(?<![\w@])(?P<mention>@[a-zA-Z]\w{3,31})"
)


@dataclass(slots=True)
class _Tag:
    name: str
    start: int
    pieces: int
    attributes: dict[str, str] = field(default_factory=dict)
    language: str = ""


def utf16_length(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2


def read_html(source: str) -> tuple[str, list[Entity]]:
    """Text and entities of `source`; a Refusal for what Telegram does not parse."""
    reader = _Reader(source)
    reader.read()
    return _trimmed("".join(reader.text), reader.entities)


def found_by_itself(text: str, entities: list[Entity]) -> list[Entity]:
    """`entities` and the links, commands and mentions outside code and links, in order."""
    taken = [(e["offset"], e["offset"] + e["length"]) for e in entities if e["type"] in {"code", "pre", "text_link"}]
    found = []
    for match in _FOUND_BY_ITSELF.finditer(text):
        start, length = utf16_length(text[: match.start()]), utf16_length(match.group())
        if not any(start < end and begin < start + length for begin, end in taken):
            found.append({"type": match.lastgroup, "offset": start, "length": length})
    return sorted([*entities, *found], key=lambda entity: (entity["offset"], -entity["length"]))


class _Reader:
    def __init__(self, source: str) -> None:
        self.source = source
        self.position = 0
        self.text: list[str] = []
        self.length = 0
        self.open: list[_Tag] = []
        self.entities: list[Entity] = []

    def read(self) -> None:
        while self.position < len(self.source):
            if self.source.startswith("</", self.position):
                self._end_tag()
            elif self.source[self.position] == "<":
                self._start_tag()
            elif reference := _REFERENCE.match(self.source, self.position):
                self._take(html.unescape(reference.group()), reference.end())
            else:
                self._take(self.source[self.position], self.position + 1)
        if self.open:
            raise _unparsed(f'Can\'t find end tag corresponding to start tag "{self.open[-1].name}"')

    def _take(self, text: str, position: int) -> None:
        self.text.append(text)
        self.length += utf16_length(text)
        self.position = position

    def _start_tag(self) -> None:
        name = re.compile(r"[^\s>/]*").match(self.source, self.position + 1)
        tag = name.group().lower() if name else ""
        if tag not in _TYPES:
            raise _unparsed(f'Unsupported start tag "{tag}" at byte offset {self._offset()}')
        attributes, position = {}, self.position + 1 + len(tag)
        while attribute := _ATTRIBUTE.match(self.source, position):
            value = next((group for group in attribute.groups()[1:] if group is not None), "")
            attributes[attribute.group(1).lower()] = html.unescape(value)
            position = attribute.end()
        end = re.compile(r"\s*>").match(self.source, position)
        if end is None:
            raise _unparsed(f'Unclosed start tag "{tag}" at byte offset {self._offset()}')
        if tag == "span" and attributes.get("class") != "tg-spoiler":
            raise _unparsed(f'Tag "span" must have class "tg-spoiler" at byte offset {self._offset()}')
        self.open.append(_Tag(tag, self.length, len(self.text), attributes))
        self.position = end.end()

    def _end_tag(self) -> None:
        match = re.compile(r"</([^\s>]*)\s*>").match(self.source, self.position)
        if match is None:
            raise _unparsed(f"Unclosed end tag at byte offset {self._offset()}")
        if not self.open:
            raise _unparsed(f"Unexpected end tag at byte offset {self._offset()}")
        tag, found = self.open.pop(), match.group(1).lower()
        if found not in ("", tag.name):
            raise _unparsed(
                f'Unmatched end tag at byte offset {self._offset()}, expected "</{tag.name}>", found "</{found}>"'
            )
        self._close(tag)
        self.position = match.end()

    def _close(self, tag: _Tag) -> None:
        entity: Entity = {"type": _TYPES[tag.name], "offset": tag.start, "length": self.length - tag.start}
        kind, _, language = tag.attributes.get("class", "").partition("language-")
        if tag.name == "code" and not kind and language and self.open and self.open[-1].name == "pre":
            self.open[-1].language = language  # <pre><code class="language-…"> is one entity
            return
        if tag.name == "pre" and tag.language:
            entity["language"] = tag.language
        elif tag.name == "a":
            entity["url"] = tag.attributes.get("href") or "".join(self.text[tag.pieces :])
        elif tag.name == "tg-emoji":
            entity["custom_emoji_id"] = tag.attributes.get("emoji-id", "")
        elif tag.name == "blockquote" and "expandable" in tag.attributes:
            entity["type"] = "expandable_blockquote"
        if entity["length"]:
            self.entities.append(entity)

    def _offset(self) -> int:
        return len(self.source[: self.position].encode())


def _unparsed(reason: str) -> Refusal:
    return bad_request(f"can't parse entities: {reason}")


def _trimmed(text: str, entities: list[Entity]) -> tuple[str, list[Entity]]:
    # Telegram removes white space around a message; entities shrink with it.
    removed = len(text) - len(text.lstrip())  # white space is one code unit each
    text = text.strip()
    end = utf16_length(text)
    kept = []
    for entity in entities:
        first = max(entity["offset"] - removed, 0)
        last = min(entity["offset"] + entity["length"] - removed, end)
        if last > first:
            kept.append({**entity, "offset": first, "length": last - first})
    return text, sorted(kept, key=lambda entity: (entity["offset"], -entity["length"]))
