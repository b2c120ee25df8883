"""Both languages say everything that the sources ask for, and nothing else."""

import ast
import shutil
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po

from node_a.domain.customer import Language
from node_a.wording.extraction import (
    NODE_A,
    WORDING,
    Sentence,
    brought_up_to_date,
    catalogue_file,
    extracted,
    placeholders,
    translations,
    write,
)
from node_a.wording.update import update


@pytest.fixture(scope="module")
def sentences() -> list[Sentence]:
    return extracted()


def both_forms(sentence: object) -> tuple[str, ...]:
    return (sentence,) if isinstance(sentence, str) else tuple(sentence)  # type: ignore[arg-type]


def key(sentence: Sentence) -> str:
    return both_forms(sentence)[0]


@pytest.mark.parametrize("language", Language)
def test_every_sentence_is_translated_and_none_is_left_over(language: Language, sentences: list[Sentence]) -> None:
    wanted = {key(sentence) for sentence in sentences}
    assert len(wanted) > 80

    known = translations(language)

    assert wanted - set(known) == set()
    assert set(known) - wanted == set()
    assert [key for key, message in known.items() if message.fuzzy] == []
    assert [key for key, message in known.items() if not all(both_forms(message.string or ""))] == []


@pytest.mark.parametrize("language", Language)
def test_no_obsolete_sentence_stays_in_the_file(language: Language) -> None:
    assert "#~" not in catalogue_file(language).read_text(encoding="utf-8")


@pytest.mark.parametrize("language", Language)
def test_every_sentence_with_a_number_has_all_plural_forms(language: Language, sentences: list[Sentence]) -> None:
    forms = Catalog(locale=language.value).num_plurals
    known = translations(language)
    for sentence in sentences:
        assert len(both_forms(known[key(sentence)].string)) == (1 if isinstance(sentence, str) else forms), sentence


@pytest.mark.parametrize("language", Language)
def test_every_translation_has_the_placeholders_of_its_sentence(language: Language) -> None:
    for message in translations(language).values():
        expected = placeholders(both_forms(message.id)[0])
        for form in both_forms(message.id) + both_forms(message.string):
            assert placeholders(form) == expected, form


@pytest.mark.parametrize("language", Language)
def test_every_translation_takes_its_values(language: Language) -> None:
    for message in translations(language).values():
        values = dict.fromkeys(placeholders(both_forms(message.id)[0]), 1)
        for form in both_forms(message.string):
            assert form % values  # a lone percent sign would raise


def test_english_says_itself() -> None:
    for message in translations(Language.ENGLISH).values():
        assert both_forms(message.string) == both_forms(message.id)


def test_russian_is_russian() -> None:
    names = {"Xray", "VLESS"}
    for message in translations(Language.RUSSIAN).values():
        for form in both_forms(message.string):
            assert form in names or any("а" <= letter <= "я" for letter in form.lower()), form


def test_the_files_are_as_the_update_writes_them(tmp_path: Path, sentences: list[Sentence]) -> None:
    for language in Language:
        shutil.copy(catalogue_file(language), tmp_path)
        catalogue, missing = brought_up_to_date(language, sentences, translations(language, tmp_path))
        write(language, catalogue, tmp_path)

        assert missing == []
        assert catalogue_file(language, tmp_path).read_bytes() == catalogue_file(language).read_bytes()


def test_an_update_keeps_translations_drops_what_is_gone_and_names_what_is_new(tmp_path: Path) -> None:
    file = catalogue_file(Language.RUSSIAN, tmp_path)
    file.write_text(
        'msgid ""\nmsgstr ""\n"Content-Type: text/plain; charset=utf-8\\n"\n\n'
        'msgid "Kept"\nmsgstr "Осталось"\n\n'
        '#, fuzzy\nmsgid "Guessed"\nmsgstr "Угадано"\n\n'
        'msgid "Gone"\nmsgstr "Ушло"\n\n'
        'msgid "%(n)s was single"\nmsgstr "%(n)s"\n',
        encoding="utf-8",
    )
    wanted: list[Sentence] = ["Kept", "Guessed", "New", ("%(n)s was single", "%(n)s are many")]

    catalogue, missing = brought_up_to_date(Language.RUSSIAN, wanted, translations(Language.RUSSIAN, tmp_path))
    write(Language.RUSSIAN, catalogue, tmp_path)

    assert missing == ["Guessed", "New", "%(n)s was single"]
    with file.open("rb") as written:
        again = read_po(written, locale="ru")
    assert {key(m.id): m.string for m in again if m.id} == {  # type: ignore[arg-type]
        "%(n)s was single": ("", "", ""),
        "Guessed": "",
        "Kept": "Осталось",
        "New": "",
    }
    assert not list(tmp_path.glob("*.new"))


def test_sentences_are_found_in_python_and_in_templates(tmp_path: Path) -> None:
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates" / "page.html").write_text(
        "{{ _('From a page') }} {{ ngettext('%(num)s key', '%(num)s keys', 2) }}"
    )
    (tmp_path / "code.py").write_text('words.gettext("From code", name=1)\nwords.ngettext("one", "many", 3)\n')

    assert extracted(tmp_path) == [("%(num)s key", "%(num)s keys"), "From a page", "From code", ("one", "many")]


def test_the_catalogues_are_where_they_are_looked_for() -> None:
    assert {path.stem for path in (WORDING / "catalogues").glob("*.po")} == {language.value for language in Language}


def test_the_command_brings_both_files_up_to_date_and_names_what_is_missing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "code.py").write_text('words.gettext("Brand new")\n')
    for language in Language:
        catalogue_file(language, tmp_path).write_text('msgid ""\nmsgstr ""\n')

    assert update(tmp_path, tmp_path) == 1

    assert capsys.readouterr().out == "ru: not translated: Brand new\n1 sentences, 1 translations missing\n"
    assert translations(Language.ENGLISH, tmp_path)["Brand new"].string == "Brand new"
    file = catalogue_file(Language.RUSSIAN, tmp_path)
    untranslated, translated = 'msgid "Brand new"\nmsgstr ""', 'msgid "Brand new"\nmsgstr "Новое"'
    file.write_text(file.read_text(encoding="utf-8").replace(untranslated, translated), encoding="utf-8")
    assert update(tmp_path, tmp_path) == 0


def test_no_sentence_hides_where_it_is_not_looked_for(sentences: list[Sentence]) -> None:
    """Inside an f-string, for one: Babel does not see it there, and it would stay English for everybody."""
    found = {key(sentence) for sentence in sentences}
    asked_for: set[str] = set()
    for file in NODE_A.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            match node:
                case ast.Call(
                    func=ast.Attribute(attr="gettext" | "ngettext"), args=[ast.Constant(value=str(said)), *_]
                ):
                    asked_for.add(said)
    assert len(asked_for) > 80
    assert asked_for - found == set()
