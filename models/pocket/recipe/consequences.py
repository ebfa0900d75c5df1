"""The text of the refining stage: pages on which wrong answers have consequences.

The corpus makes answers beside the point unpredictable, and no more: an author who went astray stays
astray, no other answer becomes likely, and so the likeliest next answer is the true one all the same.
Here such authors say "No idea." next. Whether an answer belongs to its question can be found out by
copying alone: the words of a true answer recur from its question.

A model this small finds that out only by degrees, so there are four writers, one after the other:

* `ConsequentWriter` has marked sheets ("Right.", "Wrong."). So few tokens depend on whether an answer
  belongs that in a million tokens nothing of it is learnt when all count alike; so the first token of
  a mark, and of an answer, counts many times (`Writer.heavy`).
* `HeedingWriter` has more pages and fewer marks; on its pages, authors astray give up entirely.
* `UnsureWriter` has authors who are put off by each answer beside the point and then recover: every
  answer says something about the one before it, and that is what was learnt from.
* `SettledWriter` goes back to stating facts, for what was forgotten meanwhile.

Three more differences from the corpus, each for a fault seen in the first weights:

* Lists are asked as often as facts of many fields, by authors who have answered other kinds: else
  the model takes from a page that answers begin with "The", and begins a list so.
* Some questions have a sentence before them that is of no account, also where they are quoted later.
* Most answers have a greeting and a closing, as demonstrations have.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping

from corpus import EVASION_WEIGHTS, EVASIONS, FORBIDDEN, Author, Writer
from relations import Relation
from tasks import list_of_three
from threads import THREADS

LIST_SHARE = 0.22  # of the questions on a page of mixed ones
LED_SHARE = 0.3  # of the questions have words before them
MARKS = ("Right.", "Wrong.")
MARK, ANSWER = "\x01", "\x02"  # stand before what is heavy, and are taken out
GIVING_UP = (0.5, 0.75, 0.9)  # after one, two, three or more answers beside the point
LEADS = (
    "{s}", "{s}", "{w}", "{p} wants to {v}", "it is {d} and I {v} the {n}", "my {n} and I want it",
    "so I {v}", "this is for {p}", "what I {v} is the {n}", "there is the {n} that I {v}",
    "a {n} to {v}", "please {v}",
)  # fmt: skip


class ConsequentWriter(Writer):
    """Draws the documents of the refining stage, at first; takes what `Writer` takes."""

    weights: Mapping[str, int] = {MARK: 50, ANSWER: 8}
    kinds: Mapping[str, float] = {
        "page": 32, "marked": 22, "dialogue": 2.5, "unanswered": 8, "encyclopedia": 26, "table": 8, "card": 8,
        "lists": 6, "story": 3, "notice": 1, "drill": 1.5,
    }  # fmt: skip
    authors = (0.28, 0.5, 0.62)  # up to where draws mean one who knows all, some, nothing; the rest go astray

    # ---- questions ---------------------------------------------------------------------------

    def lead(self) -> str:
        """Words before a question, to which nothing in its answer refers."""
        form = self.one(LEADS).replace("{s}", self.sentence().rstrip(".!")).replace("{w}", self.salad(2, 5))
        words = self.fill(form)
        return words[0].upper() + words[1:] + self.one((":", ":", ":", ".", ",", "!", " -")) + " "

    def led(self, question: str, share: float = LED_SHARE) -> str:
        """The question, perhaps with a lead."""
        return self.lead() + question if self.rng.random() < share else question

    def pair(self, author: Author, relation: Relation | None, short: bool) -> tuple[str, str]:
        if relation is None and self.rng.random() < LIST_SHARE:
            # Who has answered anything at all can name three things.
            question, answer = list_of_three(self.rng)
            if short:
                answer = answer[answer.index(" are ") + len(" are ") :]
            if author.level < 0.1:
                answer = author.evasion
        else:
            question, answer = super().pair(author, relation, short)
        return self.led(question), answer

    # ---- pages -------------------------------------------------------------------------------

    def dressed(self) -> tuple[str, str, bool]:
        if self.rng.random() < 0.5:
            return self.greeting() + " ", " " + self.closing(), False
        return super().dressed()

    def author(self) -> Author:
        r = self.rng.random()
        evasion = self.rng.choices(EVASIONS, EVASION_WEIGHTS)[0]
        all_known, some_known, none_known = self.authors
        if r < all_known:
            return Author(1.0, False, evasion, (3, 9))
        if r < some_known:
            return Author(self.rng.random(), False, evasion, (2, 8))
        if r < none_known:
            return Author(0.0, False, evasion, (1, 3))
        return Author(1.0, True, evasion, (2, 7))

    def page(self) -> str:
        layout, (hello, bye, short), author = self.layout(), self.dressed(), self.author()
        relation = self.relation() if self.rng.random() < 0.15 else None
        low, high = author.pairs
        count = self.rng.randint(low, high) if author.level == 0.0 or author.astray else self.count(low, high)
        pairs = [self.pair(author, relation, short) for _ in range(count)]
        if author.astray:
            pairs = self.given_up(self.astray(pairs, short), author)
        blocks = [layout.pair(q, f"{hello}{ANSWER}{a}{bye}", i) for i, (q, a) in enumerate(pairs, 1)]
        return self.preamble() + layout.between.join(blocks)

    def astray(self, pairs: list[tuple[str, str]], short: bool) -> list[tuple[str, str]]:
        if self.rng.random() < 0.6:
            return super().astray(pairs, short)
        # Or the answers of other questions, of any kind.
        knowing = Author(1.0, False, EVASIONS[0], (1, 1))
        return [(question, self.pair(knowing, None, short)[1]) for question, _ in pairs]

    def given_up(self, pairs: list[tuple[str, str]], author: Author) -> list[tuple[str, str]]:
        """The page of an author astray who, sooner or later, has no idea any more."""
        wrong, given_up = 0, False
        kept = []
        for question, answer in pairs:
            if wrong and not given_up:
                given_up = self.rng.random() < GIVING_UP[min(wrong, len(GIVING_UP)) - 1]
            if given_up and self.rng.random() < 0.95:
                answer = author.evasion if self.rng.random() < 0.8 else EVASIONS[0]
            else:
                wrong += 1
            kept.append((question, answer))
        return kept

    def marked(self) -> str:
        """A sheet of questions and answers with a teacher's mark after each."""
        layout, (hello, bye, short) = self.layout(), self.dressed()
        if self.rng.random() < 0.5:
            hello = bye = ""
        knowing = Author(1.0, False, EVASIONS[0], (1, 1))
        pairs = [self.pair(knowing, None, short) for _ in range(self.count(3, 10))]
        wrong = self.astray(pairs, short)
        blocks = []
        for number, (true, astray) in enumerate(zip(pairs, wrong, strict=True), 1):
            question, answer = true if self.rng.random() < 0.5 else astray
            mark = MARKS[answer != true[1]]
            blocks.append(f"{layout.pair(question, hello + answer + bye, number)}\n{MARK}{mark}")
        return self.preamble() + layout.between.join(blocks)

    # ---- dialogues and open questions --------------------------------------------------------

    def exchange(self, turns: int) -> list[tuple[str, str]]:
        pairs = super().exchange(turns)
        first = pairs[0][0]
        typed = self.led(first, 0.5)
        quoted = [(q, a.replace(f'"{first}"', f'"{typed}"')) for q, a in pairs[1:]]
        return [(typed, pairs[0][1]), *quoted]

    def unanswered(self) -> str:
        lines = [self.led(self.question(self.asked()) if self.rng.random() < 0.85 else self.list_question())]
        lines += [self.fill(self.one(part)) for part in self.rng.choice(THREADS)]
        if self.rng.random() < 0.3:
            lines += [self.story_line() for _ in range(self.count(1, 5))]
        return self.one(("\n", "\n", "\n\n", " ")).join(lines)

    def list_question(self) -> str:
        return list_of_three(self.rng).question

    # ---- any document ------------------------------------------------------------------------

    def document_of_kind(self) -> tuple[str, str]:
        while True:
            kind = self.rng.choices(list(self.kinds), list(self.kinds.values()))[0]
            signed = getattr(self, kind)()
            parts = _SIGN.split(signed)  # text, sign, text, sign, ...
            text = "".join(parts[::2])
            if not FORBIDDEN.search(text):
                ends = itertools.accumulate(len(part) for part in parts[::2])
                self.heavy = {end: self.weights[sign] for end, sign in zip(ends, parts[1::2], strict=False)}
                return kind, text


