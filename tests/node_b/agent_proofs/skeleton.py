"""The configuration that the agent begins with, rendered as for a node, and the bare Xray without an agent."""

import functools
import json
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from node_b.configurations import PLACEHOLDER_NAME
from shared.inbounds import SHADOWSOCKS_PORT, SHADOWSOCKS_TAG
from tests.node_b.states import rendered
from tests.programs import program, running


@functools.cache
def a_skeleton() -> str:
    """One for all proofs; its keys are new with each run."""
    with tempfile.TemporaryDirectory() as directory:
        return (rendered(Path(directory) / "state") / "shadowsocks_2022.json").read_text(encoding="utf-8")


def server_key() -> str:
    key: str = _inbound(json.loads(a_skeleton()))["settings"]["password"]
    return key


def placeholder() -> dict[str, str]:
    """Its name and its key: always there."""
    (client,) = _inbound(json.loads(a_skeleton()))["settings"]["clients"]
    assert client["email"] == PLACEHOLDER_NAME
    return {client["email"]: client["password"]}


def with_users(users: Mapping[str, str], *, api: str) -> str:
    """What a bare Xray needs to carry `users` (keys by name). `api`: where it is asked for them."""
    config: dict[str, Any] = json.loads(a_skeleton())
    config["api"]["listen"] = api
    _inbound(config)["settings"]["clients"] += [{"email": name, "password": key} for name, key in users.items()]
    return json.dumps(config)


def _inbound(config: dict[str, Any]) -> dict[str, Any]:
    (inbound,) = (inbound for inbound in config["inbounds"] if inbound["tag"] == SHADOWSOCKS_TAG)
    return dict(inbound)


@contextmanager
def a_bare_xray(users: Mapping[str, str], directory: Path, *, api: str = "127.0.0.1:10085") -> Iterator[str]:
    """Where its users can be asked for."""
    config = directory / "bare.json"
    config.write_text(with_users(users, api=api), encoding="utf-8")
    with running([program("xray"), "run", "-c", config], SHADOWSOCKS_PORT, directory / "bare.log"):
        yield api
