"""The two exceptions whose message is shown to the user: invalid input and external failures."""

from __future__ import annotations


class InputError(ValueError):
    """Raised for invalid user input.

    The message is one sentence stating what is wrong, where, and how to fix it.
    """


class OutsideError(RuntimeError):
    """Raised for external failures, such as a full disk. The message has the same form as in `InputError`."""
