"""What a failure of the database means: once more at once, later, or a bug."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from sqlalchemy.exc import DBAPIError, OperationalError, SQLAlchemyError, TimeoutError

from node_a.domain.errors import LedgerUnavailable

# PostgreSQL's codes: serialization failure, deadlock.
_GAVE_WAY: Final = frozenset({"40001", "40P01"})
# The server takes no writes for now; some providers do this when the disk is nearly full.
_READ_ONLY: Final = "25006"


class GaveWay(LedgerUnavailable):
    """Two transactions met, and this one was undone: it may well pass if it is done again at once."""


@contextmanager
def in_our_words(what: str, *, writing: bool = False) -> Iterator[None]:
    """Raises LedgerUnavailable for what may pass by itself: locked, full, gone, no connection free. A broken constraint
    or a wrong statement is a bug and stays one. `what`: what did not work, in words."""
    try:
        yield
    except SQLAlchemyError as error:
        if not _may_pass(error) and not (writing and _code(error) == _READ_ONLY):
            raise
        said: object = error.orig if isinstance(error, DBAPIError) else error
        kind = GaveWay if _code(error) in _GAVE_WAY else LedgerUnavailable
        raise kind(f"{what}: {' '.join(str(said).split())}") from error


def _may_pass(error: SQLAlchemyError) -> bool:
    if isinstance(error, OperationalError | TimeoutError):
        return True
    return isinstance(error, DBAPIError) and error.connection_invalidated


def _code(error: SQLAlchemyError) -> str | None:
    return getattr(error.orig, "sqlstate", None) if isinstance(error, DBAPIError) else None
