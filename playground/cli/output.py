"""Print JSON documents to standard output."""

from __future__ import annotations

import json
import sys
from typing import Any


def print_json(document: Any, ensure_ascii: bool = False) -> None:
    """Print one JSON document.

    Control characters are not escaped for a terminal, because other programs read the document.
    """
    sys.stdout.write(json.dumps(document, ensure_ascii=ensure_ascii, indent=1) + "\n")
