"""Applying the firewall: whoever may be locked out by it is not."""

import os
import shutil
import signal
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from node_b.configurations import firewall
from tests.node_b.firewall.machines import NODE, Machines, everything_open, some_decisions, tcp_open, three_machines
from tests.node_b.firewall.operator import (
    APPLY,
    IN_FORCE,
    REFUSED,
    TAKEN_BACK,
    Operator,
    an_operator,
    an_ssh_connection,
    ends,
    until_on_trial,
)
from tests.programs import run
from tests.waiting import until

pytestmark = pytest.mark.proof
LISTENS = "echo 'Listen=[::]:2022 (Stream)'"
BRIEFLY = ("--seconds", "2")
FOR_A_WHILE = ("--seconds", "6")  # a slow machine, too, does something before they are over
FOR_LONG = ("--seconds", "50")


@pytest.fixture(scope="module")
def machines() -> Iterator[Machines]:
    with three_machines() as machines, everything_open(machines.node, [22, 2222, 8443]):
        yield machines


@pytest.fixture
def operator(machines: Machines, tmp_path: Path) -> Iterator[Operator]:
    with an_operator(machines, tmp_path) as operator:
        operator.writes(firewall(some_decisions(tmp_path)))
        yield operator


def other_rules(operator: Operator) -> str:
    return firewall(some_decisions(operator.directory, outline_port=8388))


def test_rules_that_nobody_proves_are_taken_back(operator: Operator) -> None:
    before = operator.in_force()

    code, said = operator.applies(*BRIEFLY)

    assert (code, "taken back" in said) == (TAKEN_BACK, True), said
    assert operator.in_force() == before == ""
    assert not operator.kept.exists()


def test_a_new_connection_to_sshd_proves_the_way_in(operator: Operator) -> None:
    process = operator.begins(*FOR_LONG, operator.rules)
    until_on_trial(operator)

    with an_ssh_connection(operator.machines.stranger):
        code, said = ends(process)

    assert (code, "kept: a new SSH connection came in" in said) == (IN_FORCE, True), said
    assert "qentvpn_node_b" in operator.in_force()
    assert operator.kept.read_text() == operator.rules.read_text()
    assert operator.kept.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(("port", "address"), [(2222, "198.51.100.10"), (22, "2001:db8::10")])
def test_every_port_of_sshd_and_both_kinds_of_address_count(operator: Operator, port: int, address: str) -> None:
    process = operator.begins(*FOR_LONG, operator.rules)
    until_on_trial(operator)

    with an_ssh_connection(operator.machines.stranger, port, address):
        assert ends(process)[0] == IN_FORCE


def test_several_new_connections_are_as_good_as_one(operator: Operator) -> None:
    process = operator.begins(*FOR_LONG, operator.rules)
    until_on_trial(operator)

    with ExitStack() as connections:
        watcher = operator.watcher()
        os.kill(watcher, signal.SIGSTOP)
        for _ in range(50):
            connections.enter_context(an_ssh_connection(operator.machines.stranger))
        os.kill(watcher, signal.SIGCONT)
        assert ends(process)[0] == IN_FORCE


def test_a_connection_that_was_there_before_proves_nothing(operator: Operator) -> None:
    with an_ssh_connection(operator.machines.stranger) as connection:
        code, said = operator.applies(*BRIEFLY)
        connection.sendall(b"still alive")

    assert code == TAKEN_BACK, said


def test_a_connection_from_the_node_itself_proves_nothing(operator: Operator) -> None:
    process = operator.begins(*FOR_A_WHILE, operator.rules)
    until_on_trial(operator)

    with (
        an_ssh_connection(operator.machines.node),
        an_ssh_connection(operator.machines.node, address="127.0.0.5"),
        an_ssh_connection(operator.machines.node, address="::1"),
    ):
        assert ends(process)[0] == TAKEN_BACK


def test_a_connection_to_another_port_proves_nothing(operator: Operator) -> None:
    process = operator.begins(*FOR_A_WHILE, operator.rules)
    until_on_trial(operator)

    with an_ssh_connection(operator.machines.node_a, 8443):
        assert ends(process)[0] == TAKEN_BACK


def test_rules_that_close_sshd_are_taken_back_and_the_operator_is_let_in_again(operator: Operator) -> None:
    operator.writes(firewall(some_decisions(operator.directory, ssh_ports=(2200,))))
    process = operator.begins(*FOR_A_WHILE, operator.rules)
    until_on_trial(operator)
    assert tcp_open(operator.machines.stranger, NODE[4], [22]) == set()

    assert ends(process)[0] == TAKEN_BACK
    with an_ssh_connection(operator.machines.stranger):
        pass


