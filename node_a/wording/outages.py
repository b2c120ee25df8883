"""What operators read when a server goes and when it is back: what is wrong, since when, who notices, what to do."""

from datetime import timedelta
from typing import Final

from node_a.application.outages import NodeOutage
from node_a.application.overview import PROTOCOL_NAMES
from node_a.application.ports import Letter
from node_a.domain.customer import Language
from node_a.domain.faults import FAULT_OF, Fault, works
from node_a.domain.node import NodeObservation, Protocol
from node_a.wording import formats
from node_a.wording.markup import bold, lines, paragraphs, plain, shortened
from node_a.wording.words import Words

# Of what libraries say of a failure: enough to see which.
LONGEST_PROBLEM: Final = 300

_PROTOCOLS: Final = {fault: protocol for protocol, fault in FAULT_OF.items()}


def outage(told: NodeOutage, language: Language) -> Letter:
    words = Words(language)
    if told.outage.ended is not None:
        return _over(told, told.outage.ended - told.outage.began, words)
    since = words.gettext("Since %(moment)s.", moment=formats.date_and_time(told.outage.began, words.language))
    return Letter(
        paragraphs(
            bold("🔴 " + _what(told, words)),
            lines(plain(since), plain(_why(told, words))),
            plain(_who_notices(told, words)),
            plain(_what_to_do(told, words)),
        )
    )


def _over(told: NodeOutage, lasted: timedelta, words: Words) -> Letter:
    began = formats.date_and_time(told.outage.began, words.language)
    from_to = words.gettext("It began %(moment)s and lasted %(time)s.", moment=began, time=_time(lasted, words))
    return Letter(
        paragraphs(
            bold("🟢 " + _what_is_well(told, words)),
            plain(from_to),
            plain(_what_is_left(told, words)),
        )
    )


def _what(told: NodeOutage, words: Words) -> str:
    server = _server(told, words)
    match told.outage.fault:
        case Fault.GONE:
            return words.gettext("Server %(server)s does not answer", server=server)
        case Fault.SILENT:
            return words.gettext("Server %(server)s works, but does not answer us", server=server)
        case Fault.CLOCK:
            return words.gettext("The clock of server %(server)s is wrong", server=server)
        case Fault.VLESS | Fault.SHADOWSOCKS as fault:
            name = PROTOCOL_NAMES[_PROTOCOLS[fault]]
            return words.gettext("%(protocol)s is out of order on server %(server)s", protocol=name, server=server)


def _what_is_well(told: NodeOutage, words: Words) -> str:
    server = _server(told, words)
    match told.outage.fault:
        case Fault.GONE | Fault.SILENT:
            return words.gettext("Server %(server)s answers again", server=server)
        case Fault.CLOCK:
            return words.gettext("The clock of server %(server)s is right again", server=server)
        case Fault.VLESS | Fault.SHADOWSOCKS as fault:
            name = PROTOCOL_NAMES[_PROTOCOLS[fault]]
            return words.gettext("%(protocol)s is in order again on server %(server)s", protocol=name, server=server)


def _server(told: NodeOutage, words: Words) -> str:
    return f"{told.node.names[words.language]} ({told.node.code})"


def _why(told: NodeOutage, words: Words) -> str:
    seen = told.seen
    if seen is None:
        return ""
    if told.outage.fault is Fault.CLOCK:
        return clock(seen, words)
    said = (
        [words.gettext("Problem: %(problem)s", problem=shortened(seen.problem, LONGEST_PROBLEM))]
        if seen.problem
        else []
    )
    if shut := _shut_ports(told, seen):
        said.append(words.gettext("It answers us, but not on the customers' port: %(ports)s.", ports=", ".join(shut)))
    return " ".join(said)


def _shut_ports(told: NodeOutage, seen: NodeObservation) -> list[str]:
    """Where the keeper is well and the port is not: mostly a firewall or a filter on the way."""
    shut = {
        told.node.reality.port: seen.vless_ready and seen.vless_reachable is False,
        told.node.shadowsocks.port: seen.shadowsocks_ready and seen.shadowsocks_reachable is False,
    }
    return [str(port) for port, is_shut in shut.items() if is_shut]


def clock(seen: NodeObservation, words: Words) -> str:
    """By how much it differs; nothing where that is not known."""
    off = round(seen.clock_off or 0)
    if off > 0:
        return words.ngettext(
            "Its clock is %(number)s second fast against ours.",
            "Its clock is %(number)s seconds fast against ours.",
            off,
        )
    return (
        words.ngettext(
            "Its clock is %(number)s second slow against ours.",
            "Its clock is %(number)s seconds slow against ours.",
            -off,
        )
        if off
        else ""
    )


def _who_notices(told: NodeOutage, words: Words) -> str:
    fault = told.outage.fault
    if fault is Fault.CLOCK:
        return words.gettext(
            "Customers: Shadowsocks stops connecting when clocks differ by more than 30 seconds. VLESS does not mind."
        )
    if told.nobody_is_served:
        return words.gettext(
            "Customers: no active server answers now. Either they have no VPN, or only this machine has lost its"
            " network: look at that first."
        )
    if fault is Fault.GONE:
        return words.gettext(
            "Customers: the keys of this server do not work. Their other keys do, and apps with the subscription link"
            " change over by themselves."
        )
    if fault is Fault.SILENT or (told.seen is not None and works(told.seen, _PROTOCOLS[fault])):
        return words.gettext(
            "Customers: keys that are there already work. New keys, renewals and new limits wait until it answers."
        )
    return words.gettext(
        "Customers: these keys do not work. Their other keys do, and apps with the subscription link change over by"
        " themselves."
    )


def _what_to_do(told: NodeOutage, words: Words) -> str:
    if told.outage.fault is Fault.CLOCK:
        return words.gettext(
            "To do: switch time synchronisation on there (timedatectl shows it). If all servers are wrong at once, this"
            " machine's clock is. /serverstats shows them all."
        )
    return words.gettext(
        "To do: see /serverstats, then look at that server; docs/operating.md helps. Nothing gets lost: what the server"
        " has missed it gets when it answers, and then I write once more."
    )


def _what_is_left(told: NodeOutage, words: Words) -> str:
    if told.outage.fault is Fault.CLOCK:
        return ""
    broken = [protocol for protocol in Protocol if told.seen is not None and not works(told.seen, protocol)]
    if broken:
        names = ", ".join(PROTOCOL_NAMES[protocol] for protocol in broken)
        return words.gettext("Still out of order there: %(protocols)s.", protocols=names)
    return words.gettext("Nothing to do: what it has missed it is getting by itself.")


def _time(lasted: timedelta, words: Words) -> str:
    """In the largest unit of which there are two."""
    minutes = max(1, round(lasted / timedelta(minutes=1)))
    if minutes < 120:
        return words.ngettext("%(number)s minute", "%(number)s minutes", minutes)
    if minutes < 48 * 60:
        return words.ngettext("%(number)s hour", "%(number)s hours", round(minutes / 60))
    return words.ngettext("%(number)s day", "%(number)s days", round(minutes / 60 / 24))
