"""Keys: always the same for the same question, different for any other, and never shown."""

import base64
from dataclasses import replace
from urllib.parse import parse_qs, unquote, urlsplit
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node_a.domain.access import AccessId, HeldAccess, WantedAccess, user_name
from node_a.domain.customer import CustomerId
from node_a.domain.keys import KeyRing, key_link, outline_link, subscription_named_by
from node_a.domain.node import NodeCode, Protocol
from node_a.domain.subscription import Subscription, SubscriptionId
from tests.builders import ANNA, NOW, OUTLINE, RING, a_node

SUBSCRIPTION = Subscription(SubscriptionId(UUID("1b4e28ba-2fa1-41d2-883f-0016d3cca427")), ANNA.id, secret_number=1)
DE1 = NodeCode("de1")


def test_the_derivation_never_changes() -> None:
    """Fixed values: if these change, every customer's key dies."""
    assert RING.credential(SUBSCRIPTION, DE1, Protocol.VLESS) == "00bd40ae-31bb-44af-9193-910c0fc007aa"
    assert RING.credential(SUBSCRIPTION, DE1, Protocol.SHADOWSOCKS) == "mHOgDau2qR2tH5j8el1RZQ=="
    assert RING.outline_password(SUBSCRIPTION, DE1) == "bIE_7kdoBzBvi1XWBXu7Ww"
    assert RING.link_token(SUBSCRIPTION) == "G04oui-hQdKIPwAW08ykJ0Dix5ciKEmlPSBRJfbmWtI"
    assert RING.check_value(1) == "f09344a727832a9c"
    assert [hash[:16] for hash in RING.trial_hashes(ANNA.id)] == ["e0235c3551305e16", "f27828da10e273cc"]


def test_the_vless_id_is_a_version_4_uuid() -> None:
    id = UUID(RING.credential(SUBSCRIPTION, DE1, Protocol.VLESS))

    assert id.version == 4
    assert id.variant == "specified in RFC 4122"


def test_the_shadowsocks_key_is_sixteen_bytes_of_standard_base64() -> None:
    key = RING.credential(SUBSCRIPTION, DE1, Protocol.SHADOWSOCKS)

    assert len(base64.b64decode(key, validate=True)) == 16


def test_every_part_of_the_question_changes_every_key() -> None:
    variants = [
        SUBSCRIPTION,
        replace(SUBSCRIPTION, rotation=1),
        replace(SUBSCRIPTION, secret_number=2),
        replace(SUBSCRIPTION, id=SubscriptionId(UUID(int=2))),
    ]
    keys = [
        RING.credential(one, node, protocol)
        for one in variants
        for node in (DE1, NodeCode("fi1"))
        for protocol in Protocol
    ] + [RING.outline_password(one, node) for one in variants for node in (DE1, NodeCode("fi1"))]
    tokens = [RING.link_token(one) for one in variants]

    assert len(set(keys)) == len(keys)
    assert len(set(tokens)) == len(tokens)


def test_the_newest_secret_is_the_highest_number() -> None:
    assert RING.newest == 2
    assert RING.check_value(1) != RING.check_value(2)


def test_a_token_names_its_subscription_and_opens_it_until_rotated() -> None:
    token = RING.link_token(SUBSCRIPTION)

    assert subscription_named_by(token) == SUBSCRIPTION.id
    assert RING.opens(token, SUBSCRIPTION)
    assert not RING.opens(token, replace(SUBSCRIPTION, rotation=1))


@given(st.integers(0, 42), st.characters())
def test_any_changed_character_of_a_token_opens_nothing(place: int, character: str) -> None:
    token = RING.link_token(SUBSCRIPTION)
    forged = token[:place] + character + token[place + 1 :]
    if forged == token:
        return

    named = subscription_named_by(forged)
    # The last character carries two bits that base64 leaves unused; even so it must be the very same text.
    assert named is None or not RING.opens(forged, replace(SUBSCRIPTION, id=named))


@given(st.text())
def test_no_text_breaks_the_reading_of_a_token(text: str) -> None:
    assert subscription_named_by(text) is None or len(text) == 43


