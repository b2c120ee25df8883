"""Whether a SQLite database has room to grow: one can be read for a long time after it cannot be written."""

import os
from pathlib import Path
from typing import Final

from sqlalchemy import Engine

# Bytes. Less is as good as nothing: a purchase takes a few dozen kilobytes while it is on its way.
LEAST_ROOM: Final = 512 * 1024


def lacks_room(engine: Engine) -> str | None:
    """Why its file cannot grow, in words for strangers; None if it can, or if another server looks after that. Raises
    OSError if it is not there to be asked about."""
    file = engine.url.database
    if engine.dialect.name != "sqlite" or not file or file == ":memory:":
        return None
    disk = os.statvfs(Path(file).parent)
    if disk.f_flag & os.ST_RDONLY:
        return "the disk is read-only"
    return "the disk is full" if disk.f_bavail * disk.f_frsize < LEAST_ROOM else None
