"""Every line of a process, whoever wrote it, comes out once, structured, with its ids and without secrets."""

import asyncio
import io
import json
import logging
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import pytest
import structlog

from shared.logs import bind, new_id
from shared.logs.setup import LONGEST_LINE, LONGEST_SEARCHED, make_handler
from tests.shared.test_redaction import PLANTED

ROOT = Path(__file__).parents[2]
SECRET = "correct-horse-battery"

Logger = structlog.stdlib.BoundLogger


class Lines:
    """A logger of the standard library over the real handler, and what it wrote."""

    def __init__(self, format: Literal["json", "readable"], secrets: Sequence[str] = (SECRET,)) -> None:
        self.stream = io.StringIO()
        self.logger = logging.Logger("some.library")
        self.logger.addHandler(make_handler(self.stream, process="web", format=format, secrets=secrets))

    @property
    def text(self) -> str:
        return self.stream.getvalue()

    @property
    def json(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.text.splitlines()]


@pytest.fixture
def lines() -> Lines:
    return Lines("json")


@pytest.fixture
def readable() -> Lines:
    return Lines("readable")


def test_a_line_says_when_who_and_what_in_readable_letters(lines: Lines) -> None:
    with bind(id="ab12cd34", customer=279058397):
        lines.logger.warning("ключи %s", "готовы", extra={"node": "de1"})

    (line,) = lines.json
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z", line.pop("timestamp"))
    assert line == {
        "level": "warning",
        "logger": "some.library",
        "process": "web",
        "id": "ab12cd34",
        "event": "ключи готовы",
        "customer": 279058397,
        "node": "de1",
    }
    assert "ключи готовы" in lines.text
    assert "customer" not in structlog.contextvars.get_contextvars()


def test_ids_follow_into_tasks_and_threads(lines: Lines) -> None:
    async def work() -> None:
        with bind(id="ab12cd34"):
            await asyncio.gather(asyncio.to_thread(lines.logger.warning, "in a thread"), task())

    async def task() -> None:
        lines.logger.warning("in a task")

    asyncio.run(work())

    assert {(line["event"], line["id"]) for line in lines.json} == {
        ("in a thread", "ab12cd34"),
        ("in a task", "ab12cd34"),
    }


def test_ids_are_short_and_differ() -> None:
    ids = {new_id() for _ in range(1000)}

    assert len(ids) == 1000
    assert all(re.fullmatch(r"[0-9a-f]{8}", one) for one in ids)


class Odd:
    def __init__(self, text: str) -> None:
        self._text = text

    def __repr__(self) -> str:
        return f"Odd({self._text})"


def _raise_chain(text: str) -> None:
    try:
        raise KeyError(text)
    except KeyError as error:
        raise RuntimeError("outer") from error


def _plant(logger: logging.Logger, text: str) -> None:
    logger.warning(text)
    logger.warning("args %s %r", text, [text])
    logger.warning("mapping %(one)s", {"one": text})
    logger.warning("extra", extra={"body": text, "nested": {"list": [text, Odd(text)]}, "raw": text.encode()})
    try:
        _raise_chain(text)
    except RuntimeError:
        logger.exception("chained %s", "exception")
    logger.warning("with a stack", stack_info=True)


@pytest.mark.parametrize("kind", PLANTED)
@pytest.mark.parametrize("format", ["json", "readable"])
def test_a_planted_secret_is_not_written(kind: str, format: Literal["json", "readable"]) -> None:
    secret, text = PLANTED[kind]
    lines = Lines(format)

    _plant(lines.logger, text)

    assert secret not in lines.text
    assert "outer" in lines.text
    if format == "json":
        assert len(lines.json) == 6


@pytest.mark.parametrize("format", ["json", "readable"])
def test_a_secret_of_the_settings_is_not_written(format: Literal["json", "readable"]) -> None:
    lines = Lines(format)

    _plant(lines.logger, f"it was {SECRET}, and")

    assert SECRET not in lines.text
    assert "cor…****" in lines.text


def test_an_exception_is_one_line_of_json_and_shows_no_local_variables(lines: Lines, readable: Lines) -> None:
    for each in (lines, readable):
        hidden = "a local value"
        try:
            raise ValueError("seen" + hidden[:0])
        except ValueError:
            each.logger.exception("failed")
        assert "ValueError: seen" in each.text
        assert "a local value" not in each.text.replace('hidden = "a local value"', "")

    assert "Traceback" in lines.json[0]["exception"]


