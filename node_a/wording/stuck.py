"""What is stuck, on one screen of a phone, with a button for each."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final

from node_a.application.jobs import Job
from node_a.application.ports import ActionButton, Letter
from node_a.application.stuck import StuckJob, StuckMessages, StuckNode, StuckPayment, StuckRefund, StuckThings, Thing
from node_a.domain.customer import Language
from node_a.domain.message import MessageKind
from node_a.wording import formats
from node_a.wording.fitting import as_much_as_fits
from node_a.wording.markup import bold, code, lines, paragraphs, plain
from node_a.wording.operators import about_money, money_buttons
from node_a.wording.words import Words

# What a thumb can still scroll through; the others come up as these are done.
_MOST_SHOWN: Final = 8

# The number that is put before the thing and its buttons → both.
_Show = Callable[[str], tuple[str, tuple[ActionButton, ...]]]


def stuck(things: StuckThings, language: Language) -> Letter:
    words = Words(language)
    all_of_them = _all(things, words)
    if not all_of_them:
        return Letter(plain(words.gettext("Nothing is stuck: everything goes on by itself.")))
    return as_much_as_fits(lambda most: _with(most, all_of_them, words), _MOST_SHOWN)


def _with(most: int, all_of_them: Sequence[_Show], words: Words) -> Letter:
    shown = [show(f"{number}. ") for number, show in enumerate(all_of_them[:most], 1)]
    hidden = len(all_of_them) - len(shown)
    rest = words.ngettext("And %(number)s more.", "And %(number)s more.", hidden) if hidden else ""
    return Letter(
        paragraphs(bold(words.gettext("What needs you")), *(text for text, _ in shown), plain(rest)),
        tuple(button for _, buttons in shown for button in buttons),
    )


def _all(things: StuckThings, words: Words) -> list[_Show]:
    """Those that only a person can end come first, then the greatest crowds, then the single ones."""
    return [
        *(_money(one, words) for one in things.money),
        *(_node(one, words) for one in things.nodes),
        *(_messages(one, words) for one in things.messages),
        *(_job(one, words) for one in things.jobs),
        *(_refund(one, words) for one in things.refunds),
        *(_payment(one, words) for one in things.payments),
    ]


def _money(stuck: StuckPayment, words: Words) -> _Show:
    return lambda number: (number + about_money(stuck.payment, words), money_buttons(stuck.payment, number, words))


def _payment(stuck: StuckPayment, words: Words) -> _Show:
    price = formats.money(stuck.payment.plan.price, words.language)
    silent = words.gettext("Payment of %(price)s: YooKassa does not answer", price=price)
    text = lines(plain(f"{silent}{_since(stuck.since, words)}"), code(str(stuck.payment.id)))
    return _retryable(text, stuck.thing, words)


def _refund(stuck: StuckRefund, words: Words) -> _Show:
    amount = formats.money(stuck.refund.amount, words.language)
    open_still = words.gettext("Refund of %(amount)s: not done yet", amount=amount)
    text = lines(plain(f"{open_still}{_since(stuck.refund.opened_at, words)}"), code(str(stuck.refund.id)))
    return _retryable(text, stuck.thing, words)


def _node(stuck: StuckNode, words: Words) -> _Show:
    keys = words.ngettext("%(number)s key waits", "%(number)s keys wait", stuck.keys)
    text = words.gettext("Server %(node)s: %(keys)s", node=stuck.node, keys=keys) + _since(stuck.since, words)
    return _retryable(plain(text), stuck.thing, words)


def _messages(stuck: StuckMessages, words: Words) -> _Show:
    unsent = words.ngettext(
        "%(number)s message unsent for more than a day: %(kind)s",
        "%(number)s messages unsent for more than a day: %(kind)s",
        stuck.count,
        kind=_kind(stuck.kind, words),
    )
    return _retryable(plain(unsent), stuck.thing, words)


def _job(stuck: StuckJob, words: Words) -> _Show:
    failing = {
        Job.RECONCILE: words.gettext("The comparison with YooKassa's lists does not get through"),
        Job.WATCH_STUCK: words.gettext("The watch over what is stuck fails"),
        Job.FILL_NODES: words.gettext("The keys for new and retired servers cannot be listed"),
        Job.AUDIT: words.gettext("What the servers hold cannot be compared"),
        Job.COUNT_TRAFFIC: words.gettext("Traffic cannot be counted"),
        Job.ROLL_UP_TRAFFIC: words.gettext("The traffic of long ago cannot be put together"),
    }
    return _retryable(plain(failing[stuck.job] + _since(stuck.since, words)), stuck.thing, words)


def _retryable(text: str, thing: Thing, words: Words) -> _Show:
    label = words.gettext("Try again now")
    return lambda number: (number + text, (ActionButton(number + label, f"retry:{thing}"),))


def _since(moment: datetime | None, words: Words) -> str:
    if moment is None:
        return ""
    return words.gettext(", since %(moment)s", moment=formats.date_and_time(moment, words.language))


def _kind(kind: MessageKind, words: Words) -> str:
    kinds = {
        MessageKind.PAYMENT_RECEIVED: words.gettext("payment received"),
        MessageKind.PAYMENT_DECLINED: words.gettext("payment declined"),
        MessageKind.KEYS_READY: words.gettext("keys ready"),
        MessageKind.NEW_KEYS: words.gettext("new keys"),
        MessageKind.ENDS_SOON: words.gettext("the end is near"),
        MessageKind.ENDED: words.gettext("the end"),
        MessageKind.TRAFFIC_RUNS_LOW: words.gettext("traffic runs low"),
        MessageKind.TRAFFIC_USED_UP: words.gettext("traffic used up"),
        MessageKind.REFUNDED: words.gettext("money back"),
        MessageKind.MONEY_NEEDS_YOU: words.gettext("to operators"),
        MessageKind.STUCK: words.gettext("to operators"),
        MessageKind.OUTAGE: words.gettext("to operators"),
        MessageKind.OUTAGE_OVER: words.gettext("to operators"),
    }
    return kinds[kind]
