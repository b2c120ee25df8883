"""What the test tells the child to do, and what it hears of it: both cross a pipe as JSON."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any


class Moment(StrEnum):
    """Where in a call through a port the process may end."""

    BEFORE = "before"
    BEFORE_COMMIT = "before the commit of"
    AFTER = "after"


@dataclass(frozen=True, slots=True)
class CrashPoint:
    """`call` counts all calls of one run through any port, from 1."""

    call: int
    moment: Moment


@dataclass(frozen=True, kw_only=True, slots=True)
class World:
    """Where the stand-ins and the database are, and how we show who we are."""

    database_url: str = field(repr=False)
    telegram_url: str
    yookassa_url: str
    node_url: str
    bot_token: str = field(repr=False)
    yookassa_secret_key: str = field(repr=False)
    panel_password: str = field(repr=False)
    agent_token: str = field(repr=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """One run of one process. `stages`: the codes of the plans that are bought together, stage after stage; `ahead`:
    seconds that its clock is ahead of ours; `by_worker`: the real worker does the work, everything side by side,
    instead of its desks one after another."""

    world: World
    stages: Sequence[Sequence[str]]
    ahead: float = 0.0
    crash: CrashPoint | None = None
    by_worker: bool = False

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, raw: dict[str, Any]) -> "Job":
        crash = raw["crash"] and CrashPoint(raw["crash"]["call"], Moment(raw["crash"]["moment"]))
        return cls(**{**raw, "world": World(**raw["world"]), "crash": crash})


@dataclass(frozen=True, kw_only=True, slots=True)
class Report:
    """How a run ended. `crashed`: at which point, in words; `calls`: the names of all calls through ports, in order;
    `ahead`: of its clock at the end; `failure`: why it neither came to its end nor to the crash."""

    crashed: str | None = None
    calls: Sequence[str] = ()
    ahead: float = 0.0
    failure: str | None = None
