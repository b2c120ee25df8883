"""What operators read: figures, numbers that a tap copies, and times in words."""

from datetime import datetime

from node_a.application.acts import Answered, Result
from node_a.application.ports import ActionButton, Letter
from node_a.domain.customer import NOBODY, Language
from node_a.domain.money import Money
from node_a.domain.payment import Payment
from node_a.wording import formats
from node_a.wording.attention import why
from node_a.wording.markup import bold, code, lines, paragraphs, plain
from node_a.wording.words import Words


def commands(language: Language) -> list[tuple[str, str]]:
    """What an operator's menu has besides the customers'."""
    words = Words(language)
    return [
        ("stuck", words.gettext("What needs you")),
        ("find", words.gettext("Find a customer or a payment")),
        ("grant", words.gettext("Give days")),
        ("refund", words.gettext("Pay money back")),
        ("ban", words.gettext("Ban a customer")),
        ("unban", words.gettext("Lift a ban")),
    ]


def usage(command: str, language: Language) -> Letter:
    """How a command is written; `command` without its slash."""
    words = Words(language)
    forms = {
        "find": words.gettext("/find NUMBER OR LINK"),
        "grant": words.gettext("/grant CUSTOMER DAYS REASON"),
        "refund": words.gettext("/refund PAYMENT AMOUNT REASON"),
        "ban": words.gettext("/ban CUSTOMER REASON"),
        "unban": words.gettext("/unban CUSTOMER REASON"),
    }
    meant = {
        "find": words.gettext("A Telegram id, a payment's number (ours or the provider's), or the subscription link."),
        "grant": words.gettext("The customer's Telegram id, 1 to 3650 days, and why: who did it and why is recorded."),
        "refund": words.gettext(
            "The payment's number, roubles or the word “all”, and why: who did it and why is recorded."
            " The days go with the money."
        ),
        "ban": words.gettext("The customer's Telegram id, and why: who did it and why is recorded."),
        "unban": words.gettext("The customer's Telegram id, and why: who did it and why is recorded."),
    }
    nothing = plain(words.gettext("Nothing was done. It is written like this:"))
    return Letter(paragraphs(nothing, code(forms[command]), plain(meant[command])))


def done(answered: Answered, language: Language) -> Letter:
    """What came of an act."""
    return Letter(plain(in_words(answered, language)))


def in_words(answered: Answered, language: Language) -> str:
    words, detail = Words(language), answered.detail
    match answered.result:
        case Result.GRANTED:
            end = formats.date_and_time(datetime.fromisoformat(detail), language)
            given = words.gettext("Given. The subscription runs until %(moment)s.", moment=end)
            return given + " " + words.gettext("The keys come to the customer by themselves.")
        case Result.REFUND_OPENED:
            return words.gettext(
                "%(amount)s are on the way back, and the days go with them. The customer is told when it is done.",
                amount=_amount(detail, language),
            )
        case Result.REFUND_REFUSED:
            return words.gettext(
                "Nothing was paid back: of this payment %(amount)s can go back.", amount=_amount(detail, language)
            )
        case Result.UNBANNED:
            again = words.gettext("The ban is lifted. The same keys work again for the days that are left.")
            looked_at = words.ngettext(
                "%(number)s payment is looked at again.", "%(number)s payments are looked at again.", int(detail)
            )
            return f"{again} {looked_at}" if int(detail) else again
        case other:
            return _short(other, words)


def _short(result: Result, words: Words) -> str:
    sentences = {
        Result.BANNED: words.gettext("Banned. The servers are being told to forget the keys; /unban brings them back."),
        Result.RETRIED: words.gettext("It is tried again now."),
        Result.HANDLED: words.gettext("Noted: you have dealt with it."),
        Result.UNKNOWN_CUSTOMER: words.gettext("Nothing was done: I know nobody with this Telegram id."),
        Result.UNKNOWN_PAYMENT: words.gettext("Nothing was done: I know no payment with this number."),
        Result.IS_BANNED: words.gettext("Nothing was done: this customer is banned."),
        Result.IS_NOT_BANNED: words.gettext("Nothing was done: this customer is not banned."),
        Result.IS_ERASED: words.gettext("Nothing was done: this customer has asked to be deleted, and soon is."),
        Result.IS_OPERATOR: words.gettext("Nothing was done: this is an operator."),
        Result.NOTHING_THERE: words.gettext("It is not stuck any more."),
        Result.NO_RECEIPT_ADDRESS: words.gettext(
            "Nothing was paid back: a receipt is due, and nobody knows the customer's e-mail. Pay it back in YooKassa's"
            " account page; the days follow by themselves."
        ),
        Result.NUMBER_USED: words.gettext("Nothing was done. Please send it once more."),
        Result.OF_ANOTHER_RELEASE: words.gettext(
            "This came before, and another release of the shop answered it. /find shows what came of it."
        ),
    }
    return sentences[result]


def nobody_found(language: Language) -> Letter:
    return Letter(plain(Words(language).gettext("Nobody fits. Try a Telegram id, a payment's number or the link.")))


def money_needs_you(payment: Payment, language: Language) -> Letter:
    words = Words(language)
    return Letter(
        paragraphs(bold(words.gettext("Money that needs you")), about_money(payment, words)),
        money_buttons(payment, "", words),
    )


def about_money(payment: Payment, words: Words) -> str:
    """A payment on which a person must decide; lines."""
    opened = formats.date_and_time(payment.opened_at, words.language)
    price = formats.money(payment.plan.price, words.language)
    whose = plain(words.gettext("Customer:")) + " " + code(str(payment.customer_id))
    if payment.customer_id == NOBODY:
        whose = plain(words.gettext("A customer who was deleted"))
    return lines(
        plain(words.gettext("Payment of %(price)s, %(moment)s", price=price, moment=opened)),
        code(str(payment.id)),
        whose,
        plain(why(payment, words)),
    )


def money_buttons(payment: Payment, label: str, words: Words) -> tuple[ActionButton, ActionButton]:
    """`label`: what stands before the words, to tell the buttons of several payments apart."""
    return (
        ActionButton(label + words.gettext("Look again"), f"retry:payment:{payment.id}"),
        ActionButton(label + words.gettext("Dealt with"), f"handled:{payment.id}"),
    )


def _amount(recorded: str, language: Language) -> str:
    number, _, currency = recorded.partition(" ")
    return formats.money(Money.parse(number, currency), language)
