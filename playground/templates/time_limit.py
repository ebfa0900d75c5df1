"""Limit the run time of untrusted code such as chat templates."""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable
from typing import TypeVar

Result = TypeVar("Result")


class TimeLimitError(Exception):
    """Raised when a function does not finish within its time limit."""


def call_within(seconds: float, function: Callable[[], Result]) -> Result:
    """Run a function with a time limit and return its result.

    The function runs in a separate thread, because only another thread can interrupt an infinite loop in
    Python. A single long operation in C, such as building a huge string, cannot be interrupted before it
    finishes.

    Args:
        seconds: the time limit, in seconds.
        function: the function to run.

    Raises:
        TimeLimitError: the function did not finish within `seconds`.
        BaseException: any exception raised by the function.
    """
    results: list[Result] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            results.append(function())
        except BaseException as error:  # raised again in the calling thread
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
