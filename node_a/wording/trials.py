"""What a customer reads in the chat about days for nothing."""

from node_a.application.ports import AppButton, Letter
from node_a.domain.customer import Language
from node_a.domain.plan import Plan
from node_a.wording import formats
from node_a.wording.markup import bold, paragraphs, plain
from node_a.wording.words import Words


def begun(plan: Plan, language: Language) -> Letter:
    words = Words(language)
    return Letter(
        paragraphs(
            bold(words.gettext("Your free trial begins: %(period)s", period=formats.plan(plan, language))),
            plain(
                words.gettext(
                    "We are preparing your keys. They come to this chat by themselves, usually within a minute."
                )
            ),
        )
    )


def had_days(language: Language) -> Letter:
    words = Words(language)
    # Said to whoever has bought, too, and after a /trial that Telegram delivered twice: it must be true of all of them.
    said = words.gettext(
        "The free trial is given once, before the first purchase. If you have taken it, it is running or over."
        " Your keys: /my"
    )
    return Letter(plain(said), (AppButton(words.gettext("Choose a plan")),))


def none_now(language: Language) -> Letter:
    words = Words(language)
    said = words.gettext(
        "There is no free trial for you today: each person gets one, and there are only so many a day."
        " If you never had one, please try again tomorrow."
    )
    return Letter(plain(said), (AppButton(words.gettext("Choose a plan")),))
