"""The one thread that changes anything: the database, Xray's file, and the running Xray, in this order.

All changes that wait are taken together: one transaction, one file, one answer for each. A change is durable with the
commit; whatever fails before it leaves everything as it was and is answered 503, whatever fails after it is put right
by the next round, because every round compares the file and the running Xray with what the database says now.

    waiting changes ─┐
    traffic counted ─┼─► BEGIN … file written and tested … COMMIT ─► file renamed ─► Xray told ─► callers answered
    time passing    ─┘
"""

import queue
import sqlite3
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import time as time_of_day
from typing import Final, cast

import structlog

from node_b.agent.config import ConfigRefused
from node_b.agent.metrics import Metrics
from node_b.agent.renewal import passed
from node_b.agent.running import Running
from node_b.agent.supervisor import Supervisor
from node_b.agent.users import Changes, KeyInUse, Overtaken, Users
from node_b.agent.xray_api import ApiRefused, ApiSilent
from shared.agent_contract import UserReport, UserState

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

# Ends and limits are looked at in every round, and the traffic of the last second is booked.
_ROUND: Final = 0.5
_COUNT_EVERY: Final = 1.0
_LONGEST_GATHERING: Final = 0.05
_MOST_NAMES: Final = 10
# So often Xray may be asked in vain what it has carried.
_MOST_SILENCES: Final = 2
_LOOK_EVERY: Final = 60.0
# A caller whose change takes longer is told that it is not known.
_PATIENCE: Final = 30.0
# Rather than change the running Xray for longer than this, a fresh one takes over, which takes half a second and costs
# open connections: callers can wait, those who have ended must be out (thousands at once, after a clock was set).
_LONGEST_FOR_CALLERS: Final = 6.0
_LONGEST_FOR_THE_CLOCK: Final = 1.5
_BETWEEN_HAND_OVERS: Final = 60.0

Counted = Mapping[tuple[str, str], int]


class NotDurable(Exception):
    """The change was not made; the same call may succeed later. The text is for people."""


@dataclass(frozen=True, slots=True)
class _Change:
    name: str
    state: UserState | None  # None: remove
    revision: int
    outcome: "Future[UserReport | None]" = field(default_factory=Future)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """How things are, for other threads. `started_at`: Xray's, None while it is down; `round_at`: monotonic."""

    started_at: float | None = None
    problem: str | None = "starting"
    refused: bool = False
    users: int = 0
    enabled: int = 0
    connected: int = 0
    dummies: int = 0
    round_at: float = field(default_factory=time.monotonic)
    down_since: float | None = float("-inf")


