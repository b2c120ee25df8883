"""What a row of observations means: flapping is nothing, an outage is told once, and so is its end."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node_a.domain.faults import Fault, faults_seen
from node_a.domain.health import Health, Outage
from node_a.domain.node import NodeObservation
from tests.builders import NOW

EVERY: Final = timedelta(seconds=30)
WELL: Final = NodeObservation(NOW, True, True, vless_reachable=True, shadowsocks_reachable=True, clock_off=0.4)
DEAD: Final = NodeObservation(NOW, False, False, problem="panel: no answer")
NO_PANEL: Final = replace(WELL, vless_ready=False, vless_reachable=None)
NO_AGENT: Final = replace(WELL, shadowsocks_ready=False, shadowsocks_reachable=None)
PORT_SHUT: Final = replace(WELL, vless_reachable=False)
ALL_PORTS_SHUT: Final = replace(WELL, vless_reachable=False, shadowsocks_reachable=False)
CLOCK_OFF: Final = replace(WELL, clock_off=-25.0)
NOT_PROBED: Final = replace(WELL, vless_reachable=None, shadowsocks_reachable=None, clock_off=None)
SILENT: Final = replace(WELL, vless_ready=False, shadowsocks_ready=False, clock_off=None)
LOOKS: Final = (WELL, DEAD, SILENT, NO_PANEL, NO_AGENT, PORT_SHUT, ALL_PORTS_SHUT, CLOCK_OFF, NOT_PROBED)


@dataclass
class Watched:
    """A node that is looked at, and what was told of it; between any two looks the health is stored and read again."""

    now: datetime = NOW
    health: Health = field(default_factory=Health)
    told: list[Outage] = field(default_factory=list)

    def looks(self, *sights: NodeObservation, every: timedelta = EVERY) -> list[Outage]:
        """What these looks told."""
        told: list[Outage] = []
        for sight in sights:
            self.health, news = self.health.after(replace(sight, at=self.now))
            self.health = stored_and_read(self.health)
            self.now += every
            told += news
        self.told += told
        return told


def stored_and_read(health: Health) -> Health:
    read = Health.of(json.loads(json.dumps(health.as_facts())))
    assert read == health
    return read


def after(seconds: int) -> datetime:
    return NOW + timedelta(seconds=seconds)


def test_a_node_is_gone_after_two_minutes_of_silence_and_told_once() -> None:
    node = Watched()
    assert node.looks(WELL, DEAD, DEAD, DEAD, DEAD) == []
    assert node.health.faults == frozenset()

    assert node.looks(DEAD) == [Outage(Fault.GONE, after(30))]
    assert node.health.faults == {Fault.GONE}
    assert node.looks(*[DEAD] * 200) == []


def test_it_is_back_after_two_good_looks_and_told_once_with_how_long_it_lasted() -> None:
    node = Watched()
    node.looks(*[DEAD] * 5)

    assert node.looks(WELL) == []
    assert node.looks(WELL) == [Outage(Fault.GONE, NOW, after(150))]
    assert node.health.faults == frozenset()
    assert node.health.outage(Fault.GONE) == Outage(Fault.GONE, NOW, after(150))
    assert node.looks(*[WELL] * 200) == []


def test_flapping_tells_nothing() -> None:
    node = Watched()
    assert node.looks(*[DEAD, DEAD, DEAD, DEAD, WELL] * 50) == []


def test_one_good_look_in_a_long_outage_is_no_return() -> None:
    node = Watched()
    node.looks(*[DEAD] * 5)
    assert node.looks(*[WELL, DEAD] * 50) == []
    assert node.health.faults == {Fault.GONE}


def test_an_outage_after_a_return_is_another_one() -> None:
    node = Watched()
    node.looks(*[DEAD] * 5, WELL, WELL, *[DEAD] * 5)
    assert node.told == [
        Outage(Fault.GONE, NOW),
        Outage(Fault.GONE, NOW, after(150)),
        Outage(Fault.GONE, after(210)),
    ]


@pytest.mark.parametrize(
    ("sight", "fault"),
    [
        (NO_PANEL, Fault.VLESS),
        (NO_AGENT, Fault.SHADOWSOCKS),
        (PORT_SHUT, Fault.VLESS),
        (replace(WELL, shadowsocks_reachable=False), Fault.SHADOWSOCKS),
        (ALL_PORTS_SHUT, Fault.GONE),
        (replace(NO_PANEL, shadowsocks_reachable=False), Fault.GONE),
        (replace(NO_PANEL, vless_reachable=True), Fault.VLESS),
        (SILENT, Fault.SILENT),
        (replace(SILENT, vless_reachable=None), Fault.SILENT),
        (CLOCK_OFF, Fault.CLOCK),
        (replace(WELL, clock_off=20.1), Fault.CLOCK),
    ],
)
def test_every_fault_has_a_course_of_its_own(sight: NodeObservation, fault: Fault) -> None:
    node = Watched()
    node.looks(*[sight] * 6)
    assert node.told == [Outage(fault, NOW)]
    node.looks(WELL, WELL)
    assert node.told[1:] == [Outage(fault, NOW, after(180))]


@pytest.mark.parametrize("sight", [NOT_PROBED, replace(WELL, clock_off=20.0), replace(WELL, clock_off=-20.0)])
def test_what_is_not_known_or_just_allowed_is_no_fault(sight: NodeObservation) -> None:
    assert Watched().looks(*[sight] * 10) == []


def test_a_node_that_dies_piece_by_piece_is_one_outage() -> None:
    node = Watched()
    node.looks(WELL, NO_PANEL, NO_PANEL, *[DEAD] * 20, NO_PANEL, NO_PANEL, WELL, WELL)
    assert [(outage.fault, outage.ended is not None) for outage in node.told] == [
        (Fault.GONE, False),
        (Fault.GONE, True),
    ]


def test_a_node_whose_ports_come_back_first_is_back_for_customers_and_still_silent_for_us() -> None:
    node = Watched()
    node.looks(*[DEAD] * 5, *[SILENT] * 5, WELL, WELL)
    assert [(outage.fault, outage.ended is None) for outage in node.told] == [
        (Fault.GONE, True),
        (Fault.GONE, False),
        (Fault.SILENT, True),
        (Fault.SILENT, False),
    ]


def test_a_protocol_that_never_works_is_told_of_although_the_other_one_flaps() -> None:
    node = Watched()
    node.looks(*[NO_PANEL, DEAD, DEAD] * 5)
    assert node.told == [Outage(Fault.VLESS, NOW)]


def test_a_dead_node_says_nothing_about_its_clock() -> None:
    node = Watched()
    node.looks(*[CLOCK_OFF] * 6, *[DEAD] * 20)
    assert Fault.CLOCK in node.health.faults
    node.looks(*[CLOCK_OFF] * 6)
    assert [outage.fault for outage in node.told] == [Fault.CLOCK, Fault.GONE, Fault.GONE]


def test_several_workers_do_not_make_an_outage_faster() -> None:
    node = Watched()
    assert node.looks(*[DEAD] * 12, every=timedelta(seconds=10)) == []
    assert node.looks(DEAD, every=timedelta(seconds=10)) == [Outage(Fault.GONE, NOW)]
    assert node.looks(WELL, WELL, every=timedelta(seconds=10)) == []
    assert len(node.looks(WELL)) == 1


def test_an_older_observation_than_the_last_changes_nothing() -> None:
    node = Watched()
    node.looks(*[DEAD] * 5)
    late = replace(WELL, at=NOW + timedelta(seconds=100))
    assert node.health.after(late) == (node.health, [])
    again = replace(DEAD, at=NOW + timedelta(seconds=120))
    assert node.health.after(again) == (node.health, []), "the same once more"


def test_a_clock_of_ours_that_was_set_back_does_not_blind_us() -> None:
    node = Watched()
    node.looks(*[WELL] * 3)
    node.now -= timedelta(hours=1)
    assert len(node.looks(*[DEAD] * 5)) == 1


def test_nobody_looked_for_an_hour_so_nothing_is_known_of_that_hour() -> None:
    node = Watched()
    node.looks(DEAD, DEAD, DEAD, DEAD)
    node.now += timedelta(hours=1)
    assert node.looks(DEAD, DEAD, DEAD, DEAD) == []
    assert node.looks(DEAD) == [Outage(Fault.GONE, after(4 * 30 + 3600))]


def test_an_outage_goes_on_while_nobody_looks() -> None:
    node = Watched()
    node.looks(*[DEAD] * 5)
    node.now += timedelta(hours=1)
    assert node.looks(*[DEAD] * 5) == []
    assert len(node.looks(WELL, WELL)) == 1


def test_a_fault_that_is_not_sure_yet_is_known_since_when() -> None:
    node = Watched()
    node.looks(WELL, DEAD, DEAD)
    assert node.health.seen_since(Fault.GONE) == after(30)
    node.looks(*[DEAD] * 20)
    assert node.health.seen_since(Fault.GONE) == after(30)


@pytest.mark.parametrize(
    "facts",
    [
        None,
        {},
        {"seen_at": "yesterday", "faults": []},
        {"seen_at": 5, "faults": {"gone": None, "vless": 7, "a fault of next year": {"began": NOW.isoformat()}}},
        {"faults": {"gone": {"began": "2026-11-22T12:00:00", "changes": 4, "last_began": NOW.isoformat()}}},
        {"faults": {"gone": {"changing_since": NOW.isoformat(), "changes": "many"}}},
    ],
)
def test_what_another_release_stored_is_no_error(facts: dict[str, Any] | None) -> None:
    health = Health.of(facts)
    assert (health.faults, health.outage(Fault.GONE)) == (frozenset(), None)
    assert len(Watched(health=health).looks(*[DEAD] * 5)) == 1


def test_what_another_release_added_does_not_hide_what_this_one_knows() -> None:
    node = Watched()
    node.looks(*[DEAD] * 5)
    facts = node.health.as_facts()
    facts["faults"]["gone"]["cause"] = facts["weather"] = "rain"
    assert Health.of(facts) == node.health


@st.composite
def sequences(draw: st.DrawFn) -> list[tuple[NodeObservation, timedelta]]:
    """Runs of the same sight, as outages are, at the worker's pace and sometimes not."""
    gaps = st.sampled_from([EVERY] * 5 + [timedelta(seconds=5), timedelta(minutes=1), timedelta(minutes=20)])
    run = st.tuples(st.sampled_from(LOOKS), st.lists(gaps, min_size=1, max_size=7))
    return [(sight, gap) for sight, gaps in draw(st.lists(run, max_size=25)) for gap in gaps]


