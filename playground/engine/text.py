"""From token ids to an answer: what is certain of it, where it ends, what is trimmed.

Pure Python over strings. Text is given out as soon as it is certain: never half a character, and never
anything that a stop may yet take back. How the text was cut into tokens or chunks makes no difference to the
result.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from playground.demonstrations.headers import Header, leads_over, looks_like_code, names_language
from playground.engine.detokenizer import Decode, Detokenizer
from playground.types import Finish, StopRule

__all__ = ["Cutter", "Detokenizer", "Writer"]


@dataclass
class _Code:
    """A code block of the answer that is open."""

    mark: str
    """Its opening fence, without the language."""
    is_code: bool
    """Whether it names a language, has had a line of code, or quotes a header in its first line."""
    fresh: bool = False
    """Whether its first line is still to come; in formats with fences that line decides what the fence is."""

    @property
    def shields(self) -> bool:
        """Whether a header in it ends nothing."""
        return self.is_code or self.fresh


@dataclass
class _Fence:
    """A line that is only a fence, and may be the end of the answer."""

    start: int
    end: int
    """Where the next line begins."""
    mark: str
    opens: bool = False
    """Whether it opens a code block unless a blank line and a header follow."""
    blank: bool = False
    """Whether a blank line follows."""
    header: bool = False
    """Whether a header follows directly, so that the line after it decides."""


_FENCE_LINE = re.compile(r"(`{3,}(?=[^`]*$)|~{3,})(.*)")


class Cutter:
    """Finds where an answer ends in a growing raw text, and gives out what is certainly part of it.

    By the rule "own" an answer ends at the first of these:

    * a line that begins with the family's own user header, outside code. Text may follow on the line, and
      the number of ``#`` may differ; ``User:``, which has none, must be alone on its line. In a code block
      that the answer opened, the line is code if the block names a language or has had a line of code;
    * with a fence in the rule, a line that is only the fence, then a header of the family, with or without
      blank lines between them. The fence is not part of the answer, unless it closes a code block in it;
    * with a fence, a line that is only the fence, then at most a part of a header, to the end of the text;
    * without a fence, a blank line, then a line that is only the family's answer header.

    A bare fence directly before a header may also open a code block whose first line is a comment. That is
    assumed if the line before the fence leads over to it (``See:``), or if the line after the header is code;
    until then the text from the fence on is held back. By the rule "paper" an answer ends at the first of the
    rule's `texts`, and fences and headers mean nothing.

    With both rules an answer ends before the first of the rule's `texts`. An answer whose beginning was given
    is read from there, so that a code block opened in it is known; only what the model wrote is given out,
    and only that can end the answer.

    Example, in the fenced family, one line at a time:

    ====================  ============  ==================================================================
    fed                   returned
    ====================  ============  ==================================================================
    ``Use this:``         all of it
    ```` ```python ````   all of it     names a language, so it opens a code block
    ``# Query: all``      all of it     a comment, since that block is open
    ```` ``` ````         all of it     closes the code block
    ``Done.``             all of it
    ```` ``` ````         nothing       closes the answer, or opens another code block: held back
    (blank line)          nothing
    ``# Query:``          nothing       the answer has ended before the fence: `stopped`
    ====================  ============  ==================================================================
    """

    def __init__(self, rule: StopRule, start: str = "") -> None:
        """`start` is what the answer begins with already."""
        self._rule = rule
        self._reads_lines = rule.name != "paper" and bool(rule.fence or rule.headers)
        self._headers = [Header(text) for text in rule.headers]
        self._all = start  # the answer and what came after it
        self._start = len(start)
        self.stopped = False
        self._cut: int | None = None  # where the answer ends in `_all`, once known
        self._line = 0  # start of the first line not looked at as a whole
        self._before = ""  # the last line that is not blank
        self._blank = True  # whether a blank line, or nothing, comes right before `_line`
        self._code: _Code | None = None  # the code block of the answer that is open
        self._fence: _Fence | None = None  # a bare fence that may be the end
        self._emitted = len(start)  # characters given out, or dropped before the first visible one
        self._started = bool(start)
        self._searched = len(start)  # no text of the rule's ends before this

    @property
    def raw(self) -> str:
        """All that the model wrote."""
        return self._all[self._start :]

    @property
    def closed(self) -> bool:
        """Whether the answer's own block has closed (known for certain after `finish`)."""
        return self._cut is not None

    def feed(self, text: str) -> str:
        """Add raw text; returns what may be shown now. Sets `stopped` when the answer has ended."""
        self._all += text
        if self.stopped:
            return ""
        if self._rule.texts:
            self._read_stop_sequences()
        elif self._reads_lines:
            self._read_lines()
        return self._emit(self._find_certain_end())

    def finish(self) -> str:
        """The raw text is complete; returns the rest of the answer."""
        if not self.stopped and self._reads_lines:
            self._read_end()
        return self._emit(self._trim_end(len(self._all) if self._cut is None else self._cut))

    # --- Lines ------------------------------------------------------------------------------------

    def _read_lines(self) -> None:
        """Look at every line that is complete, and at the beginning of the last one, up to a stop."""
        while (end := self._all.find("\n", self._line)) >= 0:
            self._read_line(self._all[self._line : end].rstrip(), end + 1)
            if self.stopped:
                return
            self._line = end + 1
        if self._ends_at(self._all[self._line :]):
            self._stop()

    def _read_line(self, line: str, end: int) -> None:
        """Look at a whole line, the one that begins at `_line`, without the white space at its end."""
        if self._ends_at(line) or self._ends_at_whole(line):
            self._stop()
            return
        if self._fence:
            if not line:
                self._fence.blank = True
                return
            if self._is_header(line) and not self._fence.opens and not self._fence.header:
                self._fence.header = True  # the line after it decides
                return
            self._drop_fence(line)
        self._read_code(line, end)
        self._blank = not line
        self._before = line or self._before

    def _ends_at(self, line: str) -> bool:
        """Whether a line, of which the beginning suffices, ends the answer."""
        if self._line < self._start:
            return False
        if self._fence and not self._fence.header and self._is_header(line):
            return self._fence.blank or self._code is not None
        return (
            not self._fence
            and not (self._code and self._code.shields)
            and bool(self._headers)
            and self._headers[0].begins(line)
        )

    def _ends_at_whole(self, line: str) -> bool:
        """Whether a whole line ends the answer that does not do so by its beginning."""
        if self._fence:
            return self._fence.header and not looks_like_code(line)
        if self._rule.fence or self._line < self._start or (self._code and self._code.shields):
            return False
        alone = [header.text for header in self._headers if self._blank or header is self._headers[0]]
        return line in alone

    def _is_header(self, line: str) -> bool:
        return any(header.begins(line) for header in self._headers)

    def _read_code(self, line: str, end: int) -> None:
        """Follow the code blocks of the answer."""
        found = _FENCE_LINE.match(line)
        mark, language = (found[1], found[2].strip()) if found else ("", "")
        if self._code:
            if mark and not language and mark.startswith(self._code.mark):
                if self._rule.fence:
                    self._fence = _Fence(start=self._line, end=end, mark=mark)
                else:
                    self._code = None
            else:
                quotes = self._code.fresh and self._is_header(line)
                self._code.is_code = self._code.is_code or quotes or looks_like_code(line)
            if self._code:
                self._code.fresh = False
        elif mark.startswith("`") and not language and self._rule.fence:
            opens = len(mark) > len(self._rule.fence) or leads_over(self._before, self._blank)
            self._fence = _Fence(start=self._line, end=end, mark=mark, opens=opens)
        elif mark:
            named = names_language(language) or mark.startswith("~")
            self._code = _Code(mark=mark, is_code=named, fresh=not language)

    def _drop_fence(self, line: str) -> None:
        """The bare fence was not the end: it closed a code block of the answer, or opened one with `line`."""
        assert self._fence
        if self._code:
            self._code = None
        else:
            quotes = self._fence.header or (
                self._fence.opens and not self._fence.blank and line.startswith("#")
            )
            self._code = _Code(mark=self._fence.mark, is_code=quotes)
        self._fence = None

    def _stop(self) -> None:
        self.stopped, self._cut = True, self._end_of_answer()

    def _end_of_answer(self) -> int:
        """Where the answer ends if it ends now."""
        if not self._fence:
            return self._line
        return self._fence.end if self._code else self._fence.start

    def _read_end(self) -> None:
        """Decide about a fence or a header near the end, now that nothing more comes."""
        rest = self._all[self._line :].rstrip()
        if self._fence and not self._fence.header and self._may_end(rest) and rest:
            self._cut = self._end_of_answer()
            return
        if rest:
            self._read_line(rest, len(self._all))
        if self._cut is None and self._fence and (self._fence.header or not self._code):
            self._cut = self._end_of_answer()

    # --- What is certain --------------------------------------------------------------------------

    def _find_certain_end(self) -> int:
        """How much of the text no stop can take back; trailing white space waits for what follows it."""
        line = self._all[self._line :].rstrip()
        if self._cut is not None:
            end = self._cut
        elif not self._reads_lines:
            end = len(self._all)
        elif self._fence and self._may_end(line):
            end = self._end_of_answer()
        elif self._may_end(line) or (self._rule.fence and not line.strip("`")):
            end = self._line
        else:
            end = len(self._all)
        if self._rule.texts and self._cut is None:
            end = self._hold_partial_stop(end)
        return self._trim_end(end)

    def _may_end(self, line: str) -> bool:
        """Whether the answer may end at a line that begins with `line`, or is it."""
        if self._fence:
            if self._fence.header:
                return True
            opens = self._fence.opens and not self._fence.blank and not self._code
            return not line or (not opens and any(header.may_begin(line) for header in self._headers))
        if self._code and self._code.shields:
            return False
        headers = self._headers[:1] if self._rule.fence or not self._blank else self._headers
        # The answer's header counts alone on its line.
        return any(
            header.text.startswith(line) if at else header.may_begin(line)
            for at, header in enumerate(headers)
        )

    def _trim_end(self, end: int) -> int:
        return len(self._all[:end].rstrip()) if self._rule.trim else end

    def _emit(self, end: int) -> str:
        if end <= self._emitted:
            return ""
        text = self._all[self._emitted : end]
        if (
            self._rule.trim and not self._started
        ):  # white space before the first visible character is not part of it
            text = text.lstrip()
            self._started = bool(text)
        self._emitted = end
        return text

    # --- Texts ------------------------------------------------------------------------------------

    def _read_stop_sequences(self) -> None:
        """Read lines up to the end of the first of the rule's texts; if none ends the answer, that does."""
        found = [
            (at + len(text), at)
            for text in self._rule.texts
            if (at := self._all.find(text, max(self._start, self._searched - len(text) + 1))) >= 0
        ]
        written = self._all
        end, at = min(found, default=(len(written), len(written)))
        self._all = written[:end]
        if self._reads_lines:
            self._read_lines()
        if found and not self.stopped:
            self.stopped, self._cut = True, at
        self._all = written
        self._searched = len(written)

    def _hold_partial_stop(self, end: int) -> int:
        """`end`, or where a part of one of the rule's texts begins that the raw text ends with."""
        longest = max(map(len, self._rule.texts))
        for at in range(max(self._start, len(self._all) - longest + 1), len(self._all)):
            rest = self._all[at:]
            if any(text.startswith(rest) for text in self._rule.texts):
                return min(end, at)
        return end


