"""What the sources of Node A ask the catalogues for, and the catalogue files brought up to it."""

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract_from_dir
from babel.messages.frontend import parse_mapping_cfg
from babel.messages.pofile import read_po, write_po

from node_a.domain.customer import Language

WORDING: Final = Path(__file__).parent
NODE_A: Final = WORDING.parent
CATALOGUES: Final = WORDING / "catalogues"

# One sentence; or its English singular and plural.
Sentence = str | tuple[str, str]
# One text; or one for each plural form of the language.
Translation = str | tuple[str, ...]

_HEADER: Final = """\
msgid ""
msgstr ""
"Language: {language}\\n"
"Content-Type: text/plain; charset=utf-8\\n"
"Plural-Forms: {plural_forms};\\n"

"""
_PLACEHOLDER: Final = re.compile(r"%\((\w+)\)s|%%")


def catalogue_file(language: Language, folder: Path = CATALOGUES) -> Path:
    return folder / f"{language.value}.po"


def extracted(source: Path = NODE_A) -> list[Sentence]:
    """Every sentence that Python files and templates below `source` ask for, in order, without repetition."""
    with (WORDING / "babel.cfg").open(encoding="utf-8") as file:
        methods, options = parse_mapping_cfg(file)  # type: ignore[no-untyped-call] # Babel leaves this one untyped
    found: dict[str, Sentence] = {}
    for _, _, message, _, _ in extract_from_dir(source, methods, options):
        sentence: Sentence = message if isinstance(message, str) else (message[0], message[1])
        key = _key(sentence)
        if isinstance(found.get(key), tuple) and isinstance(sentence, str):
            continue  # asked for with and without a number: the catalogue has one entry for both
        found[key] = sentence
    return [found[key] for key in sorted(found)]


def translations(language: Language, folder: Path = CATALOGUES) -> dict[str, Message]:
    """The entries of a catalogue file by their (singular) English sentence."""
    with catalogue_file(language, folder).open("rb") as file:
        catalogue = read_po(file, locale=language.value)
    return {_key(message.id): message for message in catalogue if message.id}


def brought_up_to_date(
    language: Language, sentences: Sequence[Sentence], known: Mapping[str, Message]
) -> tuple[Catalog, list[str]]:
    """The catalogue of exactly `sentences`, and those of them that are not translated yet. English says itself."""
    catalogue = Catalog(locale=language.value, fuzzy=False)
    missing = []
    for sentence in sentences:
        key = _key(sentence)
        string = _translation(sentence, known.get(key), catalogue.num_plurals)
        if not is_complete(string) and language is Language.ENGLISH:
            string = sentence
        if not is_complete(string):
            missing.append(key)
        catalogue.add(sentence, string)
    return catalogue, missing


def _key(sentence: str | Sequence[str]) -> str:
    return sentence if isinstance(sentence, str) else sentence[0]


def is_complete(translation: Translation) -> bool:
    return all([translation] if isinstance(translation, str) else translation)


def placeholders(text: str) -> frozenset[str]:
    """The names of the values in a sentence."""
    return frozenset(name for name in _PLACEHOLDER.findall(text) if name)


def write(language: Language, catalogue: Catalog, folder: Path = CATALOGUES) -> None:
    """Replace the file in one step, so that no process ever reads half of it. One line a sentence, no line numbers:
    two people's changes then rarely meet."""
    file = catalogue_file(language, folder)
    draft = file.with_suffix(".po.new")
    with draft.open("wb") as out:
        out.write(_HEADER.format(language=language.value, plural_forms=catalogue.plural_forms.rstrip(";")).encode())
        write_po(out, catalogue, width=0, no_location=True, omit_header=True, sort_output=True, ignore_obsolete=True)
    os.replace(draft, file)


def _translation(sentence: Sentence, known: Message | None, forms: int) -> Translation:
    nothing: Translation = "" if isinstance(sentence, str) else ("",) * forms
    if known is None or known.fuzzy or not known.string:
        return nothing
    # The plural may have changed under the same singular: an old translation then is none.
    if (known.id if isinstance(known.id, str) else tuple(known.id)) != sentence:
        return nothing
    return known.string if isinstance(known.string, str) else tuple(known.string)
