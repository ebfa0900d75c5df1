"""Report loading progress by replacing Transformers' progress bars.

Each loading thread has its own report function, which is called with the fraction of weights loaded so far.
An exception raised by this function stops loading.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from transformers import modeling_gguf_pytorch_utils
from transformers.utils import logging as transformers_logging

Share = Callable[[float], None]
"""A report function, called with the fraction of weights loaded so far, from 0 to 1."""

_thread = threading.local()
"""Thread-local storage for `report`, the current thread's report function (None if not set)."""


def install_hooks() -> None:
    """Redirect Transformers' progress to `report_weights` and silence its progress bars and warnings."""
    transformers_logging.disable_progress_bar()
    transformers_logging.set_verbosity_error()
    transformers_logging.set_tqdm_hook(_make_bar)
    modeling_gguf_pytorch_utils.tqdm = _make_gguf_bar


@contextmanager
def report_weights(report: Share) -> Iterator[None]:
    """Within the block, call `report` with the loading progress of the current thread."""
    _thread.report = report
    try:
        yield
    finally:
        _thread.report = None


def _make_bar(factory: Callable[..., Any], args: tuple[Any, ...], options: dict[str, Any]) -> Any:
    """Return the object that Transformers uses in place of a progress bar."""
    report = getattr(_thread, "report", None)
    if report is None or not args:
        return factory(*args, **options)
    return ReportingBar(args[0], report)


def _make_gguf_bar(items: Any, **options: Any) -> Any:
    """Return a replacement for the GGUF loader's progress bar, for which Transformers provides no hook."""
    return _make_bar(lambda items, **options: items, (items,), options)


class ReportingBar:
    """An iterable that reports the fraction of its items processed so far."""

    def __init__(self, items: Any, report: Share) -> None:
        self._items, self._report = items, report

    def __iter__(self) -> Iterator[Any]:
        items = list(self._items)
        for number, item in enumerate(items):
            self._report(number / len(items))
            yield item

    def __getattr__(self, name: str) -> Callable[..., None]:
        """Return a no-op function for any progress bar method other than iteration."""
        return lambda *args, **options: None
