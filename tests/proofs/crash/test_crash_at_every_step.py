"""A purchase is killed before and after every call through a port; after the next start it is as it should be."""

from typing import Final

import pytest

from tests.databases import KINDS
from tests.proofs.crash.conftest import ProofOn
from tests.proofs.crash.proof import ONE, failed

# A wrapper that is lost, or a purchase that skips a step, must not make the proof quietly smaller.
EVERY_STEP: Final = {
    "read",
    "write (RegisterCustomer)",
    "write (OpenPayment)",
    "create",
    "write (NudgePayment)",
    "write (claim)",
    "find",
    "write (SettlePayment)",
    "read (ProvideAccess)",
    "write (ProvideAccess)",
    "apply vless",
    "apply shadowsocks",
    "read (DeliverMessage)",
    "send",
    "write (DeliverMessage)",
}

on_both = pytest.mark.parametrize("kind", KINDS)


def test_a_purchase_that_is_not_killed_takes_every_step(proof_on: ProofOn) -> None:
    case = proof_on("sqlite").case(ONE)

    assert case.problems == []
    assert {name.partition(": ")[2] for name in case.calls} == EVERY_STEP


def test_a_purchase_killed_at_every_fifth_step_is_finished_by_the_next_start(proof_on: ProofOn) -> None:
    proof = proof_on("sqlite")

    cases = [proof.case(ONE, point) for point in proof.points(ONE)[::5]]

    assert failed(cases) == []


@on_both
def test_a_purchase_killed_at_any_step_is_finished_by_the_next_start(proof_on: ProofOn, kind: str) -> None:
    proof = proof_on(kind)

    cases = [proof.case(ONE, point) for point in proof.points(ONE)]

    assert failed(cases) == []
    assert all(case.points for case in cases)  # each has come to its crash
