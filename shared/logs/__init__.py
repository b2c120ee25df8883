"""One way to write logs for every process: structured, with the ids of the moment, and without secrets."""

from shared.logs.redaction import Redactor
from shared.logs.setup import bind, configure, new_id

__all__ = ["Redactor", "bind", "configure", "new_id"]
