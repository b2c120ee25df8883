"""The answers with which the Bot API says no, in the original's words."""


class Refusal(Exception):
    """Becomes `{"ok": false, "error_code": code, "description": …, "parameters": …}`."""

    def __init__(self, code: int, description: str, **parameters: int) -> None:
        super().__init__(description)
        self.code = code
        self.description = description
        self.parameters = parameters

    def body(self) -> dict[str, object]:
        body: dict[str, object] = {"ok": False, "error_code": self.code, "description": self.description}
        if self.parameters:
            body["parameters"] = self.parameters
        return body


def bad_request(description: str) -> Refusal:
    return Refusal(400, f"Bad Request: {description}")
