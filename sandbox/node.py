"""One address for a whole node, as its proxy has it: `/api/…` is the panel, `/agent/…` the agent."""

from aiohttp import web

from sandbox.node_control import PART


def create_app(*, marzban: web.Application, agent: web.Application) -> web.Application:
    """Both parts keep working alone. Their control paths are below `/sandbox/marzban` and `/sandbox/agent`; everything
    else is 404."""
    app = web.Application()
    app.add_subapp("/api", marzban[PART].api())
    app.add_subapp("/agent", agent[PART].api())
    app.add_subapp("/sandbox/marzban", marzban[PART].control())
    app.add_subapp("/sandbox/agent", agent[PART].control())
    return app
