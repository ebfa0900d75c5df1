"""A limit on the time that a function of untrusted origin, such as a chat template, may take."""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable
from typing import TypeVar

Result = TypeVar("Result")


class TimeLimitError(Exception):
    """The function took longer than it may."""


def call_within(seconds: float, function: Callable[[], Result]) -> Result:
    """What `function` returns or raises, if it ends in time.

    It runs in a thread of its own, since only another thread can interrupt Python code that does not end.
    One long operation in C, such as building a huge text, ends before it is interrupted.

    Raises:
        TimeLimitError: it did not end within `seconds`.
    """
    results: list[Result] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            results.append(function())
        except BaseException as error:  # raised again where the result is waited for
            errors.append(error)

    thread = threading.Thread(target=run, name="time limit", daemon=True)
    thread.start()
    thread.join(seconds)
    if thread.is_alive() and thread.ident is not None:
        ctypes.pythonapi.PyThreadState_SetAsyncExc(
            ctypes.c_ulong(thread.ident), ctypes.py_object(TimeLimitError)
        )
        raise TimeLimitError
    if errors:
        raise errors[0]
    return results[0]
