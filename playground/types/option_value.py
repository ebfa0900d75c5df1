"""Option values in lane specs: whether they were quoted, and whether they are JSON scalars.

A chat template variable is JSON if written bare (``n=1``) and text if quoted (``n="1"``), so quoting must be
preserved from the lane spec to the aligner that reads the option.
"""

from __future__ import annotations

import re

_SCALAR = re.compile(r"true|false|null|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?")
_LONGEST_SCALAR = 40


class Quoted(str):
    """An option value that was quoted and is therefore text, even if it looks like a number."""


def is_scalar(value: str) -> bool:
    """Return whether an unquoted text is a number, true, false or null."""
    return _SCALAR.fullmatch(value) is not None and len(value) <= _LONGEST_SCALAR
