"""A plot of traffic by days: plain SVG in the page, without scripts and without styles of its own; `app.css` has its
colours, for light and dark."""

from collections.abc import Sequence
from datetime import date
from typing import Final

from markupsafe import Markup

from node_a.domain.customer import Language
from node_a.wording import formats
from node_a.wording.words import Words

# In the picture's own units; the page stretches it to its width.
_PITCH: Final = 10
_BAR: Final = 7
_HEIGHT: Final = 64
# What there was can be seen, however little of the highest it is.
_LOWEST: Final = 2

_FIGURE: Final = Markup(
    '<figure class="plot" data-testid="traffic-plot">'
    '<svg role="img" aria-label="{summary}" viewBox="0 0 {width} {height}" preserveAspectRatio="none">{bars}</svg>'
    "<figcaption><span>{first}</span><span>{last}</span></figcaption></figure>"
)
_BAR_OF_A_DAY: Final = Markup(
    '<rect class="{kind}" x="{x}" y="{y}" width="{width}" height="{height}"><title>{title}</title></rect>'
)


def traffic_plot(days: Sequence[tuple[date, int]], language: Language) -> Markup:
    """A bar for each day, with what was used that day (bytes); oldest first, without gaps. Empty for no days."""
    if not days:
        return Markup("")
    most = max(amount for _, amount in days)
    bars = [_bar(place, day, amount, most, language) for place, (day, amount) in enumerate(days)]
    return _FIGURE.format(
        summary=_summary(days, language),
        width=len(days) * _PITCH,
        height=_HEIGHT,
        bars=Markup("").join(bars),
        first=formats.day(days[0][0], language),
        last=formats.day(days[-1][0], language),
    )


def _bar(place: int, day: date, amount: int, most: int, language: Language) -> Markup:
    height = max(_LOWEST, round(_HEIGHT * amount / most)) if amount else _LOWEST
    return _BAR_OF_A_DAY.format(
        kind="used" if amount else "unused",
        x=place * _PITCH + (_PITCH - _BAR) // 2,
        y=_HEIGHT - height,
        width=_BAR,
        height=height,
        title=f"{formats.day(day, language)}: {formats.size(amount, language)}",
    )


def _summary(days: Sequence[tuple[date, int]], language: Language) -> str:
    """The plot for whoever does not see it."""
    words, (first, _), (last, _) = Words(language), days[0], days[-1]
    between = {"first": formats.day(first, language), "last": formats.day(last, language)}
    top, most = max(days, key=lambda one: one[1])
    if not most:
        return words.gettext("No traffic from %(first)s to %(last)s.", **between)
    return words.gettext(
        "Traffic by days from %(first)s to %(last)s: %(total)s in all, most on %(top)s: %(most)s.",
        **between,
        total=formats.size(sum(amount for _, amount in days), language),
        top=formats.day(top, language),
        most=formats.size(most, language),
    )
