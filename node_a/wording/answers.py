"""What the bot answers that is about nothing in particular: greeting, help, and the small apologies."""

from dataclasses import dataclass

from node_a.application.ports import AppButton, Letter
from node_a.domain.customer import Language
from node_a.domain.plan import Plan
from node_a.wording import formats, troubles
from node_a.wording.markup import bold, lines, paragraphs, plain
from node_a.wording.words import Words


@dataclass(frozen=True, slots=True)
class Answers:
    shop_name: str
    support_contact: str

    def welcome(self, language: Language, trial: Plan | None) -> Letter:
        words = Words(language)
        return Letter(
            paragraphs(
                bold(words.gettext("Hello, this is %(shop)s", shop=self.shop_name)),
                plain(
                    words.gettext(
                        "A VPN for phones and computers. Choose a plan with the button below and pay for it:"
                        " the keys come to this chat by themselves."
                    )
                ),
                plain(_free_first(trial, words)) if trial else "",
                _commands_in_text(words),
            ),
            (AppButton(words.gettext("Choose a plan")),),
        )

    def help(self, language: Language) -> Letter:
        words = Words(language)
        steps = (
            words.gettext("Install the app Happ, Hiddify or v2RayTun."),
            words.gettext("Send /my and copy the subscription link."),
            words.gettext("In the app press “+”, choose pasting from the clipboard, and connect."),
        )
        return Letter(
            paragraphs(
                bold(words.gettext("How to connect")),
                lines(*(plain(f"{number}. {step}") for number, step in enumerate(steps, 1))),
                lines(
                    bold(words.gettext("It does not connect?")),
                    # Shadowsocks-2022 refuses clocks that differ by more than 30 seconds.
                    plain("• " + words.gettext("Check the phone's clock: it must be set automatically.")),
                    plain("• " + words.gettext("Update the subscription in the app and choose another server.")),
                    plain("• " + words.gettext("Look at /serverstats to see whether the servers work.")),
                ),
                plain(words.gettext("Questions? Write to %(contact)s.", contact=self.support_contact)),
                plain(words.gettext("To have everything about you deleted, send /delete_me.")),
            ),
            (troubles.ask_button(language), AppButton(words.gettext("Choose a plan"))),
        )

    def payment_support(self, language: Language) -> Letter:
        words = Words(language)
        return Letter(
            paragraphs(
                bold(words.gettext("Questions about a payment")),
                plain(
                    words.gettext(
                        "Write to %(contact)s: when you paid, how much, and the payment number if you have it."
                        " A person will answer.",
                        contact=self.support_contact,
                    )
                ),
                plain(
                    words.gettext(
                        "Paid, but no keys yet? They are not lost: we keep checking, and they will come to this chat"
                        " as soon as the payment is confirmed."
                    )
                ),
                plain(words.gettext("Telegram's support cannot help with purchases made in this bot.")),
            )
        )

    def unknown_command(self, language: Language) -> Letter:
        words = Words(language)
        return Letter(
            paragraphs(
                plain(words.gettext("I am a bot and understand only a few commands:")),
                _commands_in_text(words),
                plain(words.gettext("To talk to a person, write to %(contact)s.", contact=self.support_contact)),
            ),
            (AppButton(words.gettext("Choose a plan")),),
        )

    def slow_down(self, language: Language) -> Letter:
        words = Words(language)
        return Letter(plain(words.gettext("That was a lot at once. Please wait a minute, then I will answer again.")))

    def out_of_order(self, language: Language) -> Letter:
        words = Words(language)
        return Letter(
            plain(
                words.gettext(
                    "Something went wrong on our side, and we have been told. Please try again in a minute."
                    " Your payments and keys are safe."
                )
            )
        )

    def banned(self, language: Language) -> Letter:
        words = Words(language)
        return Letter(
            plain(
                words.gettext(
                    "Your access to this shop is closed. If you think that is a mistake, write to %(contact)s.",
                    contact=self.support_contact,
                )
            )
        )


def commands(language: Language) -> list[tuple[str, str]]:
    """Every command and what the menu says of it, in the menu's order."""
    words = Words(language)
    return [
        ("start", words.gettext("Begin here")),
        ("my", words.gettext("Your subscription and keys")),
        ("serverstats", words.gettext("How the servers are")),
        ("help", words.gettext("How to connect")),
        ("paysupport", words.gettext("Questions about a payment")),
    ]


def _free_first(trial: Plan, words: Words) -> str:
    period = formats.plan_title(trial, words.language)
    return words.gettext("You can try it for nothing first: %(period)s, send /trial.", period=period)


def _commands_in_text(words: Words) -> str:
    return lines(*(plain(f"/{name} — {what}") for name, what in commands(words.language) if name != "start"))
