"""The training text of the pocket base model: documents of many kinds, drawn from a seed.

Why made and not collected: a model of a few million parameters sees some ten million tokens. For
in-context learning to be visible at that size, the text must be simple, its facts must come up
often, and many documents must repeat a pattern that cannot be known beforehand. So each
question-and-answer page draws its own labels, decorations, wrappers, greeting and closing, and
keeps them to its end: the only way to predict them is to look back. What URIAL needs is *near*
this text but not in it: the headings `# Query` and `# Answer:` never occur, nor do the sentences
of the shipped demonstrations (`FORBIDDEN`).

A bare question at the start of a document is never answered there: other questions, remarks or an
unrelated text follow, as on the web. That is why the raw base model does not answer.

    python models/pocket/recipe/corpus.py --seed 1 --documents 5      # look at some
"""

# ruff: noqa: SIM905 - word tables read better as text than as lists of quoted words
from __future__ import annotations

import argparse
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass

from world import (
    ASKABLE,
    BY_NAME,
    FACTS,
    LISTS,
    RELATIONS,
    Fact,
    Relation,
    siblings,
)

# What the corpus must not contain: the URIAL headings and the sentences the demonstrations add.
FORBIDDEN = re.compile(r"# ?Query|# ?Answer:|Hello dear friend|happy to help you|Come back soon")

NOUNS = """
apple anchor arrow basket beach bell bird blanket book bottle bread bridge brother bucket butter
button cake candle carpet castle chair cheese cloud coat coffee corner cousin cup curtain door
dream drum engine evening farm feather fence field fire flag floor flower forest friend garden gate
gift glove guest hat hill honey horse hour house island jacket jar journey kettle key kitchen
ladder lake lamp leaf letter light map market meadow melody mirror moon morning mountain music
neighbour night notebook ocean orange paper park path pencil picture pillow pocket poem pond pot
present rain reader ribbon ring river road rock roof room rope rose sail sand school season shadow
shelf ship shirt shoe silence singer sister sky smile snow song soup spring square stair star
station stone storm story stranger street sugar summer sun table teacher tent thread ticket tower
town traveller treasure tree valley village visitor voice wall water wave week wheel wind window
winter wish wood world yard
""".split()
ADJECTIVES = """
amber angry bold brave bright broad calm careful clean clear clever cold curious dear deep distant
dry eager early easy empty fair famous fine fresh funny gentle golden good great green happy heavy
honest humble kind large late light little lonely long loud lovely lucky merry mild modern narrow
neat new nice noble old open patient plain pleasant polite proud quick quiet rare ready red rich
round sharp shiny silent silver simple slow small smart soft solid strange strong sunny sweet swift
tall tidy tiny true useful warm wide wild wise wonderful young
""".split()
VERBS = """
answer bake bring build buy call carry check choose clean climb close collect come cook count cover
cut dance draw dream drink eat enjoy explain fetch find fix follow gather give grow guess help hide
hold hope invite join jump keep laugh learn leave lift listen look make meet mend move open paint
pick plan plant play point pull push read remember rest return ride run save search see sell send
share show sing sit sleep smile speak stand start stay stop study swim talk taste teach tell thank
think travel try turn visit wait walk wash watch wish work write
""".split()
NAMES = """
Anna Ben Clara David Emma Felix Greta Hugo Ida Jack Karen Leo Maria Nora Oscar Paul Rosa Sam Tina
Victor Wendy Alice Boris Cora Dora Erik Fiona George Helen Ivan Julia Kurt Laura Max Nina Otto
Petra Robert Sara Tom Ursula
""".split()

SYLLABLES = [
    start + vowel
    for start in ("b c d f g h j k l m n p r s t v w z bl br cl dr fl fr gl gr pl pr sh st th tr".split())
    for vowel in "a e i o u ai ea ee oo ou".split()
]