@pytest.mark.parametrize("how", [signal.SIGHUP, signal.SIGKILL, signal.SIGINT])
def test_the_rules_are_taken_back_though_the_session_that_applied_them_is_dead(
    operator: Operator, how: signal.Signals
) -> None:
    process = operator.begins(*FOR_A_WHILE, operator.rules)
    until_on_trial(operator)

    os.killpg(process.pid, how)
    process.wait()

    assert "qentvpn_node_b" in operator.in_force()
    until(lambda: operator.in_force() == "")


def test_a_new_connection_counts_though_the_session_that_applied_the_rules_is_dead(operator: Operator) -> None:
    process = operator.begins(*FOR_LONG, operator.rules)
    until_on_trial(operator)
    os.killpg(process.pid, signal.SIGKILL)

    with an_ssh_connection(operator.machines.stranger):
        until(operator.kept.exists)

    assert "qentvpn_node_b" in operator.in_force()


def test_what_is_taken_back_is_what_was_there_before(operator: Operator) -> None:
    operator.applies("--without-proof")
    before = operator.machines.node.run("nft", "list", "ruleset")
    kept = operator.kept.read_text()
    operator.writes(other_rules(operator))

    assert operator.applies(*BRIEFLY)[0] == TAKEN_BACK

    assert operator.machines.node.run("nft", "list", "ruleset") == before
    assert operator.kept.read_text() == kept


def test_the_same_rules_again_change_nothing(operator: Operator) -> None:
    operator.applies("--without-proof")
    before = operator.in_force()

    assert operator.applies(*BRIEFLY) == (IN_FORCE, "unchanged\n")
    operator.writes("# In other words.\n" + operator.rules.read_text())
    assert operator.applies(*BRIEFLY) == (IN_FORCE, "unchanged\n")

    assert operator.in_force() == before
    assert operator.kept.read_text() == operator.rules.read_text()


def test_rules_that_somebody_removed_are_loaded_again(operator: Operator) -> None:
    operator.applies("--without-proof")
    operator.machines.node.run("nft", "flush", "ruleset")

    assert operator.applies(*BRIEFLY)[0] == TAKEN_BACK


def test_rules_are_confirmed_from_a_second_session(operator: Operator) -> None:
    process = operator.begins(*FOR_LONG, operator.rules)
    until_on_trial(operator)

    assert operator.confirms() == (IN_FORCE, "kept: confirmed\n")
    assert ends(process)[0] == IN_FORCE


def test_there_is_nothing_to_confirm_once_the_rules_were_taken_back(operator: Operator) -> None:
    operator.applies(*BRIEFLY)

    assert operator.confirms() == (REFUSED, "firewall: no rules wait for their proof\n")


def test_the_operator_types_keep(operator: Operator) -> None:
    with operator.at_a_terminal(*FOR_LONG) as (process, terminal):
        until_on_trial(operator)
        os.write(terminal, b"what?\n")
        os.write(terminal, b"keep\n")
        process.wait(timeout=30)

        assert process.returncode == IN_FORCE
    assert operator.kept.exists()


def test_a_second_change_waits_for_the_proof_of_the_first(operator: Operator) -> None:
    operator.begins(*FOR_LONG, operator.rules)
    until_on_trial(operator)
    before = operator.in_force()

    code, said = operator.applies(*FOR_LONG)

    assert (code, "earlier rules still wait" in said) == (REFUSED, True), said
    assert operator.in_force() == before


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_rules_do_not_stay_unproven_when_the_watcher_dies(operator: Operator, how: signal.Signals) -> None:
    process = operator.begins(*FOR_LONG, operator.rules)
    until_on_trial(operator)

    os.kill(operator.watcher(), how)

    assert ends(process)[0] == TAKEN_BACK
    assert operator.in_force() == ""


def test_they_do_not_stay_either_when_nobody_waits_for_the_watcher(operator: Operator) -> None:
    process = operator.begins(*FOR_LONG, operator.rules)
    until_on_trial(operator)
    os.killpg(process.pid, signal.SIGKILL)

    os.kill(operator.watcher(), signal.SIGTERM)

    until(lambda: operator.in_force() == "")


def test_rules_that_cannot_be_kept_for_the_next_boot_are_taken_back(operator: Operator) -> None:
    operator.kept.parent.write_text("in the way")
    process = operator.begins(*FOR_LONG, operator.rules)
    until_on_trial(operator)

    with an_ssh_connection(operator.machines.stranger):
        assert ends(process)[0] == TAKEN_BACK
    assert operator.in_force() == ""


def test_a_file_that_nft_refuses_changes_nothing(operator: Operator) -> None:
    operator.applies("--without-proof")
    before = operator.in_force()
    operator.writes(operator.rules.read_text().replace("tcp dport", "tcp port"))

    code, said = operator.applies(*BRIEFLY)

    assert (code, "nothing was changed" in said) == (REFUSED, True), said
    assert operator.in_force() == before


