"""Serve the page on the configured host and port, with its middleware, theme and assets."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import gradio as gr
import gradio.queueing
import gradio.routes
from starlette.middleware import Middleware

from playground.config import Settings, on_space
from playground.ui.controls.events import GATHERED
from playground.ui.dialogs import shortcuts
from playground.ui.html import glossary
from playground.ui.html.skeleton import render_skeleton
from playground.ui.server import fonts, middleware, network
from playground.ui.server.api_mount import ApiMount
from playground.ui.server.faults import Faults, OnceAMinute, OneLineFaults, QuietTraceback
from playground.ui.server.first_paint import FirstPaint
from playground.ui.server.health import Health
from playground.ui.server.logins import FewLogins, NeedsLogin
from playground.ui.server.page_state import LeanStates
from playground.ui.server.payloads import CheckedPayloads, EventInputs, Input, Kind
from playground.ui.server.sessions import OwnSessions
from playground.ui.server.uploads import MAX_FILE_SIZE, OwnUploads
from playground.ui.server.visitors import Sessions, Uploads, Visitors

ASSETS = Path(__file__).parents[1] / "assets"
STYLE_SHEETS = (
    *("page", "topbar", "view", "lanes", "layout", "composer", "examples", "tour", "narrow"),
    *("lane-head", "answers", "set-up"),
    *("dialogs", "compare", "probes", "judging", "model", "toasts", "terms", "a11y"),
)
"""Names of the style sheets, in the order in which later rules override earlier ones."""
SCRIPTS = (
    *("store", "view", "theme", "folds", "layout", "chips", "scroll", "draft", "votes", "address", "lanes"),
    *("reconnect", "toasts", "focus", "hints", "terms", "a11y"),
)
"""Names of the scripts that run in the browser, in their order. `store` and `focus` are used by others."""
PEOPLE_AT_ONCE = 64
"""Maximum number of concurrent streams. Each stream occupies a worker thread from time to time."""
QUEUE_PAUSE = 0.01
"""Seconds between looks into Gradio's queue of events. By default, Gradio looks there 1,000 times per second,
even if the page is not used.
"""
LOOPBACK = ("127.0.0.1", "localhost", "::1", "[::1]")
SPACES = "'self' https://huggingface.co https://*.hf.space"
"""Sites allowed to embed a Space in an iframe."""


def theme() -> gr.themes.Base:
    """Return a neutral theme with one accent color. It loads no font: `fonts.render_font_head` does."""
    return gr.themes.Base(
        primary_hue=gr.themes.colors.teal,
        secondary_hue=gr.themes.colors.teal,
        neutral_hue=gr.themes.colors.stone,
        font=[*fonts.FAMILY, "system-ui", "sans-serif"],
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
        button_primary_background_fill_hover_dark="*primary_800",
    )


def start(blocks: gr.Blocks, settings: Settings, port: int) -> None:
    """Serve `blocks` in the background and return immediately. Call `end` to stop serving."""
    host = settings.host
    blocks.queue(api_open=False)  # prevents clients from bypassing the queue
    blocks._queue.sleep_when_free = QUEUE_PAUSE
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
        max_file_size=MAX_FILE_SIZE,
        theme=theme(),
        css_paths=[ASSETS / "css" / f"{name}.css" for name in STYLE_SHEETS],
        head=fonts.render_font_head() + "".join(f"<script>{script}</script>" for script in scripts()),
        app_kwargs={"middleware": layers(settings, blocks)},
    )
    LeanStates.replace(blocks)


def scripts() -> list[str]:
    """Return the scripts that run in the browser in addition to Gradio's own scripts."""
    files = (ASSETS / "js" / f"{name}.js" for name in SCRIPTS)
    return [
        shortcuts.render_script(),
        glossary.render_script(),
        *(path.read_text(encoding="utf-8") for path in files),
    ]


