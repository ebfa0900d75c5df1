"""Read and write demonstration sets in Tandem's TOML format, and read published prompt files.

prompts/README.md describes both formats.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from playground.demonstrations.families import FAMILIES, head, parse
from playground.files import At, check_table, place, read_text, read_toml
from playground.types import Demo, DemoSet, Exchange, InputError, OutsideError, check_name
from playground.words import format_byte_limit

LIMIT = 2_000_000
"""Maximum file size in bytes, chosen well above any usable prompt: about 100 times as much text as the
longest context of a base model can hold.
"""
SUFFIXES = (".toml", ".txt")


def demo_files(folder: Path) -> list[Path]:
    """Return the demonstration set files in a folder, sorted by name."""
    return sorted(path for path in folder.glob("*") if path.suffix in SUFFIXES and path.is_file())


def read_demo_file(path: Path) -> DemoSet:
    """Read a demonstration set from a TOML file (suffix .toml) or a prompt file (any other suffix).

    Raises:
        InputError: the file cannot be read or is not a demonstration set; the message names the location.
    """
    return read_demo_set(path) if path.suffix == ".toml" else read_prompt_file(path)


def read_prompt_file(path: Path) -> DemoSet:
    """Read a published prompt file as a demonstration set named after the file.

    The text is kept verbatim; see `families.parse`.

    Raises:
        InputError: the file cannot be read as text, is larger than `LIMIT`, or is empty.
    """
    text = read_text(path, LIMIT)
    if "\0" in text:
        line = text[: text.index("\0")].count("\n") + 1
        raise InputError(f"{path}, line {line}: a text file cannot contain a NUL byte; remove it.")
    if not text.strip():
        raise InputError(f"{path} is empty: add an instruction or demonstrations.")
    return parse(check_name(set_name(path.stem), f"{path}: the name"), text)


def set_name(stem: str) -> str:
    """Derive a demonstration set name from a file's stem; "" if the stem has no usable characters.

    Published file names contain characters that are not allowed in lane specs, such as "&" and spaces.
    """
    return re.sub(r"[^A-Za-z0-9._-]+", "-", stem).lstrip("._-")


def read_demo_set(path: Path) -> DemoSet:
    """Read a demonstration set from a TOML file; see prompts/README.md for the format.

    Raises:
        InputError: the file is not a demonstration set; the message names the file and the location in it.
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
            f"{place(path, key='format')}: unknown format {table['format']!r}; use one of "
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
    """Return the answer in a TOML entry; None if the entry is marked as `unanswered`."""
    if entry.get("unanswered", False) == ("answer" in entry):
        said = (
            "it has both an answer and unanswered = true; remove one of them"
            if "answer" in entry
            else "'answer' is missing; add it, or set unanswered = true for a query without an answer"
        )
        raise InputError(f"{place(path, at)}: {said}.")
    return entry.get("answer")


# --- Writing --------------------------------------------------------------------------------------


def write_demo_set(path: Path, demos: DemoSet, new: bool = False) -> None:
    """Write a demonstration set as TOML, replacing an existing file.

    Reading the file with `read_demo_set` returns an equal set. The verbatim text of a set read from a prompt
    file is saved too, unless the set has been changed since.

    Args:
        new: whether to fail if the file already exists. The check is atomic.

    Raises:
        InputError: the set is empty or too large, has an invalid name or format, contains a lone surrogate,
            or the file exists and `new` is set.
        OutsideError: the file cannot be written.
    """
    check_name(demos.name, "The demonstration set's name")
    if not head(demos).strip():
        raise InputError(
            f"Demonstration set {demos.name!r} has neither an instruction nor demonstrations: add some."
        )
    try:
        data = "".join(f"{line}\n" for line in _toml(demos)).encode("utf-8")
    except UnicodeEncodeError as error:
        raise InputError(
            f"Demonstration set {demos.name!r} contains a lone surrogate ({error.object[error.start]!r}), "
            "which cannot be encoded as UTF-8: remove it."
        ) from error
    if len(data) > LIMIT:
        raise InputError(
            f"Demonstration set {demos.name!r} would make a file larger than {format_byte_limit(LIMIT)}: use "
            "fewer demonstrations."
        )
    # Write to a temporary file first and then move it, so that readers never see an incomplete file.
    beside = path.with_name(f".{path.name}.{os.getpid()}.new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        beside.write_bytes(data)
        if new:
            path.open("xb").close()  # fails if the file already exists
        os.replace(beside, path)
    except FileExistsError as error:
        if not beside.exists():  # a parent folder of the path is a file
            raise OutsideError(f"Cannot write {path}: {error.strerror}.") from error
        beside.unlink()
        raise InputError(f"The file {path} already exists: choose another name.") from error
    except OSError as error:
        raise OutsideError(f"Cannot write {path}: {error.strerror or error}.") from error


def _toml(demos: DemoSet) -> Iterable[str]:
    """Yield the lines of a demonstration set's TOML file. A multi-line string is yielded as one item."""
    yield f"name = {_quote(demos.name)}"
    for key in ("description", "meant_for"):
        if value := getattr(demos, key):
            yield f"{key} = {_quote(value)}"
    if demos.text is not None:
        yield f"note = {_quote(demos.note)}"
        yield f"text = {_quote(demos.text)}"
        return
    if demos.note:
        yield f"note = {_quote(demos.note)}"
    yield f"format = {_quote(demos.format)}"
    yield f"instruction = {_quote(demos.instruction)}"
    for demo in demos.demos:
        yield "\n[[demos]]"
        if demo.before:
            yield f"before = {_quote(demo.before)}"
        for number, exchange in enumerate(demo.exchanges):
            if number:
                yield "\n[[demos.then]]"
            yield f"query = {_quote(exchange.query)}"
            yield "unanswered = true" if exchange.answer is None else f"answer = {_quote(exchange.answer)}"


_CONTROL = re.compile("[\0-\x08\x0b-\x1f\x7f]")


def _quote(text: str) -> str:
    """Quote text as a TOML string. Text with line breaks becomes a multi-line string, for readability."""
    text = text.replace("\\", "\\\\")
    text = _CONTROL.sub(lambda match: f"\\u{ord(match[0]):04x}", text)
    if "\n" not in text:
        return '"' + text.replace('"', '\\"') + '"'
    # Three quotes in a row, or a quote right before the closing quotes, would end the string early.
    return '"""\n' + re.sub('"(?="|\\Z)', '\\\\"', text) + '"""'
