"""Values that must be there: each function asserts it and returns the value with its type."""

from __future__ import annotations

import re
from typing import TypeVar

from playground.types import Answer, Request

T = TypeVar("T")


def there(value: T | None) -> T:
    """Return a value that must not be None."""
    assert value is not None
    return value


def request_of(answer: Answer) -> Request:
    """Return the request of an answer whose prompt could be built."""
    return there(answer.request)


def group(pattern: str, text: str) -> str:
    """Return the first group of a pattern's first match, in which `.` also matches line breaks."""
    found = there(re.search(pattern, text, re.DOTALL))
    return str(found[1])
