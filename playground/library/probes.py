"""Probes: prepared multi-turn conversations that can be run through every lane.

Probe files use the format of MT-Bench questions (arXiv 2306.05685); FastChat's ``question.jsonl`` can be read
unchanged. Each line is a JSON object with `question_id`, `category`, `turns` and optionally `reference`, plus
three keys specific to Tandem: `title`, `tests` and `check`. This module does not depend on lanes or models.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast, get_args

from playground.files import read_text
from playground.rubrics.known_answer import Check, CheckKind
from playground.types import InputError, check_name

LIMIT = 2_000_000
"""Maximum size of a probe file in bytes, about 40 times the size of MT-Bench's question file."""
TITLE = 40
"""Maximum length, in characters, of a title derived from the probe's first message."""


@dataclass(frozen=True, kw_only=True)
class Probe:
    """The user messages of one conversation, with reference answers where available."""

    name: str
    """File stem and question id, separated by a slash, for example "general/12"."""
    title: str
    """Short title for menus; defaults to the start of the first turn."""
    category: str
    turns: tuple[str, ...]
    """User messages, verbatim, one per turn."""
    reference: tuple[str | None, ...]
    """Reference answers, one per turn; None for turns that have no single correct answer."""
    tests: str = ""
    """Short phrase describing what the probe tests."""
    checks: tuple[Check | None, ...] = ()
    """Automatic checks, one per turn; None for turns that need a judge. Empty if the probe has no checks."""

    @property
    def file(self) -> str:
        """Name of the probe's file, without the suffix."""
        return self.name.partition("/")[0]

    def count_sent(self, said: Sequence[str]) -> int:
        """Return how many of the probe's messages, counted from the first, occur in `said` in the same order.
        Other messages between them are ignored.
        """
        rest = iter(said)
        return next((number for number, turn in enumerate(self.turns) if turn not in rest), len(self.turns))


def find_probes(folders: Sequence[Path]) -> tuple[list[Probe], list[str]]:
    """Read the probes from all `*.jsonl` files in the given folders.

    Unreadable files are skipped. If several files have the same stem, only the first one is read.

    Returns:
        The probes, and an error message for each skipped file.
    """
    probes: list[Probe] = []
    problems: list[str] = []
    stems: dict[str, Path] = {}
    for folder in folders:
        for path in sorted(path for path in folder.glob("*.jsonl") if path.is_file()):
            try:
                if path.stem in stems:
                    raise InputError(
                        f"{path}: the name {path.stem!r} is already used by {stems[path.stem]}; rename "
                        "this file."
                    )
                probes += read_probes(path)
                stems[path.stem] = path
            except InputError as error:
                problems.append(str(error))
    return probes, problems


def read_probes(path: Path) -> list[Probe]:
    """Read the probes from a file, in order, ignoring empty lines and unknown keys.

    Raises:
        InputError: the file cannot be read, or its format is invalid. The message names the file and the line
            and suggests a fix.
    """
    check_name(path.stem, f"{path}: the name")
    probes = []
    lines: dict[int, int] = {}
    # splitlines() would also split at characters such as U+2028, which JSON strings may contain.
    for number, line in enumerate(read_text(path, LIMIT).split("\n"), start=1):
        if not line.strip():
            continue
        where = f"{path}, line {number}"
        entry = _object(line, where)
        id = _id(entry, where)
        if id in lines:
            raise InputError(
                f"{where}: question_id {id} is already used on line {lines[id]}; make the ids unique."
            )
        lines[id] = number
        probes.append(_probe(entry, f"{path.stem}/{id}", where))
    if not probes:
        raise InputError(f"{path} contains no probes: add one JSON object per line.")
    return probes


def _object(line: str, where: str) -> dict[str, Any]:
    """Parse a line, which must contain a JSON object."""
    if "\0" in line:
        raise InputError(f"{where}: a text file cannot contain a NUL byte; remove it.")
    try:
        entry = json.loads(line)
    except json.JSONDecodeError as error:
        raise InputError(
            f"{where}: invalid JSON ({error.msg}, column {error.colno}); write one JSON object per line."
        ) from error
    except (ValueError, RecursionError):
        # Python's parser rejects numbers with thousands of digits and lists nested thousands of levels deep.
        raise InputError(
            f"{where}: the JSON has a number that is too long or is nested too deeply; remove it."
        ) from None
    if not isinstance(entry, dict):
        raise InputError(f"{where}: expected a JSON object, not {_shorten(entry)}.")
    return entry