def test_rules_that_close_the_port_on_which_sshd_listens_are_refused(operator: Operator) -> None:
    sshd = operator.directory / "sshd"
    sshd.symlink_to(Path(sys.executable).resolve())
    log = operator.directory / "log"
    listening = "import socket, time; s = socket.create_server(('', 2200)); print('up', flush=True); time.sleep(60)"
    process = operator.machines.node.start([sshd, "-Sc", listening], log)
    until(lambda: "up" in log.read_text())

    code, said = operator.applies(*BRIEFLY)
    process.kill()
    process.wait()

    assert (code, "sshd listens on 2200" in said) == (REFUSED, True), said
    assert operator.in_force() == ""


def test_the_port_of_the_very_connection_that_the_operator_came_by_is_not_closed(operator: Operator) -> None:
    here = {"SSH_CONNECTION": "198.51.100.30 50000 198.51.100.10 2022"}

    code, said = operator.applies(*BRIEFLY, environment=here)

    assert (code, "sshd listens on 2022" in said) == (REFUSED, True), said


def test_the_ports_of_sshd_are_found(operator: Operator) -> None:
    """What it says of its next start, what it listens on now, and where this connection came in; once each."""
    says = "port 22\nport 2022\nlistenaddress [::]:2200\nlistenaddress 0.0.0.0:2200\npermitrootlogin no\n"
    file = operator.directory / "sshd"
    file.write_text(f"#!/bin/sh\nprintf '{says}'\n")
    file.chmod(0o700)
    environment = {
        "PATH": f"{operator.directory}:{os.environ['PATH']}",
        "SSH_CONNECTION": "2001:db8::30 50000 2001:db8::10 222",
    }

    assert ends(operator.begins("--ssh-ports", environment=environment)) == (0, "222,2200\n")
    file.write_text(f"#!/bin/sh\nprintf '{says}' | grep -v address\n")
    assert ends(operator.begins("--ssh-ports", environment=environment)) == (0, "22,222,2022\n")


@pytest.mark.parametrize(("active", "found"), [("ssh.socket", "22,2022\n"), ("", "22\n")])
def test_a_port_of_systemds_counts_only_where_it_waits_there(operator: Operator, active: str, found: str) -> None:
    """Debian ships an ssh.socket that nobody uses."""
    operator.plays("sshd", "echo port 22")
    cases = f'"--quiet is-active {active}") ;; show*ssh.socket) {LISTENS} ;; *) exit 3 ;;'
    operator.plays("systemctl", f'case "$*" in {cases} esac')

    assert ends(operator.begins("--ssh-ports")) == (0, found)


def test_rules_that_are_in_force_are_loaded_at_boot_from_then_on(operator: Operator) -> None:
    operator.applies("--without-proof")
    units, told = operator.directory / "units", operator.directory / "told"
    units.mkdir()
    operator.plays("systemctl", f'echo "$*" >>"{told}"')
    environment = {"FIREWALL_UNITS": str(units)}

    assert operator.applies(environment=environment) == (IN_FORCE, "unchanged\n")
    assert operator.applies(environment=environment) == (IN_FORCE, "unchanged\n")

    unit = (units / "qentvpn-node-b-firewall.service").read_text()
    assert f"nft --file {operator.kept}" in unit
    assert told.read_text().count("daemon-reload") == 1
    assert "enable --now qentvpn-node-b-firewall.service" in told.read_text()


def test_what_systemd_is_given_is_a_unit(tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed: apt install systemd")
    template = APPLY.with_name("qentvpn-node-b-firewall.service").read_text()
    unit = tmp_path / "qentvpn-node-b-firewall.service"
    unit.write_text(template.replace("@NFT@", "/bin/true").replace("@RULES@", "/var/lib/qentvpn-node-b/kept.nft"))

    done = run("systemd-analyze", "verify", unit)

    # It may have something to say about this machine's other units.
    assert [line for line in done.stdout.splitlines() if unit.name in line] == []


def test_another_firewall_that_drops_is_named(operator: Operator) -> None:
    theirs = operator.directory / "theirs.nft"
    theirs.write_text("table ip filter {\n chain INPUT { type filter hook input priority 0; policy drop; }\n}\n")
    operator.machines.node.run("nft", "-f", theirs)

    _, said = operator.applies("--without-proof")

    assert "another firewall, table ip filter, drops at input as well" in said


def test_the_scripts_are_clean() -> None:
    if run("which", "shellcheck").returncode:
        pytest.skip("shellcheck is not installed")

    found = run("shellcheck", "--external-sources", "--source-path", APPLY.parents[2], *APPLY.parent.glob("*.sh"))

    assert found.stdout == ""
