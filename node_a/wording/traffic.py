"""What a customer reads about the traffic of a period: how much is used, and that little or none is left."""

from datetime import datetime

from node_a.application.limits import TrafficRunsLow, TrafficUsedUp
from node_a.application.overview import SubscriptionView, TrafficView
from node_a.application.ports import AppButton, Letter
from node_a.domain.customer import Language
from node_a.wording import formats
from node_a.wording.markup import bold, paragraphs, plain
from node_a.wording.words import Words


def used_in(traffic: TrafficView | None, ends_at: datetime, words: Words) -> str:
    """One line; empty without a period. `ends_at`: the paid end."""
    if traffic is None:
        return ""
    amount = formats.size(traffic.used, words.language)
    if traffic.limit is None:
        return words.gettext("Traffic: %(used)s used, no limit.", used=amount)
    limit = formats.size(traffic.limit, words.language)
    if traffic.until >= ends_at:
        return words.gettext("Traffic: %(used)s of %(limit)s.", used=amount, limit=limit)
    anew = formats.date_and_time(traffic.until, words.language)
    return words.gettext(
        "Traffic: %(used)s of %(limit)s, counted anew from %(moment)s.", used=amount, limit=limit, moment=anew
    )


def used_up(now: TrafficUsedUp | SubscriptionView, language: Language) -> Letter:
    """As news, and as an answer to whoever asks."""
    words = Words(language)
    until = now.until if isinstance(now, TrafficUsedUp) else now.traffic.until if now.traffic else now.ends_at
    return Letter(
        paragraphs(
            bold(words.gettext("The traffic of this period is used up")),
            plain(_rest(until, now.ends_at, words)),
            plain(words.gettext("Renew now, and there is fresh traffic at once: the same keys work again.")),
        ),
        (AppButton(words.gettext("Renew")),),
    )


def runs_low(notice: TrafficRunsLow, language: Language) -> Letter:
    words = Words(language)
    amount, limit = formats.size(notice.used, language), formats.size(notice.limit, language)
    until = formats.date_and_time(notice.until, language)
    return Letter(
        paragraphs(
            bold(words.gettext("Little traffic is left")),
            plain(
                words.gettext(
                    "%(used)s of %(limit)s are used. What is left must last until %(moment)s.",
                    used=amount,
                    limit=limit,
                    moment=until,
                )
            ),
            # Who renews now gets days, but no traffic for now: that must be said before they pay.
            plain(
                words.gettext(
                    "When nothing is left, the keys are paused until then. Renewing at that moment gives fresh traffic"
                    " at once; renewing before it only adds days."
                )
            ),
        ),
        (AppButton(words.gettext("My subscription")),),
    )


def _rest(until: datetime, ends_at: datetime, words: Words) -> str:
    if until < ends_at:
        anew = formats.date_and_time(until, words.language)
        return words.gettext("The keys are paused until %(moment)s, then they work again by themselves.", moment=anew)
    end = formats.date_and_time(ends_at, words.language)
    return words.gettext("The keys are paused. The subscription ends on %(moment)s.", moment=end)
