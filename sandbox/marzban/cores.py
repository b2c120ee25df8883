"""What the panel tells the core that it manages: who may connect, with what."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from sandbox.store import Document

# Whoever is on hold connects, and is counted from then on.
_LET_IN: Final = frozenset({"active", "on_hold"})


@dataclass(frozen=True, slots=True)
class CoreUser:
    """A user as the core knows it. `email`: the name in the core; `accounts`: by inbound tag the protocol and its
    settings, as the panel keeps them; none for whoever may not connect."""

    email: str
    accounts: Mapping[str, tuple[str, Mapping[str, Any]]] = field(repr=False)

    @classmethod
    def of(cls, number: int, row: Document) -> "CoreUser":
        """`number`: of the panel's row, which the original puts before the name."""
        accounts = {
            tag: (protocol, row["proxies"][protocol]) for protocol, tags in row["inbounds"].items() for tag in tags
        }
        return cls(f"{number}.{row['username']}", accounts if row["status"] in _LET_IN else {})


class Managing(Protocol):
    """What the core's keeper asks of the panel."""

    def core_users(self) -> Sequence[CoreUser]: ...

    def add_traffic(self, username: str, amount: int) -> bool: ...


class Core(Protocol):
    @property
    def started(self) -> bool: ...

    def hold(self, user: CoreUser) -> None:
        """Let in with exactly these accounts from now on. Connections that are open stay."""

    def restart(self, users: Sequence[CoreUser]) -> None:
        """Cuts every connection."""

    def switch(self, on: bool, users: Sequence[CoreUser]) -> None:
        """For those who meddle."""

    def attended(self, panel: Managing) -> Callable[[Any], AsyncIterator[None]]:
        """What to do while the panel runs, as an application's `cleanup_ctx`."""


@dataclass(slots=True)
class PretendedCore:
    """No core at all: it only says whether it runs."""

    started: bool = True

    def hold(self, user: CoreUser) -> None:
        pass

    def restart(self, users: Sequence[CoreUser]) -> None:
        pass  # what keeps it down is not over with that

    def switch(self, on: bool, users: Sequence[CoreUser]) -> None:
        self.started = on

    def attended(self, panel: Managing) -> Callable[[Any], AsyncIterator[None]]:
        async def nothing(app: object) -> AsyncIterator[None]:
            yield

        return nothing
