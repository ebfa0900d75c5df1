"""The two errors that are reported to the user in one sentence: invalid input and external failures."""

from __future__ import annotations


class InputError(ValueError):
    """Invalid input from the user. The message is one sentence: what, where, what to do next."""


class OutsideError(RuntimeError):
    """An external failure, such as a full disk. The message is one sentence, as for `InputError`."""