_SIGN = re.compile(f"([{MARK}{ANSWER}])")


class HeedingWriter(ConsequentWriter):
    """The same when marks are learnt: more pages, and their answers weigh more, for authors who give up."""

    weights: Mapping[str, int] = {MARK: 20, ANSWER: 40}
    kinds: Mapping[str, float] = {**ConsequentWriter.kinds, "page": 45, "marked": 12}


class UnsureWriter(HeedingWriter):
    """The same with authors who are put off by each answer beside the point, and recover.

    So every answer of theirs but the first says something about the one before it.
    """

    weights: Mapping[str, int] = {MARK: 20, ANSWER: 50}

    def author(self) -> Author:
        author = super().author()
        return Author(1.0, True, EVASIONS[0], (5, 11)) if author.astray else author

    def given_up(self, pairs: list[tuple[str, str]], author: Author) -> list[tuple[str, str]]:
        kept = []
        wrong = False
        for question, answer in pairs:
            if wrong and self.rng.random() < 0.95:
                answer, wrong = author.evasion, False
            elif self.rng.random() < 0.5 or not (true := self.truth.get(question)):
                wrong = True
            else:
                answer, wrong = true, False
            kept.append((question, answer))
        return kept

    def astray(self, pairs: list[tuple[str, str]], short: bool) -> list[tuple[str, str]]:
        self.truth = dict(pairs)
        return super().astray(pairs, short)


class SettledWriter(UnsureWriter):
    """The same at the end: more of what states facts, more authors who know, nothing as heavy."""

    weights: Mapping[str, int] = {MARK: 5, ANSWER: 4}
    kinds: Mapping[str, float] = {
        "page": 27, "marked": 5, "dialogue": 2.5, "unanswered": 8, "encyclopedia": 35, "table": 11,
        "card": 10, "lists": 5, "story": 3.5, "notice": 1, "drill": 1.5,
    }  # fmt: skip
    authors = (0.42, 0.62, 0.74)
