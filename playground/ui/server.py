"""The page on the network: where it listens, what it refuses, what it looks like."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import gradio as gr
from gradio.context import LocalContext
from starlette.middleware import Middleware

from playground.config import Settings, on_space
from playground.types import InputError
from playground.ui import guard, shortcuts

HERE = Path(__file__).parent
PEOPLE_AT_ONCE = 64
"""Streams at once. Each takes a worker thread at times, and the engine steps them all together."""
LOOPBACK = ("127.0.0.1", "localhost", "::1", "[::1]")
SPACES = "'self' https://huggingface.co https://*.hf.space"
"""Who shows a Space in a frame."""


def theme() -> gr.themes.Base:
    """Calm and neutral, one accent, fonts of the system: nothing is fetched to draw the page."""
    return gr.themes.Base(
        primary_hue=gr.themes.colors.teal,
        secondary_hue=gr.themes.colors.teal,
        neutral_hue=gr.themes.colors.stone,
        font=["system-ui", "-apple-system", "Segoe UI", "Roboto", "sans-serif"],
        font_mono=["ui-monospace", "SFMono-Regular", "Menlo", "Consolas", "monospace"],
    ).set(
        body_background_fill="*neutral_50",
        body_background_fill_dark="*neutral_950",
        block_background_fill="white",
        block_background_fill_dark="*neutral_900",
        body_text_color_subdued="#68615c",
        body_text_color_subdued_dark="*neutral_400",
        input_placeholder_color="#68615c",
        input_placeholder_color_dark="*neutral_400",
        color_accent="*primary_700",
        background_fill_secondary="*neutral_100",
        background_fill_secondary_dark="*neutral_800",
        border_color_primary_dark="*neutral_700",
        button_primary_background_fill="*primary_700",
        button_primary_background_fill_hover="*primary_800",
        button_primary_background_fill_dark="*primary_700",
        button_primary_background_fill_hover_dark="*primary_600",
    )


def start(blocks: gr.Blocks, settings: Settings, port: int) -> None:
    """Serve `blocks` and return; `end` ends it."""
    host = settings.host
    blocks.queue(api_open=False)  # otherwise a caller could go past the queue
    blocks.launch(
        server_name=f"[{host}]" if ":" in host and not host.startswith("[") else host,
        server_port=port,
        prevent_thread_lock=True,
        quiet=True,
        max_threads=2 * PEOPLE_AT_ONCE,
        auth=[settings.auth] if settings.auth else None,
        share=False,
        inbrowser=False,
        show_error=False,
        footer_links=[],
        run_history=False,
        enable_monitoring=False,
        ssr_mode=False,
        mcp_server=False,
        pwa=False,
        max_file_size="2mb",
        theme=theme(),
        css_paths=[HERE / "style.css", HERE / "model_panel.css", HERE / "around.css"],
        head="".join(f"<script>{script}</script>" for script in scripts()),
        app_kwargs={"middleware": layers(settings)},
    )


def scripts() -> list[str]:
    """What runs in the browser, besides the component library."""
    files = (HERE / "page.js", HERE / "around.js")
    return [shortcuts.script(), *(path.read_text(encoding="utf-8") for path in files)]


def layers(settings: Settings) -> list[Middleware]:
    """What a request passes, from the outside in."""
    space = on_space()
    layers = [Middleware(guard.SecureHeaders, framed_by=SPACES if space else "'self'")]
    if not space:  # which is called by its owner's name for it, and only through its own proxy
        local = settings.host in LOOPBACK
        names = {"localhost", "127.0.0.1", "::1"} if local else guard.own_names()
        layers.append(Middleware(guard.KnownHosts, names=names | set(settings.hosts), addresses=not local))
    layers.append(Middleware(guard.OpenPaths, uploads=not settings.public))
    if settings.auth:
        layers.append(Middleware(guard.FewLogins, proxies=settings.proxies))
    return layers


def visitor(proxies: int) -> str:
    """Who asks, within a handler: the name that they logged in with, or where they come from."""
    request = LocalContext.request.get(None)
    if request is None:
        return ""
    if not isinstance(request, gr.Request):  # a caller may say that it sends many events as one
        raise InputError("This does not come from the page: reload it.")
    if request.username:
        return f"user {request.username}"
    client = request.client
    forwarded = request.headers.getlist("x-forwarded-for")
    return guard.visitor_of(client.host if client else "", forwarded, proxies)


def voter() -> str | None:
    """The meaningless id that the browser keeps for its votes, within a handler; None if it sends none."""
    request = LocalContext.request.get(None)
    cookies = request.headers.get("cookie", "") if isinstance(request, gr.Request) else ""
    found = re.search(r"(?:^|;\s*)tandem-voter=([0-9a-f]{32})(?:;|$)", cookies or "")
    return found[1] if found else None


def owner() -> str:
    """Whose history this browser's conversations go to, within a handler; "" if the browser does not tell.

    A hash, since the record of votes has the id itself.
    """
    id = voter()
    return hashlib.sha256(f"history of {id}".encode()).hexdigest()[:32] if id else ""


def end(blocks: gr.Blocks) -> None:
    """Stop serving. An open page holds a connection for good, so what is open is hung up on first.

    To a stream that is as if its page had gone away: it ends, and what it wrote is recorded.
    """
    server = blocks.server
    server.should_exit = True
    for connection in list(server.server_state.connections):
        connection.loop.call_soon_threadsafe(connection.transport.close)
    blocks.close(verbose=False)
