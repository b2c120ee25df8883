"""One address for a whole node, as its proxy has it: `/api/…` is the panel, `/agent/…` the agent."""

import asyncio
from typing import Final

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from sandbox.node_control import PART, drop
from sandbox.troubles import NodeTroubles

# Long enough to be noticed, short enough for a caller with patience.
SLOW_SECONDS: Final = 3.0
_CONTROL: Final = "/sandbox/"


def create_app(
    *, marzban: web.Application, agent: web.Application, troubles: NodeTroubles | None = None
) -> web.Application:
    """Both parts keep working alone. Their control paths are below `/sandbox/marzban` and `/sandbox/agent`; everything
    else is 404."""
    app = web.Application(middlewares=[_in_trouble(troubles or NodeTroubles())])
    app.add_subapp("/api", marzban[PART].api())
    app.add_subapp("/agent", agent[PART].api())
    app.add_subapp("/sandbox/marzban", marzban[PART].control())
    app.add_subapp("/sandbox/agent", agent[PART].control())
    return app


def _in_trouble(troubles: NodeTroubles) -> Middleware:
    @web.middleware
    async def suffer(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path.startswith(_CONTROL):
            return await handler(request)
        if troubles.down:
            return drop(request)
        if troubles.slow:
            await asyncio.sleep(SLOW_SECONDS)
        return await handler(request)

    return suffer
