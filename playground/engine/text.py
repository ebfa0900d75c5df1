"""From token ids to readable text: UTF-8 that spans tokens, where an answer ends, what is trimmed.

Pure Python over strings; the only thing asked of a tokenizer is a `decode` function. Text is given out as
soon as it is certain: never half a character, and never anything that a stop may yet take back. How the
text was cut into tokens or chunks makes no difference to the result.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from playground.types import Finish, StopRule

REPLACEMENT = "\ufffd"
CONTEXT_TOKENS = 6
"""Prompt tokens a decoder sees before the first new one, so that it keeps that one's leading space."""
LONGEST_WINDOW = 16
"""Ids after which the window is cut back to that context; cutting at every step would decode twice."""
LONGEST_CHARACTER = 4
"""Bytes in the longest UTF-8 character, so the most tokens that one character can be spread over."""


class Detokenizer:
    """Turns a growing list of token ids into a growing text.

    Decoding one id at a time loses spaces and splits characters, and decoding all of them at every step is
    quadratic. So a short window is decoded, and what it has more than at the step before is the new text.
    """

    def __init__(self, decode: Callable[[Sequence[int]], str], prompt_ids: Sequence[int]) -> None:
        self._decode = decode
        self._window = list(prompt_ids[-CONTEXT_TOKENS:])
        self._known = len(self._window)  # ids of the window whose text has been given out
        self._given = decode(self._window)  # their text

    def feed(self, token: int) -> str:
        """The text that is certain now that `token` has come; often "", never half a character."""
        self._window.append(token)
        text = self._decode(self._window)
        if text.endswith(REPLACEMENT) and len(self._window) - self._known < LONGEST_CHARACTER:
            return ""
        return self._accept(text)

    def finish(self) -> str:
        """What was held back; bytes that never became a character come out as U+FFFD."""
        return self._accept(self._decode(self._window))

    def _accept(self, text: str) -> str:
        new = text[len(self._given) :]
        if len(self._window) > LONGEST_WINDOW:
            # All of them are given out; a few stay as context for the next one.
            self._window = self._window[-CONTEXT_TOKENS:]
            text = self._decode(self._window)
        self._known, self._given = len(self._window), text
        return new


