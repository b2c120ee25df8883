"""Files that only their owner reads: so from the first byte, and whole or not there at all."""

import fcntl
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

FILE_MODE: Final = 0o600
DIRECTORY_MODE: Final = 0o700


def ensure_directory(path: Path) -> None:
    """`path` is a directory that only its owner enters. Its parent must be there."""
    try:
        path.mkdir(mode=DIRECTORY_MODE)
    except FileExistsError:
        if path.stat().st_mode & 0o777 != DIRECTORY_MODE:
            path.chmod(DIRECTORY_MODE)


def write_private(path: Path, content: str) -> bool:
    """Whether anything changed. A crash leaves the old file or the new one."""
    if _holds(path, content):
        return False
    new = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    _write(new, content)
    new.replace(path)
    _sync_directory(path.parent)
    return True


def create_private(path: Path, content: str) -> None:
    """A file that must not be there yet. Raises FileExistsError."""
    _write(path, content)
    _sync_directory(path.parent)


@contextmanager
def locked(directory: Path) -> Iterator[None]:
    """One process at a time; another one waits here. Ends with the process, however that ends."""
    descriptor = os.open(directory / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, FILE_MODE)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _holds(path: Path, content: str) -> bool:
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return os.fstat(file.fileno()).st_mode & 0o777 == FILE_MODE and file.read() == content
    except (FileNotFoundError, UnicodeDecodeError):
        return False


def _write(path: Path, content: str) -> None:
    # The mode comes with the creation: before a chmod there is a moment in which anybody may open the file.
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, FILE_MODE)
    with open(descriptor, "w", encoding="utf-8", newline="") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
