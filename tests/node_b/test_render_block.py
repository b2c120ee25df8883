"""The block for Node A, read by Node A's own settings."""

from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from node_a.settings import NodeSettings, read_settings
from node_b.block import block_for_node_a
from node_b.certificate import certificate_file
from node_b.decisions import read_decisions
from shared.environment import ConfigurationProblems, read_dotenv
from tests.node_a.test_settings import REQUIRED
from tests.node_b.states import KEYS, decided, keys_of, render, rendered

SHOP = {name: value for name, value in REQUIRED.items() if not name.startswith("NODES__")}


def block_of(state: Path, capsys: pytest.CaptureFixture[str]) -> str:
    capsys.readouterr()
    assert render(state, "block") == 0
    return capsys.readouterr().out


def node_as_the_shop_reads_it(block: str, directory: Path) -> NodeSettings:
    (directory / "shop.env").write_text(block, encoding="utf-8")
    [node] = read_settings(SHOP, directory / "shop.env").nodes.values()
    return node


@pytest.mark.parametrize("host", ["de1.qent.test", "198.51.100.10", "2001:db8::10"])
def test_node_a_takes_the_block_as_it_is(tmp_path: Path, capsys: pytest.CaptureFixture[str], host: str) -> None:
    rendered(tmp_path, NODE_HOST=host, OUTLINE_PORT="8388")
    keys = keys_of(tmp_path)

    node = node_as_the_shop_reads_it(block_of(tmp_path, capsys), tmp_path)

    assert (node.name_ru, node.name_en) == ("🇩🇪 Германия 1", "🇩🇪 Germany 1")
    assert node.host == host
    assert node.url == f"https://{f'[{host}]' if ':' in host else host}:8443"
    assert node.panel_username == keys["PANEL_USERNAME"]
    assert node.panel_password.get_secret_value() == keys["PANEL_PASSWORD"]
    assert node.agent_token.get_secret_value() == keys["AGENT_TOKEN"]
    assert node.reality_public_key == keys["REALITY_PUBLIC_KEY"]
    assert node.reality_short_id == keys["REALITY_SHORT_ID"]
    assert node.reality_server_name == "www.borrowed.test"
    assert node.shadowsocks_server_key.get_secret_value() == keys["SHADOWSOCKS_SERVER_KEY"]
    assert node.outline_port == 8388
    assert node.certificate == certificate_file(tmp_path).read_text()


def test_node_a_is_told_of_outline_only_where_there_is_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rendered(tmp_path)

    block = block_of(tmp_path, capsys)

    assert "OUTLINE" not in block
    assert node_as_the_shop_reads_it(block, tmp_path).outline_port is None
    assert "PRIVATE" not in block


@example(name="Germany #1 $HOME `x`")
@given(name=st.text(st.characters(blacklist_categories=["Cc", "Cs", "Zl", "Zp"]), min_size=1, max_size=20))
def test_any_name_that_is_taken_reaches_the_shop_unharmed(tmp_path_factory: pytest.TempPathFactory, name: str) -> None:
    state = tmp_path_factory.mktemp("state")
    try:
        decisions = read_decisions(decided(state, NODE_NAME_EN=f"'{name}'"))
    except ConfigurationProblems:
        return
    secrets = dict.fromkeys(KEYS, "not-a-real-secret")
    (state / "block").write_text(block_for_node_a(decisions, secrets, "not a real certificate"), encoding="utf-8")

    assert read_dotenv(state / "block")["NODES__DE1__NAME_EN"] == decisions.name_en == name.strip()
