"""Create the judge dialog without a browser."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr

from playground.config import Settings
from playground.judging.service import Judges
from playground.store import Store
from playground.ui.dialogs.judge import JudgeDialog, JudgeRow
from playground.ui.page.controller import Controller
from playground.ui.page.state import PageState
from tests.helpers.judging import chat as talk_of
from tests.helpers.judging import own_words, session

OPENAI = "https://api.openai.com/v1"


def panel(tmp_path: Path, visitor: str = "me", **settings: Any) -> tuple[JudgeDialog, PageState, list[str]]:
    """Create a judge dialog for a conversation with one turn.

    Returns:
        The dialog, the state of a page showing the conversation, and a list with the current visitor's id.
        Replacing the id in the list changes the visitor.
    """
    talk = session(tmp_path, own_words)
    chosen = Settings(data_dir=tmp_path, judge_url=settings.pop("judge_url", OPENAI), **settings)
    talk.judges = Judges(Store(tmp_path), chosen)
    visitors = [visitor]
    with gr.Blocks():
        made = JudgeDialog(Controller(talk, visitor=lambda: visitors[0]), chosen, JudgeRow())
    made._draw_marks = lambda state: {}
    state = PageState(conversation=talk_of(talk, "One?").id)
    return made, state, visitors


def values(**changes: Any) -> list[Any]:
    asked = {
        "turn": 0,
        "scope": "turn",
        "lanes": [0, 1],
        "who": "model",
        "rubric": "single",
        "rule": "known-answer",
        "samples": 1,
        "model": "m",
        "server": "",
        "again": False,
    }
    return list((asked | changes).values())
