"""What a customer reads about a payment."""

from typing import Final

from node_a.application.notices import Refunded
from node_a.application.ports import AppButton, Letter
from node_a.domain.customer import Language
from node_a.domain.payment import Payment
from node_a.wording import formats
from node_a.wording.markup import bold, code, lines, paragraphs, plain
from node_a.wording.words import Words

LONGEST_DESCRIPTION: Final = 128


def describe(shop_name: str, payment: Payment, language: Language) -> str:
    """For the pay page and the statement, at most 128 characters. The shop's name is what gets shortened."""
    what = formats.plan(payment.plan, language)
    return f"{shop_name[: LONGEST_DESCRIPTION - len(what) - 2]}: {what}"


def received(payment: Payment, language: Language) -> Letter:
    words = Words(language)
    return Letter(
        paragraphs(
            bold(words.gettext("Payment received, thank you!")),
            plain(f"{formats.money(payment.plan.price, language)} · {formats.plan(payment.plan, language)}"),
            plain(
                words.gettext(
                    "We are preparing your keys. They will come to this chat by themselves, usually within a minute:"
                    " there is nothing you need to do."
                )
            ),
            _number(payment, words),
        )
    )


def declined(payment: Payment, language: Language) -> Letter:
    words = Words(language)
    return Letter(
        paragraphs(
            bold(words.gettext("The payment did not go through")),
            plain(
                words.gettext(
                    "%(plan)s for %(price)s.",
                    plan=formats.plan_title(payment.plan, language),
                    price=formats.money(payment.plan.price, language),
                )
                + " "
                + _reason(payment.reason, words)
            ),
            plain(
                words.gettext("No money was taken. If your bank has put some on hold, it will release it by itself.")
            ),
            _number(payment, words),
        ),
        (AppButton(words.gettext("Try again")),),
    )


def refunded(notice: Refunded, language: Language) -> Letter:
    words, ends_at = Words(language), notice.ends_at
    if ends_at is not None:
        moment = formats.date_and_time(ends_at, language)
        subscription = words.gettext("The subscription now runs until %(moment)s.", moment=moment)
    else:
        subscription = words.gettext("The subscription has ended with it.") if notice.payment.is_paid else ""
    amount = formats.money(notice.refund.amount, language)
    return Letter(
        paragraphs(
            bold(words.gettext("Money back: %(amount)s", amount=amount)),
            plain(words.gettext("It has been sent to where you paid from. Banks may take some days to show it.")),
            plain(subscription),
            _number(notice.payment, words),
        )
    )


def _number(payment: Payment, words: Words) -> str:
    """What support asks for."""
    return lines(plain(words.gettext("Payment number:")), code(str(payment.id)))


def _reason(reason: str | None, words: Words) -> str:
    """YooKassa's `cancellation_details.reason` in kind words. The list is open: it may grow without notice."""
    reasons = {
        "insufficient_funds": words.gettext("There was not enough money on the card or account."),
        "expired_on_confirmation": words.gettext("The time for paying ran out: a payment link lives for one hour."),
        "permission_revoked": words.gettext("The permission for automatic payments was withdrawn."),
        "canceled_by_merchant": words.gettext("We cancelled this payment ourselves."),
        "card_expired": words.gettext("The card has expired."),
        "invalid_card_number": words.gettext("There was a typing error in the card's details."),
        "invalid_csc": words.gettext("There was a typing error in the card's details."),
        "3d_secure_failed": words.gettext("The bank could not confirm that it was you."),
        "payment_method_limit_exceeded": words.gettext("The limit of the card or account is used up."),
        "country_forbidden": words.gettext("Cards of this country are not accepted."),
        "issuer_unavailable": words.gettext("The bank did not answer in time."),
        "internal_timeout": words.gettext("The bank did not answer in time."),
    }
    unknown = words.gettext("The bank or the payment service refused it. Another card often helps.")
    return reasons.get(reason or "", unknown)
