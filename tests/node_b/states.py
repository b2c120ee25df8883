"""A node's state directory, with what the operator decided."""

from pathlib import Path
from typing import Final

from node_b.render import main
from shared.environment import read_dotenv

KEYS: Final = {
    "REALITY_PRIVATE_KEY",
    "REALITY_PUBLIC_KEY",
    "REALITY_SHORT_ID",
    "SHADOWSOCKS_SERVER_KEY",
    "SHADOWSOCKS_PLACEHOLDER_KEY",
    "PANEL_USERNAME",
    "PANEL_PASSWORD",
    "AGENT_TOKEN",
}
DECISIONS: Final = {
    "NODE_CODE": "DE1",
    "NODE_NAME_RU": "'🇩🇪 Германия 1'",
    "NODE_NAME_EN": "'🇩🇪 Germany 1'",
    "NODE_HOST": "de1.qent.test",
    "NODE_A_ADDRESSES": "198.51.100.20,2001:db8::20",
    "REALITY_SERVER_NAME": "www.borrowed.test",
    "SSH_PORTS": "22",
}


def decided(state: Path, **changes: str) -> Path:
    """`state` with its node.env: all that is needed, and `changes`. An empty value is as good as none."""
    state.mkdir(mode=0o700, exist_ok=True)
    lines = [f"{name}={value}\n" for name, value in {**DECISIONS, **changes}.items()]
    (state / "node.env").write_text("# What the operator decided.\n\n" + "".join(lines), encoding="utf-8")
    return state


def render(state: Path, *command: str) -> int:
    return main(["--state", str(state), *command])


def rendered(state: Path, **changes: str) -> Path:
    """`decided`, with keys and configurations; the directory of these."""
    decided(state, **changes)
    assert render(state, "keys") == 0
    assert render(state, "configs") == 0
    return state / "rendered"


def keys_of(state: Path) -> dict[str, str]:
    return read_dotenv(state / "keys.env")