class Keeper:
    """`clock`: seconds since the epoch."""

    def __init__(
        self,
        users: Users,
        supervisor: Supervisor,
        metrics: Metrics,
        *,
        renew_at: time_of_day,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._users = users
        self._supervisor = supervisor
        self._metrics = metrics
        self._renew_at = renew_at
        self._clock = clock
        self._waiting: queue.SimpleQueue[_Change | None] = queue.SimpleQueue()
        self._stopping = threading.Event()
        self._took = 0.0
        self._connected = 0
        self._counted_at = self._looked_at = time.monotonic()
        self._handed_over_at = float("-inf")
        self._renewal_looked_at = clock()
        self._renewal_due = False
        self._file_problem: str | None = None
        self._database_problem: str | None = None
        self._said: Mapping[str, str] = {}
        self.snapshot = Snapshot()
        supervisor.on_exit = self.wake

    # ── for any thread ──

    def put(self, name: str, state: UserState) -> UserReport:
        """Raises Overtaken, KeyInUse and NotDurable."""
        return cast(UserReport, self._changed(_Change(name, state, state.revision)))

    def delete(self, name: str, revision: int) -> None:
        """Raises Overtaken and NotDurable."""
        self._changed(_Change(name, None, revision))

    def wake(self) -> None:
        """Something happened that must not wait for the next round."""
        self._waiting.put(None)

    def stop(self) -> None:
        """Finish what waits, save the traffic, end Xray; `run` returns then."""
        self._stopping.set()
        self.wake()

    def _changed(self, change: _Change) -> UserReport | None:
        if self._stopping.is_set():
            raise NotDurable("the agent is stopping")
        self._waiting.put(change)
        try:
            return change.outcome.result(_PATIENCE)
        except TimeoutError:
            raise NotDurable("it took too long, and may still be made") from None

    # ── the thread ──

    def run(self) -> None:
        self.wake()
        while not self._stopping.is_set():
            self._round(self._taken())
        self._end()

    def _taken(self, patience: float = _ROUND) -> list[_Change]:
        """Everything that waits, or nothing after a while."""
        taken: list[_Change] = []
        with suppress(queue.Empty):
            until = time.monotonic() + patience
            while (left := until - time.monotonic()) > 0 or not self._waiting.empty():
                one = self._waiting.get(timeout=max(0.0, left))
                if one is None:
                    break
                if not taken:
                    # Those that come right behind it cost little more than it does.
                    until = time.monotonic() + min(self._took / 4, _LONGEST_GATHERING)
                taken.append(one)
        return taken

    def _round(self, changes: Sequence[_Change]) -> None:
        started = time.monotonic()
        try:
            self._supervisor.tend(lambda: self._users.enabled(self._clock()))
            self._settle(changes, self._counted())
            self._finish_hand_overs()
            self._renew()
        except Exception as error:  # the edge of the thread: the next round begins afresh, and callers are told
            log.exception("a round failed")
            _fail(changes, NotDurable(f"the agent failed ({type(error).__name__})"))
            if self._supervisor.current:
                self._supervisor.current.doubtful = True
        if changes:
            self._took = time.monotonic() - started
            self._metrics.batches.observe(self._took)
            log.debug("changes are made", changes=len(changes), took=round(self._took, 3))
        self._take_snapshot()

    def _counted(self) -> list[tuple[Running, Counted]]:
        """What each Xray has carried since it was last booked, every second."""
        if time.monotonic() - self._counted_at < _COUNT_EVERY and not self._users.unsaved:
            return []
        self._counted_at = time.monotonic()
        counted = [self._unbooked(xray) for xray in self._supervisor.all()]
        current = self._supervisor.current
        if current and current.silences >= _MOST_SILENCES:
            self._give_up(current, "it does not answer")
        return counted

    def _unbooked(self, xray: Running) -> tuple[Running, Counted]:
        try:
            counted = xray.unbooked()
            self._connected = len(xray.online & self._users.held.keys())
        except ApiSilent as error:
            xray.silences += 1
            if xray.process.code is None:
                log.warning("Xray does not say what it has carried", reason=str(error))
            return xray, {}
        xray.silences = 0
        return xray, counted

    def _settle(self, changes: Sequence[_Change], counted: Sequence[tuple[Running, Counted]]) -> None:
        """Make them durable all together, then true in the running Xray, then answer."""
        if not changes and not any(amounts for _, amounts in counted):
            self._follow_the_clock()
            return
        try:
            answers = self._commit(changes, counted)
        except (ConfigRefused, OSError, sqlite3.Error) as error:
            self._not_durable(changes, error)
            if isinstance(error, ConfigRefused) and len(changes) > 1:
                for change in changes:  # so that one which Xray does not take harms no other
                    self._settle([change], [])
            else:
                # Those who have ended are out all the same.
                self._users.unsaved = _by_name(counted)
                self._follow_the_clock()
            return
        self._users.unsaved, self._database_problem = {}, None
        self._book(counted)
        self._tell_xray(_LONGEST_FOR_CALLERS if changes else _LONGEST_FOR_THE_CLOCK)
        for change, answer in answers:
            if isinstance(answer, Exception):
                change.outcome.set_exception(answer)
            else:
                change.outcome.set_result(answer)

    def _commit(
        self, changes: Sequence[_Change], counted: Sequence[tuple[Running, Counted]]
    ) -> list[tuple[_Change, UserReport | Exception | None]]:
        file = self._supervisor.file
        with self._users.transaction() as transaction:
            answers = [(change, self._applied(change, transaction)) for change in changes]
            for _, amounts in counted:
                for (name, _), amount in amounts.items():
                    transaction.add_traffic(name, amount)
            wanted = transaction.enabled(self._clock())
            prepared = wanted != file.users and self._prepared(wanted, must=bool(changes))
        if prepared:
            self._install(wanted)
        return answers

    def _follow_the_clock(self) -> None:
        """Who may connect changes with time, too."""
        wanted = self._users.enabled(self._clock())
        if wanted != self._supervisor.file.users and self._prepared(wanted, must=False):
            self._install(wanted)
        self._tell_xray(_LONGEST_FOR_THE_CLOCK)

    def _install(self, wanted: Mapping[str, str]) -> None:
        try:
            self._supervisor.file.install(wanted, self._supervisor.file.port)
        except OSError as error:
            self._say_file_problem(error)
        else:
            self._supervisor.config_changed()

    def _applied(self, change: _Change, transaction: Changes) -> UserReport | Exception | None:
        try:
            if change.state is not None:
                return transaction.put(change.name, change.state).report(self._clock())
            transaction.delete(change.name, change.revision)
        except (Overtaken, KeyInUse) as refusal:
            return refusal
        return None

    def _prepared(self, wanted: Mapping[str, str], *, must: bool) -> bool:
        """`must`: somebody waits to hear that it is in the file. What only time has changed is told to Xray all the
        same, and comes into the file when it can."""
        file = self._supervisor.file
        if not must and file.users is not None and wanted != self._said:
            _say_what_changed(file.users, wanted)
            self._said = wanted
        try:
            file.prepare(self._supervisor.skeleton, wanted, file.port)
        except (ConfigRefused, OSError) as error:
            self._say_file_problem(error)
            if must:
                raise
            return False
        self._file_problem = None
        return True

    def _say_file_problem(self, error: Exception) -> None:
        if self._file_problem != str(error):
            log.error("Xray's configuration cannot be renewed", reason=str(error))
        self._file_problem = str(error)

    def _not_durable(self, changes: Sequence[_Change], error: Exception) -> None:
        if len(changes) > 1 and isinstance(error, ConfigRefused):
            return  # each gets its own answer
        self._metrics.not_durable.inc(len(changes))
        if changes or self._database_problem != str(error):
            log.error("changes could not be made durable", reason=str(error), changes=len(changes))
        self._database_problem = str(error)
        _fail(changes, NotDurable(f"nothing was changed: {error}"))

    def _tell_xray(self, longest: float) -> None:
        """The running Xray becomes what the database says. After any doubt it is asked first, and given up if it cannot
        be put right. `longest`: seconds."""
        wanted = self._users.enabled(self._clock())
        xray = self._supervisor.current
        if xray is None or (not xray.doubtful and xray.users == wanted and not self._look_due()):
            return
        if xray.cost(wanted) > longest and self._may_hand_over() and self._supervisor.hand_over(wanted):
            return
        for attempt in ("first", "second"):
            try:
                if xray.doubtful or self._look_due():
                    xray.look()
                    self._looked_at = time.monotonic()
                xray.change_to(wanted)
            except ApiRefused as error:
                log.warning("Xray's users are not what they should be", attempt=attempt, reason=str(error))
                xray.doubtful = True
            except ApiSilent as error:
                self._give_up(xray, f"it does not answer ({error})")
                return
            else:
                return
        self._save_traffic([xray])
        self._give_up(xray, "its users cannot be put right")

    def _give_up(self, xray: Running, reason: str) -> None:
        if xray.process.code is None:
            self._supervisor.restart(reason)
        self.wake()

    def _look_due(self) -> bool:
        return time.monotonic() - self._looked_at > _LOOK_EVERY

    def _may_hand_over(self) -> bool:
        allowed = time.monotonic() - self._handed_over_at > _BETWEEN_HAND_OVERS
        if allowed:
            self._handed_over_at = time.monotonic()
        return allowed

    def _renew(self) -> None:
        """Once a night, if anybody was removed."""
        before, now = self._renewal_looked_at, self._clock()
        self._renewal_looked_at = now
        xray = self._supervisor.current
        if passed(self._renew_at, before, now) and xray and xray.dummies:
            self._supervisor.hand_over(self._users.enabled(now))

    def _finish_hand_overs(self) -> None:
        for old in self._supervisor.drained():
            self._save_traffic([old])
            self._supervisor.retire(old)

    def _save_traffic(self, xrays: Sequence[Running]) -> None:
        """The last there is to count of those that end now."""
        counted = [self._unbooked(xray) for xray in xrays]
        try:
            self._commit([], counted)
        except (ConfigRefused, OSError, sqlite3.Error) as error:
            log.error("the last traffic of an Xray is lost", reason=str(error))
            return
        self._book(counted)

    def _book(self, counted: Sequence[tuple[Running, Counted]]) -> None:
        for xray, amounts in counted:
            xray.book(amounts)
            for (_, direction), amount in amounts.items():
                self._metrics.traffic.labels(direction).inc(amount)

    def _end(self) -> None:
        self._round(self._taken(patience=0.0))
        self._save_traffic(list(self._supervisor.all()))
        self._supervisor.stop()
        _fail(self._taken(patience=0.0), NotDurable("the agent is stopping"))

    def _take_snapshot(self) -> None:
        xray = self._supervisor.current
        running = xray is not None and xray.process.code is None
        self.snapshot = Snapshot(
            started_at=xray.process.started_at if xray and running else None,
            problem=self._supervisor.problem,
            refused=self._supervisor.refused,
            users=len(self._users.held),
            enabled=len(self._supervisor.file.users or {}),
            connected=self._connected if running else 0,
            dummies=xray.dummies if xray else 0,
            down_since=None if running else self.snapshot.down_since or time.monotonic(),
        )


def _by_name(counted: Sequence[tuple[Running, Counted]]) -> dict[str, int]:
    """Bytes, both ways."""
    amounts: dict[str, int] = defaultdict(int)
    for _, counters in counted:
        for (name, _), amount in counters.items():
            amounts[name] += amount
    return amounts


def _say_what_changed(before: Mapping[str, str], now: Mapping[str, str]) -> None:
    """By time or traffic, and not because Node A said so."""
    ended, back = before.keys() - now.keys(), now.keys() - before.keys()
    some = sorted(ended)[:_MOST_NAMES], sorted(back)[:_MOST_NAMES]
    log.info("who may connect has changed by itself", ended=len(ended), back=len(back), names=some)


def _fail(changes: Sequence[_Change], error: Exception) -> None:
    for change in changes:
        if not change.outcome.done():
            change.outcome.set_exception(error)
