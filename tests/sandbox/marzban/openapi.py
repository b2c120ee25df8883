"""Holds exchanges against Marzban's own OpenAPI document."""

import re
from typing import Any, Final

from jsonschema import Draft202012Validator
from referencing import Registry
from referencing.jsonschema import DRAFT202012

from tests import reference

_NAME: Final = "urn:marzban"
# Answers that the original gives and its document does not tell of (the recordings have each of them). A 422 is told
# of, but with another shape than the one really sent.
_UNDOCUMENTED: Final = frozenset({307, 405, 422, 500})


def check_exchange(exchange: dict[str, Any]) -> list[str]:
    """What is wrong with one entry of the journal, in words; nothing wrong gives an empty list."""
    where = f"{exchange['method']} {exchange['path']}"
    document = reference.document("specs/marzban-openapi.json")
    call = _call(document, exchange["method"], exchange["path"])
    status = exchange["status"]
    if call is None:
        return [] if status in {307, 404, 405} else [f"{where}: no such call in the document, answered {status}"]
    problems = [f"{where}: unknown query parameter {name}" for name in _unknown_parameters(call, exchange["query"])]
    if status != 422:  # what the panel itself refused need not be valid
        problems += [f"{where}: request {problem}" for problem in _request_problems(call, exchange["request"])]
    if status is None or status in _UNDOCUMENTED:
        return problems
    answer = call["responses"].get(str(status))
    if answer is None:
        return [*problems, f"{where}: undocumented status {status}"]
    schema = answer.get("content", {}).get("application/json", {}).get("schema", {})
    return problems + [f"{where}: response {problem}" for problem in _violations(schema, exchange["response"])]


def _call(document: dict[str, Any], method: str, path: str) -> dict[str, Any] | None:
    found = None
    for template, methods in document["paths"].items():
        if re.fullmatch(re.sub(r"\{[^}]+\}", "[^/]+", template), path) and method.lower() in methods:
            found = methods[method.lower()]
            if "{" not in template:  # `/api/user/…` must not hide a fixed path
                break
    return found


def _unknown_parameters(call: dict[str, Any], query: dict[str, Any]) -> list[str]:
    known = {parameter["name"] for parameter in call.get("parameters", ()) if parameter["in"] == "query"}
    return sorted(query.keys() - known)


def _request_problems(call: dict[str, Any], body: Any) -> list[str]:
    content = call.get("requestBody", {}).get("content", {})
    if not content:
        return [] if body is None else ["has a body, and none is known"]
    return _violations(next(iter(content.values()))["schema"], body)


def _violations(schema: dict[str, Any], value: Any) -> list[str]:
    document = reference.document("specs/marzban-openapi.json")
    registry: Registry[Any] = Registry().with_resource(_NAME, DRAFT202012.create_resource(document))
    absolute = _with_absolute_references(schema)
    errors = Draft202012Validator(absolute, registry=registry).iter_errors(value)
    return [f"{'/'.join(map(str, error.absolute_path)) or '(whole)'}: {error.message}" for error in errors]


def _with_absolute_references(schema: Any) -> Any:
    if isinstance(schema, dict):
        return {
            name: f"{_NAME}{inner}" if name == "$ref" else _with_absolute_references(inner)
            for name, inner in schema.items()
        }
    if isinstance(schema, list):
        return [_with_absolute_references(inner) for inner in schema]
    return schema
