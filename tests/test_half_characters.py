"""Tests that lone surrogates in UI and command-line input cause a one-sentence error, not a traceback."""

from __future__ import annotations

from pathlib import Path

import gradio as gr
import pytest
import typer

from playground.cli.exits import exit_on_error
from playground.types import InputError
from playground.ui.controls.toast import attempt
from playground.ui.page.inputs import check_texts

HALF = "\ud800"


@pytest.mark.parametrize("value", [HALF, ["a", HALF], [[1, None], [True, ["b", f"c{HALF}"]]]])
def test_a_controls_value_is_checked_to_its_depth(value: object) -> None:
    with pytest.raises(InputError, match="The start contains"):
        check_texts(value, "The start")


def test_whole_texts_and_numbers_pass() -> None:
    check_texts(["a", "\U0001f600", 1, None, ["b"]], "The start")


def test_what_no_check_has_named_is_a_sentence_on_the_page(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    said: list[str] = []
    monkeypatch.setattr(gr, "Warning", said.append)
    component = gr.HTML()
    attempt(lambda: {component: HALF.encode()}, component)
    assert "half a character" in said[0]
    assert not caplog.records


def test_what_no_check_has_named_is_a_sentence_on_the_command_line(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(typer.Exit) as left, exit_on_error():
        Path(HALF).name.encode()
    assert left.value.exit_code == 2
    assert "half a character" in capsys.readouterr().err
    with pytest.raises(UnicodeEncodeError), exit_on_error():
        "\u00fc".encode("ascii")
