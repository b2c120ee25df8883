"""What a customer is told when a request cannot be served: a kind fragment, and a status for the module."""

from dataclasses import dataclass

import structlog
from flask import Blueprint, Response, g

from node_a.domain.errors import (
    CustomerBanned,
    PaymentRefused,
    ProviderUnavailable,
    RotationRefused,
    TooManyRotations,
    TrialRefused,
    Unavailable,
    UnknownCustomer,
    UnknownPayment,
    UnknownPlan,
)
from node_a.web.init_data import InitDataRejected
from node_a.web.pages import Pages
from node_a.web.visitor import BeingErased, NoInitData, TooManyRequests

log = structlog.get_logger("web.problems")


@dataclass(frozen=True, slots=True)
class _Problem:
    """`name`: which words of problem.html; `wait`: seconds until a repetition makes sense."""

    name: str
    status: int
    wait: int | None = None


# The first that fits.
_PROBLEMS: tuple[tuple[type[Exception], _Problem], ...] = (
    (NoInitData, _Problem("outside", 401)),
    (InitDataRejected, _Problem("stale", 401)),
    (CustomerBanned, _Problem("banned", 403)),
    (BeingErased, _Problem("being-erased", 403)),
    (UnknownCustomer, _Problem("being-erased", 403)),  # between being let in and being served
    (TrialRefused, _Problem("trial-refused", 409)),
    (TooManyRotations, _Problem("too-many-rotations", 409)),
    (RotationRefused, _Problem("rotation-refused", 409)),
    (UnknownPlan, _Problem("unknown-plan", 404)),
    (UnknownPayment, _Problem("unknown-payment", 404)),
    (PaymentRefused, _Problem("payment-refused", 502)),
    (ProviderUnavailable, _Problem("provider-silent", 503, wait=3)),
    (Unavailable, _Problem("busy", 503, wait=3)),
)
_UNEXPECTED = _Problem("broken", 500)


def explain_problems(blueprint: Blueprint, pages: Pages) -> None:
    """Every error of the blueprint's views becomes a fragment."""

    @blueprint.errorhandler(Exception)
    def explain(error: Exception) -> Response:
        problem = _problem(error)
        _note(error, problem)
        language = g.get("language") or pages.requested_language()
        response = Response(pages("problem.html", language, problem=problem.name), status=problem.status)
        if problem.wait is not None:
            response.headers["Retry-After"] = str(problem.wait)
        return response


def _note(error: Exception, problem: _Problem) -> None:
    if isinstance(error, InitDataRejected):
        log.info("init data rejected", reason=str(error))
    elif isinstance(error, Unavailable):
        log.warning("a request must wait", problem=problem.name, reason=str(error))
    elif problem.status >= 500:  # somebody must look
        log.error("a request failed", problem=problem.name, exc_info=error)


def _problem(error: Exception) -> _Problem:
    if isinstance(error, TooManyRequests):
        return _Problem("too-many", 429, wait=error.wait)
    return next((problem for kind, problem in _PROBLEMS if isinstance(error, kind)), _UNEXPECTED)
