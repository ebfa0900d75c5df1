"""`history`: list recorded conversations."""

from __future__ import annotations

from typing import Annotated

import typer

from playground.cli.options import DataOptions, Json
from playground.cli.output import print_json
from playground.store import Store
from playground.terminal import print_text
from playground.types import to_json
from playground.words import count_things


def history(
    query: Annotated[
        str, typer.Argument(help="Only list conversations with this text in a user message.")
    ] = "",
    *,
    json_output: Json = False,
    data: DataOptions,
) -> None:
    """List recorded conversations, newest first."""
    summaries = Store(data.read_settings().data_dir).summaries(query)
    if json_output:
        print_json([to_json(summary) | {"updated": summary.updated.isoformat()} for summary in summaries])
        return
    for summary in summaries:
        updated = summary.updated.astimezone().strftime("%Y-%m-%d %H:%M")
        title = " ".join(summary.title.split())
        turns = count_things(summary.turns, "turn")
        print_text(f"{summary.id}  {updated}  {turns}  {title[:60]}")
