"""Render demonstrations and conversations as prompts, and parse published prompt files.

A prompt family defines how blocks are marked: their headers, and the text around their contents. `render`
renders a prompt in a family's markup. `parse` detects the family of a prompt file from its text. The families
cover the prompt files in Re-Align/URIAL and tml-epfl/icl-alignment. Messages are appended as in the authors'
code (`SeparatorStyle.URIAL` and `URIAL_V6` in their fastchat_conversation.py). This module does not access
the file system.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from playground.types import Demo, DemoSet, InputError, Message, Piece, StopName, StopRule, number_messages

FENCE = "```"
PAPER_STOPS = ("# Query", "# User")
"""Stop sequences that the published code of URIAL and icl-alignment uses for all of its formats."""


@dataclass(frozen=True, kw_only=True)
class Family:
    """Markup of a prompt family's blocks. A block consists of before + header + opening + text + closing."""

    query: str
    """Header line of a query block."""
    answer: str
    before: str = "\n"
    opening: str
    """Markup between the header and the block's text, including the newline after the header."""
    closing: str
    fence: str = ""
    """Fence line that precedes and follows the block's text; "" if the family's blocks have no fences."""
    trim: bool = False
    """Whether leading and trailing newlines are stripped from the block's text."""
    inline: bool = False
    """Whether a demonstration's query is on one line with its opening and closing fences."""

    @property
    def stop(self) -> StopRule:
        """The default stop rule for answers that continue a prompt in this family."""
        return self.stop_rule("own")

    def stop_rule(self, name: StopName) -> StopRule:
        """Return the stop rule of this family with the given name."""
        texts = PAPER_STOPS if name == "paper" else ()
        return StopRule(name=name, fence=self.fence, headers=(self.query, self.answer), texts=texts)

    def block(self, header: str, text: str) -> str:
        """Render a complete block, including its closing markup."""
        text = text.strip("\n") if self.trim else text
        return f"{self.before}{header}{self.opening}{text}{self.closing}"

    def demo(self, demo: Demo) -> str:
        """Render a demonstration: the text before it, followed by a block for each query and answer."""
        blocks = [f"{self.before}{demo.before}\n"] if demo.before else []
        for exchange in demo.exchanges:
            # A multi-line query cannot be written on one line, so it gets a regular block.
            if self.inline and "\n" not in exchange.query:
                blocks.append(f"{self.before}{self.query}\n{FENCE}{exchange.query}{FENCE}\n")
            else:
                blocks.append(self.block(self.query, exchange.query))
            if exchange.answer is not None:
                blocks.append(self.block(self.answer, exchange.answer))
        return "".join(blocks)


def _fenced_family(query: str, answer: str, inline: bool = False) -> Family:
    opening, closing = f"\n{FENCE}\n", f"\n{FENCE}\n"
    return Family(query=query, answer=answer, opening=opening, closing=closing, fence=FENCE, inline=inline)


def _empty_fences(query: str, answer: str) -> Family:
    """Create a prompt family whose blocks have empty lines instead of fences."""
    return Family(query=query, answer=answer, opening="\n\n", closing="\n\n")


QUERY = ("# Query:", "# Answer:")
HASH_USER = ("# User:", "# Assistant:")
USER = ("User:", "Assistant:")

FAMILIES = {
    "fenced": _fenced_family(*QUERY),
    "fenced-user": _fenced_family(*HASH_USER),
    "inline": _fenced_family(*QUERY, inline=True),
    "v2": _empty_fences(*QUERY),
    "v4": _empty_fences(*USER),
    "v5": _empty_fences(*HASH_USER),
    "v6": Family(
        query=HASH_USER[0], answer=HASH_USER[1], before="\n\n", opening="\n", closing="\n", trim=True
    ),
}
"""Prompt families, keyed by `DemoSet.format`. "v2" to "v6" are the version names in the authors' file names,
for example in inst_help_v5-1k.txt."""


def family_of(demos: DemoSet) -> Family:
    """Return the prompt family of a demonstration set. Raises InputError if the family is unknown."""
    if demos.format not in FAMILIES:
        raise InputError(
            f"Demonstration set {demos.name!r} has the unknown format {demos.format!r}: use one of "
            f"{', '.join(FAMILIES)}."
        )
    return FAMILIES[demos.format]


def head(demos: DemoSet) -> str:
    """Render a demonstration set as the part of a prompt that precedes the conversation."""
    return "".join(text for _, _, text in _head(demos))


def _head(demos: DemoSet) -> list[Piece]:
    if demos.text:
        return _cut(demos)
    family = family_of(demos)
    blocks = [family.demo(demo) for demo in demos.demos]
    if blocks and not demos.instruction:
        blocks[0] = blocks[0].removeprefix(family.before)
    found: list[Piece] = [("instruction", None, f"{demos.instruction}\n")] if demos.instruction else []
    return found + [("demonstration", number, block) for number, block in enumerate(blocks, start=1)]


