"""New secrets in the place of old ones."""

from pathlib import Path

import pytest

from node_b.certificate import certificate_file, key_file, read_certificate
from node_b.rotation import MEANING
from tests.node_b.states import KEYS, keys_of, render, rendered

ROTATED = {
    "reality": {"REALITY_PRIVATE_KEY", "REALITY_PUBLIC_KEY"},
    "short-id": {"REALITY_SHORT_ID"},
    "shadowsocks": {"SHADOWSOCKS_SERVER_KEY"},
    "token": {"AGENT_TOKEN"},
    "password": {"PANEL_PASSWORD"},
}


@pytest.mark.parametrize("name", ROTATED)
def test_a_rotation_renews_one_secret_and_keeps_the_old_file_beside(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    rendered(tmp_path)
    file = tmp_path / "keys.env"
    file.write_text("# Mine.\n" + file.read_text())
    text, before = file.read_text(), keys_of(tmp_path)
    capsys.readouterr()

    assert render(tmp_path, "rotate", name) == 0

    after = keys_of(tmp_path)
    assert {key for key in KEYS if before[key] != after[key]} == ROTATED[name]
    assert file.read_text().startswith("# Mine.\n")
    [old] = tmp_path.glob("keys.env.*")
    assert old.read_text() == text
    said = capsys.readouterr().out
    assert str(old) in said
    assert "ustomer" in said
    assert not [value for value in {**before, **after}.values() if value in said]
    assert render(tmp_path, "configs") == 0


def test_a_new_certificate_keeps_the_old_pair_beside(tmp_path: Path) -> None:
    rendered(tmp_path)
    before = {file.name: file.read_text() for file in (certificate_file(tmp_path), key_file(tmp_path))}

    assert render(tmp_path, "rotate", "certificate") == 0

    assert read_certificate(tmp_path) != before["node.crt"]
    kept = {file.name.split(".2")[0]: file.read_text() for file in (tmp_path / "certificate").glob("node.*.2*")}
    assert kept == before


def test_what_can_be_rotated_is_what_the_help_says(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert {*ROTATED, "certificate"} == MEANING.keys()
    with pytest.raises(SystemExit) as caught:
        render(tmp_path, "rotate", "everything")
    assert caught.value.code == 2
