"""Notifications to the shop: sent until it answers 200, for a day, across restarts of the stand-in."""

import asyncio
import random
import uuid
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import aiohttp

from sandbox.store import Document, Store
from sandbox.troubles import Troubles
from sandbox.yookassa.clock import Clock, written

GIVE_UP_AFTER = timedelta(hours=24)  # https://yookassa.ru/developers/using-api/webhooks


@dataclass(frozen=True, slots=True)
class Odds:
    """How likely, from 0 to 1, a notification is lost, sent twice, or late (each one by itself, so that others overtake
    it) by up to `latest_seconds`."""

    lost: float = 0.0
    twice: float = 0.0
    late: float = 0.0
    latest_seconds: float = 0.0

    def __post_init__(self) -> None:
        if not all(0 <= chance <= 1 for chance in (self.lost, self.twice, self.late)) or self.latest_seconds < 0:
            raise ValueError("chances are from 0 to 1, and nothing is late by less than nothing")


class Webhooks:
    """Waiting notifications lie in the store until received, lost by a switch or given up; `journal` tells all."""

    def __init__(
        self,
        *,
        url: str,
        store: Store,
        clock: Clock,
        troubles: Troubles,
        pauses: Sequence[float],
        timeout_seconds: float,
    ) -> None:
        self.journal: deque[Document] = deque(maxlen=1000)
        self._url = url
        self._table = store.table("yookassa.webhooks")
        self._clock = clock
        self._troubles = troubles
        self._pauses = pauses
        self._timeout = aiohttp.ClientTimeout(total=timeout_seconds)
        self._session: aiohttp.ClientSession | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._odds = Odds()
        self._dice = random.Random()  # noqa: S311 - luck, not secrecy

    def set_odds(self, odds: Odds, seed: int) -> None:
        """For what is sent from now on; the same seed brings the same luck."""
        self._odds, self._dice = odds, random.Random(seed)  # noqa: S311

    def notify(self, event: str, subject: Document) -> None:
        """Returns at once; the sending goes on beside."""
        if self._troubles.lose_next_webhook or self._happens(self._odds.lost):
            self._troubles.lose_next_webhook = False
            self._write(event, subject, lost=True)
            return
        for _ in range(2 if self._troubles.send_webhooks_twice or self._happens(self._odds.twice) else 1):
            now = self._clock.now()
            late = self._dice.uniform(0, self._odds.latest_seconds) if self._happens(self._odds.late) else 0
            first_at = written(now + timedelta(seconds=late))
            key = str(uuid.uuid4())
            self._table[key] = {
                "event": event,
                "object": subject,
                "first_at": first_at,
                "next_at": first_at,
                "tries": 0,
            }
            self._start(key)

    def _happens(self, chance: float) -> bool:
        return self._dice.random() < chance

    async def open(self) -> None:
        self._session = aiohttp.ClientSession(timeout=self._timeout)
        for key in self._table:
            self._start(key)

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def send_once(self, event: str, subject: Document, tries: int = 1) -> int | None:
        """The status that came back; None if none did."""
        if self._session is None:
            raise RuntimeError("the stand-in is not running")
        body = {"type": "notification", "event": event, "object": subject}
        try:
            async with self._session.post(self._url, json=body, allow_redirects=False) as answer:
                await answer.read()
                self._write(event, subject, tries=tries, status=answer.status)
                return answer.status
        except (aiohttp.ClientError, TimeoutError) as error:
            self._write(event, subject, tries=tries, error=f"{type(error).__name__}: {error}")
            return None

    def _start(self, key: str) -> None:
        if self._session is None:
            return  # not running yet; open() starts everything that waits in the store
        task = asyncio.create_task(self._deliver(key))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _deliver(self, key: str) -> None:
        while True:
            waiting = self._table[key]
            await self._clock.sleep_until(datetime.fromisoformat(waiting["next_at"]))
            if self._clock.now() > datetime.fromisoformat(waiting["first_at"]) + GIVE_UP_AFTER:
                self._write(waiting["event"], waiting["object"], tries=waiting["tries"], error="given up")
                break
            waiting["tries"] += 1
            if await self.send_once(waiting["event"], waiting["object"], waiting["tries"]) == 200:
                break
            pause = self._pauses[min(waiting["tries"], len(self._pauses)) - 1]
            waiting["next_at"] = written(self._clock.now() + timedelta(seconds=pause))
            self._table[key] = waiting
        del self._table[key]

    def _write(
        self,
        event: str,
        subject: Document,
        *,
        tries: int = 0,
        status: int | None = None,
        error: str | None = None,
        lost: bool = False,
    ) -> None:
        self.journal.append(
            {
                "at": written(self._clock.now()),
                "event": event,
                "object_id": subject.get("id"),
                "payment_id": subject.get("payment_id", subject.get("id")),
                "tries": tries,
                "status": status,
                "error": error,
                "lost": lost,
            }
        )
