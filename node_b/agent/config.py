"""Xray's whole configuration: the rendered skeleton with the agent's users in it, tested and renamed into place."""

import copy
import functools
import json
import os
import re
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from shared.agent_contract import NAME_PATTERN, is_shadowsocks_key
from shared.environment import ConfigurationProblems
from shared.inbounds import SHADOWSOCKS_KEY_BYTES, SHADOWSOCKS_METHOD, SHADOWSOCKS_TAG
from shared.logs import Redactor

PLACEHOLDER: Final = "placeholder-without-owner"
_SERVICES: Final = {"HandlerService", "StatsService"}
_COUNTED: Final = ("statsUserUplink", "statsUserDownlink", "statsUserOnline")
# Ten thousand users take a tenth of a second; the keeper waits for it, and callers no longer than 30 s for the keeper.
LONGEST_TEST: Final = 5.0
NO_REASON: Final = "it gave no reason"
_redacted: Final = Redactor()
# Every write asks about every user.
_is_key: Final = functools.lru_cache(maxsize=65_536)(is_shadowsocks_key)


class ConfigRefused(Exception):
    """Xray does not take this configuration; the text is its reason."""


class ConfigUntested(ConfigRefused):
    """Xray could not be asked, or did not answer in time: another configuration would fare no better."""


@dataclass(frozen=True, slots=True)
class Skeleton:
    """The rendered configuration. `placeholder`: name and key of the client that is always there, because Xray makes an
    open server of an empty list."""

    document: Mapping[str, Any] = field(repr=False)
    placeholder: tuple[str, str] = field(repr=False)

    @property
    def address(self) -> tuple[str, int]:
        inbound = _inbound(self.document)
        return str(inbound.get("listen", "0.0.0.0")), int(inbound["port"])  # noqa: S104 (Xray's own default)

    def rendered(self, users: Mapping[str, str], api_port: int) -> str:
        """`users`: name to key. Raises AssertionError rather than open the server to everybody."""
        document = copy.deepcopy(dict(self.document))
        document["api"]["listen"] = f"127.0.0.1:{api_port}"
        clients = dict([self.placeholder]) | dict(users)
        keys = set(clients.values())
        if len(clients) != len(users) + 1 or len(keys) != len(clients) or not all(map(_is_key, keys)):
            raise AssertionError("the placeholder, and names and keys that are valid and unique, are a must")
        _inbound(document)["settings"]["clients"] = [{"email": name, "password": key} for name, key in clients.items()]
        return json.dumps(document)


def read_skeleton(path: Path) -> Skeleton:
    """Raises ConfigurationProblems: each sentence names what is missing."""
    document: Any = None
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        problems = [*_problems(document)]
    except (OSError, ValueError) as error:
        problems = [f"it cannot be read ({type(error).__name__})"]
    except (KeyError, TypeError, AttributeError, IndexError) as error:
        problems = [f"it has not the shape of an Xray configuration ({type(error).__name__}: {error})"]
    if problems:
        raise ConfigurationProblems([f"{path}: {problem}; render it anew" for problem in problems])
    client = _inbound(document)["settings"]["clients"][0]
    name = str(client.get("email", ""))
    if not name or re.fullmatch(NAME_PATTERN, name.lower()):  # a customer could have this name
        name = PLACEHOLDER
    return Skeleton(document, (name, client["password"]))


def _problems(document: Any) -> Iterator[str]:
    if "{{" in json.dumps(document):
        yield "a blank was not filled in"
    inbounds = [inbound for inbound in document["inbounds"] if inbound.get("tag") == SHADOWSOCKS_TAG]
    if len(inbounds) != 1:
        yield f"it needs one inbound with the tag {SHADOWSOCKS_TAG!r}"
        return
    settings, port = inbounds[0]["settings"], inbounds[0]["port"]
    if inbounds[0].get("protocol") != "shadowsocks" or settings.get("method") != SHADOWSOCKS_METHOD:
        yield f"its inbound must be shadowsocks with the method {SHADOWSOCKS_METHOD}"
    if not isinstance(port, int) or not 0 < port < 2**16:
        yield "its inbound's port must be a number"
    if not is_shadowsocks_key(settings.get("password")):
        yield f"its inbound's password must be standard base64 of {SHADOWSOCKS_KEY_BYTES} bytes"
    clients = settings.get("clients")
    if not isinstance(clients, list) or len(clients) != 1 or not is_shadowsocks_key(clients[0].get("password")):
        yield "its inbound's `clients` must hold exactly the placeholder, with a key of its own"
    yield from _missing_parts(document)


