"""`fetch`: download published prompt files for use as demonstration sets."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from playground.cli.exits import FAILURE
from playground.cli.options import DataOptions, Json
from playground.cli.output import print_json
from playground.config import Settings
from playground.library import Library
from playground.terminal import print_error, print_text
from playground.types import to_json
from playground.words import count_things, format_bytes

if TYPE_CHECKING:
    from playground.published.local_files import Outcome
    from playground.published.manifest import Collection


def fetch(
    name: Annotated[
        str, typer.Argument(help="Collection to download. If omitted, all collections are listed.")
    ] = "",
    *,
    json_output: Json = False,
    data: DataOptions,
) -> None:
    """Download published prompt files to your folder, for use as demonstration sets."""
    from playground.published import manifest

    if not name:
        print_collections(manifest.list_collections(), json_output)
        return
    settings = data.read_settings()
    outcomes = download(manifest.find_collection(name), settings, show=not json_output)
    library = Library.open(settings.base, data_dir=settings.data_dir)
    paths = [str(settings.data_dir / "demos" / outcome.path.name) for outcome in outcomes if outcome.file]
    for problem in library.problems:
        if problem.startswith(tuple(paths)):
            print_error(problem)
    sets = {path.resolve(): demos for demos, path in library.own_sets.items()}
    if json_output:
        print_json({"collection": name, "files": outcomes_json(outcomes, sets)})
    elif names := [sets[outcome.path] for outcome in outcomes if outcome.path in sets]:
        print_text(f"Use these sets as demos=NAME: {', '.join(names)}")
    if any(outcome.error for outcome in outcomes):
        raise typer.Exit(FAILURE)


def download(collection: Collection, settings: Settings, show: bool) -> list[Outcome]:
    """Download a collection's files. Print errors and, if `show` is set, the status of each file."""
    # Imported here because it loads an HTTP client, which no other command needs.
    from playground.published.fetch import fetch

    outcomes = []
    taken = list(Library.open(settings.base, data_dir=settings.data_dir).demo_sets)
    folder = settings.data_dir / "demos"
    for outcome in fetch(collection, folder, settings.mirror, taken=taken):
        outcomes.append(outcome)
        if outcome.error is not None:
            print_error(outcome.error)
        elif show:
            print_text(f"{STATES[outcome.state]} {outcome.path}")
    return outcomes


def outcomes_json(outcomes: Sequence[Outcome], sets: dict[Path, str]) -> list[dict[str, str | None]]:
    """Return the document that `fetch NAME --json` prints. `sets` maps files to demonstration set names."""
    return [
        {
            "name": outcome.file.name if outcome.file else None,
            "published": outcome.file.path if outcome.file else None,
            "path": str(outcome.path),
            "state": outcome.state,
            "set": sets.get(outcome.path),
            "error": outcome.error,
        }
        for outcome in outcomes
    ]


STATES = {"fetched": "fetched", "here": "already downloaded:", "kept": "kept an existing file that differs:"}


def print_collections(collections: list[Collection], json_output: bool) -> None:
    """Print the available collections."""
    if json_output:
        print_json([to_json(entry) for entry in collections])
        return
    for entry in collections:
        size = sum(file.size for file in entry.files)
        print_text(f"{entry.name}: {entry.description}")
        print_text(
            f"    {count_things(len(entry.files), 'file')}, {format_bytes(size)}, {entry.licence}, "
            f"github.com/{entry.repository}"
        )
        if entry.folders and entry.revision:
            print_text(
                f"    and the other files in {', '.join(entry.folders)} at {entry.revision[:7]}, by git"
            )
