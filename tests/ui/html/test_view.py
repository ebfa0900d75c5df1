"""Tests for the HTML of the View menu."""

from __future__ import annotations

import re

from playground.ui.html.view import CHOICES, render_view_menu


def test_the_menu_is_hidden_and_the_first_option_of_each_choice_is_selected() -> None:
    menu = render_view_menu()
    assert menu.startswith('<div id="view-menu" role="dialog" aria-label="View" tabindex="-1" hidden>')
    for choice in CHOICES:
        inputs = re.findall(rf'<input type="radio" name="view-{choice.name}" value="(\w+)"( checked)?>', menu)
        assert [value for value, _ in inputs] == [value for value, _ in choice.options]
        assert [bool(checked) for _, checked in inputs] == [True] + [False] * (len(inputs) - 1)


def test_choices_have_different_names() -> None:
    assert len({choice.name for choice in CHOICES}) == len(CHOICES)
