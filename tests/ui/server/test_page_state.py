"""Tests that the page's session state behaves like Gradio's, without copying component configuration."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr
import pytest
from gradio.state_holder import SessionState

from playground.ui.server.page_state import LeanState
from tests.hardening.serving import Caller, serving

Parts = tuple[gr.Blocks, dict[str, Any]]


@pytest.fixture
def parts() -> Parts:
    with gr.Blocks() as blocks:
        parts = {
            "state": gr.State([1], time_to_live=5),
            "text": gr.Textbox("first"),
            "choice": gr.Dropdown(["x", "y"], value="x"),
        }
    return blocks, parts


def test_it_has_the_attributes_of_gradio_s_own(parts: Parts) -> None:
    blocks, _ = parts
    own, lean = SessionState(blocks), LeanState(blocks)
    assert vars(own).keys() == vars(lean).keys()
    apart = {"blocks_config", "config_values"}  # a copy each; and what is left out
    assert {k: v for k, v in vars(own).items() if k not in apart} == {
        k: v for k, v in vars(lean).items() if k not in apart
    }
    assert own.config_values
    assert not lean.config_values


def test_values_are_those_of_gradio_s_own(parts: Parts) -> None:
    blocks, components = parts
    own, lean = SessionState(blocks), LeanState(blocks)
    for session in (own, lean):
        assert session[components["state"]._id] == [1]
        assert session[components["state"]._id] is not components["state"].value
        session[components["state"]._id] = [2]
        changed = gr.Dropdown(["z"], value="z", render=False)
        session[components["choice"]._id] = changed
        assert session[components["state"]._id] == [2]
        assert session[components["choice"]._id] is changed
        assert session[components["text"]._id] is components["text"]
        session._update_config(components["choice"]._id)
        session._update_value_in_config(components["text"]._id, "second")
    ((_, own_value, own_expired),) = own.state_components
    ((_, value, expired),) = lean.state_components
    assert (value, expired) == (own_value, own_expired) == ([2], False)
    assert components["choice"] is blocks.blocks[components["choice"]._id], "other sessions keep theirs"
    assert not lean.config_values


def test_the_page_s_sessions_are_lean(tmp_path: Path) -> None:
    with serving(tmp_path) as served:
        caller = Caller(served)
        caller.send("hello")
        states = served.blocks.state_holder.session_data
        assert states
        assert all(type(state) is LeanState for state in states.values())
        assert served.blocks.app.state_holder is served.blocks.state_holder