def _cut(demos: DemoSet) -> list[Piece]:
    """Split verbatim text into the instruction and the demonstrations. If any demonstration is not found in
    the text, keep the text in one piece.
    """
    text, family = demos.text or "", family_of(demos)
    starts: list[int] = []
    for demo in demos.demos:
        query = re.compile(rf"{re.escape(family.query)}\s*(?:{FENCE})?\s*{re.escape(demo.query)}")
        found = query.search(text, starts[-1] + 1 if starts else 0)
        if found is None:
            return [("text", None, text)]
        starts.append(found.start())
    if not starts:
        return [("text", None, text)]
    ends = [*starts[1:], len(text)]
    return [
        ("instruction", None, text[: starts[0]]),
        *(("demonstration", at + 1, text[starts[at] : ends[at]]) for at in range(len(starts))),
    ]


def render(demos: DemoSet, messages: Sequence[Message]) -> str:
    """Render a complete prompt as one string; see `pieces`."""
    return "".join(text for _, _, text in pieces(demos, messages))


def pieces(demos: DemoSet, messages: Sequence[Message]) -> list[Piece]:
    """Return the pieces of a full prompt: the demonstration set, the messages and an open answer block."""
    family = family_of(demos)
    headers = {"user": family.query, "assistant": family.answer}
    body: list[Piece] = [
        (kind, number, family.block(headers[message.role], message.text))
        for kind, number, message in number_messages(messages)
    ]
    body.append(("cue", None, f"{family.before}{family.answer}{family.opening}"))
    beginning = _head(demos)
    if not beginning:
        kind, number, text = body[0]
        body[0] = kind, number, text.removeprefix(family.before)
    return beginning + body


# --- Published prompt files -----------------------------------------------------------------------

SEAM = (
    "The file does not end in a newline, so there are fewer blank lines before the conversation than between "
    "demonstrations, as in the authors' own prompts."
)


class _NotApartError(Exception):
    """Raised when prompt text cannot be parsed into demonstrations; the message gives the reason."""


@dataclass(frozen=True, kw_only=True)
class _Block:
    header: str
    text: str
    inline: bool = False
    before: str = ""
    """Free text between the previous block and this block."""


def parse(name: str, text: str) -> DemoSet:
    """Parse a published prompt into a demonstration set, detecting the prompt family from the text.

    A fenced block starts at a header line that follows a blank line (or starts the file) and is followed by a
    line containing only the fence. The block ends at the first line that contains only the fence and is
    followed by blank lines and the start of another block, or by the end of the file. Code blocks inside the
    text therefore do not end the block. If there is free text before the next query, the block ends at its
    matching closing fence. A block without fences ends before the next header line that follows a blank line.

    Text that has no blocks or cannot be parsed is returned as a `whole` set, with the reason in its note.
    """
    lines = text.split("\n")
    format = _recognise(lines)
    note = "" if text.endswith("\n") else SEAM
    try:
        if format is None:
            raise _NotApartError("no demonstrations were found in it")
        start, blocks = _blocks(lines, FAMILIES[format])
        if any(block.inline for block in blocks):
            format = "inline"
        demos = _pairs(blocks)
    except _NotApartError as error:
        format = format or _find_mentioned(text)
        note = (
            f"The file is used verbatim because {error}; k and ablations are not available. {note}".rstrip()
        )
        return DemoSet(name=name, instruction="", demos=(), format=format, text=text, note=note)
    # Drop the family's separator between the instruction and the first block.
    head = "".join(f"{line}\n" for line in lines[:start])
    instruction = head.removesuffix(FAMILIES[format].before).removesuffix("\n")
    return DemoSet(
        name=name, instruction=instruction, demos=tuple(demos), format=format, text=text, note=note
    )


def _recognise(lines: Sequence[str]) -> str | None:
    """Return the name of the prompt family to which the first query header belongs; None if there is no query
    header.
    """
    for at, line in enumerate(lines):
        if not _after_blank(lines, at):
            continue
        following = lines[at + 1].rstrip() if at + 1 < len(lines) else ""
        match line.rstrip():
            case "# Query:":
                return "fenced" if following == FENCE or _is_inline(following) else "v2"
            case "# User:":
                if following == FENCE:
                    return "fenced-user"
                return "v5" if following in ("", *HASH_USER) else "v6"
            case "User:":
                return "v4"
    return None


def _find_mentioned(text: str) -> str:
    """Guess the prompt family of text that could not be parsed, so that the conversation is rendered in the
    same family.
    """
    return "v5" if HASH_USER[0] in text and QUERY[0] not in text else "fenced"


