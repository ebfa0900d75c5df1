"""Tests for how the page is served."""

from __future__ import annotations

from pathlib import Path

import gradio as gr

from playground.ui.server.start import QUEUE_PAUSE
from tests.hardening.serving import serving


def test_gradio_looks_into_its_queue_less_often_than_by_default(tmp_path: Path) -> None:
    """The name is one of Gradio's own: without it, the setting would have no effect."""
    with gr.Blocks() as blocks:
        pass
    assert blocks.queue()._queue.sleep_when_free < QUEUE_PAUSE
    with serving(tmp_path) as served:
        assert served.blocks._queue.sleep_when_free == QUEUE_PAUSE