def test_a_vless_link_carries_everything_a_client_needs() -> None:
    parts = urlsplit(key_link(a_node(), Protocol.VLESS, "the-id", "Германия 1"))
    query = {name: values[0] for name, values in parse_qs(parts.query).items()}

    assert (parts.scheme, parts.username, parts.hostname, parts.port) == ("vless", "the-id", "de1.example.org", 2053)
    assert query == {
        "encryption": "none",
        "security": "reality",
        "type": "tcp",
        "flow": "xtls-rprx-vision",
        "sni": "borrowed.example.org",
        "fp": "chrome",
        "pbk": "A" * 43,
        "sid": "0123abcd",
    }
    assert unquote(parts.fragment) == "Германия 1"


def test_a_shadowsocks_link_carries_the_server_key_and_the_users_key_unharmed() -> None:
    parts = urlsplit(key_link(a_node(host="2001:db8::1"), Protocol.SHADOWSOCKS, "a+/b==", "Germany"))

    assert parts.scheme == "ss"
    assert parts.username == "2022-blake3-aes-128-gcm"
    assert unquote(parts.password or "").split(":")[1] == "a+/b=="
    assert (parts.hostname, parts.port) == ("2001:db8::1", 443)


@pytest.mark.parametrize(("host", "shown"), [("de1.example.org",) * 2, ("2001:db8::1", "[2001:db8::1]")])
def test_an_outline_link_is_what_its_client_reads(host: str, shown: str) -> None:
    password = RING.outline_password(SUBSCRIPTION, DE1)
    link = outline_link(a_node(host=host), OUTLINE, password, "Германия 1 · Outline")

    user, _, rest = link.removeprefix("ss://").partition("@")
    # Some readers know base64url, some the standard one, some no padding: for this text all of them are the same.
    assert base64.b64decode(user, validate=True) == base64.urlsafe_b64decode(user)
    assert base64.b64decode(user).decode() == f"chacha20-ietf-poly1305:{password}"
    address, _, label = rest.partition("#")
    assert address == f"{shown}:8388"
    assert unquote(label) == "Германия 1 · Outline"


@given(st.uuids())
def test_an_outline_link_reads_the_same_in_every_base64(id: UUID) -> None:
    password = RING.outline_password(replace(SUBSCRIPTION, id=SubscriptionId(id)), DE1)
    user = outline_link(a_node(), OUTLINE, password, "").removeprefix("ss://").partition("@")[0]

    assert user.isalnum()
    assert len(user) % 4 == 0


@pytest.mark.parametrize("number", [1, 2])
def test_no_secret_shows_in_a_representation(number: int) -> None:
    id = AccessId(SUBSCRIPTION.id, DE1, Protocol.VLESS)
    wanted = WantedAccess(id, 1, True, NOW, None, "the credential", outline_password="the password")
    held = HeldAccess("q_1", "the credential", None, None, 0, outline_password="the password")

    assert RING.secrets[number].decode() not in repr(RING)
    assert "the credential" not in repr(wanted) + repr(held)
    assert "the password" not in repr(wanted) + repr(held)


def test_a_user_name_is_of_the_set_that_is_safe_everywhere() -> None:
    name = user_name(SUBSCRIPTION.id)

    assert name == "q_dnhcrorpufa5fcb7aalnhtfee4"
    assert len(name) == 28


def test_a_ring_of_one_secret_works() -> None:
    assert KeyRing({7: b"x" * 32}).newest == 7


def test_a_trial_is_remembered_by_a_hash_of_each_secret_the_newest_first() -> None:
    assert RING.trial_hashes(ANNA.id) == [
        *KeyRing({2: RING.secrets[2]}).trial_hashes(ANNA.id),
        *KeyRing({1: RING.secrets[1]}).trial_hashes(ANNA.id),
    ]
    everybodys = [hash for id in (1, 2, 12, 21) for hash in RING.trial_hashes(CustomerId(id))]
    assert len(set(everybodys)) == 8
    assert {len(hash) for hash in everybodys} == {64}
