"""Keeps one Xray running from the file: again at once when it dies, slower when it dies again and again, not at all
while it refuses its configuration or somebody else has its port. All of it in the keeper's thread."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import structlog

from node_b.agent.config import LONGEST_TEST, ConfigFile, ConfigRefused, Skeleton
from node_b.agent.metrics import Metrics
from node_b.agent.running import DidNotStart, Running, await_start, free_port
from node_b.agent.stale import PortHeld, check_port, end_left_behind
from node_b.agent.xray_api import ApiRefused, ApiSilent
from node_b.agent.xray_process import REFUSED_CONFIG, XrayProcess

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

# An Xray that lived so long was well, and what ended it is news.
_WELL_AFTER: Final = 2.0
_FIRST_PAUSE: Final = 0.1
_LONGEST_PAUSE: Final = 30.0
_LOOK_AGAIN: Final = 1.0
_LOOK_AROUND: Final = 15.0
# Connections that were being made to the old Xray at a hand-over get this long to be made, in seconds.
_DRAINING: Final = 3.0
_API_PORT_TAKEN: Final = "address already in use"


@dataclass(slots=True)
class Supervisor:
    """`current`: the Xray that is up. `problem`: why there is none, or who shares its port, in one sentence."""

    skeleton: Skeleton
    file: ConfigFile
    xray: Path
    metrics: Metrics
    on_exit: Callable[[], None] = lambda: None
    current: Running | None = None
    problem: str | None = None
    refused: bool = False
    _failures: int = 0
    _start_at: float = 0.0
    _draining: list[tuple[Running, float]] = field(default_factory=list)
    _looked_around_at: float = field(default_factory=time.monotonic)
    _ever_started: bool = False

    def all(self) -> Iterator[Running]:
        """Every Xray that counts traffic."""
        if self.current:
            yield self.current
        for old, _ in self._draining:
            yield old

    def tend(self, users: Callable[[], Mapping[str, str]]) -> None:
        """Notice an end, and start one when its time has come. `users`: who may connect now."""
        self._notice_end()
        if self.current is None and not self.refused and time.monotonic() >= self._start_at:
            self._start(users())
        elif self.current and time.monotonic() - self._looked_around_at > _LOOK_AROUND:
            self._look_around()

    def config_changed(self) -> None:
        """What was refused may be taken now."""
        if self.refused:
            self.refused = False
            self._start_at = 0.0

    def drained(self) -> list[Running]:
        """Old ones whose time is over: collect their traffic, then `retire` them."""
        now = time.monotonic()
        return [old for old, deadline in self._draining if now >= deadline]

    def retire(self, old: Running) -> None:
        self._draining = [(one, deadline) for one, deadline in self._draining if one is not old]
        old.stop()

    def restart(self, reason: str) -> None:
        """Give up on the running one; the next `tend` starts a fresh one from the file."""
        log.error("Xray is started anew", reason=reason)
        if self.current:
            self.current.give_up()
            self.current = None
            self.metrics.restarts.inc()

    def hand_over(self, users: Mapping[str, str]) -> bool:
        """A fresh Xray beside the old one, which then takes no new connections. Answers whether it came up; if not the
        old one stays."""
        old = self.current
        if old is None:
            return False
        if not self._write(users, free_port()):
            return False
        try:
            new = self._started()
        except (DidNotStart, OSError) as error:
            log.error("the fresh Xray did not start; the old one stays", reason=str(error))
            self._write(users, old.api.port)
            return False
        with suppress(ApiRefused, ApiSilent):
            old.api.stop_listening()
        self.current = new
        self._draining.append((old, time.monotonic() + _DRAINING))
        self.metrics.hand_overs.inc()
        log.info("a fresh Xray has taken over", pid=new.process.pid, old=old.process.pid, dummies=old.dummies)
        return True

    def stop(self) -> None:
        for one in list(self.all()):
            one.stop()
        self.current, self._draining = None, []

    def _notice_end(self) -> None:
        for old, _ in list(self._draining):
            if old.process.code is not None:
                self.retire(old)
        if self.current is None or self.current.process.code is None:
            return
        process = self.current.process
        self.current.api.close()
        self.current = None
        self._plan_restart(process.code, process.reason(), process.lived)

    def _plan_restart(self, code: int | None, reason: str, lived: float) -> None:
        self._failures = 0 if lived >= _WELL_AFTER else self._failures + 1
        pause = min(_FIRST_PAUSE * 2 ** min(self._failures - 1, 20), _LONGEST_PAUSE) if self._failures else 0.0
        self._start_at = time.monotonic() + pause
        self.problem = f"Xray has ended with {code}: {reason}"
        self.metrics.restarts.inc()
        log.error("Xray has ended and is started again", code=code, reason=reason, lived=round(lived, 1), pause=pause)

    def _start(self, users: Mapping[str, str]) -> None:
        try:
            if not self._draining:
                self._check_port()
            if self.file.users != users or not self.file.port:
                self._write(users, self.file.port or free_port(), tested=self._ever_started)
            self.current = self._started()
        except PortHeld as held:
            self._start_at = time.monotonic() + _LOOK_AGAIN
            if self.problem != str(held):
                log.error("Xray is not started", reason=str(held))
            self.problem = str(held)
        except DidNotStart as error:
            self._did_not_start(error)
        except OSError as error:
            self._plan_restart(None, f"{type(error).__name__}: {error.strerror}", 0.0)
        else:
            self.problem, self._ever_started = None, True
            process = self.current.process
            log.info("Xray runs", pid=process.pid, users=len(self.current.users), took=round(process.lived, 3))

    def _did_not_start(self, error: DidNotStart) -> None:
        if error.code == REFUSED_CONFIG:
            self.refused = True
            self.problem = f"Xray refuses its configuration: {error}"
            self.metrics.refused.inc()
            log.error("Xray refuses its configuration; it is tried again when that changes", reason=str(error))
            return
        if _API_PORT_TAKEN in str(error) and f":{self.file.port}" in str(error):
            self.file.port = 0
        self._plan_restart(error.code, str(error), 0.0)

    def _check_port(self) -> None:
        end_left_behind(self.file.path)
        check_port(*self.skeleton.address)

    def _look_around(self) -> None:
        """Somebody who came later takes a share of the connections. It is not ours to end, and ending our own would
        leave all to it: an operator is told."""
        self._looked_around_at, before = time.monotonic(), self.problem
        try:
            check_port(*self.skeleton.address, ours={one.process.pid for one in self.all()})
        except PortHeld as held:
            self.problem = str(held)
            if self.problem != before:
                log.error("Xray shares its port, and connections are lost", reason=str(held))
        else:
            self.problem = None

    def _started(self) -> Running:
        if self.file.users is None:
            raise OSError(0, "there is no configuration, and none could be written")
        process = XrayProcess(self.xray, self.file.path, self.on_exit)
        return await_start(
            process,
            port=self.skeleton.address[1],
            api_port=self.file.port,
            users=self.file.users,
            placeholder=self.skeleton.placeholder,
        )

    def _write(self, users: Mapping[str, str], api_port: int, *, tested: bool = True) -> bool:
        """Answers whether it was written. On a full disk Xray starts from the file that is there, and is corrected as
        soon as it runs."""
        try:
            self.file.prepare(self.skeleton, users, api_port, longest_test=LONGEST_TEST if tested else 0)
            self.file.install(users, api_port)
        except (ConfigRefused, OSError) as error:
            log.error("Xray's configuration cannot be renewed", reason=str(error))
            if self.file.users is None:
                self.file.read_back()
            return False
        return True
