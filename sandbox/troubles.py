"""The switches for trouble that the chat page shows; every stand-in looks at them when it acts."""

from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from typing import Final

# Between a node's code and its switch in the name of one: `de1.agent_down`.
_OF_A_NODE: Final = "."


@dataclass(slots=True)
class NodeTroubles:
    """Of one node; `down`: both of its parts are, and `slow`: both keep every caller waiting for seconds."""

    marzban_down: bool = False
    agent_down: bool = False
    down: bool = False
    slow: bool = False


@dataclass(slots=True)
class Troubles:
    """All off means that everything works. `lose_next_webhook` switches itself off after one loss. `nodes`: by code."""

    lose_next_webhook: bool = False
    send_webhooks_twice: bool = False
    telegram_down: bool = False
    nodes: dict[str, NodeTroubles] = field(default_factory=dict)

    def switches(self) -> dict[str, bool]:
        """Each by its name, those of a node as `CODE.NAME`."""
        return {name: getattr(owner, attribute) for name, owner, attribute in self._all()}

    def switch(self, name: str, on: bool) -> None:
        """Raises KeyError for a name that is none."""
        owners = {known: (owner, attribute) for known, owner, attribute in self._all()}
        owner, attribute = owners[name]
        setattr(owner, attribute, on)

    def all_off(self) -> None:
        for name in self.switches():
            self.switch(name, False)

    def _all(self) -> Iterator[tuple[str, object, str]]:
        for each in fields(self):
            if each.name != "nodes":
                yield each.name, self, each.name
        for code, node in self.nodes.items():
            for each in fields(node):
                yield f"{code}{_OF_A_NODE}{each.name}", node, each.name
