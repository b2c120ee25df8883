"""One case: a purchase, the crashes on its way, and what is wrong at its end."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from sqlalchemy import Engine

from node_a.adapters.database.engine import open_engine
from tests.proofs.crash.calls import moments_of
from tests.proofs.crash.findings import Told, letters_wrong, told, wrong
from tests.proofs.crash.job import CrashPoint, Job, Report
from tests.proofs.crash.stage import Child, Stage, staged

# Longer than any lease: what the killed process had taken is free again.
UNTIL_THE_NEXT_START: Final = 240.0

# The codes of the plans that are bought together, stage after stage.
Stages = Sequence[Sequence[str]]
ONE: Final[Stages] = (("month",),)
# The URL of a migrated database, gone afterwards.
NewDatabase = Callable[[], AbstractContextManager[str]]


@dataclass
class Case:
    """What came of it. `points`: where the process ended, in words; `calls`: of the last run, which came to its end."""

    points: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    calls: Sequence[str] = ()

    def __str__(self) -> str:
        return f"{', then '.join(self.points) or 'no crash'}: {'; '.join(self.problems) or 'well'}"


@dataclass(frozen=True)
class Proof:
    child: Child
    directory: Path
    new_database: NewDatabase
    by_worker: bool = False

    def case(self, stages: Stages, *crashes: CrashPoint) -> Case:
        """Runs until a run is not crashed: that is the last one, if it was not one before."""
        with (
            TemporaryDirectory(dir=self.directory) as directory,
            self.new_database() as url,
            staged(Path(directory), url) as stage,
        ):
            engine = open_engine(url)
            try:
                return self._case(stage, engine, stages, crashes)
            finally:
                engine.dispose()

    def _case(self, stage: Stage, engine: Engine, stages: Stages, crashes: Sequence[CrashPoint]) -> Case:
        case, before, ahead = Case(), Told(0, 0), 0.0
        plans = list(chain.from_iterable(stages))
        for crash in (*crashes, None):
            report = self.child.run(
                Job(world=stage.world, stages=stages, ahead=ahead, crash=crash, by_worker=self.by_worker)
            )
            after = told(stage, engine)
            case.problems += letters_wrong(before, after, len(plans), crashed=report.crashed is not None)
            if report.crashed is None:
                case.problems += _failure(report)
                case.calls = report.calls
                break
            case.points.append(report.crashed)
            before, ahead = after, report.ahead + UNTIL_THE_NEXT_START
        case.problems += wrong(stage, engine, plans, one_by_one=not self.by_worker)
        return case

    def points(self, stages: Stages, *crashes: CrashPoint) -> list[CrashPoint]:
        """Every point at which the run could end that follows the crashes, or the only one."""
        whole = self.case(stages, *crashes)
        assert whole.problems == [], str(whole)
        return [
            CrashPoint(number, moment)
            for number, name in enumerate(whole.calls, start=1)
            for moment in moments_of(name)
        ]


def _failure(report: Report) -> list[str]:
    return [] if report.failure is None else [f"the run failed: {report.failure.strip()}"]


def failed(cases: Sequence[Case]) -> list[str]:
    return [str(case) for case in cases if case.problems]
