"""Which form an app gets: the one it asks for, else the one that its name stands for."""

import re
from enum import StrEnum
from typing import Final


class Format(StrEnum):
    """What `?format=` may say."""

    BASE64 = "base64"
    LINKS = "links"
    SING_BOX = "sing-box"
    CLASH = "clash"
    XRAY = "xray"
    PAGE = "page"


FORMATS: Final = {**{one.value: one for one in Format}, "mihomo": Format.CLASH}

# By User-Agent, the first that fits. Apps that know links come first, because some of them name every format that
# they can read: "HiddifyNext/4.1.1 (android) like ClashMeta v2ray sing-box". From links each of them makes its own
# automatic choice; with a whole configuration it could not.
_APPS: Final = tuple(
    (re.compile(pattern, re.IGNORECASE), format)
    for pattern, format in (
        (r"happ/|hiddify|v2raytun|v2rayn|v2box|streisand|shadowrocket|foxray|incy/", Format.BASE64),
        (r"clash|mihomo|stash|nekobox|koala|prizrak|flowvy", Format.CLASH),
        # SFA, SFI, SFM, SFT, SFW, SFL: sing-box for Android, iOS, macOS, tvOS, Windows, Linux.
        (r"sing-?box|\bsf[aimtwl](?:tv)?/|karing", Format.SING_BOX),
    )
)
_BROWSER: Final = "Mozilla/"


def asked_for(name: str) -> Format | None:
    """What `?format=` says; None if there is no such form."""
    return FORMATS.get(name.strip().lower())


def chosen(user_agent: str, accepts_pages: bool) -> Format:
    """Whoever is not known gets the list: it is what most apps read. `accepts_pages`: names text/html as welcome."""
    for pattern, format in _APPS:
        if pattern.search(user_agent):
            return format
    is_browser = accepts_pages and user_agent.startswith(_BROWSER)
    return Format.PAGE if is_browser else Format.BASE64
