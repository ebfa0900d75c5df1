"""Read and write demonstration sets: our TOML format, and published prompt files. See prompts/README.md."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from playground.demonstrations.families import FAMILIES, head, parse
from playground.files import At, check_table, place, read_text, read_toml
from playground.types import Demo, DemoSet, Exchange, InputError, OutsideError, check_name

LIMIT = 2_000_000
"""Maximum file size in bytes, about a hundred times the longest context of current base models."""
SUFFIXES = (".toml", ".txt")


def demo_files(folder: Path) -> list[Path]:
    """Return the files in a folder that are meant as demonstration sets, in order of their names."""
    return sorted(path for path in folder.glob("*") if path.suffix in SUFFIXES and path.is_file())


def read_demo_file(path: Path) -> DemoSet:
    """Read a demonstration set from a TOML file or, with any other suffix, from a prompt file.

    Raises:
        InputError: the file cannot be read, or is not a set; the message names the file and the place.
    """
    return read_demo_set(path) if path.suffix == ".toml" else read_prompt_file(path)


def read_prompt_file(path: Path) -> DemoSet:
    """Read a published prompt file as a set named after it; its text is kept verbatim (see `families.parse`).

    Raises:
        InputError: the file cannot be read as text, is larger than `LIMIT`, or is empty.
    """
    text = read_text(path, LIMIT)
    if "\0" in text:
        line = text[: text.index("\0")].count("\n") + 1
        raise InputError(f"{path}, line {line}: it has a NUL byte, so it is not a text file; remove it.")
    if not text.strip():
        raise InputError(f"{path} is empty: write an instruction or demonstrations into it.")
    return parse(check_name(set_name(path.stem), f"{path}: the name"), text)


def set_name(stem: str) -> str:
    """Return the set name for a file's stem. Published names contain characters such as "&" and spaces, which
    lane specs cannot have; "" if no usable character is left."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", stem).lstrip("._-")


def read_demo_set(path: Path) -> DemoSet:
    """Read a demonstration set from a TOML file; see prompts/README.md for the format.

    Raises:
        InputError: the file is not such a set; the message names the file and the place.
    """
    table = read_toml(path, LIMIT)
    about = {"name": str, "description": str, "meant_for": str, "note": str}
    if "text" in table:
        check_table(table, path, required={"text": str, "name": str}, optional=about)
        check_name(table["name"], f"{place(path, key='name')}: the name")
        _refuse_empty(path, not table["text"].strip())
        parsed = parse(table["name"], table["text"])
        return DemoSet(
            instruction=parsed.instruction,
            demos=parsed.demos,
            format=parsed.format,
            **{"note": parsed.note, **table},
        )
    check_table(
        table,
        path,
        required={"name": str, "instruction": str},
        optional={**about, "format": str, "demos": list},
    )
    check_name(table["name"], f"{place(path, key='name')}: the name")
    if table.get("format", "fenced") not in FAMILIES:
        raise InputError(
            f"{place(path, key='format')}: format {table['format']!r} is not known; use one of "
            f"{', '.join(FAMILIES)}."
        )
    entries = table.pop("demos", [])
    demos = tuple(_demo(entry, path, (("demos", n),)) for n, entry in enumerate(entries, start=1))
    _refuse_empty(path, not demos and not table["instruction"].strip())
    return DemoSet(demos=demos, **table)


def _refuse_empty(path: Path, empty: bool) -> None:
    if empty:
        raise InputError(f"{path} has neither an instruction nor demonstrations: add some.")


_EXCHANGE = {"answer": str, "unanswered": bool}


def _demo(entry: Any, path: Path, at: At) -> Demo:
    check_table(entry, path, {"query": str}, {**_EXCHANGE, "before": str, "then": list}, at)
    then = []
    for number, further in enumerate(entry.get("then", []), start=1):
        place_of = (*at, ("then", number))
        check_table(further, path, {"query": str}, _EXCHANGE, place_of)
        then.append(Exchange(query=further["query"], answer=_answer(further, path, place_of)))
    return Demo(
        query=entry["query"],
        answer=_answer(entry, path, at),
        then=tuple(then),
        before=entry.get("before", ""),
    )


