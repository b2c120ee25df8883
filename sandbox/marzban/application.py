"""The panel's calls as a web application."""

import time
from collections.abc import Sequence

from aiohttp import web

from sandbox.marzban.answers import LOGIN_PATH, broken, translated, unauthorized
from sandbox.marzban.calls import Calls
from sandbox.marzban.connections import IdleConnections
from sandbox.marzban.cores import Core, PretendedCore
from sandbox.marzban.inbounds import VLESS, Inbound
from sandbox.marzban.panel import Panel
from sandbox.marzban.tokens import Tokens
from sandbox.node_control import PART, Clock, Faults, Journal, Part, control_app, supervised
from sandbox.store import Store
from sandbox.troubles import NodeTroubles


def create_app(
    *,
    username: str,
    password: str,
    store: Store,
    troubles: NodeTroubles,
    clock: Clock = time.time,
    core: Core | None = None,
    inbounds: Sequence[Inbound] = (VLESS,),
) -> web.Application:
    """The panel with one database admin, its API below `/api` and its control paths below `/sandbox`. `clock`: seconds
    since the epoch; `core`: what it manages, if not a pretended one; `inbounds`: what customers come in through."""
    panel, tokens = Panel(store, clock, core or PretendedCore(), inbounds), Tokens(store, clock)
    calls = Calls(panel, tokens, username, password)
    journal, faults = Journal(), Faults()
    supervise = supervised(
        journal,
        faults,
        clock=clock,
        is_down=lambda: troubles.marzban_down,
        refused=lambda: unauthorized("Could not validate credentials"),
        broken=broken,
        is_login=lambda request: request.path == LOGIN_PATH,
    )

    def api() -> web.Application:
        idle = IdleConnections()
        app = web.Application(middlewares=[idle.middleware, supervise, translated(tokens)])
        app.on_cleanup.append(idle.forget)
        app.cleanup_ctx.append(panel.core.attended(panel))
        app.add_routes(calls.routes())
        return app

    def control() -> web.Application:
        return control_app(
            journal,
            faults,
            users=lambda: {name: panel.get(name) for name in panel.users},
            set_core=lambda started, _: panel.core.switch(started, panel.core_users()),
            add_traffic=panel.add_traffic,
            wipe=panel.wipe,
        )

    app = web.Application()
    app[PART] = Part(api, control)
    app.add_subapp("/api", api())
    app.add_subapp("/sandbox", control())
    return app
