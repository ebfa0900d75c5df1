"""Tests for size limits on values built by chat templates."""

from __future__ import annotations

import time

import pytest

from playground import templates
from playground.types import ChatFormat

MESSAGES = [{"role": "user", "content": "Hi"}]
HUGE = [
    '{{ "%1000000000d"|format(1) }}',
    '{{ "%*d"|format(10**9, 1) }}',
    '{{ "%.*f" % (10**9, 1.0) }}',
    '{{ "%s%s%s" % ("x" * 9999999, "x" * 9999999, "x" * 9999999) }}',
    '{{ "{:>1000000000}".format(1) }}',
    '{{ "{:>{}}".format(1, 10**9) }}',
    '{{ range(5)|batch(10**9, "x")|list }}',
    '{{ range(5)|slice(10**9, "x")|list }}',
    "{{ lipsum(10**9) }}",
    "{{ lipsum(1, min=10**9, max=10**9 + 1) }}",
    '{{ "x"|center(10**9) }}',
    '{{ ["x"]|map("center", 10**9)|list }}',
    '{{ range(100000)|map("center", 10**6)|list|length }}',
    '{{ "x"|indent(10**9, true) }}',
    '{{ "x"|indent(width=10**9, first=true) }}',
    '{{ "x" * 10**9 }}',
    "{{ [1] * 10**9 }}",
    "{{ 9**(9**9) }}",
    '{{ 2.5|round(10**9, "ceil") }}',
    "{{ 5|round(-10**9) }}",
    "{{ [[1]]|tojson(indent=10**9) }}",
    '{{ ("a" * 99999)|replace("a", "b" * 99999) }}',
    '{{ ("a" * 99999).replace("a", "b" * 99999) }}',
    '{{ "x".center(10**9) }}',
    '{{ "x".zfill(10**9) }}',
    '{{ "\t".expandtabs(10**9) }}',
    '{{ (1).to_bytes(10**9, "big") }}',
    '{{ ("a " * 99999)|wordwrap(1, wrapstring="b" * 99999) }}',
    '{{ ("http://a.bc " * 9999)|urlize(target="b" * 99999) }}',
    '{{ range(99999)|join("b" * 99999) }}',
    '{{ ("b" * 99999).join(["a"] * 99999) }}',
    '{% set n = namespace(x="ab") %}{% for i in range(60) %}{% set n.x = n.x ~ n.x %}{% endfor %}',
    '{% set n = namespace(x="ab") %}{% for i in range(60) %}{% set n.x = n.x + n.x %}{% endfor %}',
    "{% set n = namespace(x=9) %}{% for i in range(60) %}{% set n.x = n.x * n.x %}{% endfor %}",
    "{% set n = namespace(x=[1]) %}{% for i in range(60) %}{% set n.x = [n.x, n.x] %}{% endfor %}{{ n.x }}",
    '{% set x = "x" * 9999999 %}{% for i in range(99999) %}{{ x }}{% endfor %}',
    '{% set x = "x" * 9999999 %}{% set y %}{% for i in range(99999) %}{{ x }}{% endfor %}{% endset %}',
]


@pytest.mark.parametrize("template", HUGE)
def test_an_operation_that_would_build_a_huge_value_is_refused(template: str) -> None:
    format = ChatFormat(template=template)
    started = time.monotonic()
    with pytest.raises(templates.TemplateError, match="more than 20,000,000 characters") as caught:
        templates.render(format, MESSAGES)
    templates.template_variables(format)
    assert "\n" not in str(caught.value)
    assert time.monotonic() - started < templates.MOST_SECONDS


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ('{{ "%5d|%s"|format(1, "a") }}', "    1|a"),
        ('{{ "{:>3}{}".format(1, 10**12) }}', "  11000000000000"),
        ('{{ range(3)|batch(2, "x")|list }}', "[[0, 1], [2, 'x']]"),
        ('{{ 1 ~ none ~ "a" ~ [1] ~ unset }}', "1Nonea[1]"),
        ('{{ messages|map(attribute="content")|join(", ") }}', "Hi"),
        ("{{ messages|tojson(indent=1) }}", '[\n {\n  "role": "user",\n  "content": "Hi"\n }\n]'),
        ('{{ "a b"|title|center(5) }}', " A B "),
        ("{{ 7 % 3 }} {{ 2**10 }} {{ [1] * 2 + [3] }} {{ 2.55|round(1) }}", "1 1024 [1, 1, 3] 2.5"),
        ('{{ messages|selectattr("role", "equalto", "user")|list|length }}', "1"),
        ("{% macro f(x) %}<{{ x }}{{ caller() }}>{% endmacro %}{% call f(3) %}y{% endcall %}", "<3y>"),
        ('{{ "a\nb"|indent(2) }} {{ "a-b".replace("-", "+").split("+")|join }}', "a\n  b ab"),
    ],
)
def test_ordinary_operations_give_what_jinja_gives(template: str, text: str) -> None:
    assert templates.render(ChatFormat(template=template), MESSAGES) == text


def test_a_long_conversation_is_built_piece_by_piece() -> None:
    messages = [{"role": "user", "content": "x" * 200}] * 4_000
    template = (
        '{% set n = namespace(text="", all=[]) %}{% for m in messages %}{% set n.text = n.text + m.content %}'
        "{% set n.all = n.all + [m] %}{% endfor %}{{ n.text }}{{ n.all|length }}"
    )
    assert templates.render(ChatFormat(template=template), messages) == "x" * 800_000 + "4000"
