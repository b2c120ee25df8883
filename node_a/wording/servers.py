"""What a customer, and what an operator, reads about the servers."""

from collections.abc import Mapping, Sequence

from node_a.application.audit_findings import NodeFindings
from node_a.application.overview import PROTOCOL_NAMES
from node_a.application.ports import Letter
from node_a.application.statistics import ServerView
from node_a.domain.customer import Language
from node_a.domain.faults import clock_is_off, works
from node_a.domain.node import NodeObservation, NodeState, Protocol
from node_a.domain.order import cpu_band
from node_a.wording import formats
from node_a.wording.fitting import as_much_as_fits
from node_a.wording.markup import bold, lines, paragraphs, plain, shortened
from node_a.wording.outages import LONGEST_PROBLEM, clock
from node_a.wording.words import Words


def servers(views: Sequence[ServerView], for_operator: bool, language: Language) -> Letter:
    words = Words(language)
    if not views:
        return Letter(plain(words.gettext("There are no servers yet.")))
    return as_much_as_fits(lambda most: _first(most, views, for_operator, words), len(views))


def _first(most: int, views: Sequence[ServerView], for_operator: bool, words: Words) -> Letter:
    hidden = len(views) - most
    rest = words.ngettext("And %(number)s more.", "And %(number)s more.", hidden) if hidden else ""
    shown = (_server(view, for_operator, words) for view in views[:most])
    return Letter(paragraphs(bold(words.gettext("Servers")), *shown, plain(rest)))


def _server(view: ServerView, for_operator: bool, words: Words) -> str:
    name = view.node.names[words.language]
    return lines(
        bold(f"{name} ({view.node.code})" if for_operator else name),
        plain(_health(view, words)),
        *(map(plain, _for_operators(view, words)) if for_operator else ()),
    )


def _health(view: ServerView, words: Words) -> str:
    seen = view.observation
    if seen is None:
        return "⚪ " + words.gettext("not looked at for a while")
    working = [protocol for protocol in Protocol if works(seen, protocol)]
    match working:
        case []:
            return "🔴 " + _silent(view, words)
        case [Protocol.SHADOWSOCKS]:
            return "🟡 " + words.gettext("works with Shadowsocks keys only") + _since(view, words)
        case [Protocol.VLESS]:
            return "🟡 " + words.gettext("works with VLESS keys only") + _since(view, words)
        case _:
            load = _load(seen.cpu_percent, words)
            return "🟢 " + (words.gettext("works, %(load)s", load=load) if load else words.gettext("works"))


def _silent(view: ServerView, words: Words) -> str:
    if view.since is None:
        return words.gettext("does not answer, we are on it")
    moment = formats.date_and_time(view.since, words.language)
    return words.gettext("does not answer since %(moment)s, we are on it", moment=moment)


def _since(view: ServerView, words: Words) -> str:
    if view.since is None:
        return ""
    return words.gettext(", since %(moment)s", moment=formats.date_and_time(view.since, words.language))


def _load(cpu_percent: float | None, words: Words) -> str:
    if cpu_percent is None:
        return ""
    return (words.gettext("lightly loaded"), words.gettext("busy"), words.gettext("heavily loaded"))[
        cpu_band(cpu_percent)
    ]


def _for_operators(view: ServerView, words: Words) -> list[str]:
    seen = view.observation
    return [
        _state(view, words),
        *(_figures(view, seen, words) if seen else ()),
        _waiting(view, words),
        _audit(view.audit, words) if view.audit else "",
    ]


def _state(view: ServerView, words: Words) -> str:
    """Nothing for an active one: that is the usual."""
    keys = view.keys_left or 0
    if view.node.state is NodeState.DRAINING:
        return words.ngettext(
            "Draining: it keeps its %(number)s key and gets no new ones.",
            "Draining: it keeps its %(number)s keys and gets no new ones.",
            keys,
        )
    if view.node.state is not NodeState.RETIRED:
        return ""
    if not keys:
        return words.gettext("Retired, no key is left on it: it may leave the settings.")
    return words.ngettext(
        "Retired, %(number)s key is still to be removed: leave it in the settings until then.",
        "Retired, %(number)s keys are still to be removed: leave it in the settings until then.",
        keys,
    )


def _figures(view: ServerView, seen: NodeObservation, words: Words) -> list[str]:
    language = words.language
    figures = []
    if seen.cpu_percent is not None:
        figures.append(words.gettext("CPU %(load)s", load=formats.percent(seen.cpu_percent, language)))
    if seen.memory_used is not None and seen.memory_total is not None:
        used, total = formats.size(seen.memory_used, language), formats.size(seen.memory_total, language)
        figures.append(words.gettext("memory %(used)s of %(total)s", used=used, total=total))
    if seen.users is not None:
        figures.append(words.gettext("users: %(count)s", count=seen.users))
    if seen.connected_users is not None:
        figures.append(words.gettext("connected: %(count)s", count=seen.connected_users))
    if seen.clock_off is not None:
        figures.append(words.gettext("clock %(seconds)s s", seconds=formats.signed(seen.clock_off, language)))
    if view.seen_ago is not None:
        figures.append(words.gettext("%(seconds)s s ago", seconds=round(view.seen_ago.total_seconds())))
    problem = shortened(seen.problem or "", LONGEST_PROBLEM)
    return [
        ", ".join(figures),
        _ports(view, seen, words),
        words.gettext("Problem: %(problem)s", problem=problem) if problem else "",
        _clock(seen, words),
    ]


def _ports(view: ServerView, seen: NodeObservation, words: Words) -> str:
    reached = {view.node.reality.port: seen.vless_reachable, view.node.shadowsocks.port: seen.shadowsocks_reachable}
    marks = [f"{port} {'✅' if answers else '❌'}" for port, answers in reached.items() if answers is not None]
    return words.gettext("Customers' ports: %(ports)s", ports=", ".join(marks)) if marks else ""


def _clock(seen: NodeObservation, words: Words) -> str:
    if seen.clock_off is None or not clock_is_off(seen.clock_off):
        return ""
    return "⚠️ " + clock(seen, words)


def _waiting(view: ServerView, words: Words) -> str:
    names = ", ".join(PROTOCOL_NAMES[protocol] for protocol in Protocol if protocol in view.waiting)
    return words.gettext("Waiting after a failure: %(protocols)s", protocols=names) if names else ""


def _audit(audit: NodeFindings, words: Words) -> str:
    counts = {name: count for name, count in audit.summary().items() if isinstance(count, int)}
    sentences = [
        words.gettext("%(count)s keys compared", count=counts.get("compared", 0)),
        *_found(counts, words),
        *([words.gettext("not all could be looked at")] if audit.problems else []),
    ]
    moment = formats.date_and_time(audit.at, words.language)
    return words.gettext("Audit of %(moment)s: %(found)s", moment=moment, found=", ".join(sentences))


def _found(counts: Mapping[str, int], words: Words) -> list[str]:
    def of(name: str) -> int:
        return counts.get(name, 0)

    said = {
        "differing": words.gettext("%(count)s put right", count=of("differing")),
        "missing": words.gettext("%(count)s given back", count=of("missing")),
        "unknown": words.gettext("%(count)s not on record here", count=of("unknown")),
        "removed": words.gettext("%(count)s removed", count=of("removed")),
        "refused_orphans": words.gettext("%(count)s unknown to our database (left alone)", count=of("refused_orphans")),
        "foreign": words.gettext("%(count)s not ours (left alone)", count=of("foreign")),
    }
    return [sentence for name, sentence in said.items() if of(name)]
