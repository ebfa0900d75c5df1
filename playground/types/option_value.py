"""Values of a lane's options as text: which were in quotes, and which read as a number.

A template variable of a chat format is JSON where it was written bare (``n=1``) and text where it was quoted
(``n="1"``), so the quotes must survive from the lane spec to the aligner that reads the option.
"""

from __future__ import annotations

import re

_SCALAR = re.compile(r"true|false|null|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?")
_LONGEST_SCALAR = 40


class Quoted(str):
    """A value that was in quotes, which makes it a text even where it could be read as a number."""


def is_scalar(value: str) -> bool:
    """Whether a text without quotes means a number, true, false or null."""
    return _SCALAR.fullmatch(value) is not None and len(value) <= _LONGEST_SCALAR
