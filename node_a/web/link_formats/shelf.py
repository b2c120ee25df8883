"""Rendered bodies, kept while there is room: apps ask all day for what has not changed."""

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from node_a.web.link_formats.choice import Format
from node_a.web.link_formats.profile import Profile
from node_a.web.link_formats.rendering import rendered

# The lists of about ten thousand subscriptions.
ROOM: Final = 32 * 2**20


class Shelf:
    """Keyed by what a body is made of, so that nothing ever has to be thrown away because something changed; the one
    that nobody has asked for longest makes room."""

    def __init__(self, render: Callable[[Format, Profile], bytes] = rendered, room: int = ROOM) -> None:
        """`room`: bytes."""
        self._render = render
        self._room = room
        self._bodies: OrderedDict[bytes, bytes] = OrderedDict()
        self.size = 0
        self._lock = threading.Lock()

    def body(self, format: Format, profile: Profile) -> bytes:
        key = _digest(format, *profile.made_of)
        with self._lock:
            if key in self._bodies:
                self._bodies.move_to_end(key)
                return self._bodies[key]
        body = self._render(format, profile)
        self._keep(key, body)
        return body

    def _keep(self, key: bytes, body: bytes) -> None:
        with self._lock:
            if key not in self._bodies:
                self._bodies[key] = body
                self.size += len(body)
            while self.size > self._room:
                _, gone = self._bodies.popitem(last=False)
                self.size -= len(gone)


def _digest(*parts: str) -> bytes:
    """A short key, and one that does not hold the customer's keys a second time."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(f"{len(part)}:{part}".encode())
    return digest.digest()