def _id(entry: Mapping[str, Any], where: str) -> int:
    id = _require(entry, "question_id", where)
    if type(id) is not int:  # isinstance would also accept JSON's true and false
        raise InputError(f"{where}: question_id must be an integer, not {_shorten(id)}.")
    return id


def _probe(entry: Mapping[str, Any], name: str, where: str) -> Probe:
    category = _text(_require(entry, "category", where), "category", where)
    turns = _require(entry, "turns", where)
    if not isinstance(turns, list) or not turns:
        raise InputError(f"{where}: turns must be a list of at least one string, not {_shorten(turns)}.")
    turns = [_text(turn, f"turn {number}", where) for number, turn in enumerate(turns, start=1)]
    return Probe(
        name=name,
        title=_optional(entry, "title", where) or _beginning(turns[0]),
        category=category,
        turns=tuple(turns),
        reference=_reference(entry.get("reference"), len(turns), where),
        tests=_optional(entry, "tests", where),
        checks=_checks(entry.get("check"), len(turns), where),
    )


def _reference(given: Any, turns: int, where: str) -> tuple[str | None, ...]:
    if given is None:
        return (None,) * turns
    if not isinstance(given, list):
        raise InputError(f"{where}: reference must be a list of strings, not {_shorten(given)}.")
    if len(given) != turns:
        raise InputError(
            f"{where}: reference has {len(given)} entries, but turns has {turns}; give one per turn, or null "
            "for turns without a reference."
        )
    # MT-Bench uses "" for a turn without a reference.
    return tuple(
        None if answer in (None, "") else _text(answer, f"reference {number}", where)
        for number, answer in enumerate(given, start=1)
    )


def _checks(given: Any, turns: int, where: str) -> tuple[Check | None, ...]:
    if given is None:
        return ()
    if not isinstance(given, list) or len(given) != turns:
        raise InputError(
            f"{where}: check must be a list with one entry per turn (null for no check), "
            f"not {_shorten(given)}."
        )
    return tuple(
        None if entry is None else _check(entry, f"{where}: check {number}")
        for number, entry in enumerate(given, start=1)
    )


def _check(entry: Any, where: str) -> Check:
    kinds = [kind for kind in get_args(CheckKind) if isinstance(entry, dict) and kind in entry]
    if len(kinds) != 1 or set(entry) - {kinds[0], "count"}:
        raise InputError(
            f"{where} must be an object with one of the keys {', '.join(get_args(CheckKind))} and optionally "
            f"count, not {_shorten(entry)}."
        )
    kind, values, count = kinds[0], entry[kinds[0]], entry.get("count", 0)
    if not isinstance(values, list) or not values:
        raise InputError(f"{where}: {kind} must be a list of at least one string, not {_shorten(values)}.")
    counted = kind in ("some", "first")
    if type(count) is not int or not (1 <= count <= len(values) if counted else count == 0):
        raise InputError(
            f"{where}: count must be an integer from 1 to {len(values)}, not {_shorten(count)}; "
            "it is allowed only with some or first."
        )
    texts = tuple(_text(value, kind, where) for value in values)
    return Check(kind=cast(CheckKind, kind), values=texts, count=count)


def _require(entry: Mapping[str, Any], key: str, where: str) -> Any:
    if key not in entry:
        raise InputError(f"{where}: missing key {key!r}; add it.")
    return entry[key]


def _optional(entry: Mapping[str, Any], key: str, where: str) -> str:
    """Return the string stored under `key`; "" if it is missing or null."""
    return "" if entry.get(key) is None else _text(entry[key], key, where)


def _text(value: Any, what: str, where: str) -> str:
    """Return `value` after checking that it is a string that can be used in a prompt and saved to a file."""
    if not isinstance(value, str):
        raise InputError(f"{where}: {what} must be text, not {_shorten(value)}.")
    if not value.strip():
        raise InputError(f"{where}: {what} is empty; add text or remove it.")
    # JSON escape sequences can encode NUL and lone surrogates.
    if bad := re.search("[\0\ud800-\udfff]", value):
        raise InputError(f"{where}: {what} contains {bad[0]!r}, which is not a valid character; remove it.")
    return value


def _beginning(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= TITLE else line[: TITLE - 1] + "…"


def _shorten(value: Any) -> str:
    shown = repr(value)
    return shown if len(shown) <= 40 else f"{shown[:40]}..."