class Cutter:
    """Finds where an answer ends in a growing raw text, and gives out what is certainly part of it.

    With a fence in the rule, the answer is a fenced block that the prompt has opened, and it ends at the
    line that closes it:

    * a line that is only the fence, then at least one blank line, then a header line, or
    * a line that is only the fence, then nothing but white space and at most a part of a header line, to
      the end of the text.

    Fences of code blocks inside the answer do not end it: after an opening fence with a language name, the
    next bare fence closes that code block. A header without a closed block before it, such as a comment
    "# Query:" in code, does not end an answer either. If a header follows right after an inner code
    block's closing fence, the model forgot its own: the answer ends after that fence, not before it.

    With headers and no fence, it ends before a line that is only a header, at the start of the text or after
    a blank line. A part of a header at the end of the text belongs to the answer.

    Whatever else the rule says, it ends before the first of the rule's `texts`. An answer that was begun for
    the model is read from its beginning, so that a code block opened there is known; what is given out, and
    what could end it, is only what the model wrote.
    """

    def __init__(self, rule: StopRule, start: str = "") -> None:
        """`start` is what the answer begins with already."""
        self._rule = rule
        self._all = start  # the answer and what came after it
        self._start = len(start)
        self.stopped = False
        self._cut: int | None = None  # where the answer ends in `_all`, once known
        self._line = 0  # start of the first line not looked at as a whole
        self._fence: int | None = None  # start of a bare fence line that may be the end
        self._fence_end = 0
        self._blank = True  # the line before is blank: with a fence in the rule, one since that fence
        self._inner = False  # inside a code block of the answer
        self._shown = len(start)  # characters given out, or dropped before the first visible one
        self._started = bool(start)
        self._searched = len(start)  # no text of the rule's ends before this

    @property
    def raw(self) -> str:
        """All that the model wrote."""
        return self._all[self._start :]

    def feed(self, text: str) -> str:
        """Add raw text; returns what may be shown now. Sets `stopped` when the answer has ended."""
        self._all += text
        if self.stopped:
            return ""
        if self._rule.texts:
            self._read_texts()
        elif self._rule.fence or self._rule.headers:
            self._read_lines()
        return self._show(self._certain())

    def finish(self) -> str:
        """The raw text is complete; returns the rest of the answer."""
        if not self.stopped and (self._rule.fence or self._rule.headers):
            self._read_end()
        return self._show(self._trimmed(len(self._all) if self._cut is None else self._cut))

    @property
    def closed(self) -> bool:
        """Whether the answer's own block has closed (known for certain after `finish`)."""
        return self._cut is not None

    def _read_lines(self) -> None:
        """Look at every line that is complete, up to a stop."""
        while (end := self._all.find("\n", self._line)) >= 0:
            self._read_line(self._line, self._all[self._line : end].rstrip(), end + 1)
            if self.stopped:
                return
            self._line = end + 1

    def _read_line(self, start: int, line: str, end: int) -> None:
        if not self._rule.fence:
            if self._blank and line in self._rule.headers:
                self.stopped = True
                self._cut = start
            self._blank = not line
            return
        if self._fence is not None:
            if not line:
                self._blank = True
                return
            if self._blank and line in self._rule.headers:
                self.stopped = True
                self._cut = self._end_of_answer()
                return
            self._drop_fence()
        if line == self._rule.fence:
            self._fence, self._fence_end, self._blank = start, end, False
        elif line.startswith(self._rule.fence) and not self._inner:
            self._inner = "`" not in line[len(self._rule.fence) :]

    def _read_texts(self) -> None:
        """Read lines up to the end of the first of the rule's texts; if none ends the answer, that does."""
        found = [
            (at + len(text), at)
            for text in self._rule.texts
            if (at := self._all.find(text, max(self._start, self._searched - len(text) + 1))) >= 0
        ]
        written = self._all
        end, at = min(found, default=(len(written), len(written)))
        self._all = written[:end]
        if self._rule.fence or self._rule.headers:
            self._read_lines()
        if found and not self.stopped:
            self.stopped, self._cut = True, at
        self._all = written
        self._searched = len(written)

    def _may_be_text(self, end: int) -> int:
        """`end`, or where a part of one of the rule's texts begins that the raw text ends with."""
        longest = max(map(len, self._rule.texts))
        for at in range(max(self._start, len(self._all) - longest + 1), len(self._all)):
            rest = self._all[at:]
            if any(text.startswith(rest) for text in self._rule.texts):
                return min(end, at)
        return end

    def _drop_fence(self) -> None:
        """The bare fence was not the end: it opened or closed a code block inside the answer."""
        self._inner = not self._inner
        self._fence = None

    def _end_of_answer(self) -> int:
        assert self._fence is not None
        return self._fence_end if self._inner else self._fence

    def _read_end(self) -> None:
        """Decide about a fence or a header near the end, now that nothing more comes."""
        rest = self._all[self._line :].rstrip()
        if not self._rule.fence:
            if self._blank and rest in self._rule.headers:
                self._cut = self._line
        elif self._fence is None:
            if rest == self._rule.fence and not self._inner:
                self._cut = self._line
        elif not rest:
            if not self._inner:
                self._cut = self._fence
        elif self._blank and self._could_be_header(rest):
            self._cut = self._end_of_answer()

    def _could_be_header(self, line: str) -> bool:
        return any(header.startswith(line) for header in self._rule.headers)

    def _certain(self) -> int:
        """How much of `raw` no stop can take back; trailing white space waits for what follows it."""
        line = self._all[self._line :].rstrip()
        if self._cut is not None:
            end = self._cut
        elif self._fence is not None and self._could_be_header(line):
            end = self._end_of_answer()
        elif not self._rule.fence:
            end = self._line if self._blank and self._could_be_header(line) else len(self._all)
        elif self._rule.fence.startswith(line):
            end = self._line  # only a whole line can be a fence, so this one waits while it may be
        else:
            end = len(self._all)
        if self._rule.texts and self._cut is None:
            end = self._may_be_text(end)
        return self._trimmed(end)

    def _trimmed(self, end: int) -> int:
        return len(self._all[:end].rstrip()) if self._rule.trim else end

    def _show(self, end: int) -> str:
        if end <= self._shown:
            return ""
        text = self._all[self._shown : end]
        if (
            self._rule.trim and not self._started
        ):  # white space before the first visible character is not part of it
            text = text.lstrip()
            self._started = bool(text)
        self._shown = end
        return text


class Writer:
    """One row's text while it is decoded: ids in, certain text out, the finished answer at the end."""

    def __init__(
        self,
        decode: Callable[[Sequence[int]], str],
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
        return self._keep(self._cutter.feed(self._detokenizer.feed(token)))

    def finish(self) -> str:
        """No more ids; returns the rest of the text."""
        text = self._cutter.feed(self._detokenizer.finish())
        return self._keep(text + self._cutter.finish())

    def _keep(self, text: str) -> str:
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
