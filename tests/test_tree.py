"""The tree holds no secret, no path of somebody's machine, and nothing outside the layout."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

TOP_LEVEL = {
    ".ci",
    ".env.example",
    ".gitignore",
    "CHANGELOG.md",
    "LICENSE",
    "Makefile",
    "README.md",
    "bench",
    "deploy_node_a.sh",
    "deploy_node_b.sh",
    "docker-compose.node-a.yml",
    "docker-compose.node-b.yml",
    "docs",
    "node_a",
    "node_b",
    "plans.toml",
    "pyproject.toml",
    "requirements.lock",
    "sandbox",
    "shared",
    "tests",
}
# Names that say nothing of what is inside.
VAGUE = re.compile(r"^(utils?|helpers?|commons?|core|managers?|services?|misc)$")

# Telegram's documentation prints this token; it is a test vector for init data.
PUBLISHED = {"5768337691:AAH5YkoiEuPk8-FZa32hStHTqXiLPtAEhx8"}
SECRETS = {
    "a bot token": re.compile(r"(?<!\d)\d{8,10}:[A-Za-z0-9_-]{35}(?![A-Za-z0-9_-])"),
    "a YooKassa key": re.compile(r"(?<![a-z0-9])live_(?=\w*[0-9A-Z])[A-Za-z0-9_-]{40,}"),
    "a YooKassa test key": re.compile(r"(?<![a-z0-9])test_(?=[\w-]*[A-Z])(?=[\w-]*[0-9])[A-Za-z0-9_-]{43}(?![\w-])"),
    "a private key": re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----\s+[A-Za-z0-9+/=]{60,}"),
    "a JSON web token": re.compile(r"eyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{30,}\.[A-Za-z0-9_-]{40,}"),
    "a cloud key": re.compile(r"\b(?:AKIA[0-9A-Z]{16}|gh[pousr]_[A-Za-z0-9]{36}|glpat-[A-Za-z0-9_-]{20})\b"),
}
# Pieces, so that this file does not hold them itself.
MACHINE_PATH = re.compile("(?<![A-Za-z0-9_.$}-])/(?:wo" + r"rk|ro" + r"ot|home/(?!qent)[a-z]+|Users)/")
REGISTRY = re.compile(r"https?://|--(?:extra-)?index-url|--find-links|--trusted-host|\"resolved\"")


def tree() -> list[Path]:
    """Every file that is committed, or would be by `git add`."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    ).stdout.decode()
    return [Path(name) for name in sorted(set(listed.split("\0"))) if name and (ROOT / name).is_file()]


def secrets_in(text: str) -> Iterator[str]:
    for kind, pattern in SECRETS.items():
        for found in pattern.findall(text):
            if found not in PUBLISHED:
                yield f"{kind}: {found[:8]}…"


def text_of(path: Path) -> str:
    return (ROOT / path).read_text(encoding="utf-8", errors="replace")


def test_no_secret_is_in_the_tree() -> None:
    found = [f"{path} holds {secret}" for path in tree() for secret in secrets_in(text_of(path))]

    assert found == []


@pytest.mark.parametrize(
    "planted",
    [
        "TOKEN = '" + "6123456789:" + "AAH5YkoiEuPk8-FZa32hStHTqXiLPtAEhx9" + "'",
        "https://api.telegram.org/bot" + "6123456789:" + "AAH5YkoiEuPk8-FZa32hStHTqXiLPtAEhx9" + "/getMe",
        "YOOKASSA_SECRET_KEY=" + "live_" + "Fh8hUAVVBGUGbjmlzba6TB0iyUbos_lueTHE-axOwM0",
        "YOOKASSA_SECRET_KEY=" + "test_" + "Fh8hUAVVBGUGbjmlzba6TB0iyUbos_lueTHE-axOwM0",
        "-----BEGIN EC " + "PRIVATE KEY-----\n" + "MHcCAQEEIAbc" * 6,
        "eyJhbGciOiJIUzI1NiJ9" + ".eyJ" + "zdWIiOiJhIiwiZXhwIjoxfQ" * 2 + "." + "c2lnbmF0dXJl" * 4,
        "ghp_" + "0123456789abcdefghijABCDEFGHIJ012345",
    ],
)
def test_a_planted_secret_is_found(planted: str) -> None:
    assert len(list(secrets_in(f"a line\n{planted}\nanother"))) == 1


def test_a_published_test_vector_is_no_secret() -> None:
    assert [*secrets_in(" ".join(PUBLISHED))] == []


def test_no_path_of_somebodys_machine_is_in_the_tree() -> None:
    found = [f"{path}: {match}" for path in tree() for match in MACHINE_PATH.findall(text_of(path))]

    assert found == []


def test_a_planted_machine_path_is_found() -> None:
    for planted in ("cd /wo" + "rk/main", "'/ro" + "ot/.cache/x'", "/home/" + "alice/x"):
        assert MACHINE_PATH.search(planted)
    for harmless in ("/network/", "../ro" + "ot/x", "tmp/wo" + "rk/x"):
        assert not MACHINE_PATH.search(harmless)


@pytest.mark.parametrize("name", ["requirements.lock", "tests/requirements.lock", "tests/browser/package-lock.json"])
def test_a_lock_file_names_no_registry(name: str) -> None:
    found = [line.strip() for line in text_of(Path(name)).splitlines() if REGISTRY.search(line)]

    assert found == []


def test_every_file_is_named_in_the_fields_words() -> None:
    vague = [str(path) for path in tree() for part in path.parts if VAGUE.match(part.split(".")[0])]

    assert vague == []


def test_the_top_level_is_as_designed() -> None:
    assert {path.parts[0] for path in tree()} - TOP_LEVEL == set()
