"""Asking a route whether it leads to Telegram: getMe, which changes nothing."""

from dataclasses import dataclass
from typing import Final

from node_a.adapters.telegram.routes import NotReached, OpenRoute

# Seconds.
PROBE_TIMEOUT: Final = 5.0

_MEANING: Final = {
    "ClientConnectorCertificateError": "not the certificate that is expected there",
    "ClientConnectorDNSError": "its name cannot be looked up",
    "ClientHttpProxyError": "the proxy refuses",
    "ProxyError": "the proxy refuses",
    "ProxyConnectionError": "nothing listens there, or not for us",
    "ClientConnectorError": "nothing listens there, or not for us",
}


@dataclass(frozen=True, slots=True)
class Sight:
    """Whether Telegram answered, and what came of it in words for an operator."""

    works: bool
    says: str


async def look_at(route: OpenRoute, token: str) -> Sight:
    """That Telegram does not know our token, or wants us slower, is an answer too: it would say so over every route."""
    try:
        reply = await route.call("get", f"/bot{token}/getMe", seconds=PROBE_TIMEOUT)
    except NotReached as failure:
        name = str(failure)
        if "Timeout" in name:
            return Sight(False, f"no answer within {PROBE_TIMEOUT:g} s")
        return Sight(False, f"no answer ({_MEANING.get(name, name)})")
    status = reply.response.status
    if not reply.is_telegrams:
        return Sight(False, f"no answer of Telegram's ({status} from somebody else)")
    if status in {401, 404}:
        return Sight(True, f"works, but Telegram does not know this bot ({status}): look at TELEGRAM_BOT_TOKEN")
    return Sight(True, "works")
