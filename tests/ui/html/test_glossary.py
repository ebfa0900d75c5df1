"""Tests for the explained terms: their buttons, their list and their script."""

from __future__ import annotations

import re

import pytest

from playground.ui.html.glossary import TERMS, mark_terms, render_glossary, render_script


@pytest.mark.parametrize(
    ("escaped", "terms"),
    [
        ("Base + URIAL", ["urial"]),
        ("IFT \u00b7 Pocket IFT + URIAL", ["urial", "ift"]),
        ("Base", []),
        ("my-URIAL", []),
        ("SWIFT", []),
        ("IFT \u00b7 &lt;b&gt;", ["ift"]),
    ],
)
def test_terms_become_buttons(escaped: str, terms: list[str]) -> None:
    marked = mark_terms(escaped)
    for key in TERMS:
        assert marked.count(f'data-term="{key}"') == terms.count(key)
    assert re.sub(r"</?button[^>]*>", "", marked) == escaped


def test_every_term_is_explained_with_a_link() -> None:
    listed, script = render_glossary(), render_script()
    for key, term in TERMS.items():
        assert term.sentence.endswith(".")
        assert term.link in listed
        assert f'"{key}"' in script
