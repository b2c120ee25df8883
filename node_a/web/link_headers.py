"""What a subscription link says in headers: apps show them above the list of servers.

Names and forms: www.happ.su, dev-docs (meta info, app management); most apps have adopted the same ones.
"""

import base64
import hashlib
from typing import Final
from urllib.parse import quote

from flask import Response
from werkzeug.urls import iri_to_uri

from node_a.application.overview import SubscriptionView
from node_a.web.needs import Web

# Hours between an app's looks: while there is something to wait for, the shortest that there is.
UPDATE_INTERVAL: Final = 12
WAITING_INTERVAL: Final = 1


def link_headers(response: Response, view: SubscriptionView, notice: str | None, web: Web) -> None:
    """`notice`: why there are no keys, None if there are."""
    headers = response.headers
    headers["subscription-userinfo"] = user_info(view)
    headers["profile-title"] = _in_base64(web.shop_name)
    waiting = notice is not None or view.preparing > 0
    headers["profile-update-interval"] = str(WAITING_INTERVAL if waiting else UPDATE_INTERVAL)
    headers["profile-web-page-url"] = iri_to_uri(view.link)
    if web.support_url is not None:
        headers["support-url"] = iri_to_uri(web.support_url)
    if notice is not None:
        headers["announce"] = _in_base64(notice)
    # Clash's family takes the profile's name from here.
    headers["Content-Disposition"] = f"attachment; filename*=UTF-8''{quote(web.shop_name, safe='')}"


def user_info(view: SubscriptionView) -> str:
    """Bytes, and the paid end in seconds since 1970. A total of 0 is "unlimited" to apps."""
    used = view.traffic.used if view.traffic else 0
    total = (view.traffic.limit if view.traffic else None) or 0
    return f"upload=0; download={used}; total={total}; expire={int(view.ends_at.timestamp())}"


def strong_tag(*parts: bytes | str) -> str:
    """Another one as soon as anything differs."""
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        digest.update(len(data).to_bytes(8, "big") + data)
    return digest.hexdigest()[:32]


def _in_base64(text: str) -> str:
    """Cyrillic cannot stand in a header; apps know this form. Addresses have their own."""
    return f"base64:{base64.b64encode(text.encode()).decode()}"
