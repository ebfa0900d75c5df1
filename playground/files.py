"""Read user-provided text, TOML and JSON files. Errors are reported in one sentence."""

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
from playground.words import format_byte_limit, format_number

BOM = "\ufeff"
LFS_POINTER = b"version https://git-lfs"
"""The first bytes of a Git LFS pointer. In clones made without Git LFS, pointers replace large files."""


def first_line(error: BaseException) -> str:
    """Return an error's first line, truncated to 300 characters and without a final full stop."""
    if "set_int_max_str_digits" in str(error):  # Python's own message is intended for programmers
        return f"it has a number of more than {format_number(sys.get_int_max_str_digits())} digits"
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".:")[:300]


def check_whole(path: Path, head: bytes) -> None:
    """Check the first bytes of a file to make sure that it is not a Git LFS pointer.

    Raises:
        InputError: the file is a Git LFS pointer. The message states how to download the actual file.
    """
    if head.startswith(LFS_POINTER):
        raise InputError(
            f"{path} is a Git LFS pointer, not the file itself: run `git lfs pull` in its folder."
        )


def open_regular(path: Path) -> BinaryIO:
    """Open a regular file for reading in binary mode.

    Raises:
        InputError: the path is a pipe, device or socket, where reading could block forever.
        OSError: the file cannot be opened.
    """

    def open_at_once(name: str, flags: int) -> int:
        # Without this flag, opening a pipe would wait for a writer. Windows has neither the flag nor such
        # pipes.
        return os.open(name, flags | getattr(os, "O_NONBLOCK", 0))

    file = open(path, "rb", opener=open_at_once)  # noqa: SIM115 (closed below, or by the caller)
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise InputError(f"{path} is a pipe, device or socket, not a regular file: use a regular file.")
    return file


def check_regular(folder: Path) -> None:
    """Check that a folder contains only regular files and folders, so that a library can read the folder
    without blocking.

    Raises:
        InputError: an entry is a pipe, device or socket.
    """
    try:
        paths = sorted(folder.iterdir())
    except OSError:  # the caller reports this error when reading the folder
        return
    for path in paths:
        try:
            mode = path.stat().st_mode
        except OSError:
            continue
        if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
            raise InputError(
                f"{path} is a pipe, device or socket, not a regular file: remove it, or use another copy."
            )


def read_text(path: Path, limit: int | None = None) -> str:
    """Read a text file, removing the byte order mark and normalizing line endings to newlines.

    Args:
        limit: maximum size in bytes.

    Raises:
        InputError: the file cannot be read, is too large, or is not UTF-8 (the message names the line).
    """
    try:
        with open_regular(path) as file:
            data = file.read(-1 if limit is None else limit + 1)
    except OSError as error:
        raise InputError(f"Cannot read {path}: {error.strerror or error}.") from error
    check_whole(path, data)
    if limit is not None and len(data) > limit:
        raise InputError(f"{path} is larger than {format_byte_limit(limit)}, too large for a prompt.")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise InputError(
            f"{path}, line {line}: not UTF-8 text (byte {error.start}): save it as UTF-8."
        ) from error
    return text.removeprefix(BOM).replace("\r\n", "\n").replace("\r", "\n")


def read_toml(path: Path, limit: int | None = None) -> dict[str, Any]:
    """Parse a TOML file. Raises InputError naming the file and, for syntax errors, the line."""
    text = read_text(path, limit)  # outside the try block, since InputError is a ValueError
    try:
        table = tomllib.loads(text)
        # raises ValueError for integers too long to print, such as long hexadecimal literals
        repr(table)
        return table
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{path} is not valid TOML: {error}.") from error
    except RecursionError:
        raise InputError(f"{path} is not valid TOML: its lists are nested too deeply.") from None
    except ValueError as error:  # a number with more digits than Python can parse
        raise InputError(f"{path} is not valid TOML: {first_line(error)}.") from error


def read_json(path: Path) -> Any:
    """Parse a JSON file. Raises InputError naming the file and, for syntax errors, the line."""
    text = read_text(path)
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise InputError(f"{path}, line {error.lineno}: not valid JSON: {error.msg}.") from error
    except RecursionError:
        raise InputError(f"{path} is not valid JSON: it is nested too deeply.") from None
    except ValueError as error:  # a number with more digits than Python can parse
        raise InputError(f"{path} is not valid JSON: {first_line(error)}.") from error


def read_object(path: Path) -> dict[str, Any]:
    """Parse a JSON file that must contain an object. Raises InputError for any other value."""
    data = read_json(path)
    if not isinstance(data, dict):
        raise InputError(f"{path} must contain a JSON object.")
    return data


At = tuple[tuple[str, int], ...]
"""Path to a table in a TOML file, as (name, number) pairs, outermost table first.

Numbers count tables of the same name, from 1.
"""

_KINDS = {str: "text", list: "a list of tables", bool: "true or false", int: "an integer"}


def check_table(
    table: Any, path: Path, required: Mapping[str, type], optional: Mapping[str, type], at: At = ()
) -> None:
    """Check that `table`, read from `path`, has all required keys and no unknown keys.

    Raises:
        InputError: a key is missing, unknown or of the wrong type. The message names file, line and table.
    """
    if not isinstance(table, dict):
        raise InputError(f"{place(path, at)}: expected a table.")
    known = {**required, **optional}
    for key, value in table.items():
        if key not in known:
            raise InputError(
                f"{place(path, at, key)}: unknown key {key!r:.60}; valid keys are {', '.join(known)}."
            )
        if not isinstance(value, known[key]):
            shown = repr(value) if len(repr(value)) <= 40 else f"{repr(value)[:40]}..."
            raise InputError(f"{place(path, at, key)}: {key} must be {_KINDS[known[key]]}, not {shown}.")
    for key in required:
        if key not in table:
            raise InputError(f"{place(path, at)}: missing key {key!r}; add it.")


def place(path: Path, at: At = (), key: str | None = None) -> str:
    """Describe the location of a table or key in a TOML file: the file, the line (if found) and the table."""
    line = _line(read_text(path), at, key)
    words = [str(path), *([f"line {line}"] if line else []), *(f"{name} {number}" for name, number in at)]
    return ", ".join(words)


# Matches strings and comments in valid TOML, which can contain text that looks like a key.
_OPAQUE = re.compile(
    r'"""(?:\\.|[^\\])*?"{3,5}|\'\'\'.*?\'{3,5}|"(?:\\.|[^"\\\n])*"|\'[^\'\n]*\'|#[^\n]*', re.DOTALL
)
_HEADER = re.compile(r"\s*\[\[?([^\[\]]+)\]\]?")
_KEY = re.compile(r"\s*([\w-]+)\s*=")


def _line(text: str, at: At, key: str | None) -> int | None:
    """Return the line number (from 1) of a table header, or of a key in the table; None if not found."""
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
