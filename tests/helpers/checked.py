"""Assert that optional values are present, and return them with a non-optional type."""

from __future__ import annotations

import re
from typing import TypeVar

from playground.types import Answer, Request

T = TypeVar("T")


def there(value: T | None) -> T:
    """Return the value, asserting that it is not None."""
    assert value is not None
    return value


def request_of(answer: Answer) -> Request:
    """Return an answer's request, asserting that it is not None."""
    return there(answer.request)


def group(pattern: str, text: str) -> str:
    """Return the first group of the pattern's first match, with `re.DOTALL` set."""
    found = there(re.search(pattern, text, re.DOTALL))
    return str(found[1])
