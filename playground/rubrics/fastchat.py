"""FastChat's judge prompts, sent exactly as FastChat sends them (MT-Bench, arXiv 2306.05685).

``judge_prompts.jsonl`` has one object per line, with `name`, `type` ("single" or "pairwise"),
`system_prompt`, `prompt_template` (for Python's `str.format`) and `output_format`. Here, a single-turn
template and the template of the same name with the suffix "-multi-turn" form one rubric. The rubric uses the
former for first turns and the latter for second turns. FastChat supports at most two turns. As in FastChat,
answers are inserted verbatim, without fences or rewriting. Replies must use one of FastChat's forms:
``[[A]]``, ``[[B]]``, or ``[[C]]`` for a tie; ``[[rating]]``, or a single ``[rating]`` if there is no
``[[rating]]``. If a reply contains several verdicts, FastChat uses the alphabetically first letter or the
first number. Here, such a reply has no verdict unless the last verdict is on its own line.
"""

from __future__ import annotations

import json
import string
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from playground.files import read_text
from playground.rubrics.candidates import Kind
from playground.rubrics.rubric import LIMIT, SINGLE_SCALE, Material, Messages
from playground.types import InputError, check_name

MULTI = "-multi-turn"
FORMATS = {"single": "[[rating]]", "pairwise": "[[A]]"}
FIELDS = {
    ("single", False): ("question", "answer"),
    ("single", True): ("question_1", "question_2", "answer_1", "answer_2"),
    ("pairwise", False): ("question", "answer_a", "answer_b"),
    ("pairwise", True): (
        "question_1",
        "question_2",
        "answer_a_1",
        "answer_a_2",
        "answer_b_1",
        "answer_b_2",
    ),
}
REFERENCES = ("ref_answer_1", "ref_answer_2")


@dataclass(frozen=True, kw_only=True)
class Template:
    """A prompt template, read from one line of the file."""

    system: str
    text: str
    fields: frozenset[str]
    """The names of the replacement fields in the template."""


@dataclass(frozen=True, kw_only=True)
class FastChatRubric:
    """A FastChat rubric with a template for first turns, a template for second turns, or both."""

    name: str
    kind: Kind
    description: str
    first: Template | None = None
    second: Template | None = None
    aspects: tuple[str, ...] = ()
    schema: dict[str, Any] | None = None

    @property
    def scale(self) -> tuple[float, float] | None:
        """The lowest and highest scores; None for a comparison."""
        return SINGLE_SCALE if self.kind == "single" else None

    @property
    def fixed(self) -> dict[str, Any] | None:
        """The request parameters that FastChat uses."""
        return {"n": 1, "temperature": 0, "max_tokens": 2048}

    @property
    def reference(self) -> bool:
        """Whether either template has a field for a reference answer."""
        return any(set(REFERENCES) & form.fields for form in (self.first, self.second) if form)

    def messages(self, material: Material, structured: bool) -> Messages:
        """Build the judge's prompt from the template for the turn.

        `structured` is ignored because FastChat does not define a reply schema.

        Raises:
            InputError: there is no template for this turn, the lanes differ in their number of turns, or a
                reference answer is missing.
        """
        turns = len(material.candidates[0].exchanges)
        if any(len(candidate.exchanges) != turns for candidate in material.candidates):
            raise InputError(
                f"Rubric {self.name!r} can only compare lanes with the same number of turns, and one lane "
                "has fewer: choose another rubric."
            )
        form = {1: self.first, 2: self.second}.get(turns)
        if form is None:
            known = " and ".join(str(n) for n, t in ((1, self.first), (2, self.second)) if t)
            raise InputError(
                f"Rubric {self.name!r} only has a template for turn {known}, not for turn {turns}: choose "
                "another rubric."
            )
        values: dict[str, str] = {}
        for side, candidate in zip(("a", "b"), material.candidates, strict=False):
            answer = "answer" if self.kind == "single" else f"answer_{side}"
            if turns == 1:
                values |= {"question": candidate.exchanges[0][0], answer: candidate.exchanges[0][1]}
            for number, exchange in enumerate(candidate.exchanges, start=1):
                values |= {f"question_{number}": exchange[0], f"{answer}_{number}": exchange[1]}
        questions = [question for question, _ in material.candidates[0].exchanges]
        references = dict(material.references)
        for name, question in zip(REFERENCES, questions, strict=False):
            if name in form.fields:
                if question not in references:
                    raise InputError(
                        f"Rubric {self.name!r} needs a reference answer to every question, but there is none "
                        f"for {_beginning(question)!r}: choose a rubric that needs no reference answers."
                    )
                values[name] = references[question]
        return (("system", form.system), ("user", form.text.format(**values)))


