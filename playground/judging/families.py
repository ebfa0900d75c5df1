"""Detect judges of the same model family as a model they judge: judges tend to favour their own family.

Language models recognise their own answers and rate them higher (Panickssery et al. 2024, arXiv 2404.13076).
A family can be detected only by a model's name, so this is a warning and never changes a verdict.
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
"""Families, named after the maker or the base model, with a pattern for the start of a word of the name."""
_PATTERNS = {
    family: re.compile(rf"(?<![a-z0-9])(?:meta-?)?(?:{begins})(?:[-_.:/\d]|v\d|$)", re.IGNORECASE)
    for family, begins in FAMILIES.items()
}


def families(name: str) -> set[str]:
    """Return the families in a model's name; most custom names contain none.

    The name of a distilled model may contain two: "DeepSeek-R1-Distill-Qwen-7B" is DeepSeek and Qwen.
    """
    return {family for family, pattern in _PATTERNS.items() if pattern.search(name)}


def family_warning(judge: str, names: Iterable[str]) -> str | None:
    """Return a warning if a judge shares a family with a model it judges; None if no name shows that.

    Args:
        judge: the judge's model name.
        names: names of the base model and the adapters that answer.
    """
    own = families(judge)
    for name in names:
        if shared := sorted(own & families(name)):
            return (
                f"{judge} and {name} are both {shared[0]} models: a judge tends to favour answers of its own "
                "family, so ask another judge too."
            )
    return None
