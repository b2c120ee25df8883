"""The one thread that changes anything: the database, Xray's file, and the running Xray.

All changes that wait are taken together: one transaction, one file, one answer for each. A change is durable with the
commit; whatever fails before it leaves everything as it was and is answered 503, whatever fails after it is put right
by the next round, because every round compares the file and the running Xray with what the database says now.

    waiting changes ─► BEGIN … file written and tested … COMMIT ─► file renamed ─► Xray told ─► callers answered
    traffic counted ─┬────────► file written and tested ─────────► file renamed ─► Xray told ─► BEGIN … COMMIT
    time passing    ─┘

Nobody waits for an answer to the lower two: whoever is over the limit or has ended is out of the running Xray also if
the file or the database fails. An Xray that dies meanwhile starts with a file that is right (`Supervisor`).
"""

import queue
import sqlite3
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import time as time_of_day
from typing import Final, cast

import structlog

from node_b.agent.config import LONGEST_TEST, ConfigRefused, ConfigUntested
from node_b.agent.metrics import Metrics
from node_b.agent.renewal import passed
from node_b.agent.running import Running
from node_b.agent.supervisor import Supervisor
from node_b.agent.users import Changes, KeyInUse, Overtaken, Users
from node_b.agent.xray_api import ApiRefused, ApiSilent
from shared.agent_contract import UserReport, UserState

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

# Ends and limits are looked at in every round; traffic is counted, and saved, in every second or third.
_ROUND: Final = 0.5
_COUNT_EVERY: Final = 1.0
_LONGEST_GATHERING: Final = 0.05
# So often Xray may be asked in vain what it has carried.
_MOST_SILENCES: Final = 2
_LOOK_EVERY: Final = 60.0
# A caller whose change takes longer is told that it is not known.
_PATIENCE: Final = 30.0
# Rather than change the running Xray for longer than this, a fresh one takes over, which takes half a second and costs
# open connections: thousands who end at once, after a clock was set, must be out in time.
_LONGEST_CHANGE: Final = 1.5
_BETWEEN_HAND_OVERS: Final = 60.0
# A file that nobody waits for keeps nobody in: its test may not take long, and is not tried again at once.
_LONGEST_TEST_FOR_NOBODY: Final = 1.0
_AFTER_A_REFUSAL: Final = 30.0


class NotDurable(Exception):
    """The change was not made, or nobody knows: it may still be. The same call may succeed later. The text is for
    people, and says which."""


