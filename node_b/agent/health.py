"""The running agent is asked whether it is well, as its container does."""

import http.client
from contextlib import closing
from typing import Final

_PATIENCE: Final = 5.0


def ask(host: str, port: int) -> str | None:
    """What is wrong, in a sentence, or None."""
    with closing(http.client.HTTPConnection(host, port, timeout=_PATIENCE)) as connection:
        try:
            connection.request("GET", "/healthz")
            answer = connection.getresponse()
            said = answer.read(1000).decode(errors="replace")
        except (OSError, http.client.HTTPException) as error:
            return f"the agent does not answer on {host}:{port} ({type(error).__name__})"
    return None if answer.status == http.HTTPStatus.OK else f"the agent answers {answer.status}: {said}"
