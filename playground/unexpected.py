"""The sentence that tells users about an unexpected error, and its entry in the log."""

from __future__ import annotations

import logging
import secrets


def report_unexpected(log: logging.Logger, error: Exception, advice: str = "try again") -> str:
    """Log an unexpected error, and return a sentence for the user that refers to the log entry.

    Args:
        log: logger to write to.
        error: the error; it is logged with its traceback, which the user never sees.
        advice: what the user can do next.
    """
    reference = secrets.token_hex(4)
    log.error("Error %s", reference, exc_info=error)
    return f"Something went wrong on the server (error {reference} in the log): {advice}."
