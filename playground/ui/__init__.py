"""The page. The only folder that imports Gradio, and only once a page is built: `render` does without."""

from __future__ import annotations

from typing import TYPE_CHECKING

from playground.config import Settings
from playground.session import Session

if TYPE_CHECKING:
    import gradio as gr


def build(session: Session, settings: Settings) -> gr.Blocks:
    """The page on `session`; `serve` puts it on the network."""
    from playground.ui.page.page import build_page

    return build_page(session, settings)


def serve(blocks: gr.Blocks, settings: Settings, port: int) -> None:
    """Serve a page that `build` made, and return; `stop` ends it."""
    from playground.ui.server.start import start

    start(blocks, settings, port)


def stop(blocks: gr.Blocks) -> None:
    """Stop serving. Pages that are still open are cut off."""
    from playground.ui.server.start import end

    end(blocks)
