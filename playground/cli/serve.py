"""`serve`: serve the page (equivalent to `python app.py`)."""

from __future__ import annotations

import dataclasses

from playground.cli.options import PageOptions
from playground.config import on_space
from playground.serve import serve_page


def serve(page: PageOptions) -> None:
    """Serve the playground until interrupted with Ctrl-C."""
    if on_space():
        page = dataclasses.replace(page, host=page.host or "0.0.0.0", public=True)
    serve_page(page.read_settings())
