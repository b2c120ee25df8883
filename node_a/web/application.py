"""The Flask application, put together from its parts."""

from types import TracebackType

from flask import Flask, Response, redirect, request
from werkzeug.exceptions import HTTPException
from werkzeug.middleware.proxy_fix import ProxyFix
from werkzeug.wrappers import Response as AnyResponse

from node_a.domain.errors import Unavailable
from node_a.web.access_log import WithId, start_clock, write_line
from node_a.web.headers import security_headers
from node_a.web.health import health
from node_a.web.link_formats.shelf import Shelf
from node_a.web.links import links
from node_a.web.mini_app import mini_app, mini_app_shell
from node_a.web.needs import Web
from node_a.web.pages import Pages
from node_a.web.payments_return import payments_return
from node_a.web.places import Places
from node_a.web.renewals import renewals
from node_a.web.static_files import asset_urls, let_browsers_keep_them
from node_a.web.webhooks import LARGEST_BODY, webhooks

ExceptionInfo = tuple[type, BaseException, TracebackType] | tuple[None, None, None]


class _Application(Flask):
    def log_exception(self, exc_info: ExceptionInfo | BaseException | None) -> None:
        # Flask's own line has the path, and a path may hold a link's token.
        rule = request.url_rule.rule if request.url_rule else None
        self.logger.error("unexpected error on %s [%s]", rule, request.method, exc_info=exc_info)


def create_app(web: Web) -> Flask:
    """A WSGI application; it starts no thread of its own and opens nothing until a request needs it."""
    app = _Application(__name__, static_folder="static", template_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = LARGEST_BODY
    assets = asset_urls()
    pages = Pages(web, assets)
    places = Places(web.payments_at_once)

    app.before_request(start_clock)
    app.after_request(write_line)
    app.after_request(security_headers(web))
    let_browsers_keep_them(app, assets)
    _explain_errors(app, pages)

    app.register_blueprint(mini_app_shell(web, pages))
    app.register_blueprint(mini_app(web, pages, places))
    app.register_blueprint(payments_return(web, pages))
    app.register_blueprint(webhooks(web))
    app.register_blueprint(links(web, pages, Shelf()))
    app.register_blueprint(renewals(web, pages, places))
    app.register_blueprint(health(web))

    @app.get("/")
    def root() -> AnyResponse:
        return redirect(web.bot_url)

    wsgi = app.wsgi_app
    if web.trusted_proxies:
        # Only the address: nothing here depends on the host or scheme that a proxy claims.
        wsgi = ProxyFix(wsgi, x_for=web.trusted_proxies, x_proto=0, x_host=0, x_port=0, x_prefix=0)
    app.wsgi_app = WithId(wsgi)  # type: ignore[method-assign]
    return app


def _explain_errors(app: Flask, pages: Pages) -> None:
    """Pages without details."""

    @app.errorhandler(HTTPException)
    def http_error(error: HTTPException) -> AnyResponse:
        response = error.get_response()
        response.set_data(pages("error.html", pages.requested_language(), status=response.status_code))
        return response

    @app.errorhandler(Unavailable)
    def unavailable(error: Unavailable) -> Response:
        app.logger.error("unavailable: %s", type(error).__name__, exc_info=error)
        html = pages("error.html", pages.requested_language(), status=503)
        return Response(html, status=503, headers={"Retry-After": "5"})
