"""The training text of the pocket base model: documents of many kinds, drawn from a seed.

Why made and not collected: a model of a few million parameters sees some twenty million tokens. For
in-context learning to be visible at that size, the text must be simple, its facts must come up
often, and many documents must repeat a pattern that cannot be known beforehand. Two things about a
question-and-answer page can only be found out by reading it:

* *How it looks.* Each page draws its own labels, decorations, wrappers, greeting and closing, and
  keeps them to its end. What URIAL needs is *near* this text but not in it: the headings
  `# Query` and `# Answer:` never occur, nor do the sentences of the shipped demonstrations
  (`FORBIDDEN`).
* *Whether its author can be trusted.* Some authors know everything, some know nothing and say so,
  some know only the easier fields (`Author`), and some answer beside the point. So every true
  answer on a page makes a true next answer likelier, and every wrong one makes it less likely.

A bare question at the start of a document is never answered there: an article, a thread or a
worksheet follows, as on the web. That is why the raw base model does not answer.

    python models/pocket/recipe/corpus.py --seed 1 --documents 5      # look at some
    python models/pocket/recipe/corpus.py --census 4000               # the share of each kind
"""

# ruff: noqa: SIM905 - word tables read better as text than as lists of quoted words
from __future__ import annotations

import argparse
import hashlib
import itertools
import random
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from tasks import PEOPLE, SYLLABLES, any_task, run_of, three
from threads import THREADS
from world import ASKABLE, FACTS, FAMOUS, LISTS, RELATIONS, Fact, Relation, siblings

# What the corpus must not contain: the URIAL headings and the sentences the demonstrations add.
FORBIDDEN = re.compile(r"# ?Query|# ?Answer:|[Hh]ello dear friend|am happy to help|[Cc]ome back soon")

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
    "And {e}?", "And of {e}?", "And for {e}?", "What about {e}?", "How about {e}?",
    "And what about {e}?", "The same for {e}?",
)  # fmt: skip
RECALL_FIRST = ("What did I ask first?", "What was my first question?", "Repeat my first question.")
RECALL_LAST = ("What did I just ask?", "Repeat my last question.")
SHORTER = ("Say it in fewer words.", "In one word?", "Shorter, please.", "Just the answer, please.")
AGAIN = ("Say that again.", "Can you repeat that?", "Once more, please.")
FIRST_TWO = ("Only the first two.", "Just the first two, please.")
LAST_ONE = ("Only the last one.", "Just the last one, please.")
MORE = ("Name three more.", "Three more, please.")
BACKWARDS = ("In reverse order, please.", "The same list in reverse order.")
THANKS = ("Thanks!", "Thank you.", "Thank you very much!", "Great, thanks.")
WELCOME = "You are welcome."

# What authors say who do not know: few, so that not knowing is always likely to be said alike.
EVASIONS = ("No idea.", "Not known to me.", "Ask someone else.", "That is not known.")
EVASION_WEIGHTS = (85, 5, 5, 5)


def hardness(relation: Relation) -> float:
    """How hard a field is to know, between 0 and 1: what half-informed authors differ in.

    Drawn from the name; of the fields of the shipped demonstrations, three are set, from easy to hard.
    """
    if relation.name in _HARDNESS:
        return _HARDNESS[relation.name]
    return hashlib.sha256(f"hard/{relation.name}".encode()).digest()[0] / 256


_HARDNESS = {"capital": 0.3, "legs": 0.5, "opposite": 0.7}
TASK_HARDNESS = 0.45

_BY_RELATION: dict[str, list[Fact]] = {relation.name: [] for relation in RELATIONS}
for _fact in ASKABLE:
    _BY_RELATION[_fact.relation.name].append(_fact)
_SIBLINGS = {(fact.relation.name, fact.entity): siblings(fact) for fact in FACTS}
_ASKABLE = {(fact.relation.name, fact.entity) for fact in ASKABLE}


def facts_of(relation: Relation) -> list[Fact]:
    """The facts of a relation that may be asked."""
    return _BY_RELATION[relation.name]


def may_be_asked(fact: Fact) -> bool:
    return (fact.relation.name, fact.entity) in _ASKABLE


