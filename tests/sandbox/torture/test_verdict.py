"""The verdict sees what it is there to see."""

from dataclasses import replace

import pytest

from sandbox.torture.verdict import Account, Promise, Verdict, verdict

DAY = 86_400.0
PAID_AT = 1_800_000_000.0
VLESS, SHADOWSOCKS = "vless://one@de1:2053", "ss://two@de1:443"
ELSEWHERE = frozenset({"vless://three@nl1:2053", "ss://four@nl1:443"})
ALL = ELSEWHERE | {VLESS, SHADOWSOCKS}
PROMISE = Promise(frozenset({"de1", "nl1"}), grace_days=1)


def served(*days: int, settled_after: float = 2.0) -> Account:
    """A customer who got exactly what was paid for."""
    end = PAID_AT + settled_after + sum(days) * DAY
    payments = frozenset(f"payment-{number}" for number, _ in enumerate(days))
    return Account(
        customer=7,
        paid=payments,
        succeeded=payments,
        days=days,
        first_paid_at=PAID_AT,
        keys_messages=len(days),
        # To the minute, as people read it.
        promised_ends=frozenset({end // 60 * 60}),
        chat_keys=ALL,
        linked_keys=ALL,
        ends=dict.fromkeys(ALL, end + DAY),
    )


def later(account: Account, days: float) -> Account:
    return replace(account, ends={key: end + days * DAY for key, end in account.ends.items()})


def of(account: Account) -> Verdict:
    return verdict([served(30), account, Account(customer=8)], strangers=[], promise=PROMISE)


def counts(seen: Verdict) -> tuple[int, int, int]:
    return len(seen.lost), len(seen.doubled), seen.repeated_messages


@pytest.mark.parametrize(
    "account",
    [
        served(30),
        served(30, 90),
        served(30, settled_after=0),
        served(30, settled_after=20 * 60),
        replace(served(30), chat_keys=frozenset({VLESS})),  # the other one is in the link
        # Each letter with the end of its day; or both grants provided at once, and both letters with the last end.
        replace(served(30, 90), promised_ends=served(30).promised_ends | served(30, 90).promised_ends),
        Account(customer=9),
    ],
)
def test_whoever_got_what_was_paid_for_is_neither_lost_nor_doubled(account: Account) -> None:
    assert counts(of(account)) == (0, 0, 0)


@pytest.mark.parametrize(
    "account",
    [
        replace(served(30), keys_messages=0, chat_keys=frozenset()),
        replace(served(30, 30), keys_messages=1),
        replace(served(30), chat_keys=frozenset()),
        replace(served(30), chat_keys=ALL | {"vless://somebody-elses@de1:2053"}),
        replace(served(30), linked_keys=frozenset()),
        replace(served(30), linked_keys=frozenset({VLESS}), chat_keys=frozenset({VLESS})),
        replace(served(30), linked_keys=ALL - ELSEWHERE, chat_keys=ALL - ELSEWHERE),
        replace(served(30), linked_keys=ALL | {"vless://five@nl1:2053"}),
        replace(served(30), linked_keys=ALL | {"vless://five@se1:2053"}),
        replace(served(30), ends={VLESS: served(30).ends[VLESS]}),
        replace(served(30), ends={}),
        replace(served(30), ends={**served(30).ends, SHADOWSOCKS: PAID_AT}),
        later(served(30, 90), -30),
        later(served(30), -0.01),
        later(served(30), -1),
        replace(served(30, 90), promised_ends=served(30).promised_ends),
        replace(served(30), promised_ends=frozenset()),
        replace(Account(customer=9), paid=frozenset({"payment-0"})),
        replace(served(30), paid=frozenset({"payment-0", "payment-1"})),
        replace(served(30), paid=frozenset()),
    ],
    ids=[
        "no message",
        "one message for two purchases",
        "a message without keys",
        "a key that the link does not hold",
        "an empty link",
        "one key in the link",
        "no key of the other node in the link",
        "a second key of the same place in the link",
        "a key of a node that there is not",
        "a key that its keeper does not know",
        "keys that nobody knows",
        "one key that ended",
        "a renewal that added nothing",
        "a quarter of an hour too little",
        "no grace",
        "the first letter twice, the renewal's never",
        "a letter without an end",
        "a payment that neither the provider nor the shop knows",
        "a second payment that the provider does not know",
        "a payment that the customer does not know",
    ],
)
def test_whoever_got_less_is_lost(account: Account) -> None:
    assert counts(of(account))[:2] == (1, 0)


@pytest.mark.parametrize(
    "account",
    [
        later(served(30), 30),
        later(served(30, 90), 30),
        later(served(30), 0.03),
        replace(Account(customer=9), keys_messages=1, chat_keys=ALL, linked_keys=ALL),
        replace(served(30), ends={**served(30).ends, VLESS: PAID_AT + 60 * DAY}),
        replace(served(30), promised_ends=served(30).promised_ends | served(60).promised_ends),
    ],
    ids=[
        "a month twice",
        "a renewal twice",
        "three quarters of an hour",
        "keys without paying",
        "one key for longer",
        "a letter that promises more",
    ],
)
def test_whoever_got_more_is_doubled(account: Account) -> None:
    assert counts(of(account))[:2] == (0, 1)


def test_a_user_of_the_node_that_nobody_paid_for_is_doubled() -> None:
    seen = verdict([served(30)], strangers=["s_of_nobody"], promise=PROMISE)

    assert counts(seen) == (0, 1, 0)
    assert "s_of_nobody" in seen.doubled[0]


def test_a_message_too_many_is_counted_and_no_loss() -> None:
    twice_too_many = replace(served(30, 30), keys_messages=4)

    assert counts(of(twice_too_many)) == (0, 0, 2)


def test_a_payment_that_only_the_customer_knows_is_named() -> None:
    [sentence] = of(replace(Account(customer=9), paid=frozenset({"2d1f"}))).lost

    assert "customer 9" in sentence
    assert "2d1f" in sentence


def test_every_customer_is_named_once_however_much_is_wrong() -> None:
    seen = of(replace(served(30), keys_messages=0, linked_keys=frozenset(), ends={}))

    assert len(seen.lost) == 1
    assert "7" in seen.lost[0]