@given(sequences())
def test_news_alternate_and_stand_on_what_was_seen(sequence: Sequence[tuple[NodeObservation, timedelta]]) -> None:
    node, seen = Watched(), list[NodeObservation]()
    for sight, gap in sequence:
        seen.append(replace(sight, at=node.now))
        for outage in node.looks(sight, every=gap):
            is_there, since = outage.ended is None, outage.ended or outage.began
            row = [(at, said) for at, said in the_last_row(seen, outage.fault) if at >= since]
            assert row[0] == (since, is_there), "news that was not seen, or not in one row"
            assert len(row) >= (3 if is_there else 2)
            assert row[-1][0] - since >= timedelta(seconds=120 if is_there else 20)

    for fault in Fault:
        told = [outage for outage in node.told if outage.fault is fault]
        assert [outage.ended is None for outage in told] == [number % 2 == 0 for number in range(len(told))]
        for gone, back in zip(told[::2], told[1::2], strict=False):
            assert gone.began == back.began
            assert back.ended is not None
            assert back.ended > gone.began
        assert (fault in node.health.faults) == (len(told) % 2 == 1)


@given(sequences())
def test_a_fault_that_stays_is_always_told_and_so_is_its_end(
    sequence: Sequence[tuple[NodeObservation, timedelta]],
) -> None:
    node = Watched()
    for sight, gap in sequence:
        node.looks(sight, every=gap)

    node.looks(*[DEAD] * 8)
    assert Fault.GONE in node.health.faults
    assert [outage for outage in node.told if outage.fault is Fault.GONE][-1].ended is None
    node.looks(*[WELL] * 4)
    assert node.health.faults == frozenset()
    assert [outage for outage in node.told if outage.fault is Fault.GONE][-1].ended is not None


def the_last_row(seen: Iterable[NodeObservation], fault: Fault) -> list[tuple[datetime, bool]]:
    """The last looks that said the same about the fault, the first of them first."""
    row: list[tuple[datetime, bool]] = []
    for observation in seen:
        said = faults_seen(observation)[fault]
        if said is None:
            continue
        if row and row[-1][1] is not said:
            row = []
        row.append((observation.at, said))
    return row