class Writer:
    """One row's text while it is decoded: ids in, certain text out, the finished answer at the end."""

    def __init__(
        self,
        decode: Decode,
        prompt_ids: Sequence[int],
        rule: StopRule,
        start: str = "",
    ) -> None:
        """`start` is what the answer begins with already: the end of the prompt."""
        self._detokenizer = Detokenizer(decode, prompt_ids)
        self._cutter = Cutter(rule, start)
        self.text = ""
        """All that has been given out."""

    def feed(self, token: int) -> str:
        """The next id; returns the text that may be shown now."""
        return self._add(self._cutter.feed(self._detokenizer.feed(token)))

    def finish(self) -> str:
        """No more ids; returns the rest of the text."""
        text = self._cutter.feed(self._detokenizer.finish())
        return self._add(text + self._cutter.finish())

    def _add(self, text: str) -> str:
        self.text += text
        return text

    @property
    def stopped(self) -> bool:
        """Whether the stop rule has ended the answer."""
        return self._cutter.stopped

    @property
    def raw_text(self) -> str:
        """All that was written, beyond the stop too."""
        return self._cutter.raw

    def finish_reason(self, reason: Finish) -> Finish:
        """`reason`, unless a row that ran into its limit had just closed its block: that is a stop."""
        return "stop" if reason == "length" and self._cutter.closed else reason
