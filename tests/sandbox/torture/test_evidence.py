"""A key leads to the node's user, whose end it is; a letter names the end that it promises."""

from datetime import UTC, datetime, timedelta

import pytest

from node_a.application.notices import KeysReady
from node_a.domain.customer import Language
from node_a.domain.keys import key_link
from node_a.domain.node import Protocol
from node_a.wording.wording import Wording
from sandbox.torture.evidence import credential_of, user_of
from sandbox.torture.letters import promised_end
from tests.builders import a_node
from tests.node_a.wording.reading import text
from tests.node_a.wording.views import a_key, a_view


@pytest.mark.parametrize(
    ("protocol", "credential"),
    [
        (Protocol.VLESS, "00bd40ae-31bb-44af-9193-910c0fc007aa"),
        (Protocol.SHADOWSOCKS, "mHOgDau2qR2tH5j8el1RZQ=="),
        (Protocol.SHADOWSOCKS, "+/+/+/+/+/+/+/+/+/+/+w=="),
    ],
)
def test_a_key_holds_what_the_node_knows_its_user_by(protocol: Protocol, credential: str) -> None:
    key = key_link(a_node(), protocol, credential, "🇩🇪 Германия: 1@/x")

    assert credential_of(key) == credential
    assert user_of(key) == (a_node().host, credential)


@pytest.mark.parametrize("month", range(12))
def test_a_letter_with_keys_names_its_end_to_the_minute(month: int) -> None:
    ends_at = datetime(2026, 12, 31, 22, 59, 58, tzinfo=UTC) + timedelta(days=30 * month)
    letter = Wording("QentVPN", "@support").compose(
        KeysReady(a_view(ends_at=ends_at, keys=[a_key(1)])), Language.RUSSIAN
    )

    assert promised_end(text(letter)) == ends_at.replace(second=0).timestamp()


@pytest.mark.parametrize(
    "words", ["", "Действует всегда.", "Действует до 22 мартобря 2026, 18:42 МСК (осталось 2 дня)."]
)
def test_a_letter_may_name_no_end(words: str) -> None:
    assert promised_end(words) is None
