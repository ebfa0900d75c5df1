"""`prompt`: print the exact prompt that a lane sends to the model."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from playground.cli.options import ModelOptions
from playground.demonstrations.files import SUFFIXES, read_demo_file
from playground.files import read_json
from playground.lanes.spec import format_spec, parse_spec
from playground.lanes.variant import name_lane_in_errors, parse_lane
from playground.library import Library
from playground.start import open_library, read_cards
from playground.types import InputError, Message, check_characters


def prompt(
    messages: Annotated[Path, typer.Option(help='JSON list of {"role", "content"} objects.')],
    *,
    lane: Annotated[str, typer.Option(help="Lane: NAME or NAME:key=value,...")] = "urial",
    demos: Annotated[
        str | None, typer.Option(help="Demonstration set: a name, or a .toml or .txt file.")
    ] = None,
    k: Annotated[int | None, typer.Option(help="Use the first K demonstrations of the set.")] = None,
    ablation: Annotated[str | None, typer.Option(help="Ablation to apply to the demonstrations.")] = None,
    seed: Annotated[int | None, typer.Option(help="Random seed for the ablation.")] = None,
    model: ModelOptions,
) -> None:
    """Print the exact prompt that a lane sends to the model, byte for byte, and nothing else."""
    settings = model.read_settings()
    library = open_library(settings)
    read_cards(settings, library)
    options = {"demos": demos and find_demos(library, demos), "k": k, "ablation": ablation, "seed": seed}
    with name_lane_in_errors(lane):
        variant = parse_lane(_add_options(lane, options), library)
    text = variant.aligner(read_messages(messages)).text
    # Written as bytes, so that newlines are not translated and the encoding does not depend on the locale.
    sys.stdout.buffer.write(text.encode("utf-8"))
    sys.stdout.buffer.flush()


def _add_options(lane: str, options: Mapping[str, object]) -> str:
    """Append the options that are not None to a lane spec.

    Raises InputError if the spec already sets one of them.
    """
    given = {name: str(value) for name, value in options.items() if value is not None}
    for name in given.keys() & parse_spec(lane)[1].keys():
        raise InputError(f"{name} is given both in the lane and by --{name}: remove one of the two.")
    return format_spec(lane, given)


def find_demos(library: Library, name: str) -> str:
    """Return the name of a demonstration set in `library`.

    If a file is given instead of a name, add the set in the file to the library first.
    """
    path = Path(name)
    # With any other suffix, a set name takes precedence over a file of the same name.
    if path.suffix in SUFFIXES or (name not in library.demo_sets and path.exists()):
        demo_set = read_demo_file(path)
        library.demo_sets[demo_set.name] = demo_set
        return demo_set.name
    return name


def read_messages(path: Path) -> list[Message]:
    """Read messages from a JSON file. Roles must alternate, beginning and ending with the user.

    Raises:
        InputError: the file cannot be read, or its content is invalid.
    """
    data = read_json(path)
    if not isinstance(data, list) or not data:
        raise InputError(f'{path} must contain a non-empty list of {{"role", "content"}} objects.')
    messages = []
    for number, entry in enumerate(data, start=1):
        expected = "user" if number % 2 else "assistant"
        if not isinstance(entry, dict) or set(entry) != {"role", "content"}:
            raise InputError(
                f'{path}, message {number}: it must have the keys "role" and "content" and no others.'
            )
        if entry["role"] != expected:
            raise InputError(
                f'{path}, message {number}: its role must be "{expected}", not {entry["role"]!r:.40}; user '
                "and assistant alternate, beginning with the user."
            )
        if not isinstance(entry["content"], str):
            raise InputError(f'{path}, message {number}: "content" must be text.')
        check_characters(entry["content"], f'{path}, message {number}: "content"')
        messages.append(Message(role=expected, text=entry["content"]))  # type: ignore[arg-type]
    if messages[-1].role != "user":
        raise InputError(f"{path} must end with a user message for the model to answer.")
    return messages
