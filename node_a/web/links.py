"""The subscription link: what a VPN app polls for a customer's keys."""

import base64

from flask import Blueprint, Response, abort

from node_a.domain.errors import UnknownSubscription
from node_a.web.needs import Web

# Hours between an app's looks.
UPDATE_INTERVAL = 12


def links(web: Web) -> Blueprint:
    blueprint = Blueprint("links", __name__)

    @blueprint.get("/sub/<token>")
    def subscription(token: str) -> Response:
        try:
            view = web.open_link(token)
        except UnknownSubscription:
            # Unknown, malformed and rotated must look alike: nothing to learn by trying.
            abort(404)
        links = "\n".join(labelled.key.link for labelled in view.keys)
        # An ended subscription is an empty list, not an error: apps then drop the dead keys and keep the link.
        response = Response(base64.b64encode(links.encode()), mimetype="text/plain")
        # The name may be Cyrillic, which a header cannot hold; apps know this form.
        title = base64.b64encode(web.shop_name.encode()).decode()
        response.headers["profile-title"] = f"base64:{title}"
        response.headers["profile-update-interval"] = str(UPDATE_INTERVAL)
        response.headers["X-Robots-Tag"] = "noindex"
        return response

    return blueprint
