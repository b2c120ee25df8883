"""Why money needs a person, and what that person can do."""

from node_a.application.reconciliation import NO_DAYS_GIVEN, NOT_PAID_THERE, PAID_TWICE
from node_a.domain.payment import Payment
from node_a.wording import formats
from node_a.wording.words import Words


def why(payment: Payment, words: Words) -> str:
    """`payment.attention` in words; a reason that is not known here is shown as it was recorded."""
    known = {
        NOT_PAID_THERE: words.gettext("We gave days for it, but YooKassa does not call it paid. Look there."),
        NO_DAYS_GIVEN: words.gettext("It is paid, but no days were given. “Look again” gives them."),
        PAID_TWICE: words.gettext("It was paid twice under one number. Pay one back in YooKassa's account page."),
    }
    said, _, rest = (payment.attention or "").partition(": ")
    if said == "differs":
        return _differs(payment, rest, words)
    if said == "late":
        return words.gettext("It came after the customer was banned or had left. /refund or /unban decides.")
    if said == "refund failed":
        return words.gettext("A refund failed (%(reason)s). Try /refund, or YooKassa's account page.", reason=rest)
    return known.get(payment.attention or "", payment.attention or "")


def _differs(payment: Payment, differing: str, words: Words) -> str:
    names = {
        "amount": words.gettext("the amount"),
        "currency": words.gettext("the currency"),
        "shop": words.gettext("the shop"),
        "test": words.gettext("play money or real money"),
    }
    what = ", ".join(names.get(name, name) for name in differing.split(", "))
    came = formats.money(payment.received, words.language) if payment.received else "?"
    return words.gettext(
        "It is not what we asked for: %(what)s. %(amount)s came, no days were given. /refund or /grant decides.",
        what=what,
        amount=came,
    )
