"""The two errors that a person is told about in one sentence: bad input, and failures outside."""

from __future__ import annotations


class InputError(ValueError):
    """Something a person gave is wrong; the message is one sentence: what, where, what to do next."""


class OutsideError(RuntimeError):
    """Something outside broke, such as the disk; the message is one sentence, as for `InputError`."""
