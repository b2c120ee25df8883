"""How far a node's clock is off ours, by the `Date` of its answers."""

from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Final

import httpx

from node_a.application.ports import Clock

_SENT_AT: Final = "qentvpn.sent_at"
# `Date` leaves out the part of a second: on average half of one.
_LEFT_OUT: Final = timedelta(seconds=0.5)
# The longer an answer took, the less it says of the time; after so long, nothing that anybody should be alarmed by.
_LONGEST: Final = timedelta(seconds=10)


class NodeClock:
    """Listens to the answers of one client. The quickest of them knows best."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._quickest = _LONGEST
        self._off: timedelta | None = None

    def listen_to(self, client: httpx.AsyncClient) -> None:
        client.event_hooks["request"].append(self._sends)
        client.event_hooks["response"].append(self._hears)

    def taken(self) -> float | None:
        """Seconds by which the node's clock is ahead of ours, by the answers since the last call; None if none of them
        told the time soon enough."""
        off, self._off, self._quickest = self._off, None, _LONGEST
        return None if off is None else round(off.total_seconds(), 1)

    async def _sends(self, request: httpx.Request) -> None:
        request.extensions[_SENT_AT] = self._clock()

    async def _hears(self, response: httpx.Response) -> None:
        sent, heard = response.request.extensions[_SENT_AT], self._clock()
        told = _told(response)
        took = heard - sent
        # Less than nothing: our own clock was set meanwhile.
        if told is not None and timedelta(0) <= took < self._quickest:
            self._quickest = took
            self._off = told + _LEFT_OUT - (sent + took / 2)


def _told(response: httpx.Response) -> datetime | None:
    try:
        told = parsedate_to_datetime(response.headers.get("Date", ""))
    except ValueError:
        return None
    # Of an unknown zone is no moment.
    return told if told.tzinfo is not None else None
