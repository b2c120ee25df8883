"""Holds what was said to YooKassa, and what it said, against its official OpenAPI document."""

import copy
import functools
import re
from collections.abc import Iterator
from typing import Any

from openapi_schema_validator import OAS30Validator, oas30_format_checker

from tests.reference import document

Json = dict[str, Any]

_PREFIX = "#/components/schemas/"
# Every method can meet these; the document lists them for none (429) or for a few (404).
_ANYWHERE = {"404": "NotFound", "429": "TooManyRequests"}


def check_exchange(exchange: Json) -> list[str]:
    """What the document says against one entry of the stand-in's journal; [] when nothing.

    An exchange: method, path (with /v3), query, headers, request, status, response. An answer that never came
    (status None), or that a fault put in the API's place, is not looked at; its request is.
    """
    found = _operation(exchange["method"], exchange["path"])
    if found is None:
        return [f"no such method: {exchange['method']} {exchange['path']}"]
    operation, in_path = found
    complaints = [*_check_parameters(operation, exchange, in_path), *_check_request(operation, exchange["request"])]
    is_foreign = exchange.get("fault") in {"html", "html_200", "redirect"}
    if exchange["status"] is not None and not is_foreign:
        complaints += _check_response(operation, str(exchange["status"]), exchange["response"])
    return complaints


def check_notification(body: Json) -> list[str]:
    """The same for the body of a webhook; the document has no schema for it, only for its event and its object."""
    if set(body) != {"type", "event", "object"} or body["type"] != "notification":
        return [f"not a notification: {sorted(body)}"]
    complaints = _complaints({"$ref": f"{_PREFIX}NotificationEventType"}, body["event"], "event")
    kind = "Refund" if str(body["event"]).startswith("refund.") else "Payment"
    return [*complaints, *_complaints({"$ref": _PREFIX + kind}, body["object"], "object")]


@functools.cache
def _specification() -> Json:
    """The document, with its own inconsistencies corrected where they would reject what is right."""
    specification: Json = copy.deepcopy(document("specs/yookassa-openapi.yaml"))
    schemas = specification["components"]["schemas"]
    # The members of its `oneOf`s overlap and the mappings stand at the base type instead of beside the `oneOf`,
    # so a redirect confirmation would match twice and the discriminator nothing.
    for node in _objects(specification):
        if "oneOf" in node and "discriminator" in node:
            node["discriminator"]["mapping"] = _mapping(schemas, node["oneOf"])
    # The codes 11 and 12 (22 %) came on 2026-01-01; the document ends at 10.
    schemas["ReceiptItemVatCode"]["maximum"] = 12
    # A number in the document, a string ("1.0") in what YooKassa's own SDK makes of it.
    schemas["ReceiptItemQuantity"] = {
        "anyOf": [{"type": "number"}, {"type": "string", "pattern": r"^[0-9]+(\.[0-9]+)?$"}]
    }
    # Its 500 points at the schema of 429; only the general part of an error is true of it.
    error = {"schema": {"$ref": f"{_PREFIX}Error"}}
    specification["components"]["responses"]["InternalServerError"]["content"]["application/json"] = error
    return specification


def _mapping(schemas: Json, members: list[Json]) -> dict[str, str]:
    references = {member["$ref"] for member in members}
    first = schemas[next(iter(references)).removeprefix(_PREFIX)]
    base = schemas[first["allOf"][0]["$ref"].removeprefix(_PREFIX)]
    return {
        value: reference for value, reference in base["discriminator"]["mapping"].items() if reference in references
    }


def _objects(node: object) -> Iterator[Json]:
    if isinstance(node, dict):
        yield node
        for value in node.values():
            yield from _objects(value)
    elif isinstance(node, list):
        for value in node:
            yield from _objects(value)


def _resolved(node: Json) -> Json:
    if "$ref" not in node:
        return node
    target: Json = _specification()
    for part in node["$ref"].removeprefix("#/").split("/"):
        target = target[part]
    return target


def _complaints(schema: Json, value: object, where: str) -> list[str]:
    # The references in a schema point into the document, so the document's part they point at goes along.
    rooted = {**schema, "components": _specification()["components"]}
    validator = OAS30Validator(rooted, format_checker=oas30_format_checker)
    return [
        f"{'.'.join([where, *map(str, error.absolute_path)])}: {error.message}"
        for error in validator.iter_errors(value)
    ]


def _operation(method: str, path: str) -> tuple[Json, dict[str, str]] | None:
    if not path.startswith("/v3/"):
        return None
    for template, operations in _specification()["paths"].items():
        match = re.fullmatch(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", template), path.removeprefix("/v3"))
        if match and method.lower() in operations:
            return operations[method.lower()], match.groupdict()
    return None


def _check_parameters(operation: Json, exchange: Json, in_path: dict[str, str]) -> list[str]:
    given: dict[tuple[str, str], str] = {
        **{("path", name): value for name, value in in_path.items()},
        **{("query", name): value for name, value in exchange["query"].items()},
        **{("header", name): value for name, value in exchange["headers"].items()},
    }
    complaints = []
    known = set()
    for parameter in map(_resolved, operation.get("parameters", [])):
        place = (parameter["in"], parameter["name"])
        known.add(place)
        where = f"{place[0]} {place[1]}"
        if place in given:
            complaints += _complaints(parameter["schema"], _typed(given[place], parameter["schema"]), where)
        elif parameter.get("required"):
            complaints.append(f"{where}: missing")
    complaints += [
        f"query {name}: unknown" for place, name in given if place == "query" and ("query", name) not in known
    ]
    return complaints


def _typed(text: str, schema: Json) -> object:
    is_number = schema.get("type") == "integer" and re.fullmatch(r"-?[0-9]+", text)
    return int(text) if is_number else text


def _check_request(operation: Json, body: object) -> list[str]:
    if "requestBody" not in operation:
        return [] if body in (None, {}) else ["request: a body where none belongs"]
    schema = operation["requestBody"]["content"]["application/json"]["schema"]
    complaints = _complaints(schema, body, "request")
    if isinstance(body, dict):
        # The document closes no object, so a misspelt field would pass; we mean to send none it does not name.
        complaints += [f"request.{name}: unknown" for name in body if name not in schema["properties"]]
    return complaints


def _check_response(operation: Json, status: str, body: object) -> list[str]:
    responses = operation["responses"]
    if status in responses:
        response = _resolved(responses[status])
    elif status in _ANYWHERE:
        response = _specification()["components"]["responses"][_ANYWHERE[status]]
    else:
        return [f"status {status} is not among {sorted(responses)}"]
    return _complaints(response["content"]["application/json"]["schema"], body, "response")
