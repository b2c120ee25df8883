"""The errors of the API, as objects with the original's fields."""

import uuid

from sandbox.store import Document


class Problem(Exception):
    """An answer other than 200. `parameter` names the field at fault, in dotted form."""

    def __init__(self, status: int, code: str, description: str, parameter: str | None = None) -> None:
        super().__init__(f"{status} {code}: {description}")
        self.status = status
        self.code = code
        self.description = description
        self.parameter = parameter

    def body(self) -> Document:
        body: Document = {
            "type": "error",
            "id": str(uuid.uuid4()),
            "code": self.code,
            "description": self.description,
        }
        if self.parameter is not None:
            body["parameter"] = self.parameter
        if self.status == 429:
            body["retry_after"] = 1800  # milliseconds, as in the original's example
        return body


def invalid(description: str, parameter: str | None = None) -> Problem:
    return Problem(400, "invalid_request", description, parameter)


def unauthorized() -> Problem:
    return Problem(
        401,
        "invalid_credentials",
        "Error in shopId or secret key. Check their validity.",
        "Authorization",
    )


def not_found(what: str, parameter: str | None = None) -> Problem:
    return Problem(404, "not_found", f"{what} doesn't exist", parameter)
