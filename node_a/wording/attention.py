"""Why money needs a person, and what that person can do."""

from typing import Final

from node_a.domain.customer import NOBODY
from node_a.domain.payment import Attention, Payment
from node_a.wording import formats
from node_a.wording.markup import shortened
from node_a.wording.words import Words

# Of codes that a machine gave: enough to tell one from another.
LONGEST_REASON: Final = 30


def why(payment: Payment, words: Words) -> str:
    """`payment.attention` in words; one that only a later release knows is shown as it was recorded."""
    recorded = payment.attention or ""
    kind, _, detail = recorded.partition(": ")
    if kind not in set(map(str, Attention)):
        return recorded
    match Attention(kind):
        case Attention.DIFFERS:
            return _differs(payment, detail, words)
        case Attention.LATE:
            came = words.gettext("It came after the customer was banned or had left.")
            return f"{came} {_decide('/unban', payment, words)}"
        case Attention.REFUND_FAILED:
            return words.gettext(
                "A refund failed (%(reason)s). Try /refund, or YooKassa's account page.",
                reason=shortened(detail, LONGEST_REASON),
            )
        case other:
            return _without_detail(words)[other]


def _without_detail(words: Words) -> dict[Attention, str]:
    return {
        Attention.NOT_PAID_THERE: words.gettext("We gave days for it, but YooKassa does not call it paid. Look there."),
        Attention.NO_DAYS_GIVEN: words.gettext("It is paid, but no days were given. “Look again” gives them."),
        Attention.PAID_TWICE: words.gettext(
            "It was paid twice under one number. Pay one back in YooKassa's account page."
        ),
        Attention.ANOTHER_SHOPS: words.gettext(
            "It belongs to another of YooKassa's shops than the settings name. Look in that shop's account page."
        ),
    }


def _differs(payment: Payment, differing: str, words: Words) -> str:
    names = {
        "amount": words.gettext("the amount"),
        "currency": words.gettext("the currency"),
        "shop": words.gettext("the shop"),
        "test": words.gettext("play money or real money"),
    }
    what = ", ".join(names.get(name, name) for name in differing.split(", "))
    came = formats.money(payment.received, words.language) if payment.received else "?"
    said = words.gettext(
        "It is not what we asked for: %(what)s. %(amount)s came, no days were given.", what=what, amount=came
    )
    return f"{said} {_decide('/grant', payment, words)}"


def _decide(other: str, payment: Payment, words: Words) -> str:
    """`other`: the command for those who do not want to pay it back; to a customer who was deleted nothing else can
    be done."""
    if payment.customer_id == NOBODY:
        return words.gettext("Use /refund.")
    return words.gettext("Use /refund or %(command)s.", command=other)
