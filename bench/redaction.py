"""`python -m bench.redaction`: how the time for a line grows with its length, for shapes on which patterns go astray.

Twice the line should cost about twice the time (2.0); a quadratic pattern costs four times as much.
"""

import json
import time
from typing import Final

from shared.logs import Redactor

SHAPES: Final = ("a", "aB3/", "password", "\\", "token=", "[(", "token: (", "cookies: {", 'key="', "http://", "eyJaaaa")
LENGTH: Final = 40_000
ROUNDS: Final = 3


def seconds(redact: Redactor, line: str) -> float:
    times = []
    for _ in range(ROUNDS):
        started = time.process_time()
        redact(line)
        times.append(time.process_time() - started)
    return min(times)


def growth(redact: Redactor, shape: str) -> float:
    once = shape * (LENGTH // len(shape))
    return round(seconds(redact, once + once) / seconds(redact, once), 1)


if __name__ == "__main__":
    redact = Redactor(["an obviously fake secret"])
    print(json.dumps({shape: growth(redact, shape) for shape in SHAPES}))