def test_a_very_long_line_is_cut_after_redaction(lines: Lines) -> None:
    secret = PLANTED["a bot token"][0]
    lines.logger.warning("x " * (LONGEST_LINE // 2 - 60) + secret + " y" * LONGEST_LINE)

    assert len(lines.text) < LONGEST_LINE + 20
    assert lines.text.endswith("(cut)\n")
    assert secret[:15] not in lines.text


class Counting:
    """A redactor that only counts the work it is given."""

    def __init__(self) -> None:
        self.characters = 0

    def __call__(self, line: str) -> str:
        self.characters += len(line)
        return line


@pytest.mark.parametrize("piece", ["token: (", 'key="', "x"])
def test_redaction_is_never_given_more_than_so_much(piece: str, monkeypatch: pytest.MonkeyPatch) -> None:
    counting = Counting()
    monkeypatch.setattr("shared.logs.setup.Redactor", lambda secrets: counting)
    lines = Lines("json")

    lines.logger.warning(piece * (1_000_000 // len(piece)))

    assert LONGEST_LINE < counting.characters <= LONGEST_SEARCHED
    assert lines.text.endswith("(cut)\n")


@pytest.mark.parametrize("secret", [PLANTED["a bot token"][0], "correct horse battery staple"])
def test_a_secret_across_the_cut_before_redaction_is_not_shown_by_half(secret: str) -> None:
    """What is in front of it shrinks so much that the place of that cut is shown."""
    long_token = "token=" + "A" * (LONGEST_SEARCHED - 1_000)
    for blanks in range(700, 1_000, 37):
        lines = Lines("readable", secrets=[secret])
        lines.logger.warning(f"{long_token} {'y ' * (blanks // 2)}{secret}{' z' * 1_000}")
        assert "A" * 20 not in lines.text
        assert not [part for part in (secret[:8], secret[-8:]) if part in lines.text]
        assert lines.text.endswith("(cut)\n")


@pytest.mark.parametrize(("opening", "closing"), [("tokens: [", "]"), ("cookies: {", "}"), ("tokens: (", ")")])
def test_a_list_of_secrets_that_ends_behind_the_cut_is_masked_all_the_same(opening: str, closing: str) -> None:
    lines = Lines("readable")

    lines.logger.warning(opening + "'hunter2hunter', " * (LONGEST_SEARCHED // 10) + closing)

    assert "hunter2" not in lines.text


class Broken:
    def __repr__(self) -> str:
        raise RuntimeError(SECRET)

    __str__ = __repr__


def test_a_line_that_cannot_be_made_is_said_without_its_arguments(
    lines: Lines, capsys: pytest.CaptureFixture[str]
) -> None:
    lines.logger.warning("too %s many", SECRET, SECRET)  # noqa: PLE1205 (the point of it)
    lines.logger.warning("a broken %s", Broken())
    lines.logger.warning("keys that are no strings", extra={"odd": {(1, 2): "x"}})

    assert SECRET not in lines.text + "".join(capsys.readouterr())
    first, second, third = lines.text.splitlines()
    assert first == "a line of the logger 'some.library' could not be written: TypeError"
    assert "could not be written: RuntimeError" in second
    assert json.loads(third)["event"] == "'keys that are no strings'"


def test_a_stream_that_is_gone_harms_nobody(lines: Lines, capsys: pytest.CaptureFixture[str]) -> None:
    lines.stream.close()

    lines.logger.warning("nobody reads this")

    assert capsys.readouterr() == ("", "")


THIRD_PARTIES = [
    "httpx",
    "httpcore.http11",
    "aiohttp.access",
    "yookassa",
    "TeleBot",
    "gunicorn.access",
    "gunicorn.error",
]
THIRD_PARTIES += ["werkzeug", "sqlalchemy.engine", "urllib3.connectionpool", "asyncio", "alembic"]

PROGRAM = """
import asyncio, gc, json, logging, sys, threading, warnings
early = logging.getLogger("made.before")
early.addHandler(logging.StreamHandler()); early.propagate = False
import shared.logs, structlog
planted, parties, format = json.loads(sys.stdin.read())
shared.logs.configure(process="all", format=format, level="debug", secrets=["correct-horse-battery"])
shared.logs.configure(process="all", format=format, level="debug", secrets=["correct-horse-battery"])
import telebot  # installs a handler of its own
own = logging.getLogger("gunicorn.error"); own.propagate = False; own.addHandler(logging.StreamHandler())
logging.getLogger().addHandler(logging.StreamHandler())
for text in planted:
    early.warning("early %s", text)
    logging.warning("root %s", text)
    for name in parties:
        logging.getLogger(name).error("%s", text, extra={"headers": {"Authorization": text}})
    structlog.get_logger("ours").info("ours", text=text, nested={"deep": [text]})
    with shared.logs.bind(text=text):
        structlog.get_logger().warning("bound %s", text)
    warnings.warn(text)
    class Odd:
        def __del__(self): raise ValueError(text)
    Odd(); gc.collect()
    def fail(): raise ValueError(text)
    thread = threading.Thread(target=fail); thread.start(); thread.join()
    async def loop():
        asyncio.get_running_loop().call_exception_handler({"message": text, "exception": ValueError(text)})
        task = asyncio.ensure_future(asyncio.to_thread(fail)); await asyncio.wait([task])
    asyncio.run(loop())
structlog.get_logger("ours").info("the end of it", id=shared.logs.new_id())
try:
    raise KeyError(planted[0])
except KeyError as error:
    raise RuntimeError(planted[-1]) from error
"""


@pytest.fixture(params=["json", "readable"])
def program(request: pytest.FixtureRequest) -> tuple[str, str]:
    planted = [text for _, text in PLANTED.values()] + [f"it was {SECRET}"]
    answer = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        input=json.dumps([planted, THIRD_PARTIES, request.param]),
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
        timeout=60,
    )
    assert answer.returncode == 1, answer.stderr
    assert answer.stdout == ""
    return request.param, answer.stderr


def test_nothing_a_process_says_holds_a_secret(program: tuple[str, str]) -> None:
    format, written = program

    assert [secret for secret, _ in PLANTED.values() if secret in written] == []
    assert SECRET not in written
    for name in [*THIRD_PARTIES, "py.warnings", "uncaught exception in thread", "could not be raised", "made.before"]:
        assert name in written
    assert "the end of it" in written
    if format == "json":
        every = [json.loads(line) for line in written.splitlines()]
        assert {"timestamp", "level", "logger", "process", "event"} <= set.intersection(*map(set, every))
        assert "RuntimeError" in every[-1]["exception"]
        assert "KeyError" in every[-1]["exception"]
        # Once each: no handler of a library's own repeats it.
        assert len([line for line in every if line["logger"] == "TeleBot"]) == len(PLANTED) + 1
