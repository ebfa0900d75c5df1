"""Identify the caller of the current handler: login name or IP address, voter id, and page URL."""

from __future__ import annotations

import hashlib
import re

import gradio as gr
from gradio.context import LocalContext

from playground.types import InputError
from playground.ui.server import network


def get_visitor(proxies: int) -> str:
    """Return the caller's login name or, without a login, their IP address.

    Returns "" outside a handler.

    Args:
        proxies: number of trusted proxies in front of the server, as for `network.visitor_of`.

    Raises:
        InputError: the call did not come from the page.
    """
    request = LocalContext.request.get(None)
    if request is None:
        return ""
    if not isinstance(request, gr.Request):  # API clients can send several events as a batch
        raise InputError("This request did not come from the page: reload the page and try again.")
    if request.username:
        return f"user {request.username}"
    client = request.client
    forwarded = request.headers.getlist("x-forwarded-for")
    return network.visitor_of(client.host if client else "", forwarded, proxies)


def get_voter() -> str | None:
    """Return the random voter id stored in the caller's browser, or None if no such cookie was sent."""
    request = LocalContext.request.get(None)
    cookies = request.headers.get("cookie", "") if isinstance(request, gr.Request) else ""
    found = re.search(r"(?:^|;\s*)tandem-voter=([0-9a-f]{32})(?:;|$)", cookies or "")
    return found[1] if found else None


def get_owner() -> str:
    """Return the owner of the caller's conversations, or "" if the browser sent no voter id.

    The owner is a hash of the voter id, so that a voter id stored with a vote does not give access to the
    conversations.
    """
    id = get_voter()
    return hashlib.sha256(f"history of {id}".encode()).hexdigest()[:32] if id else ""


def get_query() -> list[tuple[str, str]]:
    """Return the query parameters of the URL from which the caller's browser loaded the page."""
    request = LocalContext.request.get(None)
    return list(request.query_params.multi_items()) if isinstance(request, gr.Request) else []
