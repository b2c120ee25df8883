"""A link as a picture, for the phone that is not the one in the customer's hand."""

import io
from typing import Final

import segno

_PIXELS_PER_MODULE: Final = 8


def qr_picture(link: str) -> bytes:
    """A PNG. Takes some milliseconds of computing: not for an event loop."""
    picture = io.BytesIO()
    # Medium correction and the full quiet zone: it is photographed from screens.
    segno.make(link, error="m", micro=False).save(picture, kind="png", scale=_PIXELS_PER_MODULE, border=4)
    return picture.getvalue()


def qr_svg(link: str) -> str:
    """For a page: black on white in either colour scheme, without styles of its own; the page gives it a size."""
    picture = segno.make(link, error="m", micro=False)
    return picture.svg_inline(border=4, omitsize=True, light="#fff", svgclass="qr", lineclass=None)