def layers(settings: Settings, blocks: gr.Blocks | None = None) -> list[Middleware]:
    """Return the middleware applied to requests, from the outermost layer inward.

    Args:
        settings: settings of this run.
        blocks: Gradio blocks of the page. Calls to events outside these blocks are rejected. None for a page
            without events.
    """
    space = on_space()
    faults = Faults()
    _quiet(faults)
    uploads, sessions = Uploads(), Sessions()
    events = list_event_inputs(blocks) if blocks else {}
    layers = [
        Middleware(middleware.SecureHeaders, framed_by=SPACES if space else "'self'"),
        Middleware(OneLineFaults, faults=faults),
        Middleware(network.TrustedForwards, proxies=settings.proxies),
        # Before the checks of host names and passwords, because probes have neither.
        Middleware(
            Health,
            read_status=getattr(blocks, "read_status", None),
            count_answers=getattr(blocks, "count_answers", None),
            limit=settings.limits.queue,
        ),
    ]
    if not space:  # a Space is only reachable through its own proxy and host name
        local = settings.host in LOOPBACK
        names = {"localhost", "127.0.0.1", "::1"} if local else middleware.own_names()
        layers.append(
            Middleware(middleware.KnownHosts, names=names | set(settings.hosts), addresses=not local)
        )
    if api := getattr(blocks, "api", None):
        layers.append(Middleware(ApiMount, api=api, proxies=settings.proxies))
    layers.append(Middleware(fonts.Fonts))
    layers.append(Middleware(middleware.OpenPaths, uploads=not settings.public))
    layers.append(Middleware(Visitors, uploads=uploads, proxies=settings.proxies, framed=space))
    if settings.auth:
        layers += [Middleware(FewLogins), Middleware(NeedsLogin)]
    layers.append(Middleware(OwnUploads, uploads=uploads))
    layers.append(Middleware(CheckedPayloads, events=events, files=not settings.public))
    layers.append(Middleware(OwnSessions, sessions=sessions, queue=GradioQueue(blocks)))
    read_status = getattr(blocks, "read_status", None)
    layers.append(Middleware(FirstPaint, render=lambda: render_skeleton(read_status and read_status())))
    return layers


def list_event_inputs(blocks: gr.Blocks) -> dict[int, EventInputs]:
    """Return the inputs of all page events that have a handler, keyed by event index."""

    def describe(block: Any, before: int | None) -> Input:
        if block.elem_id != GATHERED or before is None:
            return Input(_name(block), _kind(block))
        return Input(GATHERED, "gathered", tuple(describe(part, None) for part in blocks.fns[before].inputs))

    return {
        number: EventInputs(
            tuple(describe(block, fn.trigger_after) for block in fn.inputs), bool(fn.collects_event_data)
        )
        for number, fn in blocks.fns.items()
        if fn.fn is not None
    }


def _name(block: Any) -> str:
    return str(block.elem_id or block.label or type(block).__name__)


KINDS: tuple[tuple[Any, Kind], ...] = (
    (gr.State, "state"),
    (gr.Textbox, "text"),
    ((gr.Number, gr.Slider), "number"),
    (gr.Checkbox, "switch"),
    (gr.CheckboxGroup, "choices"),
    ((gr.Dropdown, gr.Radio), "choice"),
    ((gr.UploadButton, gr.File), "file"),
)


def _kind(block: Any) -> Kind:
    """Return the type of value sent by a component.

    Raises:
        NotImplementedError: `KINDS` has no entry for this component type. Add one for each new type of event
            input.
    """
    if getattr(block, "multiselect", None):
        return "choices"
    for types, kind in KINDS:
        if isinstance(block, types):
            return kind
    raise NotImplementedError(f"Add {type(block).__name__} to KINDS, with the kind of value that it sends.")


class GradioQueue:
    """Adapter that gives `OwnSessions` access to Gradio's queue."""

    def __init__(self, blocks: gr.Blocks | None) -> None:
        """Store the page.

        Args:
            blocks: Gradio blocks of the page, or None for a page without events.
        """
        self._blocks = blocks

    def find_session(self, event_id: str) -> str | None:
        """Return the page session of a queued or running event, or None if the event is unknown."""
        if self._blocks is None:
            return None
        event = self._blocks._queue.event_ids_to_events.get(event_id)
        return event.session_hash if event else None

    async def cancel(self, session_hash: str) -> None:
        """Cancel all events of a page session, and discard its pending messages."""
        if self._blocks is None:
            return
        queue = self._blocks._queue
        await queue.clean_events(session_hash=session_hash)
        queue.pending_event_ids_session.pop(session_hash, None)
        if session_hash in queue.pending_messages_per_session:
            del queue.pending_messages_per_session[session_hash]


SERVER_LINES = OnceAMinute()
"""Logging filter for uvicorn, Gradio's web server. It drops repeated lines about invalid requests."""


def _quiet(faults: Faults) -> None:
    """Make Gradio log each failure as one line. By default, Gradio prints full tracebacks."""
    logging.getLogger("uvicorn.error").addFilter(SERVER_LINES)
    for module in (gradio.queueing, gradio.routes):
        vars(module)["traceback"] = QuietTraceback(faults)


def end(blocks: gr.Blocks) -> None:
    """Stop serving.

    The connections of open pages are closed first, because they would otherwise stay open indefinitely.
    Streams finish as if their page had been closed, and the text generated so far is recorded.
    """
    server = blocks.server
    server.should_exit = True
    for connection in list(server.server_state.connections):
        connection.loop.call_soon_threadsafe(connection.transport.close)
    blocks.close(verbose=False)
