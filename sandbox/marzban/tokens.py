"""Access tokens like the original's: signed, 24 hours long, valid across restarts."""

import base64
import hashlib
import hmac
import json
import secrets
from typing import Any, Final

from sandbox.node_control import Clock
from sandbox.store import Store

LIFETIME: Final = 24 * 60 * 60


class Tokens:
    """Makes and checks JSON web tokens (HS256); the secret lives in the store."""

    def __init__(self, store: Store, clock: Clock) -> None:
        settings = store.table("marzban_settings")
        if "token_secret" not in settings:
            settings["token_secret"] = {"value": secrets.token_hex(32)}
        self._secret = str(settings["token_secret"]["value"]).encode()
        self._clock = clock

    def issue(self, username: str) -> str:
        now = int(self._clock())
        head = _packed({"alg": "HS256", "typ": "JWT"})
        claims = {"sub": username, "access": "sudo", "iat": now, "exp": now + LIFETIME}
        signed = f"{head}.{_packed(claims)}"
        return f"{signed}.{self._signature(signed)}"

    def is_valid(self, token: str) -> bool:
        signed, _, signature = token.rpartition(".")
        if not hmac.compare_digest(signature.encode(), self._signature(signed).encode()):
            return False
        claims = json.loads(base64.urlsafe_b64decode(signed.partition(".")[2] + "=="))
        return bool(claims["exp"] > self._clock())

    def _signature(self, signed: str) -> str:
        digest = hmac.new(self._secret, signed.encode(), hashlib.sha256).digest()
        return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def _packed(document: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(document).encode()).rstrip(b"=").decode()
