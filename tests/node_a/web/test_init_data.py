"""Init data: only what Telegram signed, whole and fresh."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node_a.web.init_data import InitDataRejected, TelegramUser, verified_user
from tests.node_a.web.shop import ANNA, BOT_TOKEN, NOW, init_data, signed

# Public vectors, from the documentation of Telegram's and of other libraries (FACTS.md).
KIBENKO_TOKEN = "5768337691:AAH5YkoiEuPk8-FZa32hStHTqXiLPtAEhx8"
KIBENKO = (
    "query_id=AAHdF6IQAAAAAN0XohDhrOrc&user=%7B%22id%22%3A279058397%2C%22first_name%22%3A%22Vladislav%22%2C%22last_name"
    "%22%3A%22Kibenko%22%2C%22username%22%3A%22vdkfrost%22%2C%22language_code%22%3A%22ru%22%2C%22is_premium%22%3Atrue%7D"
    "&auth_date=1662771648&hash=c501b71e775f74ce10e377dea85a7ea24ecd640b223ea86dfe453e0eaed2e2b2"
)
TEST_USER = (
    "auth_date=1650385342&user=%7B%22id%22%3A42%2C%22first_name%22%3A%22Test%22%7D&query_id=test"
    "&hash=46d2ea5e32911ec8d30999b56247654460c0d20949b6277af519e76271182803"
)


def verify(data: str, *, token: str = BOT_TOKEN, now: datetime = NOW, hours: int = 1) -> TelegramUser:
    return verified_user(data, bot_token=token, max_age=timedelta(hours=hours), now=now)


def at(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def with_user(user: Any) -> str:
    text = user if isinstance(user, str) else json.dumps(user)
    return signed({"user": text, "auth_date": str(int(NOW.timestamp()))})


def test_the_public_vectors_are_accepted() -> None:
    assert verify(KIBENKO, token=KIBENKO_TOKEN, now=at(1662771648)) == TelegramUser(279058397, "ru")  # type: ignore[arg-type]
    assert verify(TEST_USER, token="42:TEST", now=at(1650385342)) == TelegramUser(42, None)  # type: ignore[arg-type]


def test_the_signature_field_and_blank_fields_are_part_of_what_is_signed() -> None:
    data = init_data()
    assert "signature=s" in data
    assert "query_id=&" in data
    assert verify(data).id == ANNA
    for changed in (data.replace("signature=s&", ""), data.replace("query_id=&", "")):
        assert changed != data
        with pytest.raises(InitDataRejected, match="wrong hash"):
            verify(changed)


def test_a_forged_user_beside_the_signed_one_wins_nowhere() -> None:
    forged = "user=%7B%22id%22%3A1%7D"
    for data in (f"{forged}&{init_data()}", f"{init_data()}&{forged}"):
        with pytest.raises(InitDataRejected, match="twice"):
            verify(data)


def test_another_bots_token_does_not_open_it() -> None:
    with pytest.raises(InitDataRejected, match="wrong hash"):
        verify(init_data(), token="43:TEST")


def test_it_is_good_for_its_age_and_a_minute_of_clock_difference_and_no_longer() -> None:
    for age in (timedelta(hours=1), timedelta(minutes=-1)):
        assert verify(init_data(at=NOW - age)).id == ANNA
    with pytest.raises(InitDataRejected, match="too old"):
        verify(init_data(at=NOW - timedelta(hours=1, seconds=1)))
    with pytest.raises(InitDataRejected, match="future"):
        verify(init_data(at=NOW + timedelta(seconds=61)))


@pytest.mark.parametrize("date", ["", "yesterday", "-5", "1.5", "٣", "1" * 13])
def test_a_date_that_is_no_number_of_seconds_is_rejected(date: str) -> None:
    with pytest.raises(InitDataRejected):
        verify(signed({"user": '{"id": 1}', "auth_date": date}))


def test_ids_have_64_bits() -> None:
    assert verify(with_user({"id": 2**63 - 1})).id == 2**63 - 1


@pytest.mark.parametrize(
    "user",
    [
        "",
        "{",
        "null",
        "[]",
        "[" * 5000,
        {},
        {"id": "1"},
        {"id": True},
        {"id": 0},
        {"id": -1},
        {"id": 1.0},
        {"id": 2**63},
        {"id": 1, "language_code": 7},
    ],
)
def test_a_signed_user_that_is_not_a_user_is_rejected(user: Any) -> None:
    with pytest.raises(InitDataRejected, match="no valid"):
        verify(with_user(user))


@pytest.mark.parametrize("data", ["", "x", "hash", "=&=", "user=%ff%fe&hash=00", "a=1&" * 40, "hash=ü"])
def test_what_is_no_query_string_of_telegrams_is_rejected(data: str) -> None:
    with pytest.raises(InitDataRejected):
        verify(data)


@given(st.dictionaries(st.text(st.characters(exclude_categories=["Cs"]), min_size=1), st.text(), max_size=8), st.data())
def test_what_our_own_signer_signs_is_accepted(fields: dict[str, str], data: st.DataObject) -> None:
    id = data.draw(st.integers(1, 2**63 - 1))
    user = {"id": id, "first_name": data.draw(st.text()), "language_code": "ru"}
    own = {"user": json.dumps(user), "auth_date": str(int(NOW.timestamp()))}
    fields = {name: value for name, value in fields.items() if name != "hash" and _encodable(name + value)}
    assert verify(signed({**fields, **own})) == TelegramUser(id, "ru")  # type: ignore[arg-type]


@given(st.data())
def test_any_changed_byte_fails(data: st.DataObject) -> None:
    good = init_data()
    position = data.draw(st.integers(0, len(good) - 1))
    other = data.draw(st.characters(min_codepoint=33, max_codepoint=126).filter(lambda byte: byte != good[position]))
    changed = good[:position] + other + good[position + 1 :]
    if _meaning(changed) == _meaning(good):
        return  # only another spelling of the same fields (%7B as %7b)
    with pytest.raises(InitDataRejected):
        verify(changed)


def _meaning(query: str) -> list[tuple[str, str]]:
    return sorted(parse_qsl(query, keep_blank_values=True, errors="surrogateescape"))


def _encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
