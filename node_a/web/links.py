"""The subscription link: what a VPN app polls for a customer's keys, and a page for whoever opens it in a browser."""

from urllib.parse import urlsplit

from flask import Blueprint, Response, abort, request

from node_a.application.overview import SubscriptionView
from node_a.domain.errors import UnknownSubscription
from node_a.web.link_formats import FORMATS, MEDIA_TYPES, Format, Profile, asked_for, chosen, profile_of
from node_a.web.link_formats.shelf import Shelf
from node_a.web.link_headers import link_headers, strong_tag, user_info
from node_a.web.link_page import LinkPage
from node_a.web.needs import Web
from node_a.web.pages import Pages
from node_a.wording import links as words


def links(web: Web, pages: Pages, shelf: Shelf) -> Blueprint:
    blueprint = Blueprint("links", __name__)
    page = LinkPage(web, pages)
    shop_host = urlsplit(web.public_url).hostname or ""

    @blueprint.get("/sub/<token>")
    def subscription(token: str) -> Response:
        format = _wanted()
        if format is None:
            return _unknown_format()
        try:
            view = web.open_link(token)
        except UnknownSubscription:
            # Unknown, malformed and rotated must look alike: nothing to learn by trying.
            abort(404)
        if format is Format.PAGE:
            response = page.show(view, token)
        else:
            profile = _profile(view, shop_host)
            response = Response(shelf.body(format, profile), mimetype=MEDIA_TYPES[format])
            link_headers(response, view, profile.notice, web)
            response.set_etag(strong_tag(response.get_data(), user_info(view)))
            response.make_conditional(request)
        return _private(response)

    return blueprint


def _wanted() -> Format | None:
    """None for a form that there is not."""
    name = request.args.get("format")
    if name is not None:
        return asked_for(name)
    accepts_pages = any(kind == "text/html" for kind in request.accept_mimetypes.values())
    return chosen(request.headers.get("User-Agent", ""), accepts_pages)


def _profile(view: SubscriptionView, shop_host: str) -> Profile:
    return profile_of(
        view.keys,
        all_keys=words.group_of_all_keys(view.language),
        automatic=words.automatic_group(view.language),
        shop_host=shop_host,
        notice=None if view.keys else words.why_no_keys(view),
    )


def _unknown_format() -> Response:
    known = ", ".join(FORMATS)
    return _private(Response(f"There is no such format here. Known ones: {known}.\n", 400, mimetype="text/plain"))


def _private(response: Response) -> Response:
    """For this reader alone, and for no search engine."""
    response.headers["Cache-Control"] = "no-store"
    response.headers["X-Robots-Tag"] = "noindex, nofollow"
    response.vary.update(("User-Agent", "Accept"))
    return response