def _answer(entry: dict[str, Any], path: Path, at: At) -> str | None:
    """Return the answer; a missing one must be marked as `unanswered`."""
    if entry.get("unanswered", False) == ("answer" in entry):
        said = (
            "it has an answer and unanswered = true; leave one out"
            if "answer" in entry
            else "it lacks 'answer'; add it, or unanswered = true for a query alone"
        )
        raise InputError(f"{place(path, at)}: {said}.")
    return entry.get("answer")


# --- Writing --------------------------------------------------------------------------------------


def write_demo_set(path: Path, demos: DemoSet, new: bool = False) -> None:
    """Write a set as TOML that `read_demo_set` reads back as an equal set, replacing an existing file.

    A set that still has its verbatim text is written as that text.

    Args:
        new: raise an error if the file exists, even if another process has just created it.

    Raises:
        InputError: the set is empty, has an unusable name or format or a lone surrogate in a text, or the
            file exists and `new` is set.
        OutsideError: the file cannot be written.
    """
    check_name(demos.name, "The demonstration set's name")
    if not head(demos).strip():
        raise InputError(f"Demonstration set {demos.name!r} has neither an instruction nor demonstrations.")
    try:
        data = "".join(f"{line}\n" for line in _toml(demos)).encode("utf-8")
    except UnicodeEncodeError as error:
        raise InputError(
            f"Demonstration set {demos.name!r} holds half a character ({error.object[error.start]!r}), which "
            "cannot be written as UTF-8: remove it."
        ) from error
    if len(data) > LIMIT:
        raise InputError(
            f"Demonstration set {demos.name!r} would make a file larger than {LIMIT // 10**6} MB: use fewer "
            "demonstrations."
        )
    # Written to a temporary file and then moved, so that no reader sees an incomplete file.
    beside = path.with_name(f".{path.name}.{os.getpid()}.new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        beside.write_bytes(data)
        if new:
            path.open("xb").close()  # fails if the file exists
        os.replace(beside, path)
    except FileExistsError as error:
        if not beside.exists():  # a parent folder of the path is a file
            raise OutsideError(f"Cannot write {path}: {error.strerror}.") from error
        beside.unlink()
        raise InputError(f"There is another file {path} already: choose another name.") from error
    except OSError as error:
        raise OutsideError(f"Cannot write {path}: {error.strerror or error}.") from error


def _toml(demos: DemoSet) -> Iterable[str]:
    """Yield the lines of the file; those with multi-line texts contain newlines."""
    yield f"name = {_quoted(demos.name)}"
    for key in ("description", "meant_for"):
        if value := getattr(demos, key):
            yield f"{key} = {_quoted(value)}"
    if demos.text is not None:
        yield f"note = {_quoted(demos.note)}"
        yield f"text = {_quoted(demos.text)}"
        return
    if demos.note:
        yield f"note = {_quoted(demos.note)}"
    yield f"format = {_quoted(demos.format)}"
    yield f"instruction = {_quoted(demos.instruction)}"
    for demo in demos.demos:
        yield "\n[[demos]]"
        if demo.before:
            yield f"before = {_quoted(demo.before)}"
        for number, exchange in enumerate(demo.exchanges):
            if number:
                yield "\n[[demos.then]]"
            yield f"query = {_quoted(exchange.query)}"
            yield "unanswered = true" if exchange.answer is None else f"answer = {_quoted(exchange.answer)}"


_CONTROL = re.compile("[\0-\x08\x0b-\x1f\x7f]")


def _quoted(text: str) -> str:
    """Return a TOML string, multi-line if the text has several lines, so that users can read and edit it."""
    text = text.replace("\\", "\\\\")
    text = _CONTROL.sub(lambda match: f"\\u{ord(match[0]):04x}", text)
    if "\n" not in text:
        return '"' + text.replace('"', '\\"') + '"'
    # Three quotes in a row, or one before the closing ones, would end the string.
    return '"""\n' + re.sub('"(?="|\\Z)', '\\\\"', text) + '"""'
