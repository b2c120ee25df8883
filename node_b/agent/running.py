"""One Xray that is up: who is in its table, and how much of what it counts it has told."""

import socket
import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field
from typing import Final

from node_b.agent.xray_api import DUMMY, ApiRefused, XrayApi
from node_b.agent.xray_process import XrayProcess

_LONGEST_START: Final = 10.0
_LOOK_EVERY: Final = 0.005


class DidNotStart(Exception):
    """`code`: its exit code, None if it hung; the text is its reason."""

    def __init__(self, code: int | None, reason: str) -> None:
        super().__init__(reason)
        self.code = code


@dataclass(slots=True)
class Running:
    """`users`: names and keys in Xray's table, as far as we told it; `placeholder` and `dummies` are there besides."""

    process: XrayProcess
    api: XrayApi
    placeholder: tuple[str, str]
    users: dict[str, str]
    dummies: int = 0
    # It may differ from `users`: look before the next change.
    doubtful: bool = False
    # How often in a row it did not say what it has carried.
    silences: int = 0
    online: set[str] = field(default_factory=set)
    _told: Mapping[tuple[str, str], int] = field(default_factory=dict)

    def cost(self, wanted: Mapping[str, str]) -> float:
        """Seconds that `change_to` would take, about: each call rebuilds the whole table."""
        gone, new = self._differences(wanted)
        table = len(self.users) + self.dummies + (len(gone) + len(new)) / 2
        return (2 * len(gone) + len(new)) * (0.0004 + 0.8e-6 * table)

    def change_to(self, wanted: Mapping[str, str]) -> None:
        """Raises ApiRefused and ApiSilent half way; it can be repeated after `look`."""
        gone, new = self._differences(wanted)
        for name in gone:
            # Without the dummy, connections of others would be booked on the wrong one, or Xray panic (FACTS).
            self.api.add_dummy()
            self.dummies += 1
            self.api.remove(name)
            del self.users[name]
        for name in new:
            self.api.add(name, wanted[name])
            self.users[name] = wanted[name]

    def look(self) -> None:
        """Ask Xray who is really there. Raises ApiRefused, also if its table cannot be put right, and ApiSilent."""
        found = self.api.users()
        dummies = [name for name, _ in found if name.startswith(DUMMY)]
        users = dict(found)
        if users.pop(self.placeholder[0], None) != self.placeholder[1] or len(users) + 1 != len(found):
            raise ApiRefused("the placeholder is missing, or a name is there twice")
        self.users = {name: key for name, key in users.items() if not name.startswith(DUMMY)}
        self.dummies = len(dummies)
        self.doubtful = False

    def carried(self) -> dict[tuple[str, str], int]:
        """Bytes by name and direction since it was last asked: each is told once. `online` is renewed, too. Raises
        ApiRefused and ApiSilent, and what they would have told is told the next time.

        Xray's counters are read and not reset, so that an answer that is lost loses nothing.
        """
        self.online = self.api.online()
        counters = self.api.traffic()
        amounts = {}
        for counter, value in counters.items():
            told = self._told.get(counter, 0)
            if value != told:
                # Smaller: somebody has set it back to 0.
                amounts[counter] = value - told if value > told else value
        self._told = counters
        return amounts

    def stop(self) -> None:
        self.api.close()
        self.process.stop()

    def give_up(self) -> None:
        """It does not do what it should: it gets little time."""
        self.api.close()
        self.process.stop(grace=0.2)

    def _differences(self, wanted: Mapping[str, str]) -> tuple[list[str], list[str]]:
        gone = [name for name, key in self.users.items() if wanted.get(name) != key]
        new = [name for name, key in wanted.items() if self.users.get(name) != key]
        return gone, new


def await_start(
    process: XrayProcess, *, port: int, api_port: int, users: Mapping[str, str], placeholder: tuple[str, str]
) -> Running:
    """Until it accepts connections and calls. Raises DidNotStart. Whatever is raised, the process has ended then: it
    would take a share of the connections, with users of whom nobody keeps account."""
    deadline = time.monotonic() + _LONGEST_START
    try:
        while not (_is_open(api_port) and process.listens(port)):
            code = process.code
            if code is not None:
                raise DidNotStart(code, process.reason())
            if time.monotonic() > deadline:
                raise DidNotStart(None, f"it did not listen after {_LONGEST_START:.0f} s")
            time.sleep(_LOOK_EVERY)
        return Running(process, XrayApi(api_port), placeholder, dict(users))
    except BaseException:
        process.stop()
        raise


def free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _is_open(port: int) -> bool:
    with closing(socket.socket()) as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
