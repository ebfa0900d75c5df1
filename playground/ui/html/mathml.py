"""Convert TeX formulas in untrusted text to MathML. Only elements and attributes listed here are kept.

A formula could otherwise hide text, load a URL or cover the page, as with ``\\href``, ``\\style``,
``\\color`` or ``\\phantom``. Such commands keep their content and lose their effect.
"""

from __future__ import annotations

import re
from functools import lru_cache
from xml.etree import ElementTree

from latex2mathml.converter import convert

from playground.ui.html.text import reveal, reveal_plain

LONGEST_FORMULA = 2_000
"""Maximum length of a converted formula in characters. Longer formulas are shown as TeX."""
# fmt: off
ELEMENTS = frozenset([
    "math", "menclose", "mfrac", "mi", "mn", "mo", "mover", "mroot", "mrow", "mspace", "msqrt",
    "mstyle", "msub", "msubsup", "msup", "mtable", "mtd", "mtext", "mtr", "munder", "munderover",
])
# fmt: on
"""MathML elements that are kept. The content of other elements is kept without them."""
CHILDREN = dict.fromkeys(["mfrac", "mover", "mroot", "msub", "msup", "munder"], 2)
CHILDREN |= dict.fromkeys(["msubsup", "munderover"], 3)
"""Number of children that an element must have."""
ATTRIBUTES = {
    "accent": r"true|false",
    "columnalign": r"left|center|right",
    "display": r"block|inline",
    "displaystyle": r"true|false",
    "fence": r"true|false",
    "form": r"prefix|infix|postfix",
    "largeop": r"true|false",
    "linethickness": r"0",
    "mathvariant": r"normal|bold|italic|bold-italic|monospace",
    "maxsize": r"[0-4](\.\d+)?em",
    "minsize": r"[0-4](\.\d+)?em",
    "movablelimits": r"true|false",
    "notation": r"box|circle|[a-z]+diagonalstrike",
    "scriptlevel": r"[0-2]",
    "separator": r"true|false",
    "stretchy": r"true|false",
    "width": r"([0-2])?(\.\d+)?em",
}
"""Attributes that are kept, each with a regular expression for its values."""
LIMITS = frozenset(["argmax", "argmin", "inf", "lim", "max", "min", "sup"])
"""Operators that have their subscript below them in a formula on its own line. The converter marks others."""
ENVIRONMENTS = re.compile(r"\\(begin|end)\{(?:aligned|gathered|gather\*?|multline\*?|equation\*?)\}")
"""Environments that latex2mathml does not know. They are rendered as ``align*``."""


UNKNOWN = re.compile(r"\\[a-zA-Z]")
"""Matches a command in the converted text, which the converter does not know."""


@lru_cache(maxsize=1024)  # the formulas of an answer are rendered again with each update
def render_formula(tex: str, source: str, display: bool) -> str:
    """Render a formula as MathML together with its hidden source; if it cannot be converted, as its source.

    A style sheet of the page decides whether the MathML or the source is visible.

    Args:
        tex: the formula in TeX, without delimiters.
        source: the formula as written, with delimiters.
        display: whether the formula has a line of its own.
    """
    converted = convert_formula(tex, display)
    if converted is None:
        return f'<code class="tex">{reveal(source)}</code>'
    # A formula on its own line can be wider than the lane, and is then scrolled by keyboard too.
    attributes = 'class="math block" tabindex="0"' if display else 'class="math"'
    return (
        f'<span {attributes} title="{reveal_plain(source)}">{converted}'
        f'<code class="tex">{reveal(source)}</code></span>'
    )


def convert_formula(tex: str, display: bool) -> str | None:
    """Convert TeX to MathML, or return None if it is empty, too long or not valid TeX."""
    if not tex.strip() or len(tex) > LONGEST_FORMULA:
        return None
    tex = ENVIRONMENTS.sub(r"\\\1{align*}", tex)
    try:
        tree = ElementTree.fromstring(convert(tex, display="block" if display else "inline"))
    except Exception:  # the converter raises many types, also IndexError and RecursionError, for invalid TeX
        return None
    # The converter writes unknown commands as text, and loses the braces around their arguments.
    if any(UNKNOWN.search(element.text or "") for element in tree.iter()):
        return None
    # For an incomplete command, such as \\frac with one argument, the converter writes an incomplete element.
    if any(len(element) != CHILDREN.get(_name(element), len(element)) for element in tree.iter()):
        return None
    return _write(tree)


def _name(element: ElementTree.Element) -> str:
    return element.tag.rpartition("}")[2]


def _write(element: ElementTree.Element) -> str:
    """Write an element with its content, without anything that is not listed in this module."""
    name = _name(element)
    if name == "msub" and (element[0].text in LIMITS or element[0].get("movablelimits") == "true"):
        name = "munder"
        element[0].set("movablelimits", "true")
    inside = reveal(element.text or "")
    for child in element:
        inside += _write(child) + reveal(child.tail or "")
    if name not in ELEMENTS:
        return f"<mrow>{inside}</mrow>"
    attributes = "".join(
        f' {key}="{value}"'
        for key, value in element.attrib.items()
        if key in ATTRIBUTES and re.fullmatch(ATTRIBUTES[key], value)
    )
    return f"<{name}{attributes}>{inside}</{name}>"
