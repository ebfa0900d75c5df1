"""Tests for the formatting of numbers, and that all f-strings with units use it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

import pytest

from playground import words
from tests.helpers.paths import ROOT

UNITS = re.compile(
    r"^[\u2009\u202f ](?:(?:more|new|prompt|judging|cached|further|other) )?"
    r"(?:tokens?|characters?|bytes?|[kMGT]B|parameters|rows?|calls?|replies|scores?|comparisons?"
    r"|conversations?|s|seconds)\b"
)
FORMATTERS = {name for name in vars(words) if name.startswith(("format_", "count_"))}


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (words.format_number(0), "0"),
        (words.format_number(999), "999"),
        (words.format_number(4096), "4,096"),
        (words.format_number(1_234_567), "1,234,567"),
        (words.count_things(1, "token"), "1 token"),
        (words.count_things(1099, "token"), "1,099 tokens"),
        (words.count_things(2, "reply", "replies"), "2 replies"),
        (words.format_seconds(0.051), "0.05 s"),
        (words.format_seconds(9.999), "10.0 s"),
        (words.format_seconds(1234.5), "1,234 s"),
        (words.format_time_limit(10.0), "10 s"),
        (words.format_time_limit(0.5), "0.5 s"),
        (words.format_byte_limit(2_000_000), "2 MB"),
        (words.format_rate(72.34), "72.3 tokens/s"),
        (words.format_rate(99.97), "100 tokens/s"),
        (words.format_rate(12_345.6), "12,346 tokens/s"),
        (words.format_price(0.01234, "USD"), "0.0123 USD"),
        (words.format_price(1234.5, "EUR"), "1,234.5000 EUR"),
        (words.format_setting("max_new_tokens", 1500), "1,500"),
        (words.format_setting("temperature", 0.7), "0.7"),
        (words.format_setting("seed", 123_456_789), "123456789"),
    ],
)
def test_numbers_are_written_in_one_way(written: str, expected: str) -> None:
    assert written == expected


def find_unformatted(source: str) -> Iterator[tuple[int, str]]:
    """Yield (line, f-string) for each f-string in which a unit follows a value that is not formatted.

    Constants are not checked, because they are part of patterns.
    """
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.JoinedStr):
            continue
        for value, following in zip(node.values, node.values[1:], strict=False):
            if isinstance(value, ast.FormattedValue) and isinstance(following, ast.Constant):
                text = ast.unparse(value.value)
                is_unit = UNITS.match(str(following.value)) and not text.startswith("_")
                if is_unit and not _is_formatted(source, text):
                    yield node.lineno, ast.unparse(node)


def _is_formatted(source: str, text: str) -> bool:
    """Return whether an expression calls a formatter, or is a variable that is assigned such a call."""
    call = rf"(?:{'|'.join(sorted(FORMATTERS))})\("
    assigned = text.isidentifier() and re.search(rf"\b{text}\b[^\n=]*= [^\n]*{call}", source)
    return bool(re.match(call, text) or assigned)


def test_values_with_a_unit_are_formatted() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line}: {text}"
        for path in ROOT.glob("playground/**/*.py")
        if path.name != "words.py"
        for line, text in find_unformatted(path.read_text(encoding="utf-8"))
    ]
    assert not found, "\n".join(found)


def test_an_unformatted_value_is_found() -> None:
    source = """length = format_number(n)
f"{length} tokens of {format_number(m)} tokens"
f"The prompt has {n} tokens."
f"{size / 1e6:.1f} MB"
"""
    assert [line for line, _ in find_unformatted(source)] == [3, 4]
