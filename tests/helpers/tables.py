"""The tables of prompts/README.md that describe the bundled files."""

from __future__ import annotations

import re

from tests.helpers.paths import ROOT

DESCRIBE_IT = "describe it in the table of prompts/README.md"


def described(kind: str) -> set[str]:
    """The names in the first column of the table with this heading."""
    text = (ROOT / "prompts" / "README.md").read_text(encoding="utf-8")
    table = text.partition(f"\n| {kind} |")[2].partition("\n\n")[0]
    rows = [line.split("|")[1] for line in table.splitlines()[1:] if line.startswith("| ")]
    return {name for row in rows for name in re.findall(r"`([^`]+)`", row)}
