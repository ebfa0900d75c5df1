"""Load rubrics from files: TOML rubrics and FastChat's judge prompts (JSONL)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from playground.files import check_table, read_toml
from playground.rubrics.fastchat import read_judge_prompts
from playground.rubrics.rubric import LIMIT, Rubric, TextRubric
from playground.types import InputError, check_name


def read_rubric(path: Path) -> TextRubric:
    """Load a rubric from a TOML file.

    Raises:
        InputError: the file cannot be read or is not a valid rubric. The message names the file and the
            line.
    """
    table = read_toml(path, LIMIT)
    required = dict.fromkeys(("name", "kind", "instruction"), str)
    optional = {
        **dict.fromkeys(("description", "turn", "conversation"), str),
        "reference": bool,
        "aspects": list,
    }
    check_table(table, path, required, optional)
    kinds = ("single", "pairwise", "aspects")
    if table["kind"] not in kinds:
        raise InputError(f"{path}: kind must be one of {', '.join(kinds)}, not {table['kind']!r}.")
    if (table["kind"] == "aspects") != bool(table.get("aspects")):
        raise InputError(f'{path}: [[aspects]] are required if kind is "aspects", and not allowed otherwise.')
    meanings = []
    for number, aspect in enumerate(table.get("aspects", []), start=1):
        check_table(aspect, path, {"name": str, "meaning": str}, {}, (("aspects", number),))
        meanings.append((check_name(aspect["name"], f"{path}: the aspect"), aspect["meaning"]))
    if len({name for name, _ in meanings}) < len(meanings):
        raise InputError(f"{path}: two aspects have the same name: rename one of them.")
    return TextRubric(
        name=check_name(table["name"], f"{path}: the name"),
        kind=table["kind"],
        description=table.get("description", ""),
        instruction=table["instruction"],
        turn=table.get("turn", ""),
        conversation=table.get("conversation", ""),
        reference=table.get("reference", False),
        meanings=tuple(meanings),
    )


def read_rubrics(folders: Sequence[Path]) -> tuple[dict[str, Rubric], list[str]]:
    """Load all rubrics in the folders. Return the rubrics by name, and one error sentence per invalid file.

    A ``.jsonl`` file contains judge prompts in FastChat's format (see `fastchat`).
    """
    found: dict[str, Rubric] = {}
    problems = []
    for folder in folders:
        for path in sorted((*folder.glob("*.toml"), *folder.glob("*.jsonl"))):
            try:
                rubrics = read_judge_prompts(path) if path.suffix == ".jsonl" else [read_rubric(path)]
                for rubric in rubrics:
                    if rubric.name in found:
                        raise InputError(
                            f"{path}: the name {rubric.name!r} is taken by another rubric: rename one."
                        )
                    found[rubric.name] = rubric
            except InputError as error:
                problems.append(str(error))
    return found, problems
