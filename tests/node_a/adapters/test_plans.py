"""The plans are checked at the start, one line for each mistake."""

from pathlib import Path

import pytest

from node_a.adapters.plans import GIGABYTE, read_plans
from node_a.domain.money import Money
from node_a.domain.plan import Plan
from shared.environment import ConfigurationProblems

ROOT = Path(__file__).parents[3]

GOOD = '[[plans]]\ncode = "month"\ndays = 30\nprice = "199.00"\n'


def problems_of(tmp_path: Path, text: str) -> list[str]:
    file = tmp_path / "plans.toml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigurationProblems) as caught:
        read_plans(file)
    return [line.removeprefix(str(file)) for line in caught.value.problems]


def test_the_plans_that_come_with_the_project_are_good() -> None:
    assert list(read_plans(ROOT / "plans.toml")) == ["month", "quarter", "year"]


def test_a_plan_is_what_the_file_says(tmp_path: Path) -> None:
    file = tmp_path / "plans.toml"
    file.write_text(GOOD + "traffic_gb = 100\n", encoding="utf-8")

    assert read_plans(file) == {"month": Plan("month", 30, Money(19_900), traffic_limit=100 * GIGABYTE)}


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("", "plans: Field required"),
        ("plans = []", "plans: List should have at least 1 item"),
        (GOOD.replace('"199.00"', "199"), "plan 1, price: Input should be a valid string"),
        (GOOD.replace("199.00", "199"), "plan 1, price: Value error, not an amount with two decimals"),
        (GOOD.replace("199.00", "0.00"), "plan 1, price: Value error, must be more than 0.00"),
        (GOOD.replace("30", "0"), "plan 1, days: Input should be greater than or equal to 1"),
        (GOOD.replace("month", "Monat!"), "plan 1, code: String should match pattern"),
        (GOOD + "traffic = 5\n", "plan 1, traffic: Extra inputs are not permitted"),
        (GOOD + GOOD, "the code 'month' stands there twice"),
        ("[[plans", "is not valid TOML"),
    ],
)
def test_each_mistake_is_named_in_one_line(tmp_path: Path, text: str, named: str) -> None:
    [line] = problems_of(tmp_path, text)

    assert named in line
    assert "\n" not in line


def test_several_mistakes_are_several_lines(tmp_path: Path) -> None:
    assert len(problems_of(tmp_path, GOOD.replace("30", "0") + GOOD.replace("199.00", "x"))) == 2


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationProblems, match="cannot be read"):
        read_plans(tmp_path / "none.toml")
