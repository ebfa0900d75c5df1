"""Turn token ids into an answer: detect where the answer ends, trim it, and return its text once final.

The end of an answer is detected from its text alone. Text that is not yet final is held back: incomplete
characters, and text that a stop rule may still remove. The result does not depend on how the text is split
into tokens or chunks.
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
    """An open code block in the answer."""

    mark: str
    """The opening fence, without the language name."""
    is_code: bool
    """Whether the block names a language, contains a line of code, or quotes a header in its first line."""
    fresh: bool = False
    """Whether the first line of the block is still to be read. Always False for a block opened by a bare
    backtick fence in a format with fences, because such a fence counts as opening a block only once the line
    after the fence has been read."""

    @property
    def shields(self) -> bool:
        """Whether a header inside the block counts as code, so that it does not end the answer."""
        return self.is_code or self.fresh


@dataclass
class _Fence:
    """A bare fence (a line that contains only a fence) that may end the answer."""

    start: int
    """Index at which the fence line starts."""
    end: int
    """Index at which the next line starts."""
    mark: str
    opens: bool = False
    """Whether the fence is assumed to open a code block. If a blank line and a header follow, the fence ends
    the answer after all."""
    blank: bool = False
    """Whether a blank line follows the fence."""
    header: bool = False
    """Whether the next line is a header. If so, the line after the header shows whether the fence opens a
    code block or ends the answer."""


_FENCE_LINE = re.compile(r"(`{3,}(?=[^`]*$)|~{3,})(.*)")


class Cutter:
    """Incremental parser that finds the end of an answer in raw text and returns text once it is final.

    With the rule "own", an answer ends at the first of these:

    * A line outside code that starts with the prompt family's own user header. Text may follow on the same
      line, and the number of ``#`` may differ. The header ``User:``, which has no ``#``, must be alone on its
      line. In a code block opened by the answer, the line counts as code if the block names a language or
      already contains a line of code.
    * If the rule has a fence: a line with only the fence, followed by one of the prompt family's headers,
      with or without blank lines in between. The fence is part of the answer only if it closes a code block
      of the answer.
    * If the rule has a fence: a line with only the fence at the end of the text, followed by at most part of
      a header.
    * If the rule has no fence: a blank line followed by a line with only the prompt family's answer header.

    A bare fence directly before a header may instead open a code block whose first line is a comment. The
    fence is assumed to open a block if the line before it introduces one (``See:``), or if the line after the
    header is code. Until the fence's role is known, all text from the fence onwards is held back. With the
    rule "paper", an answer ends only at the first of the rule's `texts`; fences and headers have no effect.

    With either rule, an answer ends before the first of the rule's stop sequences (`texts`). The prefill is
    parsed as well, in case it opens a code block, but only text written by the model is returned or can end
    the answer.

    Example with the fenced family, fed one line at a time, with the state after each line:

    ====================  ============  =======  =======  ================================================
    fed                   returned      `_code`  `_fence`
    ====================  ============  =======  =======  ================================================
    ``Use this:``         all of it
    ```` ```python ````   all of it     open              a fence with a language opens a code block
    ``# Query: all``      all of it     open              a comment, since the code block is open
    ```` ``` ````         all of it     open     set      closes the block; a header would end the answer
    ``Done.``             all of it                       no header, so the fence only closed the block
    ```` ``` ````         nothing                set      ends the answer or opens a block: held back
    (blank line)          nothing                blank    a header may still follow
    ``# Query:``          nothing                blank    the answer ended before the fence: `stopped`
    ====================  ============  =======  =======  ================================================
    """

    def __init__(self, rule: StopRule, start: str = "") -> None:
        """
        Args:
            rule: the stop rule.
            start: the prefill, that is, the part of the answer that the prompt already contains.
        """
        self._rule = rule
        self._reads_lines = rule.name != "paper" and bool(rule.fence or rule.headers)
        self._headers = [Header(text) for text in rule.headers]
        self._all = start  # the answer and any text after its end
        self._start = len(start)
        self.stopped = False
        self._cut: int | None = None  # index in `_all` at which the answer ends, once it is known
        self._line = 0  # start of the first line not yet read as a complete line
        self._before = ""  # the last non-blank line
        self._blank = True  # whether `_line` directly follows a blank line or the answer's start
        self._code: _Code | None = None  # the open code block in the answer
        self._fence: _Fence | None = None  # a bare fence that may end the answer
        self._emitted = len(start)  # number of characters returned or trimmed at the start
        self._started = bool(start)
        self._searched = len(start)  # no stop sequence ends before this index

    @property
    def raw(self) -> str:
        """All text written by the model."""
        return self._all[self._start :]

    @property
    def closed(self) -> bool:
        """Whether the stop rule has ended the answer. The value is final only after `finish`."""
        return self._cut is not None

    def feed(self, text: str) -> str:
        """Add raw text and return the text that has become final. Sets `stopped` if the answer has ended."""
        self._all += text
        if self.stopped:
            return ""
        if self._rule.texts:
            self._read_stop_sequences()
        elif self._reads_lines:
            self._read_lines()
        return self._emit(self._find_certain_end())

    def finish(self) -> str:
        """Return the rest of the answer. To be called after all raw text has been added."""
        if not self.stopped and self._reads_lines:
            self._read_end()
        return self._emit(self._trim_end(len(self._all) if self._cut is None else self._cut))

    # --- Lines ------------------------------------------------------------------------------------

    def _read_lines(self) -> None:
        """Read all complete lines, then the incomplete last line. Stop at a line that ends the answer."""
        while (end := self._all.find("\n", self._line)) >= 0:
            self._read_line(self._all[self._line : end].rstrip(), end + 1)
            if self.stopped:
                return
            self._line = end + 1
        if self._ends_at(self._all[self._line :]):
            self._stop()

    def _read_line(self, line: str, end: int) -> None:
        """Process a complete line: end the answer at this line, or update the parser's state.

        Args:
            line: the line that starts at `_line`, without trailing whitespace.
            end: index at which the next line starts.
        """
        if self._ends_at(line) or self._ends_at_whole(line):
            self._stop()
            return
        if self._fence:
            if not line:
                self._fence.blank = True
                return
            if self._is_header(line) and not self._fence.opens and not self._fence.header:
                self._fence.header = True  # the next line determines the role of the fence
                return
            self._drop_fence(line)
        self._read_code(line, end)
        self._blank = not line
        self._before = line or self._before

    def _ends_at(self, line: str) -> bool:
        """Return whether a line, or the beginning of a line, ends the answer."""
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
        """Return whether a line ends the answer, given that it is complete and `_ends_at` is False for it."""
        if self._fence:
            return self._fence.header and not looks_like_code(line)
        if self._rule.fence or self._line < self._start or (self._code and self._code.shields):
            return False
        alone = [header.text for header in self._headers if self._blank or header is self._headers[0]]
        return line in alone

    def _is_header(self, line: str) -> bool:
        return any(header.begins(line) for header in self._headers)

    def _read_code(self, line: str, end: int) -> None:
        """Update the code block state with a line of the answer."""
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
        """Handle a bare fence that did not end the answer.

        The fence closed the open code block or, if none was open, opened one. `line` is the line by which
        this was determined.
        """
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
        """Return the index at which the answer ends, assuming that the current line or fence ends it."""
        if not self._fence:
            return self._line
        return self._fence.end if self._code else self._fence.start

    def _read_end(self) -> None:
        """Check whether a fence or header near the end of the complete text ends the answer."""
        rest = self._all[self._line :].rstrip()
        if self._fence and not self._fence.header and self._may_end(rest) and rest:
            self._cut = self._end_of_answer()
            return
        if rest:
            self._read_line(rest, len(self._all))
        if self._cut is None and self._fence and (self._fence.header or not self._code):
            self._cut = self._end_of_answer()

    # --- Final text -------------------------------------------------------------------------------

    def _find_certain_end(self) -> int:
        """Return the length of the text that can no longer change.

        If the rule trims answers, trailing whitespace is held back until more text follows.
        """
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
        """Return whether the incomplete line `line` may turn out to end the answer when more text arrives."""
        if self._fence:
            if self._fence.header:
                return True
            opens = self._fence.opens and not self._fence.blank and not self._code
            return not line or (not opens and any(header.may_begin(line) for header in self._headers))
        if self._code and self._code.shields:
            return False
        headers = self._headers[:1] if self._rule.fence or not self._blank else self._headers
        # The answer header counts only if it is alone on its line.
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
        # Whitespace before the first visible character is not part of the answer.
        if self._rule.trim and not self._started:
            text = text.lstrip()
            self._started = bool(text)
        self._emitted = end
        return text

    # --- Stop sequences ---------------------------------------------------------------------------

    def _read_stop_sequences(self) -> None:
        """End the answer at the first stop sequence, unless an earlier line already ends the answer."""
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
        """Return `end`, or an earlier index if the text ends with a possible beginning of a stop sequence."""
        longest = max(map(len, self._rule.texts))
        for at in range(max(self._start, len(self._all) - longest + 1), len(self._all)):
            rest = self._all[at:]
            if any(text.startswith(rest) for text in self._rule.texts):
                return min(end, at)
        return end


class Writer:
    """Incremental converter from a row's token ids to the text of the row's answer."""

    def __init__(
        self,
        decode: Decode,
        prompt_ids: Sequence[int],
        rule: StopRule,
        start: str = "",
    ) -> None:
        """
        Args:
            decode: function that decodes ids like `tokenizer.decode`.
            prompt_ids: the token ids of the prompt.
            rule: the stop rule.
            start: the prefill, that is, the part of the answer that the prompt already contains.
        """
        self._detokenizer = Detokenizer(decode, prompt_ids)
        self._cutter = Cutter(rule, start)
        self.text = ""
        """The text returned so far."""

    def feed(self, token: int) -> str:
        """Add the next token id and return the text that has become final."""
        return self._add(self._cutter.feed(self._detokenizer.feed(token)))

    def finish(self) -> str:
        """Return the remaining text. To be called after the last token id has been added."""
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
        """All text written by the model, including text after the end of the answer."""
        return self._cutter.raw

    def finish_reason(self, reason: Finish) -> Finish:
        """Return `reason`, or "stop" if the stop rule ended the answer before its token limit."""
        return "stop" if reason == "length" and self._cutter.closed else reason
