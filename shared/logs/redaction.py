"""What must not stand in a log, found in the finished line and masked.

The line is searched as text, after exceptions, JSON and `%` formatting, because only there everything is: a secret may
sit in a URL of an exception's message inside a JSON string. Hence the escapes below: a quote may be written `"`, `\\"`,
`\\\\\\"`, `%22` or `%2522`.
"""

import base64
import binascii
import html
import json
import re
import urllib.parse
from collections.abc import Callable, Iterable
from typing import Final

MASK: Final = "…****"
UNREADABLE: Final = '{"level": "error", "event": "a log line could not be redacted and was left out"}'

# Shorter literals would mask half of every line.
SHORTEST_LITERAL: Final = 6

Substitution = tuple[re.Pattern[str], str | Callable[[re.Match[str]], str]]

# Bounded (four levels of nesting), as everything here that could scan a long line again and again.
_QUOTE = r"""(?:\\{0,15}["'])"""
_PERCENT_QUOTE = r"%(?:25)*2[27]"
_COLON = r"(?::|%(?:25)*3[Aa])"
_SLASH = r"(?:\\{0,15}/|%(?:25)*2[Ff])"
_AT = r"(?:@|%(?:25)*40)"
_SPACE = r"(?:\s|\+|%(?:25)*20)"
# The end of a word, in a line in which line breaks may be written `\n`. A pair of backslashes is a character.
_WORD = r"""(?:[^\s"'\\<>]|\\\\)"""
# A quote, and everything to its twin of the same depth.
_QUOTED = r"""(?P<open>\\{0,15}["'])(?P<value>(?:(?!(?<!\\)(?P=open))[^\r\n])+)"""
_NOTHING = r"(?!(?:None|null|[Tt]rue|[Ff]alse)\b|SecretStr\()"
_BARE = _NOTHING + r"""(?P<value>[^\s"'&\\\[({][^\s"'&\\]*(?:\\\\[^\s"'&\\]*)*)"""

_LONG_LIST: Final = 4_096

_SENSITIVE = (
    r"(?:(?:pass(?:word|wd|phrase)|secret|token|credential|init[_-]?data|jwt|authorization|cookie"
    r"|(?:private|secret|server|user|api|access|signing|encryption|shadowsocks)[ _-]?key)s?(?:__\d+)?"
    # "key" alone is ours; "idempotence key" is a payment's id and stays.
    r"|(?:(?<![A-Za-z0-9_-])(?<!idempotence )|(?<=\\[nrt]))(?:key|psk|pwd))"
)


def mask(value: str) -> str:
    """The first three characters, or none of a very short value, and a sign that something was here."""
    head = value[:3] if len(value) >= SHORTEST_LITERAL else ""
    # Half an escape would spoil the line; a mask is not masked again.
    return re.split(r"[\\…]", head)[0] + MASK


def _group(pattern: str, flags: int = 0) -> Substitution:
    """Mask the group `value`, keep what is around it."""

    def replace(match: re.Match[str]) -> str:
        start, end = (position - match.start() for position in match.span("value"))
        whole = match.group()
        return whole[:start] + mask(match.group("value")) + whole[end:]

    return re.compile(pattern, flags), replace


def _as_a_string(match: re.Match[str]) -> str:
    """What was a number, list or object in JSON becomes a string, so that the line stays JSON."""
    quote, value = match.group("quote") or "", match.group("value")
    return f"{match.group('name')}{quote}{MASK if value[0] in '[({' else mask(value)}{quote}"


def _basic(match: re.Match[str]) -> str:
    try:
        readable = base64.b64decode(match.group("value") + "==", validate=False)
    except binascii.Error:
        readable = b""
    return match.group(1) + mask(match.group("value")) if b":" in readable else match.group()


_INIT_DATA_FIELD = re.compile(r"(?:query_id|user|auth_date|hash|signature|chat_instance)(?:=|%(?:25)*3[Dd])")


def _init_data(match: re.Match[str]) -> str:
    word = match.group()
    fields = list(_INIT_DATA_FIELD.finditer(word))
    if not ("hash" in word and "auth_date" in word and fields):
        return word
    start = fields[0].start()
    return word[:start] + mask(word[start:])


