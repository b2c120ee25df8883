"""Jobs: what the worker does at its hours, once, however many workers there are."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from enum import StrEnum
from typing import Final

from node_a.application.ports import Clock, InThread, JobClaim, Ledger


class Job(StrEnum):
    """The names stand in the database."""

    RECONCILE = "reconcile"
    WATCH_STUCK = "watch stuck"
    FILL_NODES = "fill nodes"
    AUDIT = "audit"
    COUNT_TRAFFIC = "count traffic"
    ROLL_UP_TRAFFIC = "roll up traffic"


# Half past three in Moscow: few buy then.
NIGHT: Final = time(0, 30, tzinfo=UTC)
EVERY: Final = {
    Job.WATCH_STUCK: timedelta(minutes=10),
    Job.FILL_NODES: timedelta(minutes=10),
    Job.AUDIT: timedelta(minutes=10),
    Job.COUNT_TRAFFIC: timedelta(minutes=5),
}
AFTER_A_FAILURE: Final = timedelta(minutes=10)
# How far back a nightly run looks: longer than a payment is checked for.
RECONCILED_DAYS: Final = 35


def next_run(job: Job, now: datetime) -> datetime:
    if job in EVERY:
        return now + EVERY[job]
    tonight = datetime.combine(now.astimezone(UTC).date(), NIGHT)
    return tonight if now < tonight else tonight + timedelta(days=1)


def ensure_jobs(ledger: Ledger, now: datetime) -> None:
    for job in Job:
        ledger.jobs.ensure(job, next_run(job, now))


@dataclass(frozen=True, kw_only=True, slots=True)
class RunJob:
    """One run. What it raises is raised again after the next run was planned."""

    ledger: InThread
    work: Mapping[Job, Callable[[], Awaitable[object]]]
    clock: Clock

    async def __call__(self, claim: JobClaim) -> None:
        job = Job(claim.name)
        try:
            await self.work[job]()
        except Exception:  # whatever it was: another run must be planned, and the stuck must be listed
            now = self.clock()
            await self.ledger(lambda ledger: ledger.jobs.finished(claim, now + AFTER_A_FAILURE, failed_at=now))
            raise
        await self.ledger(lambda ledger: ledger.jobs.finished(claim, next_run(job, self.clock())))
