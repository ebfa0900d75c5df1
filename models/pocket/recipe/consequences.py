"""The text of the refining stage: pages on which wrong answers have consequences.

The corpus makes answers beside the point unpredictable, and no more: an author who went astray stays
astray, no other answer becomes likely, and so the likeliest next answer is the true one all the same.
Here such authors soon give up. After an answer that does not belong to its question, every further
one may be an evasion ("No idea."), and the more were wrong, the likelier. Whether an answer belongs
can be found out by copying alone: the words of a true answer recur from its question. Marked sheets
("Right.", "Wrong.") practise finding it out: a mark after every answer, where on a page of questions
and answers it would decide one answer in four.

Three more differences from the corpus, each for a fault seen in the first weights:

* Lists are asked as often as facts of many fields, by authors who have answered other kinds: else
  the model takes from a page that answers begin with "The", and begins a list so.
* Some questions have a sentence before them that is of no account, also where they are quoted later.
* Most answers have a greeting and a closing, as demonstrations have.
"""

from __future__ import annotations

from corpus import EVASION_WEIGHTS, EVASIONS, FORBIDDEN, Author, Writer
from relations import Relation
from tasks import list_of_three
from threads import THREADS

LIST_SHARE = 0.22  # of the questions on a page of mixed ones
LED_SHARE = 0.3  # of the questions have words before them
MARKS = (("Right.", "Wrong."), ("Right.", "Wrong."), ("Right.", "Wrong."), ("good", "bad"))
GIVING_UP = (0.5, 0.75, 0.9)  # after one, two, three or more answers beside the point
LEADS = (
    "{s}", "{s}", "{w}", "{p} wants to {v}", "it is {d} and I {v} the {n}", "my {n} and I want it",
    "so I {v}", "this is for {p}", "what I {v} is the {n}", "there is the {n} that I {v}",
    "a {n} to {v}", "please {v}",
)  # fmt: skip


class ConsequentWriter(Writer):
    """Draws the documents of the refining stage; takes what `Writer` takes."""

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
        if r < 0.28:
            return Author(1.0, False, evasion, (3, 9))
        if r < 0.5:
            return Author(self.rng.random(), False, evasion, (2, 8))
        if r < 0.62:
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
        blocks = [layout.pair(q, hello + a + bye, i) for i, (q, a) in enumerate(pairs, 1)]
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
        right_mark, wrong_mark = self.one(MARKS)
        blocks = []
        for number, (true, astray) in enumerate(zip(pairs, wrong, strict=True), 1):
            question, answer = true if self.rng.random() < 0.5 else astray
            mark = right_mark if answer == true[1] else wrong_mark
            blocks.append(f"{layout.pair(question, hello + answer + bye, number)}\n{mark}")
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
            kind = self.rng.choices(_KINDS, _KIND_WEIGHTS)[0]
            text = getattr(self, kind)()
            if not FORBIDDEN.search(text):
                return kind, text


_KIND_TABLE = {
    "page": 32, "marked": 14, "dialogue": 2.5, "unanswered": 8, "encyclopedia": 26, "table": 8, "card": 8,
    "lists": 6, "story": 3, "notice": 1, "drill": 1.5,
}  # fmt: skip
_KINDS, _KIND_WEIGHTS = list(_KIND_TABLE), list(_KIND_TABLE.values())