def _shapes() -> list[Substitution]:
    """Secrets that can be told by how they look."""
    i = re.IGNORECASE
    return [
        _group(r"(?P<value>-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z))", re.DOTALL),
        # Keys as links, and lists of them in base64, which begin like this.
        _group(rf"(?P<value>(?:vless|vmess|trojan|(?<!w)ss){_COLON}{_SLASH}{_SLASH}{_WORD}*)", i),
        _group(r"(?P<value>(?:dmxlc3M6Ly|c3M6Ly)[A-Za-z0-9+/=_-]{6,})"),
        _group(rf"{_SLASH}sub{_SLASH}(?P<value>[A-Za-z0-9_-]+(?:{re.escape(MASK)})?)"),
        # Telegram: tokens; init data whole, in a URL's fragment, in our header.
        _group(rf"{_SLASH}bot(?P<value>\d+{_COLON}[A-Za-z0-9_-]+)"),
        _group(rf"(?<!\d)(?P<value>\d{{5,16}}{_COLON}[A-Za-z0-9_-]{{30,}})"),
        _group(rf"tgWebAppData(?:=|%(?:25)*3[Dd])(?P<value>{_WORD}+)", i),
        (re.compile(rf"{_WORD}{{20,}}"), _init_data),
        _group(
            r"""(?<![A-Za-z]{2})hash(?:=|%(?:25)*3[Dd]|\\{0,15}["']\s*:\s*\\{0,15}["'])(?P<value>[0-9a-f]{64})""", i
        ),
        _group(r"""(?:query_id|signature)(?:=|%(?:25)*3[Dd]|\\{0,15}["']\s*:\s*\\{0,15}["'])(?P<value>[\w-]{6,})"""),
        _group(rf"(?<![A-Za-z]{{2}})tma{_SPACE}+(?P<value>(?=\S*(?:=|%3[Dd])){_WORD}{{6,}})", i),
        # Authentication schemes, wherever they stand.
        _group(
            rf"(?<![A-Za-z]{{2}})bearer{_SPACE}+(?P<value>(?=[^\s\"']*\d|[^\s\"']{{20}})[A-Za-z0-9._~+/=-]{{6,}})", i
        ),
        (re.compile(rf"((?<![A-Za-z]{{2}})basic{_SPACE}+)(?P<value>[A-Za-z0-9+/_-]{{8,}}=*)", i), _basic),
        # A JSON web token, YooKassa's secret keys, Shadowsocks-2022 keys, passwords in URLs.
        _group(r"(?P<value>eyJ[A-Za-z0-9_-]{8,500}\.[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]*)?)"),
        _group(r"(?<![A-Za-z]{2})(?P<value>(?:test|live)_(?=[A-Za-z_*-]{0,60}[A-Z0-9])[A-Za-z0-9_*-]{16,})"),
        _group(r"(?<![A-Za-z0-9+/])(?P<value>(?:[A-Za-z0-9+/]|%(?:25)*2[BbFf]){22,}(?:=|%(?:25)*3[Dd]){2})"),
        _group(
            rf"[a-z][a-z0-9+.-]{{0,30}}{_COLON}{_SLASH}{_SLASH}[^\s/:@\"'%]*{_COLON}"
            rf"(?P<value>[^\s/\"'\\]+?){_AT}(?![^\s/@\"']*@)",
            i,
        ),
        # A buyer's e-mail. What stands before the @ of a URL is no address.
        _group(
            rf"(?<![A-Za-z0-9._+/:-])(?P<value>[A-Za-z0-9._+-]{{1,64}}{_AT}(?:[A-Za-z0-9-]{{1,63}}\.){{1,8}}[A-Za-z]{{2,24}})"
        ),
    ]


def _to_the_end(excluded: str, closing: str) -> str:
    """The rest of a list or dict, also of a very long one that a cut has left open: else the search for its end, begun
    again at each of thousands of openings, would be quadratic."""
    inside = rf"[^{re.escape(excluded)}\r\n]"
    end = re.escape(closing)
    return rf"(?:{inside}{{0,{_LONG_LIST - 1}}}{end}|{inside}{{{_LONG_LIST},}}{end}?)"