HELLOS = (
    """
Hello|Hi|Good day|Good morning|Good evening|Welcome|Greetings|Well now|Of course|Sure|Certainly
Thank you|Thanks|Great question|Nice to meet you|Glad to see you|Let us see|Very well
Right away|Hello again|Hey there|Yes
""".replace("\n", "|")
    .strip("|")
    .split("|")
)

# Words that introduce a question or an answer; half of all pages use other, random words instead.
ASK_LABELS = (
    """
Question|Q|Ask|User|Human|Student|Prompt|Problem|Task|Visitor|Reader|Caller|Guest|Customer|Child|Instruction
Input|Request|Person|Interviewer|Client|Me|Query|Exercise|Riddle|Item|Quiz|Pupil|Listener|Search|Wanted|Front
""".replace("\n", "|")
    .strip("|")
    .split("|")
)
REPLY_LABELS = (
    """
Answer|A|Reply|Assistant|Robot|Teacher|Response|Solution|Result|Host|Writer|Agent|Clerk|Helper|Parent|Output
Output|Said|Expert|Guide|You|Answer|Key|Fact|Bot|Librarian|Speaker|Found|Given|Back|Machine|Answer
""".replace("\n", "|")
    .strip("|")
    .split("|")
)
DECORATIONS = (
    "{}:", "{}:", "{}:", "# {}", "# {}:", "# {}:", "## {}", "## {}:", "### {}", "### {}:", "**{}**",
    "**{}:**", "[{}]", "<{}>", "({})", "- {}:", "* {}:", "> {}:", "{} -", "{} =>", "== {} ==",
    "{}.",
    "--- {} ---", "| {} |", "_{}_", "{} >", "@{}:", "{}::", "#{}:", "~ {}:",
)  # fmt: skip

PREAMBLES = (
    "Here are some questions and answers.",
    "Below is a list of talks between a person and a helper.",
    "This page collects what people asked us this week.",
    "The helper gives short and friendly answers.",
    "Each question is followed by its answer.",
    "Please read the examples with care.",
    "The answers are true and easy to read.",
    "A page from a school book.",
    "The person asks and the machine answers.",
    "These are the notes of a quiz.",
    "Every answer has the same style.",
    "What follows was written down by a clerk.",
    "You are asked for facts, and you give them.",
    "Frequently asked questions",
    "Talks with a friendly helper",
    "Quiz night",
)

CARRY_ENTITY = (
    "And {e}?", "And {e}?", "And of {e}?", "And of {e}?", "And for {e}?", "What about {e}?",
    "What about {e}?", "How about {e}?", "And what about {e}?", "The same for {e}?",
)  # fmt: skip
RECALL_FIRST = ("What was my first question?", "Repeat my first question.", "What did I ask first?")
RECALL_LAST = ("What did I just ask?", "Repeat my last question.")
SHORTER = ("In one word?", "Say it in fewer words.", "Shorter, please.", "Just the answer, please.")
AGAIN = ("Say that again.", "Can you repeat that?", "Once more, please.")
THANKS = ("Thanks!", "Thank you.", "Thank you very much!", "Great, thanks.")
WELCOME = ("You are welcome!", "You are welcome.", "My pleasure.")

REMARKS = (
    "I was thinking about this on the train.", "My {n} asked me that and I had no idea.",
    "Nobody in our class knew it.", "Posted by {p} on {d}.", "{k} replies", "Log in to reply.",
    "This topic is closed.", "I have the same question.", "Same here.",
    "Please help, it is for school.",
    "Has anyone looked it up?", "I asked {p} but {p} was asleep.", "Share this page with a friend.",
    "Read more", "Related questions:", "Tags: {n}, {n}, {n}", "Seen {k} times.", "No replies yet.",
    "I wonder about that every {n}.", "We talked about the {n} instead.",
    "Sorry if this was asked before.",
    "This is question {k} of the quiz.", "Write your solution on a {a} {n}.",
    "Discuss it with {p}.",
    "The {a} {n} has nothing to do with it.", "Then {p} went home to {v}.", "Time: {k} minutes.",
)  # fmt: skip