def _after_blank(lines: Sequence[str], at: int) -> bool:
    return at == 0 or not lines[at - 1].strip()


def _is_inline(line: str) -> bool:
    """Return whether a line, given without trailing whitespace, both starts and ends with a fence."""
    return len(line) >= 2 * len(FENCE) and line.startswith(FENCE) and line.endswith(FENCE)


def _blocks(lines: Sequence[str], family: Family) -> tuple[int, list[_Block]]:
    """Return the index of the line on which the first block starts, and the list of all blocks."""
    if not family.fence:
        return _open_blocks(lines, family)
    starts = [at for at in range(len(lines)) if _begins(lines, at, family)]
    return starts[0], list(_fenced_blocks(lines, family, starts))


def _begins(lines: Sequence[str], at: int, family: Family) -> bool:
    """Return whether a fenced block may start at the given line."""
    header = lines[at].rstrip()
    if header not in (family.query, family.answer) or not _after_blank(lines, at) or at + 1 == len(lines):
        return False
    following = lines[at + 1].rstrip()
    return following == FENCE or (header == QUERY[0] and _is_inline(following))


def _fenced_blocks(lines: Sequence[str], family: Family, starts: Sequence[int]) -> Iterator[_Block]:
    """Yield all fenced blocks in one pass over the lines."""
    begins = set(starts)
    at, before = starts[0], ""
    while at < len(lines):
        first = lines[at + 1].rstrip()
        inline = first != FENCE
        end, following, prose = _end_of_block(lines, family, begins, at, inline)
        text = first[len(FENCE) : -len(FENCE)] if inline else "\n".join(lines[at + 2 : end])
        yield _Block(header=lines[at].rstrip(), text=text, inline=inline, before=before)
        at, before = following, prose


def _end_of_block(
    lines: Sequence[str], family: Family, begins: set[int], at: int, inline: bool
) -> tuple[int, int, str]:
    """Find the end of the fenced block that starts at line `at`.

    Returns:
        The index of the block's closing line, the index of the next block's first line (or the number of
        lines), and the free text between the two lines.
    """
    last = at + 1  # the last line that is not blank
    close = (
        last if inline else None
    )  # the block's matching closing fence, taking nested code blocks into account
    inner = False  # inside a code block within the text
    for here in range(at + 2, len(lines) + 1):
        at_end = here == len(lines)
        if at_end or here in begins:
            if last == close or (last > at + 1 and not inline and lines[last].rstrip() == FENCE):
                return last, here, ""
            if close is not None and not at_end and lines[here].rstrip() == family.query:
                return close, here, "\n".join(lines[close + 1 : last + 1]).strip("\n")
            if at_end:
                break
        line = lines[here].rstrip()
        if not line:
            continue
        last = here
        if line == FENCE and close is None and not inner and _blank_follows(lines, here):
            close = here
        elif line == FENCE:
            inner = not inner
        elif line.startswith(FENCE) and not inner:
            inner = "`" not in line[len(FENCE) :]
    if close is not None:
        raise _NotApartError(f"there is text after the last block, on line {last + 1}")
    raise _NotApartError(f"the block that starts on line {at + 1} is never closed")


def _blank_follows(lines: Sequence[str], at: int) -> bool:
    return at + 1 < len(lines) and not lines[at + 1].strip()


def _open_blocks(lines: Sequence[str], family: Family) -> tuple[int, list[_Block]]:
    """Return the index of the line on which the first block starts, and the list of all blocks, for a family
    without fences.

    Each block ends at the next header.
    """
    starts: list[int] = []
    for at, line in enumerate(lines):
        after_header = bool(starts) and starts[-1] == at - 1
        if line.rstrip() in (family.query, family.answer) and (_after_blank(lines, at) or after_header):
            starts.append(at)
    blocks = []
    for at, end in zip(starts, [*starts[1:], len(lines)], strict=True):
        blocks.append(_Block(header=lines[at].rstrip(), text=_without_blank_ends(lines[at + 1 : end])))
    return starts[0], blocks


def _without_blank_ends(lines: Sequence[str]) -> str:
    filled = [at for at, line in enumerate(lines) if line.strip()]
    return "\n".join(lines[filled[0] : filled[-1] + 1]) if filled else ""


def _pairs(blocks: Sequence[_Block]) -> list[Demo]:
    """Pair each query with the answer that follows it. A query may have no answer."""
    demos: list[Demo] = []
    for block in blocks:
        if block.header in (QUERY[0], HASH_USER[0], USER[0]):
            demos.append(Demo(query=block.text, answer=None, before=block.before))
        elif not demos or demos[-1].answer is not None:
            raise _NotApartError("it has an answer without a preceding query")
        else:
            demos[-1] = dataclasses.replace(demos[-1], answer=block.text)
    return demos
