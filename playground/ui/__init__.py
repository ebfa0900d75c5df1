"""The web page, built with Gradio.

No other package imports Gradio, and this package imports it only when a page is built.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from playground.config import Settings
from playground.session import Session

if TYPE_CHECKING:
    import gradio as gr


def build(session: Session, settings: Settings) -> gr.Blocks:
    """Build the page for a session. Call `serve` to serve it."""
    from playground.ui.page.page import build_page

    return build_page(session, settings)


def serve(blocks: gr.Blocks, settings: Settings, port: int) -> None:
    """Start serving a page created by `build`, and return immediately. Call `stop` to shut it down."""
    from playground.ui.server.start import start

    start(blocks, settings, port)


def stop(blocks: gr.Blocks) -> None:
    """Stop serving the page. Browser tabs that show the page lose their connection."""
    from playground.ui.server.start import end

    end(blocks)
