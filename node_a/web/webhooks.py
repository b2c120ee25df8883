"""What the payment provider tells us: never believed, only a reason to look soon."""

import json
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

import structlog
from flask import Blueprint, Response, request

from node_a.domain.errors import Unavailable
from node_a.domain.payment import PaymentId
from node_a.web.needs import Web

LARGEST_BODY: Final = 64 * 1024
_LONGEST_ID: Final = 64

# Where each event names the provider's payment, inside `object`.
_PAYMENT_FIELDS: Final = {
    "payment.waiting_for_capture": "id",
    "payment.succeeded": "id",
    "payment.canceled": "id",
    "refund.succeeded": "payment_id",
}

log = structlog.get_logger("web.webhooks")


class _Malformed(Exception):
    """Not a notification; whoever sent it, we want it corrected."""


@dataclass(frozen=True, slots=True)
class _Notification:
    event: str
    id: PaymentId | None
    provider_id: str | None


def webhooks(web: Web) -> Blueprint:
    """Only 200 counts as received, anything else is sent again for a day: 503 asks for that, 200 ends it."""
    blueprint = Blueprint("webhooks", __name__)

    @blueprint.post("/webhooks/yookassa")
    def yookassa() -> Response:
        if not web.is_provider_address(request.remote_addr or ""):
            log.warning("a webhook from a foreign address", address=request.remote_addr)
            return _answer(403)
        try:
            notification = _parsed(request.get_data())
        except _Malformed as error:
            log.warning("a malformed webhook", problem=str(error))
            return _answer(400)
        if notification is None:
            return _answer(200)
        ids = {
            "payment": str(notification.id),
            "provider_id": notification.provider_id,
            "event_name": notification.event,
        }
        try:
            about_a_refund = notification.event.startswith("refund.")
            found = web.nudge(notification.id, notification.provider_id, about_a_refund)
        except Unavailable as error:
            log.warning("a webhook could not be noted", problem=str(error), **ids)
            return _answer(503)
        except Exception as error:  # whatever kept us from committing, a redelivery is the cure
            log.exception("a webhook could not be noted", error=type(error).__name__, **ids)
            return _answer(503)
        log.info("a webhook noted" if found else "a webhook about nothing that is open", **ids)
        return _answer(200)

    return blueprint


def _answer(status: int) -> Response:
    return Response(status=status, mimetype="text/plain")


def _parsed(body: bytes) -> _Notification | None:
    """What the body claims; None for events that do not concern us."""
    try:
        claim = json.loads(body)
    except (ValueError, RecursionError):  # thousands of "[" exhaust the parser
        raise _Malformed("not JSON") from None
    if not isinstance(claim, dict) or claim.get("type") != "notification":
        raise _Malformed("not a notification")
    event, subject = claim.get("event"), claim.get("object")
    if not isinstance(event, str) or not isinstance(subject, dict):
        raise _Malformed("no event or no object")
    if event not in _PAYMENT_FIELDS:
        return None
    provider_id = _text(subject.get(_PAYMENT_FIELDS[event]))
    id = _our_id(subject) if event.startswith("payment.") else None
    if id is None and provider_id is None:
        raise _Malformed("no id")
    return _Notification(event, id, provider_id)


def _text(value: Any) -> str | None:
    good = isinstance(value, str) and 0 < len(value) <= _LONGEST_ID and value.isascii() and value.isprintable()
    return value if good else None


def _our_id(subject: dict[str, Any]) -> PaymentId | None:
    metadata = subject.get("metadata")
    text = _text(metadata.get("payment_id")) if isinstance(metadata, dict) else None
    try:
        return PaymentId(UUID(text)) if text else None
    except ValueError:
        return None  # somebody else's metadata: the provider's id is still good
