"""The page: the only folder that imports Gradio, and only when a page is built."""

from __future__ import annotations

from typing import TYPE_CHECKING

from playground.config import Settings
from playground.session import Session

if TYPE_CHECKING:
    import gradio as gr


def build(session: Session, settings: Settings) -> gr.Blocks:
    """Build the page on a session; `serve` serves it."""
    from playground.ui.page.page import build_page

    return build_page(session, settings)


def serve(blocks: gr.Blocks, settings: Settings, port: int) -> None:
    """Start to serve a page that `build` made, and return; `stop` ends it."""
    from playground.ui.server.start import start

    start(blocks, settings, port)


def stop(blocks: gr.Blocks) -> None:
    """Stop serving; open pages lose their connection."""
    from playground.ui.server.start import end

    end(blocks)
