"""The shipped rubrics and FastChat's, by kind."""

from __future__ import annotations

from playground.library import ROOT
from playground.rubrics.fastchat import FastChatRubric
from playground.rubrics.files import read_rubric

RUBRICS = {
    kind: read_rubric(ROOT / "prompts" / "judge" / f"{kind}.toml")
    for kind in ("pairwise", "single", "aspects")
}


FASTCHAT = {
    kind: FastChatRubric(name=f"fastchat-{kind}", kind=kind, description="")
    for kind in ("pairwise", "single")
}
