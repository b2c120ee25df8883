"""Whether the process lives, and whether it can serve."""

from flask import Blueprint, Response

from node_a.web.needs import Web


def health(web: Web) -> Blueprint:
    blueprint = Blueprint("health", __name__)

    @blueprint.get("/healthz")
    def alive() -> Response:
        # No database: a full disk must not make a supervisor kill a process that would answer again.
        return Response("ok\n", mimetype="text/plain")

    @blueprint.get("/readyz")
    def ready() -> Response:
        missing = web.is_ready()
        if missing is None:
            return Response("ready\n", mimetype="text/plain")
        return Response(f"not ready: {missing}\n", status=503, mimetype="text/plain")

    return blueprint
