"""What a customer reads about the subscription and its keys."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from node_a.application.overview import SubscriptionView
from node_a.application.ports import AppButton, Button, CopyButton, Letter
from node_a.domain.customer import Language
from node_a.domain.subscription import SubscriptionState
from node_a.wording import formats, traffic
from node_a.wording.markup import bold, code, length, lines, paragraphs, plain
from node_a.wording.words import Words

# Telegram takes 4096 characters; what is not keys needs about a thousand.
_ROOM_FOR_KEYS: Final = 2800
# Of it, for those that stand in no link.
_ROOM_FOR_OUTLINE: Final = 800
_LONGEST_COPIED: Final = 256


def keys_ready(view: SubscriptionView, language: Language) -> Letter:
    words = Words(language)
    return Letter(
        paragraphs(
            lines(bold(words.gettext("Your keys are ready")), plain(_until(view.ends_at, view.days_left, words))),
            _three_steps(words),
            *_keys(view, words),
        ),
        _buttons(view, words),
    )


def subscription(view: SubscriptionView | None, language: Language, picture: bytes | None) -> list[Letter]:
    """The picture goes first: a caption is too short for keys, and the keys belong where the customer's eyes are."""
    words = Words(language)
    if view is None:
        nothing = words.gettext("You have no subscription yet. Choose a plan, and the keys will come to this chat.")
        return [Letter(plain(nothing), (AppButton(words.gettext("Choose a plan")),))]
    if view.state is SubscriptionState.EXPIRED:
        return [ended(view.ends_at, None, language)]
    if view.state is SubscriptionState.GRACE:
        return [ended(view.ends_at, view.keys_until, language)]
    if view.state is SubscriptionState.SUSPENDED:
        return [traffic.used_up(view, language)]
    text = paragraphs(_state(view, words), *_keys(view, words), plain(words.gettext("How to connect: /help")))
    letters = [Letter(text, _buttons(view, words))]
    if picture is not None and view.keys:
        caption = words.gettext(
            "Your subscription link as a QR code: open the app on another device and point its camera here."
        )
        letters.insert(0, Letter(plain(caption), picture=picture))
    return letters


def ends_soon(ends_at: datetime, days_left: int, language: Language) -> Letter:
    words = Words(language)
    return Letter(
        paragraphs(
            bold(words.gettext("The subscription ends soon")),
            plain(_until(ends_at, days_left, words)),
            plain(words.gettext("You can renew it now: the new days are added to those you have, none are lost.")),
        ),
        (AppButton(words.gettext("Renew")),),
    )


def ended(ends_at: datetime, keys_until: datetime | None, language: Language) -> Letter:
    """`keys_until`: how long the keys still work; None if they do not."""
    words = Words(language)
    after = words.gettext("After a renewal the same keys work again: there is nothing to set up anew.")
    if keys_until is not None:
        until = formats.date_and_time(keys_until, language)
        after = words.gettext("The keys still work until %(moment)s, so that you can renew.", moment=until)
    return Letter(
        paragraphs(
            bold(words.gettext("The subscription has ended")),
            plain(words.gettext("It was valid until %(moment)s.", moment=formats.date_and_time(ends_at, language))),
            plain(after),
        ),
        (AppButton(words.gettext("Renew")),),
    )


def _state(view: SubscriptionView, words: Words) -> str:
    plan = words.gettext("Plan: %(plan)s.", plan=formats.plan(view.plan, words.language)) if view.plan else ""
    return lines(
        bold(words.gettext("The subscription is active")),
        plain(_until(view.ends_at, view.days_left, words)),
        plain(plan),
        plain(traffic.used_in(view.traffic, view.ends_at, words)),
    )


def _until(ends_at: datetime, days_left: int, words: Words) -> str:
    left = formats.days_left(days_left, words.language)
    moment = formats.date_and_time(ends_at, words.language)
    return words.gettext("Valid until %(moment)s (%(days_left)s).", moment=moment, days_left=left)


def _three_steps(words: Words) -> str:
    return lines(
        plain(words.gettext("How to connect:")),
        plain("1. " + words.gettext("Install the app Happ, Hiddify or v2RayTun.")),
        plain("2. " + words.gettext("Copy the subscription link with the button below.")),
        plain("3. " + words.gettext("In the app press “+”, choose pasting from the clipboard, and connect.")),
    )


def _keys(view: SubscriptionView, words: Words) -> list[str]:
    """The link, the keys that fit, and what is still missing; a paragraph each."""
    if not view.keys:
        return [plain(words.gettext("Your keys are being prepared. They will come to this chat by themselves."))]
    outline = _fitting([(one.label, one.link) for one in view.outline], _ROOM_FOR_OUTLINE)
    room = _ROOM_FOR_KEYS - sum(map(_needs, outline))
    shown = _fitting([(one.label, one.key.link) for one in view.keys], room)
    link = lines(plain(words.gettext("Subscription link, it holds all your keys:")), code(view.link))
    parts = [link, plain(words.gettext("Single keys, a tap copies one:"))]
    parts += _as_lines(shown)
    parts.append(plain(_rest(len(view.keys) - len(shown), view.preparing, words)))
    if outline:
        parts.append(plain(words.gettext("For the app Outline, which takes no other keys:")))
        parts += _as_lines(outline)
        parts.append(plain(_rest_for_outline(len(view.outline) - len(outline), words)))
    whoever = words.gettext("Keep the link and the keys to yourself: whoever has them uses your subscription.")
    return [*filter(None, parts), plain(whoever)]


def _rest(hidden: int, preparing: int, words: Words) -> str:
    """Of the keys that are not shown; empty if all are."""
    in_link = words.ngettext("%(number)s more key is in the link.", "%(number)s more keys are in the link.", hidden)
    coming = words.ngettext(
        "%(number)s more key is being prepared: it appears in the link by itself.",
        "%(number)s more keys are being prepared: they appear in the link by themselves.",
        preparing,
    )
    return lines(in_link if hidden else "", coming if preparing else "")


def _rest_for_outline(hidden: int, words: Words) -> str:
    if not hidden:
        return ""
    return words.ngettext(
        "%(number)s more key for Outline is in “My subscription”.",
        "%(number)s more keys for Outline are in “My subscription”.",
        hidden,
    )


# A label and a link.
_Shown = tuple[str, str]


def _fitting(keys: Sequence[_Shown], room: int) -> Sequence[_Shown]:
    for count, key in enumerate(keys):
        room -= _needs(key)
        if room < 0:
            return keys[:count]
    return keys


def _needs(key: _Shown) -> int:
    """With what stands between it and the next."""
    label, link = key
    return length(label) + length(link) + 3


def _as_lines(keys: Sequence[_Shown]) -> list[str]:
    return [lines(plain(label), code(link)) for label, link in keys]


def _buttons(view: SubscriptionView, words: Words) -> tuple[Button, ...]:
    app = AppButton(words.gettext("My subscription"))
    if not view.keys or len(view.link) > _LONGEST_COPIED:
        return (app,)
    return (CopyButton(words.gettext("Copy the link"), view.link), app)
