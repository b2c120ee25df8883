"""Keys are derived from a secret, never stored: the same question always gives the same key.

`HMAC-SHA256(secret, "<purpose>:<node>:<subscription>:<rotation>")`, different on each node, so that a seized node tells
nothing of the others.
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import quote, urlencode
from uuid import UUID

from node_a.domain.customer import CustomerId
from node_a.domain.node import Node, NodeCode, OutlineInbound, Protocol
from node_a.domain.subscription import Subscription, SubscriptionId

_KEY_BYTES: Final = 16
_TOKEN_PROOF_BYTES: Final = 16


@dataclass(frozen=True, slots=True)
class Key:
    """What a customer puts into an app: the `vless://` or `ss://` link of one access."""

    node: NodeCode
    protocol: Protocol
    link: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class KeyRing:
    """The numbered secrets; the highest number is for new subscriptions."""

    secrets: Mapping[int, bytes] = field(repr=False)

    @property
    def newest(self) -> int:
        return max(self.secrets)

    def check_value(self, number: int) -> str:
        """Tells whether a secret is still the same one, and nothing else about it."""
        return hmac.digest(self.secrets[number], b"check", hashlib.sha256)[:8].hex()

    def trial_hashes(self, customer_id: CustomerId) -> Sequence[str]:
        """By which it is known that this person had a trial, even after they were erased; made with each secret, the
        newest first. Without the secrets nobody can tell whose they are."""
        message = f"trial:{customer_id}".encode()
        newest_first = sorted(self.secrets, reverse=True)
        return [hmac.new(self.secrets[number], message, hashlib.sha256).hexdigest() for number in newest_first]

    def credential(self, subscription: Subscription, node: NodeCode, protocol: Protocol) -> str:
        """The VLESS id (a version 4 UUID) or the Shadowsocks user key (standard base64 of 16 bytes)."""
        raw = self._derived(subscription, protocol.value, node)[:_KEY_BYTES]
        if protocol is Protocol.VLESS:
            return str(UUID(bytes=raw, version=4))
        return base64.b64encode(raw).decode()

    def outline_password(self, subscription: Subscription, node: NodeCode) -> str:
        """For Outline's client: base64url of 16 bytes, as the panel's own passwords are."""
        raw = self._derived(subscription, "outline", node)[:_KEY_BYTES]
        return base64.urlsafe_b64encode(raw).decode().rstrip("=")

    def link_token(self, subscription: Subscription) -> str:
        """What the subscription link ends with: base64url of the subscription's id and its proof."""
        proof = self._derived(subscription, "link", "")[:_TOKEN_PROOF_BYTES]
        return base64.urlsafe_b64encode(subscription.id.bytes + proof).decode().rstrip("=")

    def opens(self, token: str, subscription: Subscription) -> bool:
        """Whether `token` is this subscription's, in time that does not tell how wrong it is."""
        return hmac.compare_digest(token.encode(), self.link_token(subscription).encode())

    def _derived(self, subscription: Subscription, purpose: str, node: str) -> bytes:
        message = f"{purpose}:{node}:{subscription.id}:{subscription.rotation}"
        return hmac.digest(self.secrets[subscription.secret_number], message.encode(), hashlib.sha256)


def subscription_named_by(token: str) -> SubscriptionId | None:
    """The id that a link token claims; None when it is no token at all. Not yet a proof."""
    if len(token) != 43 or not token.isascii():
        return None
    try:
        raw = base64.b64decode(token + "=", altchars=b"-_", validate=True)
    except binascii.Error:
        return None
    return SubscriptionId(UUID(bytes=raw[:16]))


def key_link(node: Node, protocol: Protocol, credential: str, label: str) -> str:
    """The link that apps import. `label` is what the app shows."""
    host = _host_in_link(node)
    if protocol is Protocol.VLESS:
        reality = node.reality
        query = urlencode(
            {
                "encryption": "none",
                "security": "reality",
                "type": "tcp",
                "flow": reality.flow,
                "sni": reality.server_name,
                "fp": reality.fingerprint,
                "pbk": reality.public_key,
                "sid": reality.short_id,
            }
        )
        return f"vless://{credential}@{host}:{reality.port}?{query}#{quote(label)}"
    shadowsocks = node.shadowsocks
    # SIP002: with the 2022 methods the user part is percent-encoded, not base64.
    password = quote(f"{shadowsocks.server_key}:{credential}", safe="")
    return f"ss://{shadowsocks.method}:{password}@{host}:{shadowsocks.port}#{quote(label)}"


def outline_link(node: Node, inbound: OutlineInbound, password: str, label: str) -> str:
    """The access key that Outline's client takes. SIP002: the classic methods have their user part in base64url."""
    user = base64.urlsafe_b64encode(f"{inbound.method}:{password}".encode()).decode().rstrip("=")
    return f"ss://{user}@{_host_in_link(node)}:{inbound.port}#{quote(label)}"


def _host_in_link(node: Node) -> str:
    return f"[{node.host}]" if ":" in node.host else node.host
