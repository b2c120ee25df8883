"""Answers remembered by Idempotence-Key for 24 hours from the first request."""

import hashlib
import json
import re
from collections.abc import Callable
from datetime import datetime, timedelta

from sandbox.store import Document, Store
from sandbox.yookassa.clock import Clock, written
from sandbox.yookassa.problems import invalid

HEADER = "Idempotence-Key"
REMEMBERED = timedelta(hours=24)


class Answers:
    """Only successes are remembered: a refused request did no work that could be done twice."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._table = store.table("yookassa.answers")
        self._clock = clock

    def once(self, key: str | None, target: str, body: Document, work: Callable[[], Document]) -> Document:
        """The answer to the first request with this key; a Problem 400 if that one asked for something else."""
        # The specification's pattern, with its range from + to _ taken literally.
        if key is None or not re.fullmatch(r"[0-9a-zA-Z+-_.]{1,64}", key):
            raise invalid("Idempotence key is missing, malformed or longer than 64 characters", HEADER)
        asked = _digest(target, body)
        known = self._table.get(key)
        if known is not None and self._is_remembered(known):
            if known["asked"] != asked:
                raise invalid("Idempotence key duplicated", HEADER)
            answer: Document = known["answer"]
            return answer
        answer = work()
        self._table[key] = {"asked": asked, "first_at": written(self._clock.now()), "answer": answer}
        return answer

    def _is_remembered(self, known: Document) -> bool:
        return self._clock.now() < datetime.fromisoformat(known["first_at"]) + REMEMBERED


def _digest(target: str, body: Document) -> str:
    canonical = json.dumps([target, body], sort_keys=True, ensure_ascii=True)
    return hashlib.sha256(canonical.encode()).hexdigest()
