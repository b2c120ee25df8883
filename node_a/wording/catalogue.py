"""The gettext catalogues. They are read from their `.po` files at the start, so that there is nothing to compile."""

import functools
import gettext
import io
from importlib import resources

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

from node_a.domain.customer import Language


@functools.cache
def catalogue_for(language: Language) -> gettext.GNUTranslations:
    """The catalogue with `gettext` and `ngettext`; msgids are English."""
    source = resources.files("node_a.wording").joinpath("catalogues", f"{language.value}.po")
    with source.open("rb") as file:
        catalogue = read_po(file, locale=language.value)
    compiled = io.BytesIO()
    write_mo(compiled, catalogue)
    compiled.seek(0)
    return gettext.GNUTranslations(compiled)
