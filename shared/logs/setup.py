"""Everything that logs in a process, ours or a library's, goes through one handler on stderr."""

import json
import logging
import secrets as randomness
import sys
import threading
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any, Literal, TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from shared.logs.lines import WholeLines
from shared.logs.redaction import Redactor

# A longer line is almost always a body or a page that somebody logged whole. Cut after redaction, so that no pattern
# loses its end.
LONGEST_LINE = 16_384
# Before it, so that a huge line does not hold the process: what the search may have met only half of is left out.
LONGEST_SEARCHED = 65_536
_PERHAPS_HALVED = 1_024

_FIRST = ("timestamp", "level", "logger", "process", "id", "event")


class _RedactingHandler(logging.StreamHandler[TextIO | WholeLines]):
    """Writes what is left of a line after redaction: the last step, so that nothing is added behind it. A line that
    cannot be written harms nobody; how many were lost is said when there is room again."""

    def __init__(self, stream: TextIO | WholeLines, redactor: Redactor) -> None:
        super().__init__(stream)
        self._redactor = redactor
        self._lost = 0

    def emit(self, record: logging.LogRecord) -> None:
        lost = self._lost
        super().emit(record)
        if lost and self._lost == lost:
            self._lost = 0
            super().emit(_lost_lines(lost))

    def format(self, record: logging.LogRecord) -> str:
        whole = super().format(record)
        line = self._redactor(whole[:LONGEST_SEARCHED])
        if len(whole) > LONGEST_SEARCHED:
            return line[: max(0, min(LONGEST_LINE, len(line) - _PERHAPS_HALVED))] + " (cut)"
        return line if len(line) <= LONGEST_LINE else line[:LONGEST_LINE] + " (cut)"

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 (logging's own name)
        # The original prints the record's raw arguments, past any redaction.
        kind = getattr(sys.exc_info()[0], "__name__", "an error")
        try:
            self.stream.write(f"a line of the logger {record.name!r} could not be written: {kind}\n")
            self.flush()
        except (OSError, ValueError):
            self._lost += 1  # stderr itself is full or gone: there is nobody to tell now


class _OneWayLogger(logging.Logger):
    """Knows only the one handler: some libraries (telebot, gunicorn) install handlers of their own on import or
    start, which would write past the redaction."""

    one_handler: logging.Handler | None = None

    def callHandlers(self, record: logging.LogRecord) -> None:  # noqa: N802
        handler = _OneWayLogger.one_handler
        if handler is None:
            super().callHandlers(record)
        elif record.levelno >= handler.level:
            handler.handle(record)

    def hasHandlers(self) -> bool:  # noqa: N802
        return _OneWayLogger.one_handler is not None or super().hasHandlers()


class _OneWayRoot(_OneWayLogger, logging.RootLogger):
    pass


def configure(*, process: str, format: Literal["json", "readable"], level: str, secrets: Iterable[str]) -> None:
    """Send every log line of this process to stderr: structlog's, the standard library's, warnings and uncaught
    exceptions.

    `process` is said in every line; `level` is a name of logging's, in any case; `secrets` are values that must never
    be written, whatever text they appear in. Call it once, before anything logs.
    """
    number = logging.getLevelNamesMapping()[level.upper()]
    handler = make_handler(_stderr(), process=process, format=format, secrets=secrets)
    structlog.configure(
        processors=[*_shared(), structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )
    _take_over(handler)
    logging.getLogger().setLevel(number)
    logging.captureWarnings(True)
    sys.excepthook = _log_uncaught
    threading.excepthook = _log_uncaught_in_thread
    sys.unraisablehook = _log_unraisable


def make_handler(
    stream: TextIO | WholeLines, *, process: str, format: Literal["json", "readable"], secrets: Iterable[str]
) -> logging.Handler:
    """The handler `configure` installs, on any stream."""

    def named(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
        return {**event, "process": process}

    ending: list[Processor] = [structlog.stdlib.ProcessorFormatter.remove_processors_meta, named]
    if format == "json":
        ending += [structlog.processors.format_exc_info, _in_order, structlog.processors.JSONRenderer(_to_json)]
    else:
        # Without colours, whose codes would stand between a name and its value and hide both from the redaction;
        # with plain tracebacks, because pretty ones show local variables.
        plain = structlog.dev.plain_traceback
        ending += [structlog.dev.ConsoleRenderer(colors=False, exception_formatter=plain)]
    handler = _RedactingHandler(stream, Redactor(secrets))
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*_shared(), structlog.stdlib.ExtraAdder()], processors=ending
        )
    )
    return handler


def bind(**ids: object) -> AbstractContextManager[None]:
    """Within this context every line of this thread or task carries `ids`: `with bind(id=new_id(), customer=42):`"""
    return structlog.contextvars.bound_contextvars(**ids)


def new_id() -> str:
    """A short random id for one update or request; unique enough to search a day's log for."""
    return randomness.token_hex(4)


def _stderr() -> TextIO | WholeLines:
    try:
        return WholeLines(sys.stderr.fileno())
    except (OSError, ValueError):  # something that only looks like a file
        return sys.stderr


def _lost_lines(count: int) -> logging.LogRecord:
    fields = {"name": "process", "levelno": logging.WARNING, "levelname": "WARNING", "lost": count}
    return logging.makeLogRecord({**fields, "msg": "log lines could not be written and are lost"})


def _shared() -> list[Processor]:
    """What happens to a line whoever wrote it."""
    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
    ]


def _in_order(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    return {name: event[name] for name in (*_FIRST, *event) if name in event}


def _to_json(event: EventDict, default: Callable[[Any], Any], **_: object) -> str:
    try:
        return json.dumps(event, default=default, ensure_ascii=False)
    except (TypeError, ValueError):  # keys that are no strings, circles: a line in another shape is better than none
        return json.dumps({str(name): repr(value) for name, value in event.items()}, ensure_ascii=False)


def _take_over(handler: logging.Handler) -> None:
    _OneWayLogger.one_handler = handler
    logging.setLoggerClass(_OneWayLogger)
    root = logging.getLogger()
    root.handlers = [handler]
    root.__class__ = _OneWayRoot
    for logger in root.manager.loggerDict.values():
        if type(logger) is logging.Logger:
            logger.__class__ = _OneWayLogger
        elif isinstance(logger, logging.Logger) and not isinstance(logger, _OneWayLogger):
            logger.handlers, logger.propagate = [], True


def _log_uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        logging.getLogger("process").info("interrupted")
    else:
        logging.getLogger("process").critical("uncaught exception", exc_info=(kind, error, trace))


def _log_uncaught_in_thread(args: threading.ExceptHookArgs) -> None:
    if args.exc_value is not None and not issubclass(args.exc_type, SystemExit):
        name = args.thread.name if args.thread else "unknown"
        logging.getLogger("process").critical(
            "uncaught exception in thread %s", name, exc_info=(args.exc_type, args.exc_value, args.exc_traceback)
        )


def _log_unraisable(args: "sys.UnraisableHookArgs") -> None:
    if args.exc_value is not None:
        logging.getLogger("process").error(
            "exception that could not be raised", exc_info=(args.exc_type, args.exc_value, args.exc_traceback)
        )
