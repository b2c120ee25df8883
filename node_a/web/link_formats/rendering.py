"""A profile in the form that was chosen."""

import base64
from collections.abc import Callable, Mapping
from typing import Final

from node_a.web.link_formats.choice import Format
from node_a.web.link_formats.clash import clash
from node_a.web.link_formats.profile import Profile
from node_a.web.link_formats.sing_box import sing_box
from node_a.web.link_formats.xray import xray

MEDIA_TYPES: Final[Mapping[Format, str]] = {
    Format.BASE64: "text/plain",
    Format.LINKS: "text/plain",
    Format.SING_BOX: "application/json",
    Format.CLASH: "text/yaml",
    Format.XRAY: "application/json",
}


def _links(profile: Profile) -> str:
    # Nothing at all without keys: an app then keeps those that it has, and after a renewal the same ones work again.
    return "\n".join(key.key.link for key in profile.keys)


def _base64(profile: Profile) -> str:
    return base64.b64encode(_links(profile).encode()).decode()


_RENDERERS: Final[Mapping[Format, Callable[[Profile], str]]] = {
    Format.BASE64: _base64,
    Format.LINKS: _links,
    Format.SING_BOX: sing_box,
    Format.CLASH: clash,
    Format.XRAY: xray,
}


def rendered(format: Format, profile: Profile) -> bytes:
    return _RENDERERS[format](profile).encode()
