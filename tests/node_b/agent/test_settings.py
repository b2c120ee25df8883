"""Settings that would not do are refused by name, with a remedy and without their values."""

from datetime import UTC, time
from pathlib import Path

import pytest

from node_b.agent.settings import explain, read_address, read_settings
from shared.environment import ConfigurationProblems
from tests.node_b.agent.agents import TOKEN, an_environment


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    (tmp_path / "xray").touch()
    return an_environment(tmp_path, AGENT_XRAY=str(tmp_path / "xray"))


def test_what_is_not_set_has_a_sensible_value(environment: dict[str, str]) -> None:
    del environment["AGENT_PORT"]
    settings = read_settings(environment)

    assert (settings.host, settings.port) == ("127.0.0.1", 8081) == read_address(environment)
    assert (settings.log_format, settings.log_level) == ("json", "INFO")
    assert settings.renew_at == time(4, 0, tzinfo=UTC)


def test_the_token_may_be_in_a_file(environment: dict[str, str], tmp_path: Path) -> None:
    del environment["AGENT_TOKEN"]
    (tmp_path / "token").write_text(f"{TOKEN}\n")

    settings = read_settings(environment | {"AGENT_TOKEN_FILE": str(tmp_path / "token")})

    assert settings.token.get_secret_value() == TOKEN
    assert TOKEN not in repr(settings)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("AGENT_TOKEN", "fake-and-too-short"),
        ("AGENT_TOKEN", "fake token with blanks which is long enough"),
        ("AGENT_TOKEN", "change-me-change-me-change-me-change-me"),
        ("AGENT_TOKEN", ""),
        ("AGENT_HOST", "localhost"),
        ("AGENT_PORT", "0"),
        ("AGENT_PORT", "many"),
        ("AGENT_STATE", ""),
        ("AGENT_XRAY", "/no/such/xray"),
        ("AGENT_XRAY_CONFIG", "/no/such/file.json"),
        ("AGENT_RENEW_AT", "25:00"),
        ("AGENT_RENEW_AT", "in the night"),
        ("AGENT_TOKNE", "misspelt"),
        ("LOG_FORMAT", "xml"),
        ("LOG_LEVEL", "LOUD"),
    ],
)
def test_what_would_not_do_is_named(environment: dict[str, str], name: str, value: str) -> None:
    with pytest.raises(ConfigurationProblems) as refused:
        read_settings(environment | {name: value})

    (problem,) = refused.value.problems
    assert problem.startswith(name)
    assert ":" in problem  # the remedy
    assert name != "AGENT_TOKEN" or not value or value not in problem
    assert problem in explain(refused.value)


def test_all_problems_are_told_at_once(environment: dict[str, str]) -> None:
    with pytest.raises(ConfigurationProblems) as refused:
        read_settings(environment | {"AGENT_PORT": "x", "LOG_LEVEL": "x", "AGENT_X": "x"})

    assert len(refused.value.problems) == 3


def test_the_health_check_needs_only_the_address() -> None:
    assert read_address({"AGENT_HOST": "0.0.0.0", "AGENT_PORT": "1234"}) == ("127.0.0.1", 1234)
    assert read_address({"AGENT_HOST": "::"}) == ("::1", 8081)
    with pytest.raises(ConfigurationProblems, match="AGENT_PORT"):
        read_address({"AGENT_PORT": "many"})
