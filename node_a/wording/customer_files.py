"""What an operator reads about one customer."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from node_a.application.acts import ActKind, Result
from node_a.application.lookup import CustomerFile, PaymentFile
from node_a.application.ports import Letter, OperatorAct
from node_a.domain.customer import NOBODY, Language, Standing
from node_a.domain.grant import Grant
from node_a.domain.payment import PaymentState
from node_a.domain.refund import Refund, RefundState
from node_a.domain.subscription import Subscription, SubscriptionState
from node_a.wording import formats, traffic
from node_a.wording.attention import LONGEST_REASON, why
from node_a.wording.fitting import as_much_as_fits
from node_a.wording.markup import bold, code, lines, paragraphs, plain, shortened
from node_a.wording.words import Words

# Of payments, grants and acts each; of refunds of one payment.
_MOST_SHOWN: Final = 5
_MOST_REFUNDS: Final = 3
_LONGEST_WHY: Final = 100
_DONE: Final[frozenset[str]] = frozenset(
    (Result.GRANTED, Result.REFUND_OPENED, Result.BANNED, Result.UNBANNED, Result.RETRIED, Result.HANDLED)
)


def customer_file(file: CustomerFile, language: Language) -> Letter:
    words = Words(language)
    return as_much_as_fits(lambda most: _with(most, file, words), _MOST_SHOWN)


def _with(most: int, file: CustomerFile, words: Words) -> Letter:
    payments = [_payment(one, words) for one in file.payments]
    acts = [_act(act, words) for act in file.acts]
    return Letter(
        paragraphs(
            _customer(file, words),
            _subscription(file, most, words),
            _section(words.gettext("Payments"), payments, most, words),
            _section(words.gettext("What operators did"), acts, most, words),
        )
    )


def _customer(file: CustomerFile, words: Words) -> str:
    customer = file.customer
    if customer.id == NOBODY:
        return bold(words.gettext("A customer who was deleted"))
    standings = {
        Standing.GOOD: words.gettext("in good standing"),
        Standing.BANNED: words.gettext("banned"),
        Standing.DELETED: words.gettext("being deleted"),
    }
    unreachable = "" if customer.reachable else ", " + words.gettext("has blocked the bot")
    return lines(
        bold(words.gettext("Customer")) + " " + code(str(customer.id)),
        plain(f"{standings[customer.standing]}{unreachable}"),
    )


def _subscription(file: CustomerFile, most: int, words: Words) -> str:
    subscription = file.subscription
    if subscription is None or subscription.paid_until is None:
        return "" if file.customer.id == NOBODY else plain(words.gettext("No subscription."))
    grants = [_grant(grant, words) for grant in reversed(subscription.grants) if grant.starts_at < grant.ends_at]
    return lines(
        bold(words.gettext("Subscription")) + " " + code(str(subscription.id)),
        *(plain(line) for line in _state(subscription, subscription.paid_until, file.now, words)),
        plain(traffic.used_in(file.traffic, subscription.paid_until, words)),
        plain(_keys(file, words)),
        *_first(most, grants, words),
    )


def _state(subscription: Subscription, paid_until: datetime, now: datetime, words: Words) -> list[str]:
    end = formats.date_and_time(paid_until, words.language)
    left = formats.days_left(subscription.days_left(now), words.language)
    runs = words.gettext("Valid until %(moment)s (%(days_left)s).", moment=end, days_left=left)
    over = words.gettext("It was valid until %(moment)s.", moment=end)
    keys_until = formats.date_and_time(subscription.ends_at or paid_until, words.language)
    match subscription.state(now):
        case SubscriptionState.ACTIVE:
            return [runs]
        case SubscriptionState.SUSPENDED:
            return [runs, words.gettext("Suspended") + ": " + words.gettext("the traffic of this period is used up")]
        case SubscriptionState.GRACE:
            return [over, words.gettext("The keys still work until %(moment)s.", moment=keys_until)]
        case SubscriptionState.EXPIRED:
            return [over]


def _keys(file: CustomerFile, words: Words) -> str:
    progress = file.progress
    if progress is None or not progress.wanted:
        return ""
    wanted, applied = len(progress.wanted), len(progress.applied)
    return words.gettext("Keys up to date: %(applied)s of %(wanted)s.", applied=applied, wanted=wanted)


def _grant(grant: Grant, words: Words) -> str:
    reason, _, _ = grant.source.partition(":")
    reasons = {
        "payment": words.gettext("payment"),
        "trial": words.gettext("trial"),
        "admin": words.gettext("gift"),
        "outage": words.gettext("for an outage"),
        "grace": words.gettext("grace"),
    }
    start, end = (formats.date(moment, words.language) for moment in (grant.starts_at, grant.ends_at))
    return plain(f"• {start} – {end}, {reasons.get(reason, reason)}")


def _payment(file: PaymentFile, words: Words) -> str:
    payment = file.payment
    states = {
        PaymentState.OPENING: words.gettext("being opened"),
        PaymentState.PENDING: words.gettext("not paid yet"),
        PaymentState.PAID: words.gettext("paid"),
        PaymentState.DECLINED: words.gettext("declined"),
        PaymentState.ABANDONED: words.gettext("given up"),
        PaymentState.DISPUTED: words.gettext("not what we asked for"),
    }
    price = formats.money(payment.plan.price, words.language)
    title = formats.plan_title(payment.plan, words.language)
    declined = payment.state is PaymentState.DECLINED and payment.reason
    reason = f" ({shortened(payment.reason or '', LONGEST_REASON)})" if declined else ""
    return lines(
        plain(f"• {price} · {title} · {states[payment.state]}{reason}"),
        plain(formats.date_and_time(payment.opened_at, words.language)),
        code(str(payment.id)),
        code(payment.provider_id) if payment.provider_id else "",
        plain("❗ " + why(payment, words)) if payment.attention else "",
        *(_refund(refund, words) for refund in file.refunds[-_MOST_REFUNDS:]),
    )


def _refund(refund: Refund, words: Words) -> str:
    states = {
        RefundState.OPENING: words.gettext("on its way"),
        RefundState.PENDING: words.gettext("on its way"),
        RefundState.DONE: words.gettext("done"),
        RefundState.FAILED: words.gettext("failed"),
    }
    amount = formats.money(refund.amount, words.language)
    reason = f" ({shortened(refund.reason, LONGEST_REASON)})" if refund.reason else ""
    said = words.gettext("back: %(amount)s, %(state)s", amount=amount, state=states[refund.state])
    return plain(f"↩ {said}{reason}")


def _act(act: OperatorAct, words: Words) -> str:
    # A later release may have recorded what this one has no name for.
    names: dict[str, str] = {
        ActKind.GRANT: words.gettext("days given"),
        ActKind.REFUND: words.gettext("money paid back"),
        ActKind.BAN: words.gettext("ban"),
        ActKind.UNBAN: words.gettext("ban lifted"),
        ActKind.RETRY: words.gettext("tried again"),
        ActKind.HANDLED: words.gettext("dealt with"),
    }
    when = formats.date_and_time(act.at, words.language)
    mark = "✓" if act.outcome.partition(": ")[0] in _DONE else "✗"
    return lines(
        f"{mark} {plain(names.get(act.act, act.act))} · {plain(when)} · {code(str(act.operator_id))}",
        plain(shortened(act.reason, _LONGEST_WHY)),
    )


def _section(title: str, entries: Sequence[str], most: int, words: Words) -> str:
    return lines(bold(title), *_first(most, entries, words)) if entries else ""


def _first(most: int, entries: Sequence[str], words: Words) -> list[str]:
    hidden = len(entries) - most
    more = words.ngettext("And %(number)s more.", "And %(number)s more.", hidden)
    return [*entries[:most], *([plain(more)] if hidden > 0 else [])]
