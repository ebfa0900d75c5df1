"""Progress of a load: Transformers' progress bars replaced by ones that report to the loading thread.

A thread reports the share of the weights that are read; what its report raises stops the load.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from transformers import modeling_gguf_pytorch_utils
from transformers.utils import logging as transformers_logging

Share = Callable[[float], None]
"""Called with the share of the weights that are read, 0 to 1."""

_thread = threading.local()
"""`report`: what this thread's loads report to, or None."""


def install_hooks() -> None:
    """Let every load of Transformers report to `report_weights` instead of drawing bars and warnings."""
    transformers_logging.disable_progress_bar()
    transformers_logging.set_verbosity_error()
    transformers_logging.set_tqdm_hook(_make_bar)
    modeling_gguf_pytorch_utils.tqdm = _make_gguf_bar


@contextmanager
def report_weights(report: Share) -> Iterator[None]:
    """Report the weights that this thread reads inside the block."""
    _thread.report = report
    try:
        yield
    finally:
        _thread.report = None


def _make_bar(factory: Callable[..., Any], args: tuple[Any, ...], options: dict[str, Any]) -> Any:
    """Return what Transformers uses in place of a progress bar."""
    report = getattr(_thread, "report", None)
    if report is None or not args:
        return factory(*args, **options)
    return ReportingBar(args[0], report)


def _make_gguf_bar(items: Any, **options: Any) -> Any:
    """Return what the GGUF loader uses in place of its own bar, which takes no hook."""
    return _make_bar(lambda items, **options: items, (items,), options)


class ReportingBar:
    """Iterates over items and reports the share of them that are done."""

    def __init__(self, items: Any, report: Share) -> None:
        self._items, self._report = items, report

    def __iter__(self) -> Iterator[Any]:
        items = list(self._items)
        for number, item in enumerate(items):
            self._report(number / len(items))
            yield item

    def __getattr__(self, name: str) -> Callable[..., None]:
        """Accept every other method of a progress bar, and do nothing."""
        return lambda *args, **options: None
