"""Toasts: a sentence that comes and goes in a corner of the page."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable
from typing import Any

import gradio as gr

from playground.types import HALF_CHARACTER, InputError, OutsideError
from playground.ui.html import labels as html_labels
from playground.ui.server.faults import OneTraceback

log = logging.getLogger(__name__)
log.addFilter(OneTraceback())  # a caller may bring about the same failure any number of times


def say(sentence: str) -> None:
    """Show that something is done."""
    gr.Info(html_labels.toast(sentence))


def warn(error: Exception) -> None:
    """Show an error as a toast: its own sentence if it is for people, a reference to the log if it is not."""
    if isinstance(error, InputError | OutsideError):
        sentence = str(error)
    elif isinstance(error, UnicodeEncodeError) and HALF_CHARACTER.match(error.object, error.start):
        # What no check of a field has named.
        sentence = "A text on the page holds half a character: remove it."
    else:
        reference = secrets.token_hex(4)
        log.error("Error %s", reference, exc_info=error)
        sentence = f"Something went wrong on our side (error {reference} in the log): try again."
    gr.Warning(html_labels.toast(sentence))


def tried(act: Callable[[], dict[Any, Any]], idle: Any) -> dict[Any, Any]:
    """The updates of an act; or none, and its error as a toast.

    Args:
        idle: one of the event's outputs; Gradio takes no empty answer.
    """
    try:
        return act()
    except Exception as error:
        warn(error)
        return {idle: gr.skip()}
