"""What the proofs look through, held against a bare Xray: who has a key gets through, nobody else does."""

import os
from contextlib import closing
from pathlib import Path

import grpc
import pytest
from xray.app.stats.command.command_pb2 import QueryStatsRequest
from xray.app.stats.command.command_pb2_grpc import StatsServiceStub

from shared.inbounds import SHADOWSOCKS_TAG
from tests.node_b.agent_proofs.crowd import a_crowd
from tests.node_b.agent_proofs.keys import a_key
from tests.node_b.agent_proofs.own_network import a_network_of_its_own
from tests.node_b.agent_proofs.page import Page
from tests.node_b.agent_proofs.running_xray import users_of
from tests.node_b.agent_proofs.skeleton import a_bare_xray, placeholder

CUSTOMERS = {name: a_key(name) for name in ("anna", "boris", "stranger")}
KNOWN = {name: key for name, key in CUSTOMERS.items() if name != "stranger"}


def test_who_is_known_gets_through_and_is_seen_by_name(page: Page, tmp_path: Path) -> None:
    with a_bare_xray(KNOWN, tmp_path), a_crowd(CUSTOMERS, tmp_path) as crowd:
        assert crowd.gets_through("anna", wanted=300_000)
        assert not crowd.gets_through("stranger")
        assert crowd.gets_through("boris")

    assert [visit.visitor for visit in page.visits] == ["anna", "boris"]
    assert page.visits[0].sent > 300_000


def test_without_a_node_nobody_gets_through(page: Page, tmp_path: Path) -> None:
    with a_crowd(CUSTOMERS, tmp_path, datagrams=True) as crowd:
        assert not crowd.gets_through("anna")
        assert not crowd.gets_a_datagram_through("anna")

    assert page.visits == []


def test_a_hundred_visits_fail_not_once(page: Page, tmp_path: Path) -> None:
    with a_bare_xray(KNOWN, tmp_path), a_crowd(CUSTOMERS, tmp_path) as crowd:
        assert [crowd.gets_through("anna") for _ in range(100)] == [True] * 100


def test_datagrams_go_through_for_who_is_known(page: Page, tmp_path: Path) -> None:
    with a_bare_xray(KNOWN, tmp_path), a_crowd(CUSTOMERS, tmp_path, datagrams=True) as crowd:
        assert crowd.gets_a_datagram_through("boris")
        assert not crowd.gets_a_datagram_through("stranger")

    assert page.visitors() == {"boris"}


def test_a_conversation_goes_on_until_the_node_ends(page: Page, tmp_path: Path) -> None:
    with a_crowd(CUSTOMERS, tmp_path) as crowd:
        with a_bare_xray(KNOWN, tmp_path), crowd.staying("anna") as conversation:
            assert conversation.goes_on()
            assert conversation.goes_on()
        assert not conversation.goes_on()


def test_the_running_xray_tells_its_users(network: None, tmp_path: Path) -> None:
    with a_bare_xray(KNOWN, tmp_path) as api:
        assert users_of(api, SHADOWSOCKS_TAG) == {**KNOWN, **placeholder()}


def test_xray_counts_what_was_carried_to_the_byte(page: Page, tmp_path: Path) -> None:
    with a_bare_xray(KNOWN, tmp_path) as api, a_crowd(CUSTOMERS, tmp_path) as crowd:
        for wanted in (1, 1000, 123_456):
            assert crowd.gets_through("anna", wanted=wanted)
        with closing(grpc.insecure_channel(api)) as channel:
            reply = StatsServiceStub(channel).QueryStats(QueryStatsRequest(pattern="user>>>"), timeout=10)

    counted = {stat.name: stat.value for stat in reply.stat if stat.value}
    assert counted == {
        "user>>>anna>>>traffic>>>uplink": sum(visit.received for visit in page.visits),
        "user>>>anna>>>traffic>>>downlink": sum(visit.sent for visit in page.visits),
    }


def test_nothing_of_the_network_is_left_behind(tmp_path: Path) -> None:
    before = os.stat("/proc/thread-self/ns/net").st_ino
    with a_network_of_its_own():
        assert os.stat("/proc/thread-self/ns/net").st_ino != before
    assert os.stat("/proc/thread-self/ns/net").st_ino == before


@pytest.mark.parametrize("wanted", [1, 50_000_000])
def test_much_is_brought_whole(page: Page, tmp_path: Path, wanted: int) -> None:
    with a_bare_xray(KNOWN, tmp_path), a_crowd(CUSTOMERS, tmp_path) as crowd:
        assert crowd.gets_through("anna", wanted=wanted)
