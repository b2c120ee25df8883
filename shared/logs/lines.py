"""Where the lines go: a descriptor that may be full, and have room again."""

import os


class WholeLines:
    """Gives each line to the system at once, so that processes that share a file do not mix theirs, and keeps nothing
    back: what a full disk did not take is lost, instead of coming hours later between the lines of others. Raises
    OSError then; what comes next begins a line of its own, whoever's half line is before it."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._failed = False

    def write(self, text: str) -> int:
        left = ("\n" if self._failed else "") + text
        data = left.encode(errors="backslashreplace")
        self._failed = True
        while data:
            data = data[os.write(self._descriptor, data) :]
        self._failed = False
        return len(text)
