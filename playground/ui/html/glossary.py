"""The terms that the page explains: on hover, on tap, and in the help dialog.

Plain data, independent of Gradio.
"""

from __future__ import annotations

import html
import json
import re
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Term:
    """A term of the field, with an explanation."""

    name: str
    """The term as the page writes it."""
    sentence: str
    """What it means, in one sentence."""
    link: str
    """Address of a page with more."""
    source: str
    """Name of that page."""
    controls: str = ""
    """CSS selector of the controls that have this name; "" if there are none."""


TERMS = {
    "urial": Term(
        name="URIAL",
        sentence="A prompt that aligns a base model without training: an instruction and a few sample "
        "questions with answers stand before the message.",
        link="https://arxiv.org/abs/2312.01552",
        source="arXiv 2312.01552",
    ),
    "ift": Term(
        name="IFT",
        sentence="Instruction fine-tuning: the base model is trained further on questions with answers. Here "
        "only a small LoRA adapter is trained, and the base model's weights stay as they are.",
        link="https://arxiv.org/abs/2106.09685",
        source="LoRA, arXiv 2106.09685",
    ),
    "k": Term(
        name="K",
        sentence="The number of demonstrations in the prompt: sample questions with their answers.",
        link="https://arxiv.org/abs/2405.19874",
        source="arXiv 2405.19874",
        controls="[id^='k-']",
    ),
    "ablation": Term(
        name="Ablation",
        sentence="A deliberate change to the demonstrations, such as wrong answers or shuffled words, which "
        "shows what it is about them that helps.",
        link="https://arxiv.org/abs/2202.12837",
        source="arXiv 2202.12837",
        controls="[id^='ablation-']",
    ),
    "square": Term(
        name="2\u00d72 comparison",
        sentence="Four lanes that show the effect of each method alone and of both together: base, base + "
        "URIAL, IFT, and IFT + URIAL.",
        link="https://arxiv.org/abs/2405.19874",
        source="arXiv 2405.19874",
        controls="#square",
    ),
}
"""The terms by the name of their `data-term` attribute."""


def render_glossary() -> str:
    """Render all terms with their explanations as HTML."""
    rows = "".join(
        f"<div><dt>{html.escape(term.name)}</dt>"
        f"<dd>{html.escape(term.sentence)} {_render_link(term)}</dd></div>"
        for term in TERMS.values()
    )
    return f'<h3>Terms</h3><dl class="glossary">{rows}</dl>'


def _render_link(term: Term) -> str:
    return f'<a href="{term.link}" target="_blank" rel="noopener noreferrer">{html.escape(term.source)}</a>'


def mark_terms(escaped: str) -> str:
    """Make the terms URIAL and IFT in escaped text buttons that show their explanation.

    Terms in other words, such as the name of an adapter, stay as they are.
    """
    for key in ("urial", "ift"):
        button = f'<button type="button" class="term" data-term="{key}" aria-expanded="false">\\1</button>'
        escaped = re.sub(rf"(?<![\w-])({TERMS[key].name})(?![\w-])", button, escaped, count=1)
    return escaped


def render_script() -> str:
    """Return a JavaScript statement that passes the terms to terms.js."""
    terms = {
        key: {
            "html": f"<b>{html.escape(term.name)}</b> {html.escape(term.sentence)} {_render_link(term)}",
            "controls": term.controls,
        }
        for key, term in TERMS.items()
    }
    return f"window.tandemTerms = {json.dumps(terms)};"
