"""A key leads to the node's user, whose end it is."""

import pytest

from node_a.domain.keys import key_link
from node_a.domain.node import Protocol
from sandbox.torture.evidence import credential_of
from tests.builders import a_node


@pytest.mark.parametrize(
    ("protocol", "credential"),
    [
        (Protocol.VLESS, "00bd40ae-31bb-44af-9193-910c0fc007aa"),
        (Protocol.SHADOWSOCKS, "mHOgDau2qR2tH5j8el1RZQ=="),
        (Protocol.SHADOWSOCKS, "+/+/+/+/+/+/+/+/+/+/+w=="),
    ],
)
def test_a_key_holds_what_the_node_knows_its_user_by(protocol: Protocol, credential: str) -> None:
    assert credential_of(key_link(a_node(), protocol, credential, "🇩🇪 Германия: 1@/x")) == credential
