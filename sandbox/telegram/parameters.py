"""What a caller of the Bot API sent, however it was sent: query, form (with GET, too), multipart or JSON."""

import json
import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from aiohttp import BodyPartReader, web

from sandbox.telegram.refusal import bad_request


@dataclass(frozen=True, slots=True)
class Upload:
    name: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Parameters:
    values: dict[str, str]
    uploads: dict[str, Upload]

    def journalled(self) -> dict[str, Any]:
        return {**self.values, **{name: {"file": len(file.content)} for name, file in self.uploads.items()}}

    def text(self, name: str) -> str:
        """As the original, which does not tell an absent parameter from an empty one."""
        return self.values.get(name, "")

    def integer(self, name: str) -> int | None:
        value = self.text(name).strip()
        if not value:
            return None
        if not re.fullmatch(r"-?[0-9]{1,19}", value):
            raise bad_request(f'invalid integer value of parameter "{name}" specified')
        return int(value)

    def boolean(self, name: str) -> bool:
        value = self.text(name).strip().lower()
        if value not in {"", "true", "false", "yes", "no", "1", "0"}:
            raise bad_request(f'invalid boolean value of parameter "{name}" specified')
        return value in {"true", "yes", "1"}

    def json(self, name: str, what: str) -> Any:
        """None when absent; `what` is the original's word for the thing in its error."""
        value = self.text(name)
        if not value:
            return None
        try:
            return json.loads(value)
        except ValueError:
            raise bad_request(f"can't parse {what} JSON object") from None


async def read(request: web.Request) -> Parameters:
    values = dict(request.query)
    uploads: dict[str, Upload] = {}
    try:
        if request.content_type == "application/x-www-form-urlencoded":
            # request.post() would ignore the body of a GET, which is how pyTelegramBotAPI asks.
            values.update(parse_qsl(await request.text(), keep_blank_values=True))
        elif request.content_type == "application/json":
            body = json.loads(await request.text())
            values.update({name: _as_text(value) for name, value in dict(body).items() if value is not None})
        elif request.content_type == "multipart/form-data":
            async for part in await request.multipart():
                if not isinstance(part, BodyPartReader) or part.name is None:
                    continue
                if part.filename is None:
                    values[part.name] = await part.text()
                else:
                    uploads[part.name] = Upload(part.filename, bytes(await part.read()))
    except (ValueError, TypeError):
        raise bad_request("can't parse the request body") from None
    return Parameters(values, uploads)


def _as_text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)