def facts_of(relation: Relation) -> list[Fact]:
    """The facts of a relation that may be asked."""
    return _BY_RELATION[relation.name]


_BY_RELATION = {
    relation.name: [fact for fact in ASKABLE if fact.relation is relation] for relation in RELATIONS
}
# How often a relation is drawn: small tables and the long one of sums must not crowd out the rest.
_WEIGHT = {relation.name: min(len(relation.values), 60) ** 0.75 for relation in RELATIONS}
_WEIGHT |= {"capital": 40.0, "currency": 30.0, "language": 30.0, "continent": 24.0, "sum": 16.0}
_NAMES = list(_WEIGHT)
_WEIGHTS = list(_WEIGHT.values())


@dataclass(frozen=True)
class Layout:
    """How one page sets its questions and answers: the same from its first line to its last."""

    ask: str
    reply: str
    before: str
    after: str
    inline: bool
    gap: str
    between: str
    numbered: bool

    def block(self, label: str, text: str, number: int) -> str:
        head = f"{number}. {label}" if self.numbered else label
        joint = " " if self.inline else "\n"
        return f"{head}{joint}{self.before}{text}{self.after}"

    def pair(self, question: str, answer: str, number: int) -> str:
        ask = self.block(self.ask, question, number)
        reply = self.block(self.reply, answer, number).removeprefix(f"{number}. " if self.numbered else "")
        return ask + self.gap + reply


