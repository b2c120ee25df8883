"""Keys: made once, whole, and never overwritten."""

import base64
import re
import subprocess
import sys
from pathlib import Path

import pytest

from node_b import keys as node_keys
from node_b.certificate import certificate_file, key_file, read_certificate
from tests.node_b.states import KEYS, decided, keys_of, render, rendered
from tests.programs import program, run


def test_keys_are_made_once_and_never_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    decided(tmp_path)

    assert render(tmp_path, "keys") == 0
    made = capsys.readouterr().out
    before = {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()}
    assert render(tmp_path, "keys") == 0

    assert {*re.findall(r"[A-Z_]+", made)} == KEYS == keys_of(tmp_path).keys()
    assert "certificate" in made
    assert capsys.readouterr().out == "unchanged\n"
    assert {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()} == before


def test_keys_have_the_forms_that_their_readers_want(tmp_path: Path) -> None:
    rendered(tmp_path)
    keys = keys_of(tmp_path)

    assert re.fullmatch(r"[0-9a-f]{16}", keys["REALITY_SHORT_ID"])
    for name in ("SHADOWSOCKS_SERVER_KEY", "SHADOWSOCKS_PLACEHOLDER_KEY"):
        assert len(base64.b64decode(keys[name], validate=True)) == 16
    assert re.fullmatch(r"[a-z0-9_]{3,32}", keys["PANEL_USERNAME"])
    assert len(keys["PANEL_PASSWORD"]) <= 72  # bcrypt looks at no more
    assert min(len(keys["PANEL_PASSWORD"]), len(keys["AGENT_TOKEN"])) >= 32


def test_two_nodes_share_no_secret(tmp_path: Path) -> None:
    for name in ("one", "two"):
        rendered(tmp_path / name)

    assert not {*keys_of(tmp_path / "one").values()} & {*keys_of(tmp_path / "two").values()}


def test_xray_makes_the_same_public_key() -> None:
    for _ in range(5):
        private = node_keys.x25519_private_key()

        said = run(program("xray"), "x25519", "-i", private).stdout

        assert f"PrivateKey: {private}" in said
        assert f"Password (PublicKey): {node_keys.x25519_public_key(private)}" in said


def test_an_earlier_run_that_was_cut_short_is_continued(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rendered(tmp_path)
    whole = keys_of(tmp_path)
    certificate_file(tmp_path).unlink()
    key = key_file(tmp_path).read_text()
    file = tmp_path / "keys.env"
    # Without a line's end, as an editor may leave it.
    file.write_text("# Mine.\n" + "\n".join(f"{name}={whole[name]}" for name in sorted(KEYS)[3:]), encoding="utf-8")
    capsys.readouterr()

    assert render(tmp_path, "keys") == 0

    assert {*re.findall(r"[A-Z_]{5,}", capsys.readouterr().out)} == {*sorted(KEYS)[:3]}
    now = keys_of(tmp_path)
    assert {name: now[name] for name in sorted(KEYS)[3:]} == {name: whole[name] for name in sorted(KEYS)[3:]}
    assert now.keys() == KEYS
    assert file.read_text().startswith("# Mine.\n")
    assert key_file(tmp_path).read_text() == key
    assert read_certificate(tmp_path)


def test_a_public_key_that_was_lost_is_made_from_the_private_one(tmp_path: Path) -> None:
    rendered(tmp_path)
    before = keys_of(tmp_path)
    text = (tmp_path / "keys.env").read_text()
    (tmp_path / "keys.env").write_text(re.sub("REALITY_PUBLIC_KEY=.*\n", "", text))

    assert render(tmp_path, "keys") == 0

    assert keys_of(tmp_path) == before


@pytest.mark.parametrize(
    ("line", "instead", "named"),
    [
        ("REALITY_PRIVATE_KEY=.*\n", "", "REALITY_PUBLIC_KEY in keys.env has lost its REALITY_PRIVATE_KEY"),
        ("REALITY_PUBLIC_KEY=.*", f"REALITY_PUBLIC_KEY={'A' * 43}", "REALITY_PUBLIC_KEY in keys.env does not belong"),
        ("REALITY_PRIVATE_KEY=.*", "REALITY_PRIVATE_KEY=short", "REALITY_PRIVATE_KEY in keys.env is damaged"),
        ("SHADOWSOCKS_SERVER_KEY=.*", "SHADOWSOCKS_SERVER_KEY=AAAA", "SHADOWSOCKS_SERVER_KEY in keys.env is damaged"),
        ("REALITY_SHORT_ID=.*", "REALITY_SHORT_ID=abc", "REALITY_SHORT_ID in keys.env is damaged"),
        ("AGENT_TOKEN=.*", "AGENT_TOKEN=short", "AGENT_TOKEN in keys.env is damaged"),
    ],
)
def test_damaged_keys_are_named_and_left_as_they_are(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], line: str, instead: str, named: str
) -> None:
    rendered(tmp_path)
    file = tmp_path / "keys.env"
    file.write_text(re.sub(line, instead, file.read_text()))
    damaged = file.read_text()

    assert render(tmp_path, "keys") == 2

    [said] = capsys.readouterr().err.splitlines()
    assert said.startswith(named)
    assert file.read_text() == damaged


def test_two_runs_side_by_side_make_one_set_of_keys(tmp_path: Path) -> None:
    decided(tmp_path)
    command = [sys.executable, "-m", "node_b.render", "--state", str(tmp_path), "keys"]

    runs = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    said = sorted(process.communicate(timeout=60)[0] for process in runs)

    assert [one == "unchanged\n" for one in said] == [False, True, True, True]
    text = (tmp_path / "keys.env").read_text()
    assert [text.count(f"{name}=") for name in sorted(KEYS)] == [1] * len(KEYS)
