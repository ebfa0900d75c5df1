"""Toasts (short messages in a corner of the page), and a wrapper that shows handler errors as toasts."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import gradio as gr

from playground.types import HALF_CHARACTER, InputError, OutsideError
from playground.ui.controls.events import Updates
from playground.ui.html import labels as html_labels
from playground.ui.server.faults import OneTraceback
from playground.unexpected import report_unexpected

log = logging.getLogger(__name__)
log.addFilter(OneTraceback())  # a client can trigger the same error repeatedly


def say(sentence: str) -> None:
    """Show a message as a toast."""
    gr.Info(html_labels.toast(sentence))


def warn(error: Exception) -> None:
    """Show an error as a toast (see `describe_error`)."""
    gr.Warning(html_labels.toast(describe_error(error)))


def describe_error(error: Exception) -> str:
    """Describe an error in one sentence.

    An unexpected error is logged, and the sentence contains only a reference to the log entry.
    """
    if isinstance(error, InputError | OutsideError):
        return str(error)
    if isinstance(error, UnicodeEncodeError) and HALF_CHARACTER.match(error.object, error.start):
        # Invalid text that was not caught by the check of an individual field.
        return "Some text on the page contains an unpaired surrogate (half a character): remove it."
    return report_unexpected(log, error)


def attempt(act: Callable[[], Updates], idle: Any) -> Updates:
    """Return the UI updates from `act`. If `act` fails, show the error and return no updates.

    Args:
        act: function that returns the UI updates.
        idle: any one of the event's outputs. If `act` fails, the result maps this output to `gr.skip()`,
            because Gradio rejects an empty dictionary.
    """
    try:
        return act()
    except Exception as error:
        warn(error)
        return {idle: gr.skip()}
