"""deploy_node_b.sh, for real: the images are built, the services run, and what it prints is what Node A takes."""

import shutil

from tests.node_b.containers.node import SERVICES, Node, block_in
from tests.waiting import until


def test_the_printed_block_is_all_that_node_a_needs(node: Node) -> None:
    answered = node.as_node_a(block_in(node.first[0]))

    assert (answered["panel"], answered["agent"]) == (200, 200)
    assert answered["status"]["xray"]["running"] is True


def test_a_second_run_changes_nothing_and_prints_no_secret(node: Node) -> None:
    before = node.files(), node.containers(), node.firewall()
    secrets = {value for name, value in block_in(node.first[0]).items() if name.endswith(("PASSWORD", "TOKEN", "KEY"))}

    done, dry = node.deploy(), node.deploy("--dry-run", "--show-secrets")

    assert (done.returncode, dry.returncode) == (0, 0), done.stdout + dry.stdout
    assert "Nothing had to be changed" in done.stdout
    assert (node.files(), node.containers(), node.firewall()) == before
    assert len(secrets) == 4
    assert [secret for secret in secrets if secret in done.stdout + dry.stdout] == []


def test_the_block_is_shown_again_when_asked_for(node: Node) -> None:
    assert node.block() == block_in(node.first[0])


def test_the_state_is_for_root_alone(node: Node) -> None:
    modes = {
        oct(path.stat().st_mode & 0o777) for path in node.state.rglob("*") if path.is_file() and path.suffix != ".db"
    }

    assert node.state.stat().st_mode & 0o777 == 0o700
    assert modes - {"0o644"} == {"0o600"}
    # What the services write themselves is behind directories that only root enters.
    assert {oct((node.state / name).stat().st_mode & 0o777) for name in ("agent", "marzban")} == {"0o700"}


def test_what_an_earlier_run_left_half_done_is_finished(node: Node) -> None:
    block = block_in(node.first[0])
    node.engine.docker("rm", "--force", node.container("agent"), node.container("proxy"))
    shutil.rmtree(node.state / "rendered")
    (node.state / "handed-over").unlink()

    done = node.deploy()

    assert done.returncode == 0, done.stdout
    assert block_in(done.stdout) == block
    assert node.healthy()


def test_node_a_that_has_moved_changes_the_firewall_and_nothing_else(node: Node) -> None:
    files, containers = node.files(), node.containers()

    done = node.deploy("--node-a", "192.0.2.9", "--without-proof")

    assert done.returncode == 0, done.stdout
    assert "192.0.2.9" in node.firewall()
    assert "192.0.2.7" not in node.firewall()
    changed = {
        path.removeprefix(f"{node.state}/") for path, content in node.files().items() if files.get(path) != content
    }
    assert {path for path in changed if "." in path} == {"node.env", "rendered/firewall.nft", "firewall/kept.nft"}
    assert node.containers() == containers


def test_what_the_renderer_refuses_is_not_kept(node: Node) -> None:
    before = node.files()

    done = node.deploy("--node-a", "192.0.2.9/24", "--without-proof")

    assert done.returncode == 1
    assert "NODE_A_ADDRESSES in node.env is not usable" in done.stdout
    assert node.files() == before


def test_another_health_check_makes_the_panel_anew_and_nothing_else(node: Node) -> None:
    containers = {service: node.container(service) for service in SERVICES}
    healthy = node.checkout / "node_b" / "marzban" / "healthy.py"
    healthy.write_text(f"{healthy.read_text()}# Changed.\n")

    done = node.deploy()

    assert done.returncode == 0, done.stdout
    assert {service for service in SERVICES if node.container(service) != containers[service]} == {"panel"}
    # The older build is gone.
    for image in ("qentvpn-node-b-panel", "qentvpn-node-b"):
        assert len(node.engine.docker("image", "ls", "--quiet", image).split()) == 1


def test_a_new_token_is_the_agents_alone(node: Node) -> None:
    old, containers = node.block(), {service: node.container(service) for service in SERVICES}

    done = node.deploy("--rotate", "token")

    assert done.returncode == 0, done.stdout
    assert node.as_node_a(old)["agent"] == 401
    assert node.as_node_a(node.block())["agent"] == 200
    assert {service for service in SERVICES if node.container(service) != containers[service]} == {"agent"}


def test_a_new_password_reaches_the_panels_database(node: Node) -> None:
    old = node.block()

    done = node.deploy("--rotate", "password")

    assert done.returncode == 0, done.stdout
    assert node.as_node_a(old)["panel"] == 401
    assert node.as_node_a(node.block())["panel"] == 200


def test_new_reality_keys_are_what_the_core_has(node: Node) -> None:
    old = node.block()["NODES__DE1__REALITY_PUBLIC_KEY"]

    done = node.deploy("--rotate", "reality")

    new = node.block()["NODES__DE1__REALITY_PUBLIC_KEY"]
    assert done.returncode == 0, done.stdout
    assert new != old
    assert new in node.inside("panel", "cat", "/etc/qentvpn/vless_reality.json").stdout
    until(node.healthy)