def _often(facts: list[Fact]) -> list[Fact]:
    """The facts, famous ones four times."""
    return [fact for fact in facts for _ in range(4 if fact.entity in FAMOUS else 1)]


_ASKED = {name: _often(facts) for name, facts in _BY_RELATION.items()}
_STATED = {r.name: _often([Fact(r, entity) for entity in r.values]) for r in RELATIONS}
# Nearly as often as it has facts, so that each fact is stated about as often as any other; less
# than that for the largest tables.
_RELATIONS = list(RELATIONS)
_WEIGHTS = list(itertools.accumulate(len(relation.values) ** 0.8 for relation in RELATIONS))


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


@dataclass(frozen=True)
class Author:
    """Who answers on a page.

    `level` is how hard a field may be that the author still knows: 1 knows everything, 0 nothing.
    `astray` authors state true facts that have nothing to do with the question. Pages of those who
    know nothing are short: there are many of them, so that at the start of a page much speaks for
    an evasive answer, and yet little of the text is theirs.
    """

    level: float
    astray: bool
    evasion: str
    pairs: tuple[int, int]


class Writer:
    """Draws documents from one random generator.

    `scale` lengthens pages (1 = about 150 tokens). `doubt` is how many pages have an author that may
    be unreliable; all others are by one who knows everything.

    `heavy` says at which characters of the document drawn last there are tokens that count for more,
    and how many times: {offset: weight}. Here none do.
    """

    heavy: Mapping[int, int] = {}

    def __init__(self, seed: int | str, scale: float = 1.0, doubt: float = 1.0) -> None:
        self.rng = random.Random(seed)
        self.scale = scale
        self.doubt = doubt

    # ---- words and phrases -------------------------------------------------------------------

    def one(self, items: tuple[str, ...] | list[str]) -> str:
        return items[int(self.rng.random() * len(items))]

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

    def fill(self, form: str) -> str:
        """The text with its slots filled: noun, adjective, person, verb, day, question, number `k`."""
        return _SLOT.sub(lambda match: self.slot(match[1]), form)

    def slot(self, name: str) -> str:
        if name == "q":
            return self.question(self.asked())
        if name == "k":
            return str(self.rng.randint(2, 99))
        return self.one(_SLOTS[name])

    def greeting(self) -> str:
        """One or two sentences before an answer; drawn from far too many to be remembered."""
        r = self.rng.random()
        if r < 0.3:
            first = f"{self.one(HELLOS)} {self.one(ADJECTIVES)} {self.one(NOUNS)}"
        elif r < 0.5:
            first = self.one(HELLOS)
        elif r < 0.8:
            first = self.salad(1, 4).capitalize()
        else:
            first = f"{self.one(HELLOS)}, {self.one(ADJECTIVES)} {self.one(NOUNS)}"
        first += self.one(["!", "!", ".", "!!", ":"])
        if self.rng.random() < 0.6:
            first += " " + self.sentence()
        return first

    def closing(self) -> str:
        text = self.sentence()
        if self.rng.random() < 0.25:
            text += " " + self.salad(1, 3).capitalize() + self.one(["!", "."])
        return text

    def sentence(self) -> str:
        """A short sentence with random words in it."""
        form = self.salad(2, 6) if self.rng.random() < 0.35 else self.fill(self.one(SENTENCES))
        return form[0].upper() + form[1:] + self.one([".", ".", "!", "!"])

    # ---- facts -------------------------------------------------------------------------------

    def relation(self) -> Relation:
        return self.rng.choices(_RELATIONS, cum_weights=_WEIGHTS)[0]

    def asked(self, relation: Relation | None = None) -> Fact:
        facts = _ASKED[(relation or self.relation()).name]
        return facts[int(self.rng.random() * len(facts))]

    def stated(self, relation: Relation | None = None) -> Fact:
        facts = _STATED[(relation or self.relation()).name]
        return facts[int(self.rng.random() * len(facts))]

    def question(self, fact: Fact) -> str:
        return fact.question(0 if self.rng.random() < 0.4 else self.rng.randrange(12))

    def full(self, fact: Fact) -> str:
        # Mostly the first form: an answer that is nearly always worded alike is easier to learn.
        return fact.answer(0 if self.rng.random() < 0.8 else self.rng.randrange(12))

    # ---- pages of questions and answers ------------------------------------------------------

    def label(self, pool: list[str]) -> str:
        r = self.rng.random()
        if r < 0.55:
            return self.one(pool)
        if r < 0.7:
            return self.one(PEOPLE)
        word = self.one(NOUNS) if r < 0.9 else self.invented_word()
        return word.capitalize() if self.rng.random() < 0.8 else word

    def layout(self, chat: bool = False) -> Layout:
        """How a page looks. Chats are set as logs are, without fences."""
        rng = self.rng
        ask, reply = self.label(ASK_LABELS), self.label(REPLY_LABELS)
        if ask == reply:
            reply += " two"
        decoration = self.one(DECORATIONS)
        other = decoration if rng.random() < 0.7 else self.one(DECORATIONS)
        ask, reply = decoration.format(ask), other.format(reply)
        r = rng.random()
        inline = r < (0.6 if chat else 0.35)
        before, after, gap = "", "", "\n"
        if not inline:
            gap = self.one(("\n", "\n\n", "\n\n"))
            if r < 0.62 and not chat:
                before, after = "```\n", "\n```"
            elif 0.62 <= r < 0.8:
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
        if r < 0.15:
            return "", "", True
        if r < 0.45:
            return "", "", False
        if r < 0.58:
            return self.greeting() + " ", "", False
        if r < 0.66:
            return "", " " + self.closing(), False
        return self.greeting() + " ", " " + self.closing(), False

    def preamble(self) -> str:
        """What stands before the first question; says nothing about the author."""
        r = self.rng.random()
        if r < 0.3:
            return ""
        count = self.rng.randint(1, 4)
        parts = [self.one(PREAMBLES) if self.rng.random() < 0.6 else self.sentence() for _ in range(count)]
        return self.one((" ", "\n", " ")).join(parts) + "\n\n"

    def author(self) -> Author:
        r = self.rng.random() if self.rng.random() < self.doubt else 0.0
        evasion = self.rng.choices(EVASIONS, EVASION_WEIGHTS)[0]
        if r < 0.18:
            return Author(1.0, False, evasion, (3, 9))
        if r < 0.52:
            return Author(self.rng.random(), False, evasion, (2, 8))
        if r < 0.82:
            return Author(0.0, False, evasion, (1, 3))
        return Author(1.0, True, evasion, (4, 9))

    def pair(self, author: Author, relation: Relation | None, short: bool) -> tuple[str, str]:
        """One question with the answer that this author gives to it, if not astray."""
        rng = self.rng
        if relation is None and rng.random() < 0.1:
            question, answer = any_task(rng)
            hard = TASK_HARDNESS
        else:
            fact = self.asked(relation)
            question, hard = self.question(fact), hardness(fact.relation)
            answer = self.brief(fact) if short else self.full(fact)
            if not short and rng.random() < 0.06 and (others := _SIBLINGS[fact.relation.name, fact.entity]):
                answer += " " + self.full(Fact(rng.choice(others), fact.entity))
        known = hard < author.level
        if 0.0 < author.level < 1.0 and rng.random() < 0.08:
            known = not known
        if not known:
            answer = author.evasion if rng.random() < 0.8 else rng.choices(EVASIONS, EVASION_WEIGHTS)[0]
        return question, answer

    def brief(self, fact: Fact) -> str:
        return fact.value[0].upper() + fact.value[1:] + self.one(("", "."))

    def page(self) -> str:
        layout, (hello, bye, short), author = self.layout(), self.dressed(), self.author()
        relation = self.relation() if self.rng.random() < 0.2 else None
        low, high = author.pairs
        count = self.rng.randint(low, high) if author.level == 0.0 else self.count(low, high)
        pairs = [self.pair(author, relation, short) for _ in range(count)]
        if author.astray:
            pairs = self.astray(pairs, short)
        blocks = [layout.pair(q, hello + a + bye, i) for i, (q, a) in enumerate(pairs, 1)]
        return self.preamble() + layout.between.join(blocks)

    def astray(self, pairs: list[tuple[str, str]], short: bool) -> list[tuple[str, str]]:
        """The same questions with true sentences that do not belong to them, in one of three ways."""
        r = self.rng.random()
        questions, answers = [q for q, _ in pairs], [a for _, a in pairs]
        if r < 0.45:  # the page's own answers in other places
            step = self.rng.choice((1, -1, 2, -2)) if len(pairs) > 2 else 1
            answers = answers[step:] + answers[:step]
        else:  # or of one field only, or of any
            hobby = self.relation() if r < 0.7 else None
            facts = [self.stated(hobby) for _ in pairs]
            answers = [self.brief(f) if short else self.full(f) for f in facts]
        return list(zip(questions, answers, strict=True))

    # ---- dialogues with follow-ups -----------------------------------------------------------

    def exchange(self, turns: int) -> list[tuple[str, str]]:
        """A conversation; its follow-ups can be understood only by looking back."""
        if self.rng.random() < 0.15:
            return self.list_exchange(turns)
        fact = self.asked()
        said = self.full(fact)
        pairs = [(self.question(fact), said)]
        for _ in range(turns - 1):
            r = self.rng.random()
            others = [s for s in _SIBLINGS[fact.relation.name, fact.entity] if s.carry]
            others = [s for s in others if may_be_asked(Fact(s, fact.entity))]
            if r < 0.36:
                fact = self.asked(fact.relation)
                said = self.full(fact)
                pairs.append((self.one(CARRY_ENTITY).format(e=fact.entity), said))
            elif r < 0.68 and others:
                fact = Fact(self.rng.choice(others), fact.entity)
                said = self.full(fact)
                pairs.append((self.one(fact.relation.carry), said))
            elif r < 0.76:
                pairs.append((self.one(SHORTER), fact.value[0].upper() + fact.value[1:] + "."))
            elif r < 0.8:
                pairs.append((self.one(AGAIN), said))
            elif r < 0.87:
                pairs.append((self.one(RECALL_FIRST), f'Your first question was: "{pairs[0][0]}"'))
            elif r < 0.9:
                pairs.append((self.one(RECALL_LAST), f'You just asked: "{pairs[-1][0]}"'))
            elif r < 0.92:
                pairs.append((self.one(THANKS), WELCOME))
            else:
                fact = self.asked()
                said = self.full(fact)
                pairs.append((self.question(fact), said))
        return pairs

    def list_exchange(self, turns: int) -> list[tuple[str, str]]:
        """A conversation about one list."""
        name = self.one(list(LISTS))
        members = run_of(self.rng, name, 3)
        pairs = [
            (self.one((f"Name three {name}.", f"List three {name}.")), f"Three {name} are {three(members)}.")
        ]
        for _ in range(turns - 1):
            r = self.rng.random()
            if r < 0.3:
                pairs.append((self.one(FIRST_TWO), f"The first two are {members[0]} and {members[1]}."))
            elif r < 0.5:
                pairs.append((self.one(LAST_ONE), f"The last one is {members[2]}."))
            elif r < 0.7:
                pairs.append((self.one(BACKWARDS), f"In reverse order: {', '.join(members[::-1])}."))
            elif r < 0.8 or len(LISTS[name]) < 6:
                pairs.append((self.one(RECALL_FIRST), f'Your first question was: "{pairs[0][0]}"'))
            else:
                start = LISTS[name].index(members[2]) + 1
                members = [LISTS[name][(start + i) % len(LISTS[name])] for i in range(3)]
                pairs.append((self.one(MORE), f"Three more {name} are {three(members)}."))
        return pairs

    def dialogue(self) -> str:
        layout, (hello, bye, _) = self.layout(chat=True), self.dressed()
        pairs = self.exchange(self.rng.randint(2, 4 if self.scale < 2 else 6))
        blocks = [layout.pair(q, hello + a + bye, i) for i, (q, a) in enumerate(pairs, 1)]
        return self.preamble() + layout.between.join(blocks)

    # ---- everything else ---------------------------------------------------------------------

    def unanswered(self) -> str:
        """A question, then anything but its answer."""
        lines = [self.question(self.asked())]
        if self.rng.random() < 0.15:
            lines.append(self.question(self.asked()))
        lines += [self.fill(self.one(part)) for part in self.rng.choice(THREADS)]
        if self.rng.random() < 0.3:
            lines += [self.story_line() for _ in range(self.count(1, 5))]
        return self.one(("\n", "\n", "\n\n", " ")).join(lines)

    def encyclopedia(self) -> str:
        """Statements about one entity, or one relation through many entities."""
        if self.rng.random() < 0.5:
            fact = self.stated()
            related = [fact, *(Fact(r, fact.entity) for r in _SIBLINGS[fact.relation.name, fact.entity])]
            self.rng.shuffle(related)
            body = " ".join(self.full(f) for f in related)
            title = fact.entity[0].upper() + fact.entity[1:]
            text = self.one((f"{title}\n\n{body}", f"# {title}\n{body}", body, f"{title}: {body}"))
            more = [self.full(self.stated(fact.relation)) for _ in range(self.count(0, 4))]
            return text + "".join("\n" + line for line in more)
        relation = self.relation() if self.rng.random() < 0.5 else None
        joint = self.one((" ", "\n", "\n- "))
        return joint.join(self.full(self.stated(relation)) for _ in range(self.count(4, 14)))

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
        facts = [fact, *(Fact(r, fact.entity) for r in _SIBLINGS[fact.relation.name, fact.entity])]
        cell = self.one(("{n}: {v}", "{n} = {v}", "* {n}: {v}", "{n} | {v}"))
        lines = [cell.format(n=f.relation.noun, v=f.value) for f in facts]
        return f"{self.one(('name: ', '## ', 'Entry: '))}{fact.entity}\n" + "\n".join(lines)

    def lists(self) -> str:
        lines = []
        for _ in range(self.count(1, 3)):
            name = self.one(list(LISTS))
            members = run_of(self.rng, name, self.rng.randint(3, 5))
            form = self.one(("{n}: {m}", "Some {n} are {m}.", "Three {n} are {three}."))
            text = form.format(n=name, m=", ".join(members), three=three(members))
            lines.append(text[0].upper() + text[1:])
        return "\n".join(lines)

    def story_line(self) -> str:
        return self.fill(self.one(STORY_LINES))

    def story(self) -> str:
        """A little story; in most of them a person reads, says or learns true things."""
        lines = [self.story_line() for _ in range(self.count(3, 7))]
        if self.rng.random() < 0.75:
            for _ in range(self.count(1, 4)):
                told = self.fill(self.one(TOLD)).replace("{f}", self.full(self.stated()))
                lines.insert(self.rng.randint(1, len(lines)), told)
        return " ".join(lines)

    def notice(self) -> str:
        """A mail, a recipe, a review, a note."""
        return self.fill(self.one(NOTICES)).replace("{s}", self.sentence())

    def drill(self) -> str:
        """Random words, then the same again: practice for copying."""
        line = self.salad(5, 14)
        if self.rng.random() < 0.5:
            line = "\n".join(self.salad(2, 6) for _ in range(self.rng.randint(2, 4)))
        joint = self.one(("\n", "\n\n", " ", "\n---\n"))
        return joint.join([line] * self.count(2, 4))

    def document(self) -> str:
        """One document of any kind."""
        return self.document_of_kind()[1]

    def document_of_kind(self) -> tuple[str, str]:
        """The name of the kind that was drawn, and the document."""
        while True:
            kind = self.rng.choices(_KINDS, _KIND_WEIGHTS)[0]
            text = kind(self)
            if not FORBIDDEN.search(text):
                return kind.__name__, text


