"""What a customer, and what an operator, reads about the servers."""

from collections.abc import Sequence

from node_a.application.ports import Letter
from node_a.application.statistics import ServerView
from node_a.domain.customer import Language
from node_a.domain.node import NodeObservation
from node_a.wording import formats
from node_a.wording.markup import bold, lines, paragraphs, plain
from node_a.wording.words import Words


def servers(views: Sequence[ServerView], for_operator: bool, language: Language) -> Letter:
    words = Words(language)
    if not views:
        return Letter(plain(words.gettext("There are no servers yet.")))
    return Letter(
        paragraphs(
            bold(words.gettext("Servers")),
            *(_server(view, for_operator, words) for view in views),
        )
    )


def _server(view: ServerView, for_operator: bool, words: Words) -> str:
    name = view.node.names[words.language]
    seen = view.observation
    if seen is None:
        return lines(bold(name), plain("⚪ " + words.gettext("not looked at for a while")))
    return lines(
        bold(f"{name} ({view.node.code})" if for_operator else name),
        plain(_health(seen, words)),
        *(_figures(view, seen, words) if for_operator else ()),
    )


def _health(seen: NodeObservation, words: Words) -> str:
    if not (seen.vless_ready or seen.shadowsocks_ready):
        return "🔴 " + words.gettext("does not answer, we are on it")
    if not seen.vless_ready:
        return "🟡 " + words.gettext("works with Shadowsocks keys only")
    if not seen.shadowsocks_ready:
        return "🟡 " + words.gettext("works with VLESS keys only")
    load = _load(seen.cpu_percent, words)
    return "🟢 " + (words.gettext("works, %(load)s", load=load) if load else words.gettext("works"))


def _load(cpu_percent: float | None, words: Words) -> str:
    if cpu_percent is None:
        return ""
    if cpu_percent < 50:
        return words.gettext("lightly loaded")
    return words.gettext("busy") if cpu_percent < 85 else words.gettext("heavily loaded")


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
    if view.seen_ago is not None:
        figures.append(words.gettext("%(seconds)s s ago", seconds=round(view.seen_ago.total_seconds())))
    problem = words.gettext("Problem: %(problem)s", problem=seen.problem) if seen.problem else ""
    return [plain(", ".join(figures)), plain(problem)]
