"""Which e-mail addresses a receipt can go to."""

import pytest

from node_a.domain.receipt import receipt_address


@pytest.mark.parametrize(
    "text",
    [
        "anna@example.com",
        "a.b+vpn@mail.example.ru",
        "o'neil@xn--e1afmkfd.xn--p1ai",
        "1@2.co",
        f"{'a' * 64}@example.com",
    ],
)
def test_an_address_is_taken_as_it_is(text: str) -> None:
    assert receipt_address(text) == text


def test_the_blanks_of_a_phones_keyboard_are_left_out() -> None:
    assert receipt_address("  Anna@Example.com \n") == "Anna@Example.com"


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        " ",
        "anna",
        "@example.com",
        "anna@",
        "anna@localhost",
        "anna@example..com",
        "anna@-example.com",
        "anna@example.c_m",
        "anna@10.0.0.1",
        "an na@example.com",
        "anna@example.com, olga@example.com",
        "anna@example.com\nolga@example.com",
        ".anna@example.com",
        "anna.@example.com",
        "an..na@example.com",
        "Анна@example.com",
        "anna@почта.рф",
        "<anna@example.com>",
        f"{'a' * 65}@example.com",
        f"anna@{'a' * 64}.com",
        f"anna@{'a.' * 124}com",
        "a" * 100_000,
    ],
)
def test_what_is_no_address_is_none(text: str | None) -> None:
    assert receipt_address(text) is None
