"""What whoever helps gets to read: the facts of a customer's case, and the way to send them."""

import re
from datetime import datetime
from typing import Final
from urllib.parse import quote, urlencode

from node_a.application.diagnosis import CaseFacts, Diagnosis, Finding
from node_a.domain.customer import Language
from node_a.domain.node import Keeper
from node_a.wording import formats
from node_a.wording.words import Words

_ADDRESS: Final = re.compile(r"[^@\s:/]+@[^@\s:/]+")


def for_support(diagnosis: Diagnosis, language: Language) -> str:
    """A message that the customer sends; no key and no link in it. The facts are in one form for all languages, and
    ASCII, so that they fit into a link."""
    facts = diagnosis.facts
    ready = [_short(key.keeper) for key in facts.keys if key.works]
    missing = [_short(key.keeper) for key in facts.keys if not key.works]
    parts = [
        Words(language).gettext("It does not work. My case:"),
        f"customer {facts.customer_id}",
        f"subscription {facts.subscription_id}" if facts.subscription_id else "",
        _state_in_short(facts),
        f"keys ready: {' '.join(ready) or 'none'}" if facts.keys else "",
        f"keys not ready: {' '.join(missing)}" if missing else "",
        f"last used {_moment(facts.used_at())}" if facts.keys else "",
        "found: " + "; ".join(_finding_in_short(finding) for finding in diagnosis.findings),
    ]
    return "\n".join(filter(None, parts))


def support_url(contact: str, telegram_link_url: str, text: str) -> str | None:
    """What opens a message to the contact with the text in it; None if the contact is neither a Telegram name nor an
    e-mail address."""
    if contact.startswith("@"):
        return f"{telegram_link_url}/{contact[1:]}?{urlencode({'text': text}, quote_via=quote)}"
    if _ADDRESS.fullmatch(contact):
        return f"mailto:{contact}?{urlencode({'body': text}, quote_via=quote)}"
    return None


def _state_in_short(facts: CaseFacts) -> str:
    if facts.state is None:
        return ""
    used = ""
    if facts.traffic is not None:
        limit = facts.traffic.limit
        of = "unlimited" if limit is None else formats.size(limit, Language.ENGLISH)
        used = f"\ntraffic {formats.size(facts.traffic.used, Language.ENGLISH)} of {of}".replace("\u00a0", " ")
    return f"state {facts.state}, until {_moment(facts.ends_at)}{used}"


def _finding_in_short(finding: Finding) -> str:
    where = " ".join(_short(keeper) for keeper in finding.keepers)
    return f"{finding.trouble} ({where})" if where else finding.trouble.value


def _short(keeper: Keeper) -> str:
    return f"{keeper.node}/{keeper.protocol}"


def _moment(at: datetime | None) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC" if at else "never"
