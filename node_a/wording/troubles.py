"""What is said when it does not work: what was found, and the one button for each."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from node_a.application.diagnosis import CaseFacts, Diagnosis, Finding, Remedy, Trouble
from node_a.application.overview import PROTOCOL_NAMES
from node_a.application.ports import ActionButton, AppButton, Button, CopyButton, Letter, LinkButton
from node_a.application.repair import Repaired
from node_a.domain.customer import Language
from node_a.domain.node import Protocol
from node_a.wording import formats, rotations
from node_a.wording.markup import bold, code, lines, paragraphs, plain
from node_a.wording.support import for_support, support_url
from node_a.wording.words import Words

# From /help a letter of its own; under that letter, in its place.
ASK, LOOK, REPAIR = "trouble:ask", "trouble:look", "trouble:repair"
_LONGEST_COPIED: Final = 256


@dataclass(frozen=True, slots=True)
class Explained:
    """A finding in words: a line, and at most two sentences."""

    title: str
    text: str


def ask_button(language: Language) -> Button:
    return ActionButton(Words(language).gettext("It does not work?"), ASK)


def letter(
    diagnosis: Diagnosis, repaired: Repaired | None, contact: str, telegram_link_url: str, language: Language
) -> Letter:
    words, facts = Words(language), for_support(diagnosis, language)
    support = support_url(contact, telegram_link_url, facts)
    explained = [explain(finding, diagnosis, language) for finding in diagnosis.findings]
    person = "" if support and support.startswith("https://") else _to_copy(contact, facts, words)
    return Letter(
        paragraphs(
            bold(words.gettext("What we found")),
            plain(after_repair(repaired, language)),
            *(lines(bold(one.title), plain(one.text)) for one in explained),
            person,
        ),
        _buttons(diagnosis, support, words),
    )


def explain(finding: Finding, diagnosis: Diagnosis, language: Language) -> Explained:
    words = Words(language)
    return Explained(_titles(words)[finding.trouble], _text(finding, diagnosis, words))


def label(remedy: Remedy, language: Language) -> str:
    words = Words(language)
    return {
        Remedy.CHOOSE_PLAN: words.gettext("Choose a plan"),
        Remedy.RENEW: words.gettext("Renew"),
        Remedy.REFRESH_LINK: words.gettext("Copy the link"),
        Remedy.GUIDE: words.gettext("Open the guide"),
        Remedy.REPAIR: words.gettext("Send the keys again"),
        Remedy.NEW_KEYS: words.gettext("New keys"),
        Remedy.LOOK_AGAIN: words.gettext("Check again"),
        Remedy.SUPPORT: words.gettext("Write to us"),
    }[remedy]


def after_repair(repaired: Repaired | None, language: Language) -> str:
    """Above the findings; empty if nothing was repaired."""
    words = Words(language)
    if repaired is Repaired.SENT:
        return words.gettext(
            "We are sending your keys to all servers again. In a minute update the subscription in the app."
        )
    if repaired is Repaired.SENT_BEFORE:
        return words.gettext("Your keys were sent again a moment ago. Please give the servers a few minutes.")
    return ""


def _to_copy(contact: str, facts: str, words: Words) -> str:
    how = words.gettext("Still not working? Write to %(contact)s and add these lines:", contact=contact)
    return lines(plain(how), code(facts))


# ── the sentences ──


def _titles(words: Words) -> Mapping[Trouble, str]:
    return {
        Trouble.BANNED: words.gettext("Your access is closed"),
        Trouble.BEING_ERASED: words.gettext("Your data is being deleted"),
        Trouble.NOTHING_BOUGHT: words.gettext("You have no subscription yet"),
        Trouble.EXPIRED: words.gettext("The subscription has ended"),
        Trouble.IN_GRACE: words.gettext("The paid days are over"),
        Trouble.TRAFFIC_USED_UP: words.gettext("The traffic is used up"),
        Trouble.NO_SERVER_ANSWERS: words.gettext("Our servers do not answer right now"),
        Trouble.SERVER_DOWN: words.gettext("A server does not answer right now"),
        Trouble.KEYS_ON_THE_WAY: words.gettext("Some keys are still on their way"),
        Trouble.SERVER_CLOCK: words.gettext("A server's clock is off"),
        Trouble.NEVER_USED: words.gettext("The keys have not been used yet"),
        Trouble.NOT_USED_LATELY: words.gettext("The keys have not been used for more than a day"),
        Trouble.NOTHING_FOUND: words.gettext("Everything looks fine on our side"),
        Trouble.PHONE_CLOCK: words.gettext("Look at the phone's clock"),
    }


def _text(finding: Finding, diagnosis: Diagnosis, words: Words) -> str:
    servers = _names(finding, diagnosis, words)
    if finding.trouble is Trouble.EXPIRED and diagnosis.facts.ends_at is not None:
        moment = formats.date_and_time(diagnosis.facts.ends_at, words.language)
        return words.gettext("It was valid until %(moment)s. Renew it, and your keys work again.", moment=moment)
    if finding.trouble is Trouble.TRAFFIC_USED_UP and (anew := _new_traffic_at(diagnosis.facts)):
        date = formats.date(anew, words.language)
        return words.gettext("There will be new traffic on %(date)s. Renew now, and you can go on at once.", date=date)
    if finding.trouble is Trouble.NOTHING_FOUND and finding.remedy is Remedy.NEW_KEYS:
        return words.gettext(
            "The servers work, and your keys were used within the last day. If it still fails, new keys may help."
        )
    return {**_about_the_subscription(words), **_about_keys(words), **_about_servers(servers, words)}[finding.trouble]


def _new_traffic_at(facts: CaseFacts) -> datetime | None:
    """None in the last period: there the days end with it."""
    if facts.traffic is None or facts.ends_at is None or facts.traffic.until >= facts.ends_at:
        return None
    return facts.traffic.until


def _about_the_subscription(words: Words) -> Mapping[Trouble, str]:
    return {
        Trouble.BANNED: words.gettext("If you think that this is a mistake, write to us."),
        Trouble.BEING_ERASED: words.gettext(
            "You asked us to forget you, and the keys are switched off. To begin anew, send /start in a few minutes."
        ),
        Trouble.NOTHING_BOUGHT: words.gettext("Choose a plan, and the keys come right after the payment."),
        Trouble.EXPIRED: words.gettext("Renew it, and your keys work again."),
        Trouble.IN_GRACE: words.gettext("The keys still work for a short while, so that you can renew in peace."),
        Trouble.TRAFFIC_USED_UP: words.gettext("Renew now, and you can go on at once."),
    }


def _about_servers(servers: str, words: Words) -> Mapping[Trouble, str]:
    return {
        Trouble.NO_SERVER_ANSWERS: words.gettext(
            "It is not your phone: we see it and are working on it. Check again in a few minutes."
        ),
        Trouble.SERVER_DOWN: words.gettext(
            "It is %(servers)s, and the others work. Update the subscription in the app and choose another server.",
            servers=servers,
        ),
        Trouble.KEYS_ON_THE_WAY: words.gettext(
            "Not every server has your keys yet. If it takes longer than a minute, we can send them again."
        ),
        Trouble.SERVER_CLOCK: words.gettext(
            "We are putting it right; until then this key may not connect: %(servers)s. Choose a VLESS key in the app.",
            servers=servers,
        ),
    }


def _about_keys(words: Words) -> Mapping[Trouble, str]:
    return {
        Trouble.NEVER_USED: words.gettext("Perhaps the link is not in an app yet. The guide shows each step."),
        Trouble.NOT_USED_LATELY: words.gettext(
            "We can send them to all servers again. Afterwards update the subscription in the app."
        ),
        Trouble.NOTHING_FOUND: words.gettext(
            "The servers work, and your keys were used within the last day. If it still fails, write to us."
        ),
        Trouble.PHONE_CLOCK: words.gettext(
            "Shadowsocks keys need it right to half a minute: let the phone set date and time automatically."
            " VLESS keys do not mind."
        ),
    }


def _names(finding: Finding, diagnosis: Diagnosis, words: Words) -> str:
    """A server that is the matter as a whole by its name; else its key by the key's."""
    names = []
    for node in diagnosis.nodes:
        protocols = [keeper.protocol for keeper in finding.keepers if keeper.node == node.code]
        name = node.names[words.language]
        if len(protocols) == len(Protocol):
            names.append(name)
        else:
            names += [f"{name} · {PROTOCOL_NAMES[protocol]}" for protocol in protocols]
    return ", ".join(names)


def _buttons(diagnosis: Diagnosis, support: str | None, words: Words) -> tuple[Button, ...]:
    """One for each remedy, in the findings' order; a person is always the last resort."""
    remedies = dict.fromkeys(finding.remedy for finding in diagnosis.findings if finding.remedy is not Remedy.SUPPORT)
    buttons = [_button(remedy, diagnosis.link, words.language) for remedy in remedies]
    if support and support.startswith("https://"):  # Telegram's buttons open nothing else
        buttons.append(LinkButton(label(Remedy.SUPPORT, words.language), support))
    return tuple(button for button in buttons if button)


def _button(remedy: Remedy, link: str | None, language: Language) -> Button | None:
    text = label(remedy, language)
    if remedy in {Remedy.CHOOSE_PLAN, Remedy.RENEW}:
        return AppButton(text)
    if remedy is Remedy.REFRESH_LINK:
        return CopyButton(text, link) if link and len(link) <= _LONGEST_COPIED else None
    if remedy is Remedy.GUIDE:
        return LinkButton(text, link) if link else None
    action = {Remedy.REPAIR: REPAIR, Remedy.NEW_KEYS: rotations.ASK, Remedy.LOOK_AGAIN: LOOK}[remedy]
    return ActionButton(text, action)
