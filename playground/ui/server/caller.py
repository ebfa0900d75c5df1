"""Who called the handler that is running: their name or address, their browser's id, the page's address."""

from __future__ import annotations

import hashlib
import re

import gradio as gr
from gradio.context import LocalContext

from playground.types import InputError
from playground.ui.server import network


def get_visitor(proxies: int) -> str:
    """The name that the caller logged in with, or the address that they call from; "" outside a handler.

    Args:
        proxies: how many proxies in front of the server are trusted, see `network.visitor_of`.

    Raises:
        InputError: the call does not come from the page.
    """
    request = LocalContext.request.get(None)
    if request is None:
        return ""
    if not isinstance(request, gr.Request):  # a caller may claim to send many events as one
        raise InputError("This request does not come from the page: reload it.")
    if request.username:
        return f"user {request.username}"
    client = request.client
    forwarded = request.headers.getlist("x-forwarded-for")
    return network.visitor_of(client.host if client else "", forwarded, proxies)


def get_voter() -> str | None:
    """The random id that the caller's browser keeps for its votes; None if it sends none."""
    request = LocalContext.request.get(None)
    cookies = request.headers.get("cookie", "") if isinstance(request, gr.Request) else ""
    found = re.search(r"(?:^|;\s*)tandem-voter=([0-9a-f]{32})(?:;|$)", cookies or "")
    return found[1] if found else None


def get_owner() -> str:
    """Whose history the caller's conversations belong to; "" if the browser sends no id.

    A hash, since the database has the id itself beside the votes.
    """
    id = get_voter()
    return hashlib.sha256(f"history of {id}".encode()).hexdigest()[:32] if id else ""


def get_query() -> list[tuple[str, str]]:
    """The parameters of the address at which the caller's browser loaded the page."""
    request = LocalContext.request.get(None)
    return list(request.query_params.multi_items()) if isinstance(request, gr.Request) else []