def _missing_parts(document: Any) -> Iterator[str]:
    if not isinstance(document.get("stats"), dict):
        yield "`stats` is missing"
    if not set(document.get("api", {}).get("services", [])) >= _SERVICES or not document["api"].get("tag"):
        yield "`api` must have a tag, and HandlerService and StatsService among its services"
    level = document.get("policy", {}).get("levels", {}).get("0", {})
    if not all(level.get(name) is True for name in _COUNTED):
        yield f"`policy` must switch on {', '.join(_COUNTED)} for level 0"
    if document.get("log", {}).get("access") != "none":
        yield "`log.access` must be `none`, or every customer's destinations are logged"


def _inbound(document: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = next(one for one in document["inbounds"] if one.get("tag") == SHADOWSOCKS_TAG)
    return found


class ConfigFile:
    """The file that Xray starts from. `users`, `port`: what it holds, as far as we know."""

    def __init__(self, path: Path, xray: Path) -> None:
        self.path = path
        self._new = path.with_name(f"new-{path.name}")  # the suffix tells Xray the format
        self._xray = xray
        self.users: Mapping[str, str] | None = None
        self.port = 0

    def prepare(
        self, skeleton: Skeleton, users: Mapping[str, str], port: int, *, longest_test: float = LONGEST_TEST
    ) -> None:
        """Write it beside the old one; `install` or `discard` it then. `longest_test`: seconds, 0 for none. Raises
        ConfigRefused, and OSError if there is no room."""
        text = skeleton.rendered(users, port)
        self._new.unlink(missing_ok=True)
        try:
            descriptor = os.open(self._new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with open(descriptor, "w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(descriptor)
            if longest_test:
                self._test(longest_test)
        except BaseException:
            self.discard()
            raise

    def install(self, users: Mapping[str, str], port: int) -> None:
        """Put what was prepared into the old one's place. Raises OSError."""
        self._new.replace(self.path)
        self.users, self.port = dict(users), port
        directory = os.open(self.path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)

    def discard(self) -> None:
        """What is not installed must not take the room that may be missing."""
        with suppress(OSError):
            self._new.unlink()

    def read_back(self) -> None:
        """What an earlier agent has left, for a disk that takes nothing new; nothing if that is not readable."""
        try:
            document = json.loads(self.path.read_text(encoding="utf-8"))
            clients = _inbound(document)["settings"]["clients"]
            self.users = {client["email"]: client["password"] for client in clients[1:]}
            self.port = int(document["api"]["listen"].rpartition(":")[2])
        except (OSError, ValueError, KeyError, TypeError, StopIteration):
            self.users = None

    def _test(self, longest: float) -> None:
        command = [str(self._xray), "run", "-test", "-c", str(self._new)]
        try:
            done = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                timeout=longest,
                check=False,
            )
        except (OSError, subprocess.SubprocessError) as error:
            raise ConfigUntested(f"xray -test did not run ({type(error).__name__})") from error
        if done.returncode != 0:
            raise ConfigRefused(reason_in(done.stdout.decode(errors="replace").splitlines()))


def reason_in(lines: Iterable[str]) -> str:
    """Why Xray has ended, of all that it says: the first telling line, which in a crash thousands of others follow. It
    is looked for no further, and the rest is not kept: it may name destinations."""
    for line in lines:
        if line.startswith(("Failed to start:", "panic:", "fatal error:")):
            return _redacted(line)[:500]
    return NO_REASON
