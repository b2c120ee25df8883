"""What is said around the deletion of a customer's data."""

from node_a.application.ports import ActionButton, Letter
from node_a.domain.customer import Language
from node_a.wording.markup import bold, lines, paragraphs, plain
from node_a.wording.words import Words

YES, NO = "delete:yes", "delete:no"


def question(language: Language) -> Letter:
    words = Words(language)
    goes = (
        words.gettext("the subscription and all days that are left, without money back;"),
        words.gettext("your keys: they stop working on every device;"),
        words.gettext("your Telegram id and e-mail, in our database."),
    )
    return Letter(
        paragraphs(
            bold(words.gettext("Delete everything about you?")),
            lines(plain(words.gettext("This goes for good:")), *(plain(f"• {what}") for what in goes)),
            plain(
                words.gettext(
                    "What stays are the payments, without your name: the law wants them kept."
                    " Logs and backups forget you a little later. There is no way back."
                )
            ),
        ),
        (
            ActionButton(words.gettext("Yes, delete everything"), YES),
            ActionButton(words.gettext("No, keep everything"), NO),
        ),
    )


def last_word(language: Language) -> Letter:
    words = Words(language)
    return Letter(
        paragraphs(
            bold(words.gettext("Your data is being deleted")),
            plain(
                words.gettext(
                    "The keys stop working now, the rest is gone, usually within minutes."
                    " Thank you for having been with us!"
                )
            ),
            plain(words.gettext("Should you want to come back one day, send /start.")),
        )
    )


def kept(language: Language) -> Letter:
    return Letter(plain(Words(language).gettext("Nothing was deleted: everything is as it was.")))


def being_erased(language: Language) -> Letter:
    words = Words(language)
    return Letter(
        plain(
            words.gettext("Your data is being deleted. If you want to begin anew, send /start again in a few minutes.")
        )
    )


def too_old(language: Language) -> Letter:
    words = Words(language)
    return Letter(
        plain(words.gettext("This question is too old, and nothing was deleted. To be asked again, send /delete_me."))
    )
