"""The forms in which apps take the keys of a subscription. Each is a pure function of a `Profile`."""

from node_a.web.link_formats.choice import FORMATS, Format, asked_for, chosen
from node_a.web.link_formats.profile import Profile, profile_of
from node_a.web.link_formats.rendering import MEDIA_TYPES, rendered

__all__ = ["FORMATS", "MEDIA_TYPES", "Format", "Profile", "asked_for", "chosen", "profile_of", "rendered"]
