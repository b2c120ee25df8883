"""The plot of traffic: what stands in it for eyes and for ears, and that a strict page may show it."""

import re
from datetime import date, timedelta
from xml.etree import ElementTree

import pytest
from markupsafe import Markup

from node_a.domain.customer import Language
from node_a.web.plot import traffic_plot

RU, EN = Language.RUSSIAN, Language.ENGLISH
GIGABYTE = 10**9
FIRST = date(2026, 10, 24)


def days(*amounts: int) -> list[tuple[date, int]]:
    return [(FIRST + timedelta(days=number), amount) for number, amount in enumerate(amounts)]


def parsed(plot: Markup) -> ElementTree.Element:
    return ElementTree.fromstring(str(plot))


def heights(plot: Markup) -> list[int]:
    return [int(bar.attrib["height"]) for bar in parsed(plot).iter("rect")]


def spaced(text: str | None) -> str:
    return (text or "").replace("\u00a0", " ")


def test_every_day_has_its_bar_as_high_as_its_traffic() -> None:
    plot = traffic_plot(days(4 * GIGABYTE, 0, 2 * GIGABYTE, 1), EN)
    assert heights(plot) == [64, 2, 32, 2]
    assert [bar.attrib["class"] for bar in parsed(plot).iter("rect")] == ["used", "unused", "used", "used"]


def test_bars_stand_on_the_ground_and_stay_in_the_picture() -> None:
    plot = parsed(traffic_plot(days(*range(30)), EN))
    width, height = map(int, plot.find("svg").attrib["viewBox"].split()[2:])  # type: ignore[union-attr]
    for bar in plot.iter("rect"):
        at = {name: int(bar.attrib[name]) for name in ("x", "y", "width", "height")}
        assert at["y"] + at["height"] == height
        assert at["x"] >= 0
        assert at["x"] + at["width"] <= width


@pytest.mark.parametrize(
    ("language", "summary"),
    [
        (RU, "Трафик по дням с 24 октября по 26 октября: всего 3,5 ГБ, больше всего 25 октября: 3 ГБ."),
        (EN, "Traffic by days from 24 October to 26 October: 3.5 GB in all, most on 25 October: 3 GB."),
    ],
)
def test_who_does_not_see_the_plot_hears_what_it_says(language: Language, summary: str) -> None:
    picture = parsed(traffic_plot(days(500_000_000, 3 * GIGABYTE, 0), language)).find("svg")
    assert picture is not None
    assert picture.attrib["role"] == "img"
    assert spaced(picture.attrib["aria-label"]) == summary


def test_a_month_without_traffic_is_said_to_be_one() -> None:
    plot = traffic_plot(days(0, 0), RU)
    assert 'aria-label="Трафика не было с 24 октября по 25 октября."' in plot
    assert heights(plot) == [2, 2]


def test_a_bar_tells_its_day_and_amount() -> None:
    titles = [spaced(title.text) for title in parsed(traffic_plot(days(GIGABYTE, 0), RU)).iter("title")]
    assert titles == ["24 октября: 1 ГБ", "25 октября: 0 МБ"]


def test_the_first_and_the_last_day_stand_beneath_it() -> None:
    caption = parsed(traffic_plot(days(0, 1, 2), EN)).find("figcaption")
    assert caption is not None
    assert [span.text for span in caption] == ["24 October", "26 October"]


def test_no_days_are_no_plot() -> None:
    assert traffic_plot([], RU) == ""


def test_a_page_that_allows_no_scripts_and_no_styles_may_show_it() -> None:
    plot = str(traffic_plot(days(1, 2), RU))
    assert not re.search(r"<script|<style|\sstyle=|\son\w+=|href", plot)
