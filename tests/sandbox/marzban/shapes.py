"""Compares an answer with a recorded one: status, shape, and the values that do not depend on time or chance."""

from typing import Any, Final

import httpx

# The original's own words and facts; everything else is compared by its type only.
_STABLE: Final = (
    "status",
    "expire",
    "data_limit",
    "data_limit_reset_strategy",
    "note",
    "inbounds",
    "excluded_inbounds",
    "username",
    "used_traffic",
    "on_hold_expire_duration",
    "detail",
    "token_type",
    "started",
    "version",
)
# Set by a fetch of the panel's own subscription page, which the stand-in does not have.
_MAY_BE_NULL: Final = ("/sub_updated_at", "/sub_last_user_agent")


def differences(recorded: dict[str, Any], answer: httpx.Response) -> list[str]:
    """In words; none when the stand-in answered as the original did."""
    if answer.status_code != recorded["status"]:
        return [f"status {answer.status_code} instead of {recorded['status']}: {answer.text[:200]}"]
    found = [
        f"header {name}: {answer.headers.get(name)!r} instead of {recorded['headers'].get(name)!r}"
        for name in ("content-type", "www-authenticate", "allow")
        if _media(answer.headers.get(name)) != _media(recorded["headers"].get(name))
    ]
    if "json" not in recorded:
        return found if answer.text == recorded["text"] else [*found, f"text {answer.text!r}"]
    body = answer.json()
    return found + _shape(recorded["json"], body, "") + _values(recorded["json"], body)


def _media(value: str | None) -> str | None:
    return value and value.partition(";")[0]


def _shape(expected: Any, actual: Any, place: str) -> list[str]:
    if actual is None and place.endswith(_MAY_BE_NULL):
        return []
    if type(expected) is not type(actual):
        return [f"{place or '/'}: {actual!r} instead of {expected!r}"]
    if isinstance(expected, dict):
        found = [f"{place}/{name}: missing or too much" for name in sorted(expected.keys() ^ actual.keys())]
        for name in expected.keys() & actual.keys():
            found += _shape(expected[name], actual[name], f"{place}/{name}")
        return found
    if isinstance(expected, list):
        if len(expected) != len(actual):
            return [f"{place}: {len(actual)} items instead of {len(expected)}"]
        pairs = enumerate(zip(expected, actual, strict=True))
        return [each for index, pair in pairs for each in _shape(*pair, f"{place}/{index}")]
    return []


def _values(expected: Any, actual: Any) -> list[str]:
    if not isinstance(expected, dict) or "users" in expected:
        return []
    found = [
        f"{name}: {actual.get(name)!r} instead of {expected[name]!r}"
        for name in _STABLE
        if name in expected and actual.get(name) != expected[name]
    ]
    if "links" in expected:
        found += _user_values(expected, actual)
    return found


def _user_values(expected: dict[str, Any], actual: dict[str, Any]) -> list[str]:
    found = []
    for name, settings in expected["proxies"].items():
        found += [word for word in ("flow", "method") if actual["proxies"][name].get(word) != settings.get(word)]
        # Given by the caller; all others are random.
        given = settings.get("id", "").startswith("3f2b8a10-")
        if given and actual["proxies"][name]["id"] != settings["id"]:
            found.append("id")
    marks = [[("&sid=#" in link, "&flow=" in link) for link in user["links"]] for user in (expected, actual)]
    return found if marks[0] == marks[1] else [*found, f"links: {actual['links']}"]
