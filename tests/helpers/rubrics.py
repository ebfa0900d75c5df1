"""The shipped rubrics and FastChat's rubrics, by kind."""

from __future__ import annotations

from playground.library import ROOT
from playground.rubrics.candidates import Kind
from playground.rubrics.fastchat import FastChatRubric
from playground.rubrics.files import read_rubric
from playground.rubrics.rubric import Rubric

FASTCHAT_KINDS: tuple[Kind, ...] = ("pairwise", "single")

RUBRICS: dict[str, Rubric] = {
    kind: read_rubric(ROOT / "prompts" / "judge" / f"{kind}.toml")
    for kind in ("pairwise", "single", "aspects")
}
FASTCHAT: dict[str, Rubric] = {
    kind: FastChatRubric(name=f"fastchat-{kind}", kind=kind, description="") for kind in FASTCHAT_KINDS
}
