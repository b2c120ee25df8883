"""What whoever renews by the link is told when a request cannot be served: a whole page, with a way on."""

from typing import Final

import structlog
from flask import Blueprint, Response, g, request

from node_a.domain.errors import PaymentRefused, ProviderUnavailable, Unavailable, UnknownPlan
from node_a.web.link_page import lang_query
from node_a.web.orders import Order
from node_a.web.pages import Pages
from node_a.web.visitor import TooManyRequests

log = structlog.get_logger("web.link_problems")

# Which words of link_problem.html, the status, and seconds until a repetition makes sense.
_PROBLEMS: Final[dict[type[Exception], tuple[str, int, int | None]]] = {
    UnknownPlan: ("unknown-plan", 404, None),
    PaymentRefused: ("payment-refused", 502, None),
    ProviderUnavailable: ("provider-silent", 503, 3),
    Unavailable: ("busy", 503, 3),
    TooManyRequests: ("too-many", 429, None),
}


def explain_problems(blueprint: Blueprint, pages: Pages) -> None:
    """What is not in the table is a mistake of ours, and explained like every other."""

    def explain(error: Exception) -> Response:
        name, status, wait = next(_PROBLEMS[kind] for kind in type(error).__mro__ if kind in _PROBLEMS)
        if isinstance(error, TooManyRequests):
            wait = error.wait
        elif isinstance(error, Unavailable):
            log.warning("a renewal must wait", problem=name, reason=str(error))
        elif status >= 500:  # somebody must look
            log.error("a renewal failed", problem=name, exc_info=error)
        order = Order.of_form(request) if request.method == "POST" else None
        html = pages(
            "link_problem.html",
            g.get("language") or pages.requested_language(),
            problem=name,
            path=f"/sub/{(request.view_args or {}).get('token', '')}",
            asked=lang_query(),
            order=order,
        )
        return Response(html, status=status, headers={} if wait is None else {"Retry-After": str(wait)})

    for kind in _PROBLEMS:
        blueprint.register_error_handler(kind, explain)
