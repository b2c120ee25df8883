"""`python -m node_a.wording.update`: both catalogues as the sources want them; names what is untranslated."""

import sys
from pathlib import Path

from node_a.domain.customer import Language
from node_a.wording.extraction import CATALOGUES, NODE_A, brought_up_to_date, extracted, translations, write


def update(source: Path = NODE_A, folder: Path = CATALOGUES) -> int:
    """1 if a translation is missing, so that a check can use it."""
    sentences = extracted(source)
    untranslated = 0
    for language in Language:
        catalogue, missing = brought_up_to_date(language, sentences, translations(language, folder))
        write(language, catalogue, folder)
        untranslated += len(missing)
        for sentence in missing:
            print(f"{language.value}: not translated: {sentence}")
    print(f"{len(sentences)} sentences, {untranslated} translations missing")
    return 1 if untranslated else 0


if __name__ == "__main__":
    sys.exit(update())
