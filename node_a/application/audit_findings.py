"""What an audit found on a node, and how it is remembered until the next."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime
from typing import Any, Self

from node_a.application.ports import NodeRecord
from node_a.domain.node import Protocol


@dataclass(frozen=True, kw_only=True, slots=True)
class KeeperFindings:
    """Users of one keeper. `compared`: with what they should be; `differing`, `missing`: put right; `unknown`: of a
    subscription that has no access there; `removed`: of no subscription at all; `orphans`: those that are still left,
    since when (ISO); `refused_orphans`: so many at once that it must be our database that is wrong, so that none was
    removed; `foreign`: not of our making, left alone. `problem`: why not all of them could be looked at."""

    compared: int = 0
    differing: int = 0
    missing: int = 0
    unknown: int = 0
    removed: int = 0
    orphans: Mapping[str, str] = field(default_factory=dict)
    refused_orphans: int = 0
    foreign: int = 0
    problem: str | None = None

    def seen_first(self, name: str, now: datetime) -> datetime:
        """Since when this orphan is there; now, if it is new."""
        since = self.orphans.get(name)
        return now if since is None else datetime.fromisoformat(since)


_FINDINGS = {each.name for each in fields(KeeperFindings)}


@dataclass(frozen=True, kw_only=True, slots=True)
class NodeFindings:
    """`at`: when the audit ended."""

    at: datetime
    keepers: Mapping[Protocol, KeeperFindings]

    @classmethod
    def of(cls, record: NodeRecord) -> Self | None:
        """As the last audit left them; None before the first."""
        if record.audit is None:
            return None
        keepers = {
            Protocol(protocol): KeeperFindings(**{name: fact for name, fact in found.items() if name in _FINDINGS})
            for protocol, found in record.audit["keepers"].items()
        }
        return cls(at=datetime.fromisoformat(record.audit["at"]), keepers=keepers)

    def as_json(self) -> Mapping[str, Any]:
        keepers = {protocol.value: asdict(found) for protocol, found in self.keepers.items()}
        return {"at": self.at.isoformat(), "keepers": keepers}

    @property
    def foreign(self) -> int:
        return sum(found.foreign for found in self.keepers.values())

    @property
    def refused_orphans(self) -> int:
        return sum(found.refused_orphans for found in self.keepers.values())

    @property
    def problems(self) -> Mapping[Protocol, str]:
        return {protocol: found.problem for protocol, found in self.keepers.items() if found.problem is not None}

    @property
    def is_as_it_should_be(self) -> bool:
        """Nothing to put right, and nothing that could not be looked at; foreign users are no matter of ours."""
        return not self.summary().keys() - {"compared", "foreign"}

    def summary(self) -> Mapping[str, int | str]:
        """For a log line: what is not zero, over both keepers."""
        numbers = ("compared", "differing", "missing", "unknown", "removed", "refused_orphans", "foreign")
        sums = {name: sum(getattr(found, name) for found in self.keepers.values()) for name in numbers}
        problem = "; ".join(self.problems.values())
        return {name: count for name, count in sums.items() if count} | ({"problem": problem} if problem else {})
