"""Try the regular expressions in `adapter_config.json` under a time limit before PEFT uses them.

A pattern such as `([a-z.]+)+!` takes exponential time, and Python cannot interrupt a match in its own
process. Patterns with repetitions are therefore first matched in a subprocess, which is killed when the time
limit expires.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from playground.types import InputError
from playground.words import format_time_limit

SECONDS = 10.0
"""Time limit in seconds for matching all of an adapter's patterns, including the subprocess startup."""
SETTINGS = (
    "target_modules",
    "exclude_modules",
    "feedforward_modules",
    "layers_pattern",
    "modules_to_save",
    "rank_pattern",
    "alpha_pattern",
)
_REPEATS = re.compile(r"[*+?{]")
# PEFT matches patterns against the whole name, its end, any part of it, or the part before a layer number.
_MATCH = r"""
import json, re, sys, warnings
warnings.simplefilter("ignore")
patterns, names = json.load(sys.stdin)
forms = ("(?:{})$", r"(.*\.)?({})$", r"(^|.*\.){}($|\..*)", r"(?:^|.*?\.){}\.(?P<idx>\d+)\.")
for pattern in patterns:
    for form in forms:
        try:
            compiled = re.compile(form.replace("{}", pattern))
        except (re.error, RecursionError, OverflowError):
            continue
        for name in names:
            compiled.match(name)
"""


def check_patterns(settings: Mapping[str, Any], names: Iterable[str]) -> None:
    """Check that matching an adapter's patterns against module names finishes within the time limit.

    Args:
        settings: the adapter's checked configuration.
        names: names of the modules in the base model.

    Raises:
        InputError: matching takes longer than `SECONDS`. The message is a clause; the caller turns it into a
            sentence.
    """
    keys = [key for key in SETTINGS if any(map(_REPEATS.search, _list_texts(settings.get(key))))]
    patterns = [text for key in keys for text in _list_texts(settings[key])]
    if not patterns:
        return
    given = json.dumps([patterns, list(names)])
    try:
        subprocess.run(
            [sys.executable, "-I", "-S", "-c", _MATCH],
            input=given,
            text=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise InputError(
            f"matching its {' and '.join(keys)} against the module names of the base takes longer than "
            f"{format_time_limit(SECONDS)}; use plain module names"
        ) from None


def _list_texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list | dict):
        yield from (text for text in value if isinstance(text, str))
