"""What is said around new keys: the question, the link that comes at once, and the word that the keys work."""

from typing import Final

from node_a.application.overview import SubscriptionView
from node_a.application.ports import ActionButton, AppButton, Button, CopyButton, Letter
from node_a.domain.customer import Language
from node_a.wording.markup import bold, code, lines, paragraphs, plain
from node_a.wording.words import Words

ASK, NO, YES = "rotate:ask", "rotate:no", "rotate:yes:"
_LONGEST_COPIED: Final = 256


def offer(language: Language) -> Button:
    return ActionButton(Words(language).gettext("New keys"), ASK)


def question(rotation: int, language: Language) -> Letter:
    """`rotation`: the keys that it is about; a later press of the same button is about no others."""
    words = Words(language)
    return Letter(
        paragraphs(
            bold(words.gettext("Take new keys?")),
            plain(
                words.gettext(
                    "All your keys and the subscription link are replaced. The old ones stop working on every device"
                    " and cannot be brought back."
                )
            ),
            plain(
                words.gettext(
                    "Afterwards put the new link into the app on each device. Your days and traffic stay as they are."
                )
            ),
        ),
        (
            ActionButton(words.gettext("Yes, new keys"), f"{YES}{rotation}"),
            ActionButton(words.gettext("No, keep the old ones"), NO),
        ),
    )


def begun(view: SubscriptionView, language: Language) -> Letter:
    """The answer to a yes: the link is there at once, the keys come into it one by one."""
    words = Words(language)
    return Letter(
        paragraphs(
            bold(words.gettext("Here is your new link")),
            plain(
                words.gettext(
                    "The old link and keys are switched off. The new keys appear in this link within a minute, and a"
                    " message will tell you."
                )
            ),
            _link(view, words),
            plain(_into_the_app(words)),
        ),
        _buttons(view, words),
    )


def new_keys_work(view: SubscriptionView, language: Language) -> Letter:
    words = Words(language)
    return Letter(
        paragraphs(
            bold(words.gettext("Your new keys work")),
            plain(words.gettext("They have replaced the old ones, and the old link shows nothing any more.")),
            _link(view, words),
            plain(_into_the_app(words)),
            plain(words.gettext("The key for Outline is a new one, too: take it from /my.") if view.outline else ""),
            # It goes to everybody whom a new secret has moved, too.
            plain(
                words.gettext("If you did not ask for this: sometimes we replace keys ourselves, to keep them safe.")
            ),
        ),
        _buttons(view, words),
    )


def kept(language: Language) -> Letter:
    return Letter(plain(Words(language).gettext("Your keys stay as they are. You find them with /my.")))


def too_old(language: Language) -> Letter:
    words = Words(language)
    return Letter(
        plain(words.gettext("This question is too old, and your keys stay as they are. To be asked again, send /my."))
    )


def too_many(language: Language) -> Letter:
    words = Words(language)
    return Letter(
        plain(
            words.gettext(
                "You have taken new keys as often as is possible in 24 hours. Your newest keys are there: /my"
            )
        )
    )


def none_to_give(language: Language) -> Letter:
    words = Words(language)
    return Letter(
        plain(words.gettext("New keys are for a subscription that is running. Choose a plan, and the keys come here.")),
        (AppButton(words.gettext("Choose a plan")),),
    )


def _link(view: SubscriptionView, words: Words) -> str:
    return lines(plain(words.gettext("Subscription link, it holds all your keys:")), code(view.link))


def _into_the_app(words: Words) -> str:
    return words.gettext("In the app delete the old subscription, press “+” and paste the new link.")


def _buttons(view: SubscriptionView, words: Words) -> tuple[Button, ...]:
    app = AppButton(words.gettext("My subscription"))
    if len(view.link) > _LONGEST_COPIED:
        return (app,)
    return (CopyButton(words.gettext("Copy the link"), view.link), app)