def _fields() -> list[Substitution]:
    """Secrets that can be told by the name in front of them, in headers, dicts, JSON, forms, and pairs of these."""
    i = re.IGNORECASE
    name, byte = _SENSITIVE, r"(?:b(?=\\{0,15}[\"']))?"
    whole = r"\s*[:=]\s*)(?P<value>\{" + _to_the_end("{}", "}") + ")"
    return [
        # What the panel is told about a user: the id is the key. A jar of cookies.
        (re.compile(rf"(?P<name>(?:vless|cookies?)(?P<quote>{_QUOTE})?{whole}", i), _as_a_string),
        _group(r"<Cookie [^=\s]+=(?P<value>\S+)", i),
        # A list or tuple of them; a pair in one; the pair as an object; a value of an object.
        (
            re.compile(
                rf"(?P<name>{name}(?P<quote>{_QUOTE})?\s*(?:=>|[:=])\s*)"
                rf"(?P<value>\[{_to_the_end(']', ']')}|\({_to_the_end(')', ')')})",
                i,
            ),
            _as_a_string,
        ),
        _group(rf"[\[(]\s*{byte}{_QUOTE}[\w-]{{0,40}}{name}{_QUOTE}\s*,\s*{byte}{_QUOTED}", i),
        _group(rf"{name}{_QUOTE}\s*,\s*{_QUOTE}value{_QUOTE}\s*:\s*{byte}{_QUOTED}", i),
        _group(rf"{name}{_QUOTE}\s*(?:=>|:)\s*{byte}{_QUOTED}", i),
        # Without quotes around the name, the next quote may be the end of the text that speaks of it.
        _group(rf"{name}\s*(?:=>|[:=])\s*{byte}(?!\\{{0,15}}[\"']\s*(?:[,}}\])]|$)){_QUOTED}", i),
        _group(
            rf"{name}{_PERCENT_QUOTE}%(?:25)*3[Aa]{_SPACE}*{_PERCENT_QUOTE}"
            rf"(?P<value>(?:(?!{_PERCENT_QUOTE})[^\s\"'&])+)",
            i,
        ),
        (
            re.compile(
                rf"(?P<name>{name}(?P<quote>{_QUOTE})\s*(?:=>|:)\s*){_NOTHING}(?P<value>[^\s\"'\\,\[\](){{}}]+)", i
            ),
            _as_a_string,
        ),
        # Headers without quotes have values of several words.
        _group(rf"(?:authorization|cookie)\s*[:=]\s*(?![,}}\]]|\w+=?[\[({{])(?P<value>{_WORD}[^\r\n\"'\\]*)", i),
        _group(rf"{name}\s*(?:=>|[:=]|%(?:25)*3[AaDd])\s*{_BARE}", i),
    ]


_SHAPES: Final = _shapes()
_FIELDS: Final = _fields()
# Most lines hold none of these words and are spared the search for names.
_WORDS: Final = (
    "pass",
    "secret",
    "token",
    "credential",
    "init",
    "jwt",
    "authorization",
    "cookie",
    "key",
    "psk",
    "pwd",
    "vless",
)


def _spellings(secret: str) -> set[str]:
    """The ways in which a secret may be written into a text."""
    raw = secret.encode("utf-8", "surrogatepass")
    quoted = {urllib.parse.quote(secret, safe=safe, errors="replace") for safe in ("", "/")}
    quoted |= {urllib.parse.quote_plus(secret, errors="replace")}
    quoted |= {urllib.parse.quote(once, safe="") for once in quoted}
    lower = {re.sub("%[0-9A-F]{2}", lambda match: match.group().lower(), once) for once in quoted}
    escaped = {json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1], html.escape(secret)}
    escaped |= {repr(secret)[1:-1], repr(raw)[2:-1]}
    escaped |= {json.dumps(once, ensure_ascii=False)[1:-1] for once in escaped}
    return {secret, *quoted, *lower, *escaped, *_within_base64(raw)}


def _within_base64(raw: bytes) -> set[str]:
    """The characters that stand for `raw` in the base64 of any text around it, such as `shop:secret`: they depend
    only on where in a group of three bytes it begins."""
    found = set()
    for offset in range(3):
        encoded = base64.b64encode(bytes(offset) + raw).rstrip(b"=").decode()
        first = (0, 2, 3)[offset]
        last = (offset + len(raw)) * 8 // 6
        inner = encoded[first:last]
        if len(inner) >= 2 * SHORTEST_LITERAL - 4:
            found |= {inner, inner.translate(str.maketrans("+/", "-_")), urllib.parse.quote(inner, safe="")}
    return found


class Redactor:
    """Masks `secrets` in every spelling, and whatever looks like a secret, in a line of text. Never raises; applying it
    twice changes nothing more."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        literals = {
            spelling
            for secret in secrets
            if len(secret) >= SHORTEST_LITERAL
            for spelling in _spellings(secret)
            if len(spelling) >= SHORTEST_LITERAL
        }
        self._shapes = list(_SHAPES)
        if literals:
            longest_first = sorted(literals, key=lambda literal: (-len(literal), literal))
            self._shapes.insert(0, _group(f"(?P<value>{'|'.join(map(re.escape, longest_first))})"))

    def __call__(self, line: str) -> str:
        try:
            # A mask can lay open what another pattern was kept from: repeat until nothing changes.
            for _ in range(4):
                before = line
                line = self._once(line)
                if line == before:
                    break
            return line
        except Exception:  # a broken line is left out: better than a process that dies of its log, or a secret in it
            return UNREADABLE

    def _once(self, line: str) -> str:
        for pattern, replacement in self._shapes:
            line = pattern.sub(replacement, line)
        lower = line.lower()
        if any(word in lower for word in _WORDS):
            for pattern, replacement in _FIELDS:
                line = pattern.sub(replacement, line)
        return line