@dataclass(frozen=True, slots=True)
class _Change:
    name: str
    state: UserState | None  # None: remove
    revision: int
    outcome: "Future[UserReport | None]" = field(default_factory=Future)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """How things are, for other threads. `started_at`: Xray's, None while it is down; `unsaved`: the last attempt to
    save traffic or changes failed; `round_at`: monotonic."""

    started_at: float | None = None
    problem: str | None = "starting"
    refused: bool = False
    unsaved: bool = False
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
        # Nobody gets in line behind the last round.
        self._door = threading.Lock()
        self._took = 0.0
        self._counted_at = self._looked_at = time.monotonic()
        self._handed_over_at = float("-inf")
        self._renewal_looked_at = clock()
        self._file_problem: str | None = None
        self._database_problem: str | None = None
        self._file_again_at = 0.0
        # Who may connect, as it was looked at last: by the clock, and after each commit.
        self._known: Mapping[str, str] = {}
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
        with self._door:
            self._stopping.set()
        self.wake()

    def _changed(self, change: _Change) -> UserReport | None:
        with self._door:
            if self._stopping.is_set():
                raise NotDurable("the agent is stopping")
            self._waiting.put(change)
        try:
            return change.outcome.result(_PATIENCE)
        except TimeoutError:
            raise NotDurable("it took too long, and may still be made") from None

    # ── the thread ──

    def run(self) -> None:
        self._known = self._allowed()
        self.wake()
        while not self._stopping.is_set():
            self._round(self._taken())
        self._end()

    def _taken(self) -> list[_Change]:
        """Everything that waits, or nothing after a while or when woken."""
        taken: list[_Change] = []
        with suppress(queue.Empty):
            until = time.monotonic() + _ROUND
            while (left := until - time.monotonic()) > 0 or not self._waiting.empty():
                one = self._waiting.get(timeout=max(0.0, left))
                if one is None:
                    break
                if not taken:
                    # Those that come right behind it cost little more than it does.
                    until = time.monotonic() + min(self._took / 4, _LONGEST_GATHERING)
                taken.append(one)
        return taken

    def _last_taken(self) -> list[_Change]:
        taken: list[_Change] = []
        with suppress(queue.Empty):
            while True:
                one = self._waiting.get_nowait()
                if one is not None:
                    taken.append(one)
        return taken

    def _round(self, changes: Sequence[_Change]) -> None:
        started = time.monotonic()
        try:
            self._supervisor.tend(self._allowed)
            counted = self._count_if_due()
            self._follow_the_clock()
            if changes or (counted and self._users.pending):
                self._settle(changes)
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

    def _allowed(self) -> dict[str, str]:
        """Who may connect now."""
        return self._users.enabled(self._clock())

    def _count_if_due(self) -> bool:
        if time.monotonic() - self._counted_at < _COUNT_EVERY:
            return False
        self._counted_at = time.monotonic()
        for xray in self._supervisor.all():
            self._count(xray)
        current = self._supervisor.current
        if current and current.silences >= _MOST_SILENCES:
            self._give_up(current, "it does not say what it has carried")
        return True

    def _count(self, xray: Running) -> None:
        """What it has carried since it was last asked is pending from now on, whatever becomes of it."""
        try:
            carried = xray.carried()
        except (ApiRefused, ApiSilent) as error:
            xray.silences += 1
            if xray.process.code is None:
                log.warning("Xray does not say what it has carried", reason=str(error))
            return
        xray.silences = 0
        for (name, direction), amount in carried.items():
            self._users.count(name, amount)
            self._metrics.traffic.labels(direction).inc(amount)

    def _follow_the_clock(self) -> None:
        """Who may connect changes with time and traffic, too."""
        allowed = self._allowed()
        if allowed.keys() != self._known.keys():
            ended, back = self._known.keys() - allowed.keys(), allowed.keys() - self._known.keys()
            log.info("who may connect has changed by itself", ended=len(ended), back=len(back))
        self._known = allowed
        self._renew_file()
        self._tell_xray()

    def _settle(self, changes: Sequence[_Change]) -> None:
        """Make them, and the pending traffic, durable all together, then true in the running Xray, then answer."""
        try:
            answers = self._commit(changes)
        except (ConfigRefused, OSError, sqlite3.Error) as error:
            if len(changes) > 1 and isinstance(error, ConfigRefused) and not isinstance(error, ConfigUntested):
                for change in changes:  # so that one which Xray does not take harms no other
                    self._settle([change])
            else:
                self._not_durable(changes, error)
            return
        if changes:
            self._known = self._allowed()
            self._tell_xray()
        for change, answer in answers:
            if isinstance(answer, Exception):
                change.outcome.set_exception(answer)
            else:
                change.outcome.set_result(answer)

    def _commit(self, changes: Sequence[_Change]) -> list[tuple[_Change, UserReport | Exception | None]]:
        """Raises ConfigRefused, OSError and sqlite3.Error, and has changed nothing then. The file is renewed only for
        callers, who wait to hear that they are in it."""
        file = self._supervisor.file
        try:
            with self._users.transaction() as transaction:
                answers = [(change, self._applied(change, transaction)) for change in changes]
                wanted = transaction.enabled(self._clock())
                renewed = bool(changes) and wanted != file.users
                if renewed:
                    self._prepare(wanted)
        except BaseException:
            file.discard()
            raise
        self._database_problem = None
        if renewed:
            self._install(wanted)
        return answers

    def _renew_file(self) -> None:
        """For what only time or traffic has changed. Xray is told all the same if it fails, and soon."""
        wanted = self._allowed()
        if wanted == self._supervisor.file.users:
            self._file_problem, self._file_again_at = None, 0.0
            return
        if time.monotonic() < self._file_again_at:
            return
        try:
            self._prepare(wanted, _LONGEST_TEST_FOR_NOBODY)
        except ConfigRefused as error:
            self._file_again_at = time.monotonic() + _AFTER_A_REFUSAL
            self._say_file_problem(error)
        except OSError as error:  # there may be room in the next round
            self._say_file_problem(error)
        else:
            self._install(wanted)

    def _prepare(self, wanted: Mapping[str, str], longest_test: float = LONGEST_TEST) -> None:
        """Raises ConfigRefused and OSError."""
        file = self._supervisor.file
        file.prepare(self._supervisor.skeleton, wanted, file.port, longest_test=longest_test)

    def _install(self, wanted: Mapping[str, str]) -> None:
        file = self._supervisor.file
        try:
            file.install(wanted, file.port)
        except OSError as error:
            file.discard()
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

    def _say_file_problem(self, error: Exception) -> None:
        if self._file_problem != str(error):
            log.error("Xray's configuration cannot be renewed", reason=str(error))
        self._file_problem = str(error)

    def _not_durable(self, changes: Sequence[_Change], error: Exception) -> None:
        self._metrics.not_durable.inc(len(changes))
        if changes or self._database_problem != str(error):
            log.error("changes could not be made durable", reason=str(error), changes=len(changes))
        self._database_problem = str(error)
        _fail(changes, NotDurable(f"nothing was changed: {error}"))

    def _tell_xray(self) -> None:
        """The running Xray becomes what the database says. After any doubt it is asked first, and given up if it cannot
        be put right."""
        wanted = self._allowed()
        xray = self._supervisor.current
        if xray is None or (not xray.doubtful and xray.users == wanted and not self._look_due()):
            return
        if xray.cost(wanted) > _LONGEST_CHANGE and self._may_hand_over() and self._supervisor.hand_over(wanted):
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
        self._count(xray)
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
            self._count(old)
            self._supervisor.retire(old)

    def _end(self) -> None:
        changes = self._last_taken()
        try:
            self._round(changes)
            for xray in self._supervisor.all():
                self._count(xray)
            self._settle([])
            if self._users.pending:
                log.error("the last traffic is lost")
        finally:
            self._supervisor.stop()
            _fail(changes, NotDurable("the agent is stopping"))

    def _take_snapshot(self) -> None:
        xray = self._supervisor.current
        running = xray is not None and xray.process.code is None
        online = {name for one in self._supervisor.all() for name in one.online}
        self.snapshot = Snapshot(
            started_at=xray.process.started_at if xray and running else None,
            problem=self._supervisor.problem,
            refused=self._supervisor.refused,
            unsaved=self._database_problem is not None or self._file_problem is not None,
            users=len(self._users.held),
            enabled=len(self._known),
            connected=len(online & self._users.held.keys()),
            dummies=xray.dummies if xray else 0,
            down_since=None if running else self.snapshot.down_since or time.monotonic(),
        )


def _fail(changes: Sequence[_Change], error: Exception) -> None:
    for change in changes:
        if not change.outcome.done():
            change.outcome.set_exception(error)