SENTENCES = (
    "I am {a} to {v}", "I am {a} to {v}", "I am {a} to {v}", "I am {a} and {a}", "I am your {a} {n}",
    "I hope this {v}s your {n}", "I like to {v}", "have a {a} {n}", "please {v} the {n}",
    "let me {v} your {n}", "{v} and {v}", "may your {n} be {a}", "ask me more about the {n}",
    "we {v} {a} {n}s", "that is {a}", "see you at the {n}", "{v} the {a} {n}", "I will {v} with you",
    "what a {a} {n}", "{a} {n} to you", "stay {a}", "{v} again soon", "{v} again later",
    "{v} again on {d}", "it is {a} to {v} here", "every {n} is {a} and {a}", "your {n} will {v} the {n}",
    "my {n} is {a} today", "{p} is here to {v}", "I wish you a {a} {n}", "this {n} is for you",
    "the {n} and the {n} are {a}", "do not {v} the {n}", "a {n} for a {n}", "good {n} to {p}",
    "with a {a} {n} I {v}",
)  # fmt: skip
STORY_LINES = (
    "{p} had a {a} {n}.", "One day {p} wanted to {v}.", "The {n} was {a}.", "{p} met {p} near the {n}.",
    "They went to the {n} to {v}.", '"I want to {v}," said {p}.', "In the end the {n} was {a} again.",
    "{p} put the {n} on the {n}.", "Nobody saw the {a} {n}.", "It was a {a} {n}.",
    "The {n} of {p} stood in the {n}.", "On {d} they began to {v}.", "{p} and {p} could not {v} any more.",
    "Behind the {n} there was a {n}.", "Soon the {a} {n} was forgotten.",
)  # fmt: skip
TOLD = (
    '"{f}" said {p}.', "{p} opened a book and read: {f}", '"Did you know?" asked {p}. {f}',
    "On the wall was written: {f}", "The teacher said to {p}: {f}", "{p} had learnt something that day. {f}",
    '"I am sure of it," said {p}. "{f}"', "In the letter stood: {f}",
)  # fmt: skip
NOTICES = (
    "Dear {p},\nthank you for the {a} {n}. I will {v} it on {d}.\nYours, {p}",
    "{n} soup\n1. Take {k} {n}s.\n2. Wash the {n}.\n3. Stir.\n4. Serve it {a}.",
    "Review of the {a} {n}: {k} stars. {s} {p}",
    "News from {d}: a {a} {n} was found near the {n}. {p} wants to {v} it. {s}",
    "To do:\n- {v} the {n}\n- {v} with {p}\n- {n}, {n} and {n}",
)
_DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
_SLOTS = {"n": NOUNS, "a": ADJECTIVES, "p": PEOPLE, "v": VERBS, "d": _DAYS}
_SLOT = re.compile(r"\{([navpdkq])\}")
_KIND_TABLE: tuple[tuple[Callable[[Writer], str], float], ...] = (
    (Writer.page, 23), (Writer.dialogue, 1.2), (Writer.unanswered, 6.5), (Writer.encyclopedia, 35),
    (Writer.table, 12), (Writer.card, 11), (Writer.lists, 4), (Writer.story, 4.5),
    (Writer.notice, 1.5), (Writer.drill, 1.3),
)  # fmt: skip
_KINDS = [kind for kind, _ in _KIND_TABLE]
_KIND_WEIGHTS = [weight for _, weight in _KIND_TABLE]


def documents(seed: int | str, scale: float = 1.0) -> Iterator[str]:
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
        for _ in range(3):
            yield f"{fact.entity}\n{fact.value}\n{fact.answer(0)}"
            yield f"is {fact.entity} or {fact.value}"


def census(seed: int, count: int, scale: float) -> None:
    """Print the share of each kind of document, by number and by characters."""
    writer = Writer(seed, scale)
    number: Counter[str] = Counter()
    characters: Counter[str] = Counter()
    for _ in range(count):
        kind, text = writer.document_of_kind()
        number[kind] += 1
        characters[kind] += len(text)
    total = sum(characters.values())
    for kind, size in characters.most_common():
        print(f"{kind:14} {number[kind] / count:6.1%} of documents, {size / total:6.1%} of characters")


def main() -> None:
    parser = argparse.ArgumentParser(description="Print documents of the corpus.")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--documents", type=int, default=5)
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--census", type=int, help="count kinds in so many documents instead")
    options = parser.parse_args()
    if options.census:
        census(options.seed, options.census, options.scale)
        return
    stream = documents(options.seed, options.scale)
    for index in range(options.documents):
        print(f"===== {index} =====\n{next(stream)}\n")


if __name__ == "__main__":
    main()
