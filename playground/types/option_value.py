"""Option values in lane specs, which distinguish quoted text from JSON scalars.

The value of a chat template variable is JSON if unquoted (``n=1``) and text if quoted (``n="1"``), so quoting
must be preserved between the lane spec and the aligner.
"""

from __future__ import annotations

import re

_SCALAR = re.compile(r"true|false|null|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?")
_LONGEST_SCALAR = 40


class Quoted(str):
    """A quoted option value, which is text even if it looks like a number."""


def is_scalar(value: str) -> bool:
    """Return whether an unquoted value is a JSON scalar: a number, true, false or null."""
    return _SCALAR.fullmatch(value) is not None and len(value) <= _LONGEST_SCALAR
