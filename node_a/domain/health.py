"""Health: what a row of observations means. One that fails is no news, a row of them is; everything is told once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Final

from node_a.domain.faults import STALE_AFTER, Fault, faults_seen
from node_a.domain.node import NodeObservation


@dataclass(frozen=True, slots=True)
class _Enough:
    """How often in a row, and over which time, a change must be seen before it is believed."""

    times: int
    time: timedelta


# By time, too: with several workers observations come more often than every 30 s.
_TO_BEGIN: Final = _Enough(3, timedelta(minutes=2))
_TO_END: Final = _Enough(2, timedelta(seconds=20))


@dataclass(frozen=True, slots=True)
class Outage:
    """A fault that was believed. `began`: when it was first seen; `ended`: when it was first seen gone, or None."""

    fault: Fault
    began: datetime
    ended: datetime | None = None


@dataclass(frozen=True, slots=True)
class _Course:
    """How one fault goes. `began`: of the outage that is; `changing_since`, `changes`: since when, and how many times
    in a row, it has been seen to be otherwise; `last`: the outage that ended last."""

    began: datetime | None = None
    changing_since: datetime | None = None
    changes: int = 0
    last: Outage | None = None

    def seen(self, fault: Fault, is_there: bool, at: datetime) -> "_Course":
        if is_there == (self.began is not None):
            return self.as_before()
        since, times = self.changing_since or at, self.changes + 1
        enough = _TO_BEGIN if is_there else _TO_END
        if times < enough.times or at - since < enough.time:
            return replace(self, changing_since=since, changes=times)
        if self.began is None:
            return _Course(began=since, last=self.last)
        return _Course(last=Outage(fault, self.began, since))

    def as_before(self) -> "_Course":
        return replace(self, changing_since=None, changes=0)


_UNEVENTFUL: Final = _Course()


@dataclass(frozen=True, slots=True)
class Health:
    """What is remembered of a node's observations; `seen_at`: of the last of them."""

    seen_at: datetime | None = None
    _courses: Mapping[Fault, _Course] = field(default_factory=dict)

    def after(self, observation: NodeObservation) -> tuple["Health", Sequence[Outage]]:
        """With one more observation; and the outages that began or ended by it, each exactly once."""
        at = observation.at
        if self.seen_at is not None and at <= self.seen_at < at + STALE_AFTER:
            return self, []  # another worker was faster
        health = self if self._was_watched_until(at) else self._taken_up_again()
        courses = {fault: health._next(fault, said, at) for fault, said in faults_seen(observation).items()}
        news = [outage for fault in Fault if (outage := _news(fault, health._course(fault), courses[fault]))]
        return Health(at, courses), news

    @property
    def faults(self) -> frozenset[Fault]:
        """What is wrong beyond doubt."""
        return frozenset(fault for fault in Fault if self._course(fault).began is not None)

    def outage(self, fault: Fault) -> Outage | None:
        """The one that is; while there is none, the last one."""
        course = self._course(fault)
        return course.last if course.began is None else Outage(fault, course.began)

    def seen_since(self, fault: Fault) -> datetime | None:
        """Since when a fault that is seen now has been there, perhaps not for long enough to be believed."""
        course = self._course(fault)
        return course.changing_since if course.began is None else course.began

    def _next(self, fault: Fault, is_there: bool | None, at: datetime) -> _Course:
        course = self._course(fault)
        if is_there is not None:
            return course.seen(fault, is_there, at)
        # What had begun to change before the greater fault tells nothing about the time after it.
        return course.as_before() if self.faults & {Fault.GONE, Fault.SILENT} else course

    def _course(self, fault: Fault) -> _Course:
        return self._courses.get(fault, _UNEVENTFUL)

    def _was_watched_until(self, at: datetime) -> bool:
        return self.seen_at is not None and abs(at - self.seen_at) <= STALE_AFTER

    def _taken_up_again(self) -> "Health":
        """Nobody looked for a while: what had begun to change then tells nothing about the time between."""
        return Health(None, {fault: course.as_before() for fault, course in self._courses.items()})

    # ── as JSON ──

    def as_facts(self) -> dict[str, Any]:
        courses = {fault.value: _course_as_facts(course) for fault, course in self._courses.items()}
        return {"seen_at": _as_text(self.seen_at), "faults": courses}

    @classmethod
    def of(cls, facts: Mapping[str, Any] | None) -> "Health":
        """What `as_facts` gave, in this release or another: what is not understood is left out."""
        facts = facts or {}
        known = facts.get("faults")
        courses = known.items() if isinstance(known, Mapping) else ()
        return cls(
            _moment(facts.get("seen_at")),
            {Fault(name): _course_of(Fault(name), said) for name, said in courses if name in set(Fault)},
        )


def _news(fault: Fault, before: _Course, after: _Course) -> Outage | None:
    if after.began is not None and before.began is None:
        return Outage(fault, after.began)
    return after.last if after.began is None and before.began is not None else None


def _course_as_facts(course: _Course) -> dict[str, Any]:
    return {
        "began": _as_text(course.began),
        "changing_since": _as_text(course.changing_since),
        "changes": course.changes,
        "last_began": _as_text(course.last.began if course.last else None),
        "last_ended": _as_text(course.last.ended if course.last else None),
    }


def _course_of(fault: Fault, said: Any) -> _Course:
    facts: Mapping[str, Any] = said if isinstance(said, Mapping) else {}
    changing_since, changes = _moment(facts.get("changing_since")), facts.get("changes")
    changing = changing_since is not None and isinstance(changes, int)
    began, ended = _moment(facts.get("last_began")), _moment(facts.get("last_ended"))
    return _Course(
        began=_moment(facts.get("began")),
        changing_since=changing_since if changing else None,
        changes=changes if changing and isinstance(changes, int) else 0,
        last=Outage(fault, began, ended) if began and ended else None,
    )


def _as_text(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()


def _moment(said: Any) -> datetime | None:
    """None for what is no moment with a zone."""
    try:
        moment = datetime.fromisoformat(said)
    except (TypeError, ValueError):
        return None
    return moment if moment.tzinfo else None