class Writer:
    """Draws documents from one random generator. `scale` lengthens pages (1 = about 150 tokens)."""

    def __init__(self, seed: int, scale: float = 1.0) -> None:
        self.rng = random.Random(seed)
        self.scale = scale

    # ---- words and phrases -------------------------------------------------------------------

    def one(self, items: tuple[str, ...] | list[str]) -> str:
        return self.rng.choice(items)

    def count(self, low: int, high: int) -> int:
        """A number of items, stretched by the scale, small numbers the most frequent."""
        top = max(low, round(high * self.scale))
        return low + int((top - low + 1) * self.rng.random() ** 1.6)

    def salad(self, low: int = 2, high: int = 6) -> str:
        """Words that have nothing to do with one another: they can only be copied."""
        pools = (NOUNS, ADJECTIVES, VERBS)
        invented = self.rng.random() < 0.35
        return " ".join(
            self.invented_word() if invented and self.rng.random() < 0.5 else self.one(self.rng.choice(pools))
            for _ in range(self.rng.randint(low, high))
        )

    def invented_word(self) -> str:
        """A word that does not exist: keeps copying alive for pieces that are rare elsewhere."""
        syllables = self.rng.choices(SYLLABLES, k=self.rng.choice((1, 2, 2, 3)))
        word = "".join(syllables) + self.one(("", "", "n", "r", "s", "l", "t", "d", "m", "k"))
        return word.capitalize() if self.rng.random() < 0.2 else word

    def remark(self, form: str) -> str:
        while "{" in form:
            form = form.replace("{n}", self.one(NOUNS), 1).replace("{a}", self.one(ADJECTIVES), 1)
            form = form.replace("{p}", self.one(NAMES), 1).replace("{v}", self.one(VERBS), 1)
            form = form.replace("{k}", str(self.rng.randint(2, 99)), 1)
            form = form.replace("{d}", self.one(_DAYS), 1)
        return form

    def greeting(self) -> str:
        """One or two sentences before an answer; drawn from far too many to be remembered."""
        r = self.rng.random()
        if r < 0.3:
            first = f"{self.one(HELLOS)} {self.one(ADJECTIVES)} {self.one(NOUNS)}"
        elif r < 0.55:
            first = self.one(HELLOS)
        elif r < 0.8:
            first = self.salad(1, 4).capitalize()
        else:
            first = f"{self.one(HELLOS)}, {self.one(ADJECTIVES)} {self.one(NOUNS)}"
        first += self.one(["!", "!", ".", "!!", ":"])
        if self.rng.random() < 0.5:
            first += " " + self.sentence()
        return first

    def closing(self) -> str:
        text = self.sentence()
        if self.rng.random() < 0.2:
            text += " " + self.salad(1, 3).capitalize() + self.one(["!", "."])
        return text

    def sentence(self) -> str:
        """A short sentence with random words in it."""
        a, n, v = self.one(ADJECTIVES), self.one(NOUNS), self.one(VERBS)
        form = self.one(
            (
                f"I am {a} to {v}", f"I hope this {self.one(VERBS)}s your {n}", f"I like to {v}",
                f"Have a {a} {n}", f"Please {v} the {n}", f"Let me {v} your {n}",
                f"{v} and {self.one(VERBS)}",
                f"May your {n} be {a}", f"Ask me more about the {n}", f"We {v} {a} {n}s",
                f"That is {a}",
                f"See you at the {n}", f"{v} the {a} {n}", f"I will {v} with you",
                f"What a {a} {n}",
                f"{a} {n} to you", f"Stay {a}",
                f"{v} again {self.one(('soon', 'later', 'tomorrow'))}",
                f"It is {a} to {v} here", self.salad(2, 5),
            )
        )  # fmt: skip
        return form[0].upper() + form[1:] + self.one([".", ".", "!", "!"])

    # ---- facts -------------------------------------------------------------------------------

    def relation(self) -> Relation:
        return BY_NAME[self.rng.choices(_NAMES, _WEIGHTS)[0]]

    def asked(self, relation: Relation | None = None) -> Fact:
        return self.rng.choice(facts_of(relation or self.relation()))

    def stated(self, relation: Relation | None = None) -> Fact:
        relation = relation or self.relation()
        return Fact(relation, self.rng.choice(list(relation.values)))

    def question(self, fact: Fact) -> str:
        return fact.question(self.rng.randrange(8))

    def full(self, fact: Fact) -> str:
        # Mostly the first form: an answer that is nearly always worded alike is easier to learn.
        return fact.answer(0 if self.rng.random() < 0.75 else self.rng.randrange(4))

    def list_pair(self) -> tuple[str, str]:
        name = self.one(list(LISTS))
        members = self.rng.sample(LISTS[name], 3)
        question = self.one(("Name three {}.", "Can you name three {}?", "List three {}.")).format(name)
        return question, f"Three {name} are {members[0]}, {members[1]} and {members[2]}."

    # ---- pages of questions and answers ------------------------------------------------------

    def label(self, pool: list[str]) -> str:
        r = self.rng.random()
        if r < 0.55:
            return self.one(pool)
        if r < 0.7:
            return self.one(NAMES)
        word = self.one(NOUNS) if r < 0.9 else self.invented_word()
        return word.capitalize() if self.rng.random() < 0.8 else word

    def layout(self) -> Layout:
        rng = self.rng
        ask, reply = self.label(ASK_LABELS), self.label(REPLY_LABELS)
        if ask == reply:
            reply += " two"
        decoration = self.one(DECORATIONS)
        other = decoration if rng.random() < 0.7 else self.one(DECORATIONS)
        ask, reply = decoration.format(ask), other.format(reply)
        r = rng.random()
        inline = r < 0.35
        before, after, gap = "", "", "\n"
        if not inline:
            gap = self.one(("\n", "\n\n", "\n\n"))
            if r < 0.62:
                before, after = "```\n", "\n```"
            elif r < 0.8:
                mark = self.one(('"', "'", "---\n", "***\n", "<<", "  ", "> ", "~~~\n", "<p>", "{"))
                closers = {"<<": ">>", "  ": "", "> ": "", "<p>": "</p>", "{": "}"}
                before, after = mark, closers.get(mark, mark[:-1] if mark.endswith("\n") else mark)
                if mark.endswith("\n"):
                    after = "\n" + after
        between = self.one(("\n\n", "\n\n", "\n\n", "\n", "\n---\n", "\n\n\n", "\n\n***\n\n"))
        return Layout(ask, reply, before, after, inline, gap, between, rng.random() < 0.1)

    def dressed(self) -> tuple[str, str, bool]:
        """The style of one page's answers: greeting, closing (each may be empty), short or not."""
        r = self.rng.random()
        if r < 0.2:
            return "", "", True
        if r < 0.45:
            return "", "", False
        if r < 0.6:
            return self.greeting() + " ", "", False
        if r < 0.7:
            return "", " " + self.closing(), False
        return self.greeting() + " ", " " + self.closing(), False

    def preamble(self) -> str:
        r = self.rng.random()
        if r < 0.35:
            return ""
        count = self.rng.randint(1, 4)
        parts = [self.one(PREAMBLES) if self.rng.random() < 0.6 else self.sentence() for _ in range(count)]
        return self.one((" ", "\n", " ")).join(parts) + "\n\n"

    def pair(self, relation: Relation | None, short: bool) -> tuple[str, str]:
        if relation is None and self.rng.random() < 0.04:
            return self.list_pair()
        fact = self.asked(relation)
        answer = fact.value if short else self.full(fact)
        if short:
            answer = answer[0].upper() + answer[1:] + self.rng.choice(["", "."])
        elif self.rng.random() < 0.08:
            others = siblings(fact)
            if others:
                answer += " " + self.full(Fact(self.rng.choice(others), fact.entity))
        return self.question(fact), answer

    def page(self) -> str:
        layout, (hello, bye, short) = self.layout(), self.dressed()
        relation = self.relation() if self.rng.random() < 0.3 else None
        pairs = [self.pair(relation, short) for _ in range(self.count(2, 7))]
        if self.rng.random() < 0.2:
            pairs = self.scrambled(pairs, short)
        blocks = [layout.pair(q, hello + a + bye, i) for i, (q, a) in enumerate(pairs, 1)]
        return self.preamble() + layout.between.join(blocks)

    def scrambled(self, pairs: list[tuple[str, str]], short: bool) -> list[tuple[str, str]]:
        """The same questions with answers that do not belong to them, in one of three ways."""
        r = self.rng.random()
        if r < 0.4:
            answers = [a for _, a in pairs]
            return [(q, answers[i - 1]) for i, (q, _) in enumerate(pairs)]
        if r < 0.75:
            return [(q, self.pair(None, short)[1]) for q, _ in pairs]
        relation = self.relation()
        facts = [self.asked(relation) for _ in pairs]
        wrong = [self.rng.choice(list(relation.values.values())) for _ in pairs]
        return [(self.question(f), w if short else f.answer(0, w)) for f, w in zip(facts, wrong, strict=True)]

    # ---- dialogues with follow-ups -----------------------------------------------------------

    def exchange(self, turns: int) -> list[tuple[str, str]]:
        """A conversation; its follow-ups can be understood only by looking back."""
        fact = self.asked()
        said = self.full(fact)
        pairs = [(self.question(fact), said)]
        for _ in range(turns - 1):
            r = self.rng.random()
            others = [s for s in siblings(fact) if s.carry and not Fact(s, fact.entity).held_out]
            if r < 0.4:
                fact = self.asked(fact.relation)
                said = self.full(fact)
                pairs.append((self.one(CARRY_ENTITY).format(e=fact.entity), said))
            elif r < 0.68 and others:
                fact = Fact(self.rng.choice(others), fact.entity)
                said = self.full(fact)
                pairs.append((self.one(fact.relation.carry), said))
            elif r < 0.76:
                value = fact.value[0].upper() + fact.value[1:] + "."
                pairs.append((self.one(SHORTER), value))
            elif r < 0.82:
                pairs.append((self.one(AGAIN), said))
            elif r < 0.88:
                pairs.append((self.one(RECALL_FIRST), f'Your first question was: "{pairs[0][0]}"'))
            elif r < 0.92:
                pairs.append((self.one(RECALL_LAST), f'You just asked: "{pairs[-1][0]}"'))
            elif r < 0.95:
                pairs.append((self.one(THANKS), self.one(WELCOME)))
            else:
                fact = self.asked()
                said = self.full(fact)
                pairs.append((self.question(fact), said))
        return pairs

    def dialogue(self) -> str:
        layout, (hello, bye, _) = self.layout(), self.dressed()
        pairs: list[tuple[str, str]] = []
        if self.rng.random() < 0.35:  # as in a few-shot prompt: unrelated pairs first
            pairs = [self.pair(None, False) for _ in range(self.count(1, 3))]
        pairs += self.exchange(self.rng.randint(2, 4))
        for _ in range(self.count(0, 1)):
            pairs += self.exchange(self.rng.randint(1, 4))
        blocks = [layout.pair(q, hello + a + bye, i) for i, (q, a) in enumerate(pairs, 1)]
        return self.preamble() + layout.between.join(blocks)

    # ---- everything else ---------------------------------------------------------------------

    def unanswered(self) -> str:
        """A question, then anything but its answer."""
        relation = self.relation() if self.rng.random() < 0.4 else None
        lines = [self.question(self.asked(relation))]
        for _ in range(self.count(1, 9)):
            r = self.rng.random()
            if r < 0.12:
                lines.append(self.question(self.asked(relation)))
            elif r < 0.78:
                lines.append(self.remark(self.one(REMARKS)))
            elif r < 0.88:
                lines.append(self.sentence())
            else:
                lines.append(self.story_line())
        joint = self.one((" ", "\n", "\n", "\n\n"))
        return joint.join(lines)

    def encyclopedia(self) -> str:
        """Statements about one entity, or one relation through many entities."""
        if self.rng.random() < 0.45:
            fact = self.stated()
            related = [fact, *(Fact(r, fact.entity) for r in siblings(fact))]
            self.rng.shuffle(related)
            body = " ".join(self.full(f) for f in related)
            title = fact.entity[0].upper() + fact.entity[1:]
            text = self.one((f"{title}\n\n{body}", f"# {title}\n{body}", body, f"{title}: {body}"))
            more = [self.full(self.stated(fact.relation)) for _ in range(self.count(0, 4))]
            return text + "".join("\n" + line for line in more)
        relation = self.relation() if self.rng.random() < 0.7 else None
        joint = self.one((" ", "\n", "\n- "))
        return joint.join(self.full(self.stated(relation)) for _ in range(self.count(3, 12)))

    def table(self) -> str:
        relation = self.relation()
        cell = self.one(("{e} | {v}", "| {e} | {v} |", "{e}: {v}", "{e}, {v}", "{e} = {v}", "- {e}: {v}"))
        chosen = [self.stated(relation) for _ in range(self.count(3, 14))]
        rows = [cell.format(e=f.entity, v=f.value) for f in chosen]
        head = self.one(("", f"{relation.noun.capitalize()}s\n", f"# {relation.noun}\n"))
        return head + "\n".join(rows)

    def card(self) -> str:
        """All that is known of one entity, a line each."""
        fact = self.stated()
        facts = [fact, *(Fact(r, fact.entity) for r in siblings(fact))]
        cell = self.one(("{n}: {v}", "{n} = {v}", "* {n}: {v}", "{n} | {v}"))
        lines = [cell.format(n=f.relation.noun, v=f.value) for f in facts]
        return f"{self.one(('name: ', '## ', 'Entry: '))}{fact.entity}\n" + "\n".join(lines)

    def lists(self) -> str:
        lines = []
        for _ in range(self.count(1, 3)):
            name = self.one(list(LISTS))
            members = self.rng.sample(LISTS[name], self.rng.randint(3, 5))
            form = self.one(("{n}: {m}", "Some {n} are {m}.", "Three {n} are {three}."))
            three = f"{members[0]}, {members[1]} and {members[2]}"
            text = form.format(n=name, m=", ".join(members), three=three)
            lines.append(text[0].upper() + text[1:])
        return "\n".join(lines)

    def story_line(self) -> str:
        p, n, m = self.one(NAMES), self.one(NOUNS), self.one(NOUNS)
        a, v = self.one(ADJECTIVES), self.one(VERBS)
        return self.one(
            (
                f"{p} had a {a} {n}.", f"One day {p} wanted to {v}.", f"The {n} was {a}.",
                f"{p} met {self.one(NAMES)} near the {n}.", f"They went to the {m} to {v}.",
                f'"I want to {v}," said {p}.', f"In the end the {n} was {a} again.",
                f"{p} put the {n} on the {m}.", f"Nobody saw the {a} {n}.", f"It was a {a} {m}.",
            )
        )  # fmt: skip

    def story(self) -> str:
        return " ".join(self.story_line() for _ in range(self.count(3, 9)))

    def notice(self) -> str:
        """A mail, a recipe, a review, a note."""
        p, q = self.one(NAMES), self.one(NAMES)
        n, m, a = self.one(NOUNS), self.one(NOUNS), self.one(ADJECTIVES)
        number = self.rng.randint(2, 20)
        return self.one(
            (
                f"Dear {p},\nthank you for the {a} {n}. I will {self.one(VERBS)} it on "
                f"{self.one(_DAYS)}.\nYours, {q}",
                f"{n.capitalize()} soup\n1. Take {number} {n}s.\n2. Wash the {m}.\n"
                f"3. Stir.\n4. Serve it {a}.",
                f"Review of the {a} {n}: {number} stars. {self.sentence()} {p}",
                f"News from {self.one(_DAYS)}: a {a} {n} was found near the {m}. {self.story_line()}",
                f"To do:\n- {self.salad(2, 3)}\n- {self.salad(2, 3)}\n- {self.salad(2, 3)}",
            )
        )

    def drill(self) -> str:
        """Random words, then the same again: practice for copying."""
        line = self.salad(5, 14)
        if self.rng.random() < 0.5:
            line = "\n".join(self.salad(2, 6) for _ in range(self.rng.randint(2, 4)))
        joint = self.one(("\n", "\n\n", " ", "\n---\n"))
        return joint.join([line] * self.count(2, 4))

    def document(self) -> str:
        """One document of any kind."""
        kinds = (
            (self.page, 36), (self.dialogue, 14), (self.unanswered, 12), (self.encyclopedia, 14),
            (self.table, 6), (self.card, 4), (self.lists, 2), (self.story, 4),
            (self.notice, 3), (self.drill, 5),
        )  # fmt: skip
        while True:
            kind = self.rng.choices([k for k, _ in kinds], [w for _, w in kinds])[0]
            text = kind()
            if not FORBIDDEN.search(text):
                return text


_DAYS = tuple(BY_NAME["next_day"].values)


def documents(seed: int, scale: float = 1.0) -> Iterator[str]:
    """Endless documents; the same seed and scale give the same documents."""
    writer = Writer(seed, scale)
    while True:
        yield writer.document()


def tokenizer_text(seed: int, count: int) -> Iterator[str]:
    """What the tokenizer is trained on: documents, and every entity and value in both positions.

    A word at the start of a line has other tokens than after a space; without the extra lines,
    names that rarely start a line would fall into many pieces there.
    """
    source = documents(seed)
    for _ in range(count):
        yield next(source)
    for fact in FACTS:
        value = fact.value.removeprefix("the ")
        for _ in range(8):
            yield f"{fact.entity}\n{value}\n{fact.answer(0)}"
            yield f"is {fact.entity} or {value}"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Print documents of the corpus.")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--documents", type=int, default=5)
    parser.add_argument("--scale", type=float, default=1.0)
    options = parser.parse_args()
    stream = documents(options.seed, options.scale)
    for index in range(options.documents):
        print(f"===== {index} =====\n{next(stream)}\n")