def _beginning(text: str) -> str:
    return text if len(text) <= 40 else f"{text[:40]}..."


def read_judge_prompts(path: Path) -> list[FastChatRubric]:
    """Load the rubrics from a file in FastChat's format.

    Raises:
        InputError: the file cannot be read, or a line is not a valid prompt; the message names the line.
    """
    lines: dict[str, tuple[Kind, str, Template]] = {}
    for number, line in enumerate(read_text(path, LIMIT).split("\n"), start=1):
        if not line.strip():
            continue
        where = f"{path}, line {number}"
        try:
            entry = json.loads(line)
        except (ValueError, RecursionError):
            raise InputError(f"{where} is not valid JSON: write one JSON object per line.") from None
        name, kind, description, template = _template(entry, where)
        if name in lines:
            raise InputError(f"{where}: another judge prompt is already named {name!r}: rename one of them.")
        lines[name] = (kind, description, template)
    rubrics = []
    for name, (kind, description, template) in lines.items():
        if name.endswith(MULTI):
            if name.removesuffix(MULTI) in lines:
                continue
            rubric = FastChatRubric(name=name, kind=kind, description=description, second=template)
        else:
            second = lines[name + MULTI][2] if name + MULTI in lines else None
            rubric = FastChatRubric(
                name=name, kind=kind, description=description, first=template, second=second
            )
        rubrics.append(rubric)
    if not rubrics:
        raise InputError(f"{path} contains no judge prompts: write one JSON object per line.")
    return rubrics


def _template(entry: Any, where: str) -> tuple[str, Kind, str, Template]:
    keys = ("name", "type", "system_prompt", "prompt_template", "output_format")
    if not isinstance(entry, dict) or not all(isinstance(entry.get(key), str) for key in keys):
        raise InputError(f"{where}: a judge prompt must be an object with the strings {', '.join(keys)}.")
    name, kind = check_name(entry["name"], f"{where}: the name"), entry["type"]
    if FORMATS.get(kind) != entry["output_format"]:
        raise InputError(
            f"{where}: type and output_format must be single and [[rating]], or pairwise and [[A]], not "
            f"{kind!r} and {entry['output_format']!r}."
        )
    try:
        parsed = list(string.Formatter().parse(entry["prompt_template"]))
    except ValueError as error:
        raise InputError(f"{where}: invalid prompt_template: {error}.") from None
    fields = {field for _, field, _, _ in parsed if field is not None}
    allowed = {*FIELDS[kind, name.endswith(MULTI)], *REFERENCES}
    if any(spec or conversion for _, _, spec, conversion in parsed) or not fields <= allowed:
        unknown = ", ".join(sorted(fields - allowed)) or "field with a format"
        raise InputError(
            f"{where}: the prompt_template contains {{{unknown}}}, but only these fields are allowed: "
            f"{', '.join(sorted(allowed))}."
        )
    template = Template(
        system=entry["system_prompt"], text=entry["prompt_template"], fields=frozenset(fields)
    )
    return name, cast(Kind, kind), str(entry.get("description") or ""), template
