"""The page at the subscription link, for a person with a plain browser: no Telegram, no VPN, perhaps no scripts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from flask import Response, request
from markupsafe import Markup

from node_a.application.overview import SubscriptionView
from node_a.domain.customer import Language
from node_a.domain.subscription import SubscriptionState
from node_a.web.import_links import ImportLink, System, import_links, system_of
from node_a.web.needs import Web
from node_a.web.offers import Offer
from node_a.web.pages import Pages
from node_a.web.plot import traffic_plot
from node_a.wording import links
from node_a.wording.qr import qr_svg

# The keys work or will in a moment: there is something to add to an app.
_ADDABLE: Final = {SubscriptionState.ACTIVE, SubscriptionState.GRACE}


@dataclass(frozen=True, slots=True)
class Tried:
    """An order that could not be taken: what stood in the e-mail's field."""

    email: str


@dataclass(frozen=True, slots=True)
class LinkPage:
    web: Web
    pages: Pages

    def show(self, view: SubscriptionView, token: str, tried: Tried | None = None) -> Response:
        web, language = self.web, language_of(view)
        visitor = system_of(request.headers.get("User-Agent", ""))
        html = self.pages(
            "link_page.html",
            language,
            view=view,
            path=f"/sub/{token}",
            asked=lang_query(),
            other_language=_OTHER[language].value,
            addable=view.renewable and view.state in _ADDABLE,
            visitor=visitor,
            systems=[visitor, *(system for system in System if system is not visitor)],
            apps=_apps(view.link, web.shop_name),
            qr=Markup(qr_svg(view.link)),  # noqa: S704
            offers=[Offer.of(plan) for plan in web.plans.values()],
            receipts=web.receipts,
            tried=tried,
            automatic=links.automatic_group(language),
            renewal_first=view.state is not SubscriptionState.ACTIVE,
            plot=traffic_plot(web.show_traffic(view.id), language) if view.traffic else Markup(""),
        )
        response = Response(html)
        response.headers["Content-Language"] = language.value
        return response


_OTHER: Final = {Language.RUSSIAN: Language.ENGLISH, Language.ENGLISH: Language.RUSSIAN}


def language_of(view: SubscriptionView) -> Language:
    """The customer's, unless the reader asked for another one."""
    asked = request.args.get("lang")
    return Language(asked) if asked in set(Language) else view.language


def lang_query() -> str:
    """What keeps the reader's choice of a language on the next page: "?lang=en", or nothing."""
    asked = request.args.get("lang")
    return f"?lang={asked}" if asked in set(Language) else ""


def _apps(link: str, name: str) -> Mapping[System, Sequence[ImportLink]]:
    return {system: import_links(system, link, name) for system in System}
