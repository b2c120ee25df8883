"""The command that makes a node's configurations: strict, repeatable, and clear about what is wrong."""

import json
import sys
from pathlib import Path

import pytest

from shared.environment import read_dotenv
from tests.node_b.states import KEYS, decided, keys_of, render, rendered
from tests.programs import run

RENDERED = {"vless_reality.json", "shadowsocks_2022.json", "marzban.env", "agent.env", "Caddyfile", "firewall.nft"}


def test_everything_is_rendered_and_nothing_twice(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    directory = rendered(tmp_path)
    assert capsys.readouterr().out.splitlines()[-1] == f"written: {', '.join(_in_order(RENDERED))}"
    before = {file.name: (file.read_text(), file.stat().st_mtime_ns) for file in directory.iterdir()}

    assert render(tmp_path, "configs") == 0

    assert capsys.readouterr().out == "unchanged\n"
    assert {file.name: (file.read_text(), file.stat().st_mtime_ns) for file in directory.iterdir()} == before
    assert before.keys() == RENDERED
    assert not [name for name, (text, _) in before.items() if "{{" in text]


def _in_order(names: set[str]) -> list[str]:
    order = ["vless_reality.json", "shadowsocks_2022.json", "marzban.env", "agent.env", "Caddyfile", "firewall.nft"]
    return [name for name in order if name in names]


def test_what_changed_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rendered(tmp_path)
    capsys.readouterr()

    decided(tmp_path, NODE_A_ADDRESSES="198.51.100.21")
    assert render(tmp_path, "configs") == 0

    assert capsys.readouterr().out == "written: firewall.nft\n"


def test_configurations_need_keys(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    decided(tmp_path)

    assert render(tmp_path, "configs") == 2

    assert {line.split(" ")[0] for line in capsys.readouterr().err.splitlines()} == KEYS
    assert not (tmp_path / "rendered").exists()


def test_the_agent_gets_its_token(tmp_path: Path) -> None:
    agent = read_dotenv(rendered(tmp_path) / "agent.env")

    assert agent == {"AGENT_TOKEN": keys_of(tmp_path)["AGENT_TOKEN"], "AGENT_HOST": "127.0.0.1", "AGENT_PORT": "8081"}


def test_the_panel_listens_where_the_proxy_looks_for_it(tmp_path: Path) -> None:
    directory = rendered(tmp_path)

    panel = read_dotenv(directory / "marzban.env")

    assert f"reverse_proxy {panel['UVICORN_HOST']}:{panel['UVICORN_PORT']} " in (directory / "Caddyfile").read_text()


def test_wrong_decisions_are_two_and_a_line_for_each(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    decided(tmp_path, NODE_HOST="https://x", SSH_PORTS="")

    for command in ("keys", "configs", "block"):
        assert render(tmp_path, command) == 2
        assert [line.split(" ")[0] for line in capsys.readouterr().err.splitlines()] == ["NODE_HOST", "SSH_PORTS"]
    assert not (tmp_path / "keys.env").exists()


def test_a_directory_that_is_no_nodes_is_left_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tmp_path.chmod(0o755)

    for state in (tmp_path, tmp_path / "nowhere"):
        assert render(state, "keys") == 2
        assert capsys.readouterr().err.startswith(f"{state / 'node.env'} is not there or empty: ")

    assert tmp_path.stat().st_mode & 0o777 == 0o755
    assert [*tmp_path.iterdir()] == []


def test_a_disk_that_cannot_be_written_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    decided(tmp_path)
    (tmp_path / "certificate").write_text("in the way")

    assert render(tmp_path, "keys") == 1

    assert capsys.readouterr().err.startswith(str(tmp_path / "certificate"))


def test_the_command_is_a_program(tmp_path: Path) -> None:
    decided(tmp_path)

    said = run(sys.executable, "-m", "node_b.render", "--state", tmp_path, "keys")

    assert (said.returncode, said.stdout.startswith("made: ")) == (0, True)
    assert json.loads(json.dumps(keys_of(tmp_path))).keys() == KEYS
