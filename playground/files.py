"""Text, TOML and JSON from files that people write, with one sentence where one is wrong."""

from __future__ import annotations

import json
import os
import re
import stat
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

from playground.types import InputError

BOM = "\ufeff"
LFS_POINTER = b"version https://git-lfs"
"""How a Git LFS pointer begins: what a clone without Git LFS holds in place of a large file."""


def first_line(error: BaseException) -> str:
    """An error's first line, at most 300 characters, without a full stop at its end."""
    if "set_int_max_str_digits" in str(error):  # Python's advice for programs, not for people
        return f"it has a number of more than {sys.get_int_max_str_digits()} digits"
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".:")[:300]


def check_whole(path: Path, head: bytes) -> None:
    """Check by its first bytes that a file is there itself.

    Raises:
        InputError: it is a Git LFS pointer; the sentence says what to do.
    """
    if head.startswith(LFS_POINTER):
        raise InputError(
            f"{path} is a Git LFS pointer and not the file itself: run git lfs pull in its folder."
        )


def open_regular(path: Path) -> BinaryIO:
    """A file open for reading, in binary.

    Raises:
        InputError: it is a pipe, device or socket, which reading could wait on without an end.
        OSError: it cannot be opened.
    """

    def open_at_once(name: str, flags: int) -> int:
        # Opening a pipe waits for its writer otherwise. Windows has neither.
        return os.open(name, flags | getattr(os, "O_NONBLOCK", 0))

    file = open(path, "rb", opener=open_at_once)  # noqa: SIM115 (closed below, or by the caller)
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise InputError(f"{path} is a pipe, device or socket and not a file: give a regular file.")
    return file


def check_regular(folder: Path) -> None:
    """Check that a folder holds only regular files and folders, before a library reads files in it.

    Raises:
        InputError: one is a pipe, device or socket.
    """
    try:
        paths = sorted(folder.iterdir())
    except OSError:  # the caller's own reading says it
        return
    for path in paths:
        try:
            mode = path.stat().st_mode
        except OSError:
            continue
        if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
            raise InputError(
                f"{path} is a pipe, device or socket and not a file: remove it, or use another copy."
            )


def read_text(path: Path, limit: int | None = None) -> str:
    """A file's text; a byte order mark is left out, and every line ends in a newline alone.

    Args:
        limit: bytes it may have at most.

    Raises:
        InputError: it cannot be read, is larger, or is not UTF-8; the line is named where there is one.
    """
    try:
        with open_regular(path) as file:
            data = file.read(-1 if limit is None else limit + 1)
    except OSError as error:
        raise InputError(f"Cannot read {path}: {error.strerror or error}.") from error
    check_whole(path, data)
    if limit is not None and len(data) > limit:
        raise InputError(f"{path} is larger than {limit // 10**6} MB, which is too large for a prompt.")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise InputError(
            f"{path}, line {line}: not UTF-8 text (byte {error.start}): save it as UTF-8."
        ) from error
    return text.removeprefix(BOM).replace("\r\n", "\n").replace("\r", "\n")


def read_toml(path: Path, limit: int | None = None) -> dict[str, Any]:
    """The table in a TOML file; InputError names the file, and the line where the syntax breaks."""
    text = read_text(path, limit)  # whose errors are of a kind that is caught below
    try:
        table = tomllib.loads(text)
        repr(table)  # fails for a number that a sentence could not show, such as a long hexadecimal one
        return table
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{path} is not valid TOML: {error}.") from error
    except RecursionError:
        raise InputError(f"{path} is not valid TOML: its lists are nested too deeply.") from None
    except ValueError as error:  # a number of more digits than Python reads
        raise InputError(f"{path} is not valid TOML: {first_line(error)}.") from error


def read_json(path: Path) -> Any:
    """What a JSON file holds; InputError names the file and the line."""
    text = read_text(path)
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise InputError(f"{path}, line {error.lineno}: not valid JSON: {error.msg}.") from error
    except RecursionError:
        raise InputError(f"{path} is not valid JSON: it is nested too deeply.") from None
    except ValueError as error:  # a number of more digits than Python reads
        raise InputError(f"{path} is not valid JSON: {first_line(error)}.") from error


def read_object(path: Path) -> dict[str, Any]:
    """The object in a JSON file."""
    data = read_json(path)
    if not isinstance(data, dict):
        raise InputError(f"{path} must hold a JSON object.")
    return data


At = tuple[tuple[str, int], ...]
"""A table in a TOML file: its name and its number among those of that name, from 1, outermost first."""

_KINDS = {str: "text", list: "a list of tables", bool: "true or false", int: "a whole number"}


def check_table(
    table: Any, path: Path, required: Mapping[str, type], optional: Mapping[str, type], at: At = ()
) -> None:
    """Check that `table`, read from `path`, has the keys it should and no others.

    Raises:
        InputError: a key is missing, unknown or of the wrong type; the sentence names file, line and table.
    """
    if not isinstance(table, dict):
        raise InputError(f"{place(path, at)}: it must be a table.")
    known = {**required, **optional}
    for key, value in table.items():
        if key not in known:
            raise InputError(
                f"{place(path, at, key)}: unknown key {key!r:.60}; it may have {', '.join(known)}."
            )
        if not isinstance(value, known[key]):
            shown = repr(value) if len(repr(value)) <= 40 else f"{repr(value)[:40]}..."
            raise InputError(f"{place(path, at, key)}: {key} must be {_KINDS[known[key]]}, not {shown}.")
    for key in required:
        if key not in table:
            raise InputError(f"{place(path, at)}: it lacks {key!r}; add it.")


def place(path: Path, at: At = (), key: str | None = None) -> str:
    """A table or key of a TOML file in words: the file, the line where it can be found, and the table."""
    line = _line(read_text(path), at, key)
    words = [str(path), *([f"line {line}"] if line else []), *(f"{name} {number}" for name, number in at)]
    return ", ".join(words)


# Strings and comments of a valid TOML text, which may hold what looks like a key.
_OPAQUE = re.compile(
    r'"""(?:\\.|[^\\])*?"{3,5}|\'\'\'.*?\'{3,5}|"(?:\\.|[^"\\\n])*"|\'[^\'\n]*\'|#[^\n]*', re.DOTALL
)
_HEADER = re.compile(r"\s*\[\[?([^\[\]]+)\]\]?")
_KEY = re.compile(r"\s*([\w-]+)\s*=")


def _line(text: str, at: At, key: str | None) -> int | None:
    """The line, from 1, of a table's key (without one: of its header) in a valid TOML text."""
    bare = _OPAQUE.sub(lambda match: re.sub(r"[^\n]", " ", match[0]), text)
    counts: dict[str, int] = {}
    here: At = ()
    found = None
    for number, line in enumerate(bare.split("\n"), start=1):
        if header := _HEADER.match(line):
            parts = [part.strip() for part in header[1].split(".")]
            name = ".".join(parts)
            counts = {other: n for other, n in counts.items() if not other.startswith(f"{name}.")}
            counts[name] = counts.get(name, 0) + 1
            here = tuple(
                (part, counts.get(".".join(parts[: depth + 1]), 0)) for depth, part in enumerate(parts)
            )
            if here == at:
                found = number
        elif here == at and key is not None and (match := _KEY.match(line)) and match[1] == key:
            return number
    return found
