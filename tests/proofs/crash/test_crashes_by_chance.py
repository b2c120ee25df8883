"""Crashes at points drawn by chance, the same ones each time: two in a row, in a renewal, with two links paid at once,
and under the worker as it is, which does everything side by side."""

import random

import pytest

from tests.databases import KINDS
from tests.proofs.crash.conftest import ProofOn
from tests.proofs.crash.job import CrashPoint
from tests.proofs.crash.proof import ONE, Stages, failed

RENEWAL: Stages = (("month",), ("month",))
TWO_LINKS: Stages = (("month", "year"),)

pytestmark = pytest.mark.parametrize("kind", KINDS)


def drawn(points: list[CrashPoint], count: int) -> list[CrashPoint]:
    return random.Random(len(points)).sample(points, count)


def test_a_purchase_killed_twice_is_finished_by_the_third_start(proof_on: ProofOn, kind: str) -> None:
    proof = proof_on(kind)
    first = drawn(proof.points(ONE), 8)
    pairs = [(one, drawn(proof.points(ONE, one), 1)[0]) for one in first]

    cases = [proof.case(ONE, *pair) for pair in pairs]

    assert failed(cases) == []
    assert {len(case.points) for case in cases} == {2}


def test_a_renewal_killed_at_some_steps_adds_its_days_once(proof_on: ProofOn, kind: str) -> None:
    proof = proof_on(kind)
    first = len(proof.case(ONE).calls)
    later = [point for point in proof.points(RENEWAL) if point.call > first]

    cases = [proof.case(RENEWAL, point) for point in drawn(later, 8)]

    assert failed(cases) == []


def test_two_links_paid_at_once_and_killed_at_some_steps_are_two_grants(proof_on: ProofOn, kind: str) -> None:
    proof = proof_on(kind)

    cases = [proof.case(TWO_LINKS, point) for point in drawn(proof.points(TWO_LINKS), 8)]

    assert failed(cases) == []


def test_a_worker_that_does_everything_side_by_side_may_be_killed_as_well(proof_on: ProofOn, kind: str) -> None:
    proof = proof_on(kind, by_worker=True)

    cases = [proof.case(TWO_LINKS, point) for point in drawn(proof.points(TWO_LINKS), 10)]

    assert failed(cases) == []
