"""A node's secrets: made once, kept in `keys.env`, never overwritten. Needs no Xray binary."""

import base64
import binascii
import re
import secrets
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from node_b.private_files import write_private
from shared.environment import ConfigurationProblems, read_dotenv
from shared.inbounds import SHADOWSOCKS_KEY_BYTES

FILE_NAME: Final = "keys.env"
_HEADER: Final = "# This node's secrets. Keep a copy: with other keys, every customer's key changes.\n"
# Two of them look like a pair, but the second is made from the first.
_PRIVATE: Final = "REALITY_PRIVATE_KEY"
_PUBLIC: Final = "REALITY_PUBLIC_KEY"


def x25519_private_key() -> str:
    """As Xray writes it: base64url without padding."""
    return _unpadded(X25519PrivateKey.generate().private_bytes_raw())


def x25519_public_key(private: str) -> str:
    """Of a private key as `x25519_private_key` gives it. Raises ValueError."""
    raw = base64.urlsafe_b64decode(private + "=" * (-len(private) % 4))
    public = X25519PrivateKey.from_private_bytes(raw).public_key()
    return _unpadded(public.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw))


def shadowsocks_key() -> str:
    """Padded standard base64, of as many bytes as the method needs."""
    return base64.b64encode(secrets.token_bytes(SHADOWSOCKS_KEY_BYTES)).decode()


def _unpadded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _is_shadowsocks_key(text: str) -> bool:
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return False
    return len(raw) == SHADOWSOCKS_KEY_BYTES and base64.b64encode(raw).decode() == text


# Hexadecimal where a program may take it for an option: base64url can begin with a minus.
MAKERS: Final[Mapping[str, Callable[[], str]]] = {
    _PRIVATE: x25519_private_key,
    "REALITY_SHORT_ID": lambda: secrets.token_hex(8),
    "SHADOWSOCKS_SERVER_KEY": shadowsocks_key,
    # For Xray alone: an empty list of clients would be an open server, and the configuration is the same each time.
    "SHADOWSOCKS_PLACEHOLDER_KEY": shadowsocks_key,
    "PANEL_USERNAME": lambda: f"node_{secrets.token_hex(4)}",
    "PANEL_PASSWORD": lambda: secrets.token_hex(32),
    "AGENT_TOKEN": lambda: secrets.token_hex(32),
}
NAMES: Final = (_PRIVATE, _PUBLIC, *(name for name in MAKERS if name != _PRIVATE))
_RULES: Final[Mapping[str, Callable[[str], object]]] = {
    _PRIVATE: re.compile(r"[A-Za-z0-9_-]{43}").fullmatch,
    _PUBLIC: re.compile(r"[A-Za-z0-9_-]{43}").fullmatch,
    "REALITY_SHORT_ID": re.compile(r"(?:[0-9a-f]{2}){1,8}").fullmatch,
    "SHADOWSOCKS_SERVER_KEY": _is_shadowsocks_key,
    "SHADOWSOCKS_PLACEHOLDER_KEY": _is_shadowsocks_key,
    "PANEL_USERNAME": re.compile(r"[a-z0-9_]{3,32}").fullmatch,
    # bcrypt, which the panel keeps passwords with, takes no more.
    "PANEL_PASSWORD": re.compile(r"[A-Za-z0-9_.-]{20,72}").fullmatch,
    "AGENT_TOKEN": re.compile(r"[A-Za-z0-9_.-]{32,}").fullmatch,
}


def ensure_keys(state: Path) -> list[str]:
    """Makes what `keys.env` lacks, and says the names of it. Raises ConfigurationProblems if what is there is damaged.

    Call it under the state directory's lock.
    """
    held = read_dotenv(state / FILE_NAME)
    if _PUBLIC in held and _PRIVATE not in held:
        raise ConfigurationProblems(
            [f"{_PUBLIC} in {FILE_NAME} has lost its {_PRIVATE}: put it back from a copy, or remove both for new ones"]
        )
    made = {name: make() for name, make in MAKERS.items() if name not in held}
    keys = {**held, **made}
    if _PUBLIC not in held and _RULES[_PRIVATE](keys[_PRIVATE]):
        made[_PUBLIC] = keys[_PUBLIC] = x25519_public_key(keys[_PRIVATE])
    _check(keys)
    if made:
        _append(state / FILE_NAME, {name: made[name] for name in NAMES if name in made})
    return [name for name in NAMES if name in made]


def read_keys(state: Path) -> dict[str, str]:
    """All of them. Raises ConfigurationProblems if one is missing or damaged."""
    keys = read_dotenv(state / FILE_NAME)
    missing = [name for name in NAMES if name not in keys]
    if missing:
        raise ConfigurationProblems([f"{name} is not in {FILE_NAME}: `render keys` makes it" for name in missing])
    _check(keys)
    return {name: keys[name] for name in NAMES}


def replace_keys(state: Path, new: Mapping[str, str]) -> None:
    """Puts `new` in the place of what is there; every other line stays as it is."""
    file = state / FILE_NAME
    kept = [
        line
        for line in file.read_text(encoding="utf-8").splitlines(keepends=True)
        if line.split("=")[0].removeprefix("export ").strip() not in new
    ]
    write_private(file, _closed("".join(kept)) + _lines(new))


def _check(keys: Mapping[str, str]) -> None:
    problems = [
        f"{name} in {FILE_NAME} is damaged: put it back from a copy, or remove the line for a new one"
        for name in NAMES
        if name in keys and not _RULES[name](keys[name])
    ]
    if not problems and x25519_public_key(keys[_PRIVATE]) != keys[_PUBLIC]:
        problems = [f"{_PUBLIC} in {FILE_NAME} does not belong to {_PRIVATE}: remove its line, and it is made anew"]
    if problems:
        raise ConfigurationProblems(problems)


def _append(file: Path, made: Mapping[str, str]) -> None:
    before = file.read_text(encoding="utf-8") if file.exists() else _HEADER
    write_private(file, _closed(before) + _lines(made))


def _closed(text: str) -> str:
    return text if not text or text.endswith("\n") else text + "\n"


def _lines(values: Mapping[str, str]) -> str:
    return "".join(f"{name}={value}\n" for name, value in values.items())
