"""`python -m tests.proofs.crash.child`: a job a line on standard input, its report a line on standard output.

Everything is imported once; each job runs in a fork of its own, which ends like a killed process where its job says.
"""

import asyncio
import gc
import json
import os
import signal
import sys
import threading
import traceback
from dataclasses import asdict
from typing import Final, NoReturn

import anyio
import httpcore  # noqa: F401 # httpx would import it at the first request of every run
from babel.dates import format_datetime

from node_a.adapters.database.engine import open_engine
from tests.proofs.crash.calls import Calls
from tests.proofs.crash.job import Job, Report
from tests.proofs.crash.purchase import Purchase, ShopTime

# Seconds; a run takes a fraction of one, unless it hangs.
LONGEST_RUN: Final = 300


def main() -> None:
    # What a run would import or read only at its first request, connection or date.
    anyio.run(anyio.sleep, 0)
    for kind in ("sqlite://", "postgresql+psycopg://"):
        open_engine(kind)
    format_datetime(locale="ru")
    gc.freeze()
    for line in sys.stdin:
        report = _in_a_process_of_its_own(Job.from_json(json.loads(line)))
        print(json.dumps(asdict(report)), flush=True)


def _in_a_process_of_its_own(job: Job) -> Report:
    assert threading.active_count() == 1  # a fork copies no other thread, but its locks
    reading, writing = os.pipe()
    forked = os.fork()
    if forked == 0:
        os.close(reading)
        _run(job, writing)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        said = pipe.read()
    _, status = os.waitpid(forked, 0)
    return Report(**json.loads(said)) if said else Report(failure=f"ended with status {status} and not a word")


def _run(job: Job, report_to: int) -> NoReturn:
    signal.alarm(LONGEST_RUN)
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    time = ShopTime(job.ahead)

    def end(report: Report) -> NoReturn:
        os.write(report_to, json.dumps(asdict(report)).encode())
        os._exit(0)  # no `finally`, no closing, no rollback: as if killed

    calls = Calls(job.crash, lambda point: end(Report(crashed=point, ahead=time.ahead)))
    try:
        asyncio.run(Purchase(job, calls, time).run())
    except BaseException:
        end(Report(failure=traceback.format_exc(limit=-3), calls=calls.made, ahead=time.ahead))
    end(Report(calls=calls.made, ahead=time.ahead))


if __name__ == "__main__":
    main()
