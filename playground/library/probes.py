"""Probes: prepared multi-turn conversations that can be run through every lane.

The files have the format of MT-Bench's questions (arXiv 2306.05685; FastChat's ``question.jsonl`` can be read
unchanged): one JSON object per line, with `question_id`, `category`, `turns` and optionally `reference`, and
three keys of our own, `title`, `tests` and `check`. Independent of lanes and models.
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
"""Maximum size of a file in bytes, about forty times that of MT-Bench's."""
TITLE = 40
"""Characters of the first message that are used as the title if there is none."""


@dataclass(frozen=True, kw_only=True)
class Probe:
    """The user messages of one conversation, and the reference answers as far as there are any."""

    name: str
    """The file's stem and the question's id, such as "general/12"."""
    title: str
    """A short title for menus; by default the beginning of the first turn."""
    category: str
    turns: tuple[str, ...]
    """The user messages, verbatim, one for each turn."""
    reference: tuple[str | None, ...]
    """The reference answer for each turn; None if there is no single correct answer."""
    tests: str = ""
    """What the probe tests, in one phrase."""
    checks: tuple[Check | None, ...] = ()
    """The automatic check for each turn, None where a judge is needed; empty if there are no checks."""

    @property
    def file(self) -> str:
        """The stem of the probe's file."""
        return self.name.partition("/")[0]

    def asked(self, said: Sequence[str]) -> int:
        """Return how many of the probe's messages, counted from the first, occur in order in `said`; other
        messages may come between them."""
        rest = iter(said)
        return next((number for number, turn in enumerate(self.turns) if turn not in rest), len(self.turns))


def find_probes(folders: Sequence[Path]) -> tuple[list[Probe], list[str]]:
    """Read the probes in the `*.jsonl` files of some folders.

    An unreadable file does not hide the others. If two files have the same stem, the first one is used.

    Returns:
        The probes, and one sentence for each file left out.
    """
    probes: list[Probe] = []
    problems: list[str] = []
    stems: dict[str, Path] = {}
    for folder in folders:
        for path in sorted(path for path in folder.glob("*.jsonl") if path.is_file()):
            try:
                if path.stem in stems:
                    raise InputError(
                        f"{path}: the name {path.stem!r} is taken by {stems[path.stem]}; give this file "
                        "another name."
                    )
                probes += read_probes(path)
                stems[path.stem] = path
            except InputError as error:
                problems.append(str(error))
    return probes, problems


def read_probes(path: Path) -> list[Probe]:
    """Read the probes in a file, in order; empty lines and unknown keys are ignored.

    Raises:
        InputError: the file cannot be read or has another format; the message names the file, the line and
            what to do.
    """
    check_name(path.stem, f"{path}: the name")
    probes = []
    lines: dict[int, int] = {}
    # Not splitlines(), which also splits at characters such as U+2028 that JSON strings may contain.
    for number, line in enumerate(read_text(path, LIMIT).split("\n"), start=1):
        if not line.strip():
            continue
        where = f"{path}, line {number}"
        entry = _object(line, where)
        id = _id(entry, where)
        if id in lines:
            raise InputError(
                f"{where}: question_id {id} is taken by line {lines[id]}; give every probe its own."
            )
        lines[id] = number
        probes.append(_probe(entry, f"{path.stem}/{id}", where))
    if not probes:
        raise InputError(f"{path} has no probes: write one JSON object on each line.")
    return probes


def _object(line: str, where: str) -> dict[str, Any]:
    """Parse the JSON object on a line."""
    if "\0" in line:
        raise InputError(f"{where}: it has a NUL byte, so it is not a text file; remove it.")
    try:
        entry = json.loads(line)
    except json.JSONDecodeError as error:
        raise InputError(
            f"{where}: not valid JSON ({error.msg}, column {error.colno}): write one object on each line."
        ) from error
    except (ValueError, RecursionError):
        # Python's parser refuses numbers of thousands of digits and lists nested thousands deep.
        raise InputError(f"{where}: its JSON is too long a number or nested too deeply; remove it.") from None
    if not isinstance(entry, dict):
        raise InputError(f"{where}: it must be a JSON object, not {_shown(entry)}.")
    return entry


def _id(entry: Mapping[str, Any], where: str) -> int:
    id = _required(entry, "question_id", where)
    if type(id) is not int:  # isinstance would accept true and false
        raise InputError(f"{where}: question_id must be a whole number, not {_shown(id)}.")
    return id


def _probe(entry: Mapping[str, Any], name: str, where: str) -> Probe:
    category = _text(_required(entry, "category", where), "category", where)
    turns = _required(entry, "turns", where)
    if not isinstance(turns, list) or not turns:
        raise InputError(f"{where}: turns must be a list of one text or more, not {_shown(turns)}.")
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
        raise InputError(f"{where}: reference must be a list of texts, not {_shown(given)}.")
    if len(given) != turns:
        raise InputError(
            f"{where}: reference has {len(given)} entries and turns has {turns}; give one for each turn, "
            "null where there is none."
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
            f"{where}: check must be a list with one entry for each turn, null where there is none, not "
            f"{_shown(given)}."
        )
    return tuple(
        None if entry is None else _check(entry, f"{where}: check {number}")
        for number, entry in enumerate(given, start=1)
    )


def _check(entry: Any, where: str) -> Check:
    kinds = [kind for kind in get_args(CheckKind) if isinstance(entry, dict) and kind in entry]
    if len(kinds) != 1 or set(entry) - {kinds[0], "count"}:
        raise InputError(
            f"{where} must be an object with one of {', '.join(get_args(CheckKind))}, and count, not "
            f"{_shown(entry)}."
        )
    kind, values, count = kinds[0], entry[kinds[0]], entry.get("count", 0)
    if not isinstance(values, list) or not values:
        raise InputError(f"{where}: {kind} must be a list of one text or more, not {_shown(values)}.")
    counted = kind in ("some", "first")
    if type(count) is not int or not (1 <= count <= len(values) if counted else count == 0):
        raise InputError(
            f"{where}: count must be a whole number from 1 to {len(values)}, with some and first only, not "
            f"{_shown(count)}."
        )
    texts = tuple(_text(value, kind, where) for value in values)
    return Check(kind=cast(CheckKind, kind), values=texts, count=count)


def _required(entry: Mapping[str, Any], key: str, where: str) -> Any:
    if key not in entry:
        raise InputError(f"{where}: it lacks {key!r}; add it.")
    return entry[key]


def _optional(entry: Mapping[str, Any], key: str, where: str) -> str:
    """Return the text under `key`; "" if it is missing or null."""
    return "" if entry.get(key) is None else _text(entry[key], key, where)


def _text(value: Any, what: str, where: str) -> str:
    """Return `value` if it is a text that can be used in a prompt and written to a file."""
    if not isinstance(value, str):
        raise InputError(f"{where}: {what} must be text, not {_shown(value)}.")
    if not value.strip():
        raise InputError(f"{where}: {what} is empty; write something or remove it.")
    # JSON escapes can encode NUL and lone surrogates.
    if bad := re.search("[\0\ud800-\udfff]", value):
        raise InputError(f"{where}: {what} holds {bad[0]!r}, which is not a character; remove it.")
    return value


def _beginning(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= TITLE else line[: TITLE - 1] + "…"


def _shown(value: Any) -> str:
    shown = repr(value)
    return shown if len(shown) <= 40 else f"{shown[:40]}..."
