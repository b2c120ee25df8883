"""What a VPN app shows of a subscription link: names of groups, and why there are no keys."""

from node_a.application.overview import SubscriptionView
from node_a.domain.customer import Language
from node_a.domain.subscription import SubscriptionState
from node_a.wording import formats
from node_a.wording.words import Words


def group_of_all_keys(language: Language) -> str:
    return Words(language).gettext("Choice of server")


def automatic_group(language: Language) -> str:
    return Words(language).gettext("The quickest server")


def why_no_keys(view: SubscriptionView) -> str:
    """Short, as the name of a server in a list."""
    words = Words(view.language)
    match view.state:
        case SubscriptionState.EXPIRED:
            return words.gettext("The subscription has ended: renew it and refresh it here")
        case SubscriptionState.SUSPENDED if view.traffic is not None and view.traffic_begins_anew:
            until = formats.date(view.traffic.until, view.language)
            return words.gettext("The traffic is used up: more on %(date)s, or as soon as you renew", date=until)
        case SubscriptionState.SUSPENDED:
            return words.gettext("The traffic is used up: renew the subscription and refresh it here")
    if view.preparing:
        return words.gettext("The keys are being prepared: refresh the subscription in a minute")
    return words.gettext("No server is free at the moment: refresh the subscription a little later")
