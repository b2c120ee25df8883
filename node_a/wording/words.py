"""One language's words: the catalogue, and the values put into its sentences."""

from dataclasses import dataclass

from node_a.domain.customer import Language
from node_a.wording.catalogue import catalogue_for


@dataclass(frozen=True, slots=True)
class Words:
    """The methods are named as Babel looks for them. Sentences are plain text, never HTML; a percent sign is `%%`."""

    language: Language

    def gettext(self, message: str, **values: object) -> str:
        return catalogue_for(self.language).gettext(message) % values

    def ngettext(self, one: str, many: str, number: int, **values: object) -> str:
        """`%(number)s` in the sentence is the number itself."""
        return catalogue_for(self.language).ngettext(one, many, number) % {"number": number, **values}
