"""What an operator has set is read literally, and what cannot be read is named."""

from pathlib import Path

import pytest

from shared.environment import ConfigurationProblems, given, is_placeholder, read_dotenv, resolve_files


def test_a_secret_in_a_file_is_its_stripped_content(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("  abc\n", encoding="utf-8")

    assert resolve_files({"TOKEN_FILE": str(tmp_path / "token"), "OTHER": "x"}) == {"TOKEN": "abc", "OTHER": "x"}


def test_only_secrets_are_looked_for_in_files() -> None:
    environment = {"SSL_CERT_FILE": "/nowhere", "_FILE": "x", "TOKEN": "y"}

    assert resolve_files(environment, is_secret=lambda name: name == "TOKEN") == environment


def test_every_file_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    (tmp_path / "empty").write_text("\n", encoding="utf-8")
    (tmp_path / "bytes").write_bytes(b"\xff\xfe")
    environment = {
        "A_FILE": str(tmp_path / "absent"),
        "B_FILE": str(tmp_path),
        "C_FILE": str(tmp_path / "empty"),
        "D_FILE": str(tmp_path / "bytes"),
        "E_FILE": str(tmp_path / "empty"),
        "E": "given",
    }

    with pytest.raises(ConfigurationProblems) as caught:
        resolve_files(environment)

    assert [problem.split()[0] for problem in caught.value.problems] == ["A_FILE", "B_FILE", "C_FILE", "D_FILE", "E"]
    assert str(caught.value) == "\n".join(caught.value.problems)


def test_an_empty_value_beside_a_file_is_not_given(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("abc", encoding="utf-8")

    assert resolve_files({"TOKEN": "", "TOKEN_FILE": str(tmp_path / "token")})["TOKEN"] == "abc"
    assert resolve_files({"TOKEN": "abc", "TOKEN_FILE": ""}) == {"TOKEN": "abc"}
    assert given({"A": " ", "B": None, "C": " c "}) == {"C": "c"}


def test_a_dotenv_file_is_taken_literally(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text("A=$HOME${B}\nexport B='x # y' # comment\n# C=1\nD=\n", encoding="utf-8")

    assert read_dotenv(file) == {"A": "$HOME${B}", "B": "x # y"}
    assert read_dotenv(tmp_path / "absent") == {}


def test_a_broken_dotenv_file_is_explained_by_line_and_name(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text("A=1\nA=2\n'broken\n", encoding="utf-8")

    with pytest.raises(ConfigurationProblems) as caught:
        read_dotenv(file)

    first, second = caught.value.problems
    assert first.startswith("A is given twice")
    assert "line 3" in second
    with pytest.raises(ConfigurationProblems, match="cannot be read"):
        read_dotenv(tmp_path)


@pytest.mark.parametrize("value", ["change-me", "https://change-me:8443", "<token>", "a@example.org", "EXAMPLE"])
def test_a_placeholder_is_recognised(value: str) -> None:
    assert is_placeholder(value)


@pytest.mark.parametrize("value", ["examples-of-nothing", "a<b>c1"[:3], "42:AAexampleBB", "@qent_support"])
def test_a_value_is_no_placeholder(value: str) -> None:
    assert not is_placeholder(value)
