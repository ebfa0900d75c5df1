"""The two exception types whose messages are shown to the user, for invalid input and external failures."""

from __future__ import annotations


class InputError(ValueError):
    """Raised for invalid user input.

    The message is one sentence stating what is wrong, where, and how to fix it.
    """


class OutsideError(RuntimeError):
    """Raised for external failures, such as a full disk. The message is one sentence, as in `InputError`."""
