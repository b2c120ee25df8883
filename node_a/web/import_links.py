"""Which apps take a subscription link from a tap, and how each wants it written.

Every app has an address scheme of its own; nothing is standard, so here is where each form is from:

- Happ: the address as it is, after `happ://add/`. So write it Remnawave's subscription page
  (remnawave/subscription-page, app-config.json) and 3x-ui's; documents of Happ's own could not be read for this.
- v2rayNG: 2dust/v2rayNG, UrlSchemeActivity.kt: the query's `url`, and the fragment as the name. It decodes the
  fragment, appends it to the address and reads that as a java.net.URI, which decodes once more; so the name is encoded
  twice, or a "#" or "%" in it would make the import fail.
- Hiddify: hiddify.com, docs/app/URL-Scheme.md, and hiddify-app, lib/utils/link_parsers.dart: the address as it is
  (older ones do not decode it), the name as the fragment.
- Streisand: Marzban's document of schemes and Remnawave's page: the address as it is, the name as the fragment.
- Shadowrocket: `shadowrocket://add/sub://`, then the address in base64 with the alphabet of addresses and without
  padding, `remark` as the name (V2Board, 3x-ui).
- v2RayTun: docs.v2raytun.com/deep-link, as other projects cite it: the address as it is, after `v2raytun://import/`.
- sing-box: docs/clients/general.md: `sing-box://import-remote-profile?url=urlEncodedURL#urlEncodedName`.
- Karing: KaringX/karing-docu, "Scheme": `karing://install-config?url=…&name=…`, both encoded.
- Clash Verge Rev, FlClash: `clash://install-config`. clash-verge-rev, src-tauri/src/utils/resolve/scheme.rs, takes
  everything behind "url=" for the address: `name` must come before it. FlClash, lib/common/link.dart, reads `url` only.
"""

import base64
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final
from urllib.parse import quote


class System(StrEnum):
    """What the visitor's device runs."""

    ANDROID = "android"
    IOS = "ios"
    WINDOWS = "windows"
    MACOS = "macos"
    LINUX = "linux"

    @property
    def label(self) -> str:
        return _LABELS[self]

    @property
    def is_phone(self) -> bool:
        return self in {System.ANDROID, System.IOS}


_LABELS: Final = {
    System.ANDROID: "Android",
    System.IOS: "iPhone, iPad",
    System.WINDOWS: "Windows",
    System.MACOS: "macOS",
    System.LINUX: "Linux",
}
# The first that occurs: every Android says "Linux", too, and an iPhone's browser "like Mac OS X".
_MARKS: Final = (
    ("Android", System.ANDROID),
    ("iPhone", System.IOS),
    ("iPad", System.IOS),
    ("iPod", System.IOS),
    ("Windows", System.WINDOWS),
    ("Macintosh", System.MACOS),
    ("Linux", System.LINUX),
)


def system_of(user_agent: str) -> System:
    """A guess, and only for the order: most customers come by an Android phone."""
    return next((system for mark, system in _MARKS if mark in user_agent), System.ANDROID)


@dataclass(frozen=True, slots=True)
class App:
    """`sources`: on which systems there is one, and the name of the place to get it from; `link`: what opens it and
    hands it a subscription link, with a name for it."""

    name: str
    sources: Mapping[System, str]
    link: Callable[[str, str], str]


def _encoded(text: str) -> str:
    return quote(text, safe="")


def _happ(url: str, name: str) -> str:
    return f"happ://add/{url}"


def _v2rayng(url: str, name: str) -> str:
    return f"v2rayng://install-sub?url={_encoded(url)}#{_encoded(_encoded(name))}"


def _hiddify(url: str, name: str) -> str:
    return f"hiddify://import/{url}#{_encoded(name)}"


def _streisand(url: str, name: str) -> str:
    return f"streisand://import/{url}#{_encoded(name)}"


def _shadowrocket(url: str, name: str) -> str:
    coded = base64.urlsafe_b64encode(url.encode()).decode().rstrip("=")
    return f"shadowrocket://add/sub://{coded}?remark={_encoded(name)}"


def _v2raytun(url: str, name: str) -> str:
    return f"v2raytun://import/{url}"


def _sing_box(url: str, name: str) -> str:
    return f"sing-box://import-remote-profile?url={_encoded(url)}#{_encoded(name)}"


def _karing(url: str, name: str) -> str:
    return f"karing://install-config?url={_encoded(url)}&name={_encoded(name)}"


def _clash(url: str, name: str) -> str:
    return f"clash://install-config?name={_encoded(name)}&url={_encoded(url)}"


_PLAY, _STORE = "Google Play", "App Store"


def _from(place: str, *systems: System) -> dict[System, str]:
    return dict.fromkeys(systems, place)


_A, _I, _W, _M, _L = System
# The best known first; where there is a choice, those that need the fewest taps.
APPS: Final[Sequence[App]] = (
    App(
        "Happ",
        {_A: _PLAY, **_from(_STORE, _I), **_from("GitHub: Happ-proxy/happ-desktop", _W, _M, _L)},
        _happ,
    ),
    App("v2rayNG", _from("GitHub: 2dust/v2rayNG", _A), _v2rayng),
    App("Hiddify", {_A: _PLAY, _I: _STORE, **_from("GitHub: hiddify/hiddify-app", _W, _M, _L)}, _hiddify),
    App("Streisand", _from(_STORE, _I, _M), _streisand),
    App("v2RayTun", {_A: _PLAY, _I: _STORE}, _v2raytun),
    App("Shadowrocket", _from(_STORE, _I, _M), _shadowrocket),
    App("Karing", {_I: _STORE, _M: _STORE, **_from("GitHub: KaringX/karing", _A, _W)}, _karing),
    App("sing-box", {_A: _PLAY, **_from(f"{_STORE}: sing-box VT", _I, _M)}, _sing_box),
    App("Clash Verge Rev", _from("GitHub: clash-verge-rev", _W, _M, _L), _clash),
    App("FlClash", _from("GitHub: chen08209/FlClash", _A, _W, _M, _L), _clash),
)


@dataclass(frozen=True, slots=True)
class ImportLink:
    """One app on one system. `href`: a tap on it adds the subscription; `source`: where the app is to be had."""

    app: str
    source: str
    href: str


def import_links(system: System, url: str, name: str) -> Sequence[ImportLink]:
    return [ImportLink(app.name, app.sources[system], app.link(url, name)) for app in APPS if system in app.sources]
