"""Blanks are filled strictly: whatever does not fit is named."""

import json

import pytest

from node_b.blanks import Value
from node_b.render import RenderError, render_json, render_text


def test_a_blank_in_json_takes_its_values_type() -> None:
    template = (
        '{"port": "{{port}}", "names": "{{names}}", "show": "{{show}}", "tag": "{{tag}}", "fixed": ["a", 1, null]}'
    )
    values: dict[str, Value] = {"port": 2053, "names": ["a", "б"], "show": False, "tag": 'a "quoted" tag'}

    rendered = render_json(template, values)

    assert json.loads(rendered) == {**values, "fixed": ["a", 1, None]}
    assert "б" in rendered


def test_a_blank_in_text_is_filled_inside_its_line() -> None:
    assert render_text("listen {{host}}:{{port}} {{on}}\n", {"host": "::1", "port": 8443, "on": True}) == (
        "listen ::1:8443 true\n"
    )


@pytest.mark.parametrize(
    ("template", "values", "named"),
    [
        ('{"a": "{{port}}", "b": "{{tag}}", "c": "{{tag}}"}', {}, "without a value: port, tag"),
        ('{"a": "{{port}}"}', {"port": 1, "prot": 2}, "no blank takes: prot"),
        ('{"a": "{{port}}"}', {"prot": 2}, "without a value: port; values that no blank takes: prot"),
        ('{"a": "x{{port}}"}', {"port": 1}, "'x{{port}}' is not"),
        ('{"a": "{{Port}}"}', {}, "'{{Port}}' is not"),
        ('{"a": "{{ port }}"}', {"port": 1}, "'{{ port }}' is not"),
        ('{"a": ["}}"]}', {}, "'}}' is not"),
        ('{"{{port}}": 1}', {"port": 1}, "'{{port}}' is not"),
        ('{"a": 1, "b": {"c": 1, "c": 2}}', {}, "says twice: c"),
        ('{"a": {{port}}}', {"port": 1}, "not JSON (line 1"),
    ],
)
def test_what_does_not_fit_in_json_is_named(template: str, values: dict[str, Value], named: str) -> None:
    with pytest.raises(RenderError) as caught:
        render_json(template, values)

    assert named in str(caught.value)


@pytest.mark.parametrize(
    ("template", "values", "named"),
    [
        ("{{port}} {{tag}}", {}, "without a value: port, tag"),
        ("{{port}}", {"port": 1, "prot": 2}, "no blank takes: prot"),
        ("first\n{{ port }}\n", {}, "line 2 of the template holds '{{'"),
        ("{{port}}}}", {"port": 1}, "holds '}}'"),
        ("{{token}}", {"token": "a\nOTHER=b"}, "{{token}} stands in a line"),
        ("{{names}}", {"names": ["a"]}, "{{names}} stands in a line"),
    ],
)
def test_what_does_not_fit_in_text_is_named(template: str, values: dict[str, Value], named: str) -> None:
    with pytest.raises(RenderError) as caught:
        render_text(template, values)

    assert named in str(caught.value)


def test_an_error_never_says_a_value() -> None:
    with pytest.raises(RenderError) as caught:
        render_text("{{token}} {{absent}}", {"token": "not-a-real-secret", "other": "not-a-real-secret"})

    assert "not-a-real-secret" not in str(caught.value)


def test_a_value_that_looks_like_a_blank_is_a_value() -> None:
    assert render_text("{{a}} {{b}}", {"a": "{{b}}", "b": "x"}) == "{{b}} x"
    assert json.loads(render_json('["{{a}}", "{{b}}"]', {"a": "{{b}}", "b": "x"})) == ["{{b}}", "x"]
