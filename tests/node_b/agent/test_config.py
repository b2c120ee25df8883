"""The configuration that Xray gets: never without the placeholder, never half written, never an untested one."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from node_b.agent.config import PLACEHOLDER as OWN_PLACEHOLDER
from node_b.agent.config import ConfigFile, ConfigRefused, read_skeleton
from node_b.render import render_json
from shared.environment import ConfigurationProblems
from tests.node_b.agent.agents import PLACEHOLDER, a_key, a_skeleton, in_file, keys_of
from tests.programs import program

Change = Callable[[dict[str, Any]], object]


def _written(path: Path, document: Any) -> Path:
    path.write_text(json.dumps(document))
    return path


def _settings(document: dict[str, Any]) -> Any:
    return document["inbounds"][0]["settings"]


@pytest.fixture
def skeleton(tmp_path: Path) -> Path:
    return _written(tmp_path / "skeleton.json", a_skeleton(4_433))


def test_users_join_the_placeholder(skeleton: Path) -> None:
    document = json.loads(read_skeleton(skeleton).rendered(keys_of("q_one", "q_two"), 1234))

    assert _settings(document)["clients"] == [
        {"email": name, "password": a_key(name)} for name in (PLACEHOLDER, "q_one", "q_two")
    ]
    assert document["api"]["listen"] == "127.0.0.1:1234"
    assert read_skeleton(skeleton).address == ("127.0.0.1", 4_433)


def test_the_rest_of_the_rendered_configuration_is_kept(skeleton: Path) -> None:
    before = json.loads(skeleton.read_text())
    after = json.loads(read_skeleton(skeleton).rendered(keys_of("q_one"), 1))

    _settings(before)["clients"] = _settings(after)["clients"]
    before["api"]["listen"] = after["api"]["listen"]
    assert after == before


@pytest.mark.parametrize(
    "users",
    [
        {PLACEHOLDER: a_key("other")},
        {"q_one": a_key(PLACEHOLDER)},
        {"q_one": a_key("q_one"), "q_two": a_key("q_one")},
        {"q_one": "c2hvcnQ="},
        {"q_one": ""},
    ],
    ids=["the placeholder's name", "the placeholder's key", "one key twice", "a short key", "no key"],
)
def test_what_would_open_the_server_or_poison_it_is_never_written(skeleton: Path, users: dict[str, str]) -> None:
    with pytest.raises(AssertionError, match="placeholder"):
        read_skeleton(skeleton).rendered(users, 1)


@pytest.mark.parametrize("name", ["placeholder", "PlaceHolder", ""])
def test_the_placeholder_has_no_name_that_a_customer_could_have(tmp_path: Path, name: str) -> None:
    document = a_skeleton(1)
    _settings(document)["clients"][0]["email"] = name

    found = read_skeleton(_written(tmp_path / "skeleton.json", document))

    assert found.placeholder == (OWN_PLACEHOLDER, a_key(PLACEHOLDER))


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda it: it["inbounds"].clear(), "one inbound with the tag"),
        (lambda it: it["inbounds"].append(it["inbounds"][0]), "one inbound with the tag"),
        (lambda it: _settings(it).update(clients=[]), "exactly the placeholder"),
        (lambda it: _settings(it).update(users=_settings(it).pop("clients")), "exactly the placeholder"),
        (lambda it: _settings(it)["clients"][0].update(password="c2hvcnQ="), "exactly the placeholder"),
        (lambda it: _settings(it).update(method="2022-blake3-chacha20-poly1305"), "with the method"),
        (lambda it: _settings(it).update(password="short"), "password must be standard base64"),
        (lambda it: it["inbounds"][0].update(port="443-450"), "port must be a number"),
        (lambda it: it["inbounds"][0].update(listen="{{listen}}"), "a blank was not filled in"),
        (lambda it: it.pop("stats"), "`stats` is missing"),
        (lambda it: it["api"].update(services=["StatsService"]), "HandlerService and StatsService"),
        (lambda it: it["policy"]["levels"]["0"].pop("statsUserOnline"), "statsUserOnline"),
        (lambda it: it["log"].update(access=""), "`log.access` must be `none`"),
        (lambda it: it.pop("inbounds"), "not the shape of an Xray configuration"),
    ],
)
def test_a_skeleton_that_would_not_do_is_refused_with_its_reason(
    tmp_path: Path, change: Change, complaint: str
) -> None:
    document = a_skeleton(443)
    change(document)
    path = _written(tmp_path / "skeleton.json", document)

    with pytest.raises(ConfigurationProblems, match=complaint) as refused:
        read_skeleton(path)

    assert str(path) in str(refused.value)
    assert a_key(PLACEHOLDER) not in str(refused.value)


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"[]", b"null"])
def test_a_garbled_skeleton_is_a_sentence(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "skeleton.json"
    path.write_bytes(content)

    with pytest.raises(ConfigurationProblems, match="render it anew"):
        read_skeleton(path)


def test_what_is_rendered_for_a_node_will_do(tmp_path: Path) -> None:
    rendered = tmp_path / "rendered.json"
    template = Path("node_b/xray/shadowsocks_2022.json").read_text()
    rendered.write_text(
        render_json(
            template,
            {
                "shadowsocks_tag": a_skeleton(1)["inbounds"][0]["tag"],
                "shadowsocks_port": 443,
                "shadowsocks_method": _settings(a_skeleton(1))["method"],
                "shadowsocks_server_key": a_key("server"),
                "placeholder_name": "placeholder",
                "placeholder_key": a_key("placeholder"),
                "tunnel_priority": "2",
                "unreachable_networks": ["10.0.0.0/8"],
                "torrents_go_to": "BLOCK",
            },
        )
    )
    file = ConfigFile(tmp_path / "xray.json", program("xray"))

    file.prepare(read_skeleton(rendered), keys_of("q_one"), 1234)


def test_the_file_changes_as_a_whole_and_is_its_owners_alone(tmp_path: Path, skeleton: Path) -> None:
    file = ConfigFile(tmp_path / "xray.json", program("xray"))
    for users in (keys_of("q_one"), keys_of("q_two")):
        file.prepare(read_skeleton(skeleton), users, 1234)
        assert not file.path.exists() or in_file(tmp_path) != users
        file.install(users, 1234)
        assert (in_file(tmp_path), file.users, file.port) == (users, users, 1234)

    assert file.path.stat().st_mode & 0o777 == 0o600
    assert sorted(each.name for each in tmp_path.iterdir()) == ["skeleton.json", "xray.json"]


def test_what_xray_refuses_does_not_become_the_file(tmp_path: Path) -> None:
    document = a_skeleton(443)
    document["outbounds"] = [{"protocol": "no such protocol"}]
    file = ConfigFile(tmp_path / "xray.json", program("xray"))

    with pytest.raises(ConfigRefused, match=r"Failed to start:.*no such protocol"):
        file.prepare(read_skeleton(_written(tmp_path / "skeleton.json", document)), {}, 1234)

    assert not file.path.exists()


def test_an_xray_that_cannot_be_run_refuses_everything(tmp_path: Path, skeleton: Path) -> None:
    with pytest.raises(ConfigRefused, match="did not run"):
        ConfigFile(tmp_path / "xray.json", tmp_path / "missing").prepare(read_skeleton(skeleton), {}, 1)


def test_what_an_earlier_agent_left_is_read_back(tmp_path: Path, skeleton: Path) -> None:
    ConfigFile(tmp_path / "xray.json", program("xray")).prepare(read_skeleton(skeleton), keys_of("q_one"), 1234)
    (tmp_path / "new-xray.json").rename(tmp_path / "xray.json")
    file = ConfigFile(tmp_path / "xray.json", program("xray"))

    file.read_back()
    assert (file.users, file.port) == (keys_of("q_one"), 1234)

    file.path.write_text("{}")
    file.read_back()
    assert file.users is None
