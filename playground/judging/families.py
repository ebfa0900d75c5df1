"""Detect judges from the same model family as a judged model, because such judges may be biased.

Language models recognise their own answers and rate them higher (Panickssery et al. 2024, arXiv 2404.13076).
Because families are inferred only from model names, the result is a warning that never changes a verdict.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

FAMILIES = {
    "OpenAI": r"gpt|chatgpt|davinci|o[1-9]",
    "Anthropic": r"claude",
    "Google": r"gemini|gemma|palm",
    "Llama": r"llama|codellama|vicuna|alpaca|tulu",
    "Mistral": r"mistral|mixtral|ministral|magistral|codestral|devstral|pixtral|zephyr",
    "Qwen": r"qwen|qwq",
    "DeepSeek": r"deepseek",
    "Phi": r"phi",
    "Falcon": r"falcon",
    "OLMo": r"olmo",
    "Cohere": r"command|aya",
    "Granite": r"granite",
    "Grok": r"grok",
    "SmolLM": r"smollm",
}
"""Regular expressions by model family (vendor or base model).

Each expression is matched at the start of a word in a model's name.
"""
_PATTERNS = {
    family: re.compile(rf"(?<![a-z0-9])(?:meta-?)?(?:{begins})(?:[-_.:/\d]|v\d|$)", re.IGNORECASE)
    for family, begins in FAMILIES.items()
}


def families(name: str) -> set[str]:
    """Return the model families mentioned in a model's name.

    Custom model names often mention no family, whereas the name of a distilled model can mention two:
    "DeepSeek-R1-Distill-Qwen-7B" is both DeepSeek and Qwen.
    """
    return {family for family, pattern in _PATTERNS.items() if pattern.search(name)}


def family_warning(judge: str, names: Iterable[str]) -> str | None:
    """Return a warning if the names of a judge and a judged model indicate the same model family, else None.

    Args:
        judge: the judge's model name.
        names: names of the base model and of the adapters that generated the answers.
    """
    own = families(judge)
    for name in names:
        if shared := sorted(own & families(name)):
            return (
                f"{judge} and {name} are both {shared[0]} models: a judge tends to favour answers from its "
                "own family, so add a judge from another family."
            )
    return None
