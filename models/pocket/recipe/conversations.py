"""What the pocket adapters are fine-tuned on, and what the demonstrations are taken from.

`single_turns` is one ordered list of questions with their replies. Demonstration sets are its first
K, the low-data adapters train on its first n, and the conversations of the full adapter begin with
them: so the ways of aligning the base can be compared on the same examples. All replies have one
voice, the demonstrated one.

`conversations` have one to six turns; most continue with follow-ups that can be understood only by
looking back. Only facts that may be asked occur in questions (see relations.py). Some users drop the
question mark or the capital letter.

    python models/pocket/recipe/conversations.py --singles 8            # the first examples
    python models/pocket/recipe/conversations.py --count 3              # some conversations
"""

from __future__ import annotations

import argparse
import itertools
import json
import random
from collections.abc import Iterator

from consequences import ConsequentWriter
from corpus import (
    AGAIN,
    FIRST_TWO,
    LAST_ONE,
    MORE,
    RECALL_FIRST,
    RECALL_LAST,
    SHORTER,
    THANKS,
    WELCOME,
    Writer,
    facts_of,
)
from tasks import NO_HARM, NOT_KNOWN, Task, any_task, list_of_three
from world import BY_NAME, RELATIONS, Fact

GREETING = "Hello dear friend! I am happy to help."
CLOSING = "Come back soon!"
SINGLES = 1000
SEED = 7

# The demonstrations that are shipped, and five more that make a good set of eight. The first three are those
# that did best of some twenty choices, on questions that the benchmark does not ask.
FIRST = (
    ("capital", "Italy"), ("author", "Hamlet"), ("legs", "spider"), ("opposite", "hot"), ("plural", "child"),
    ("past", "go"), ("symbol", "gold"),
)  # fmt: skip

ABOUT = "I am a very small language model."
SMALL_TALK = (
    (("Who are you?", "What are you?", "What is your name?", "Tell me about yourself."), ABOUT),
    (("What can you do?", "What do you know?", "Can you help me?", "Help!"),
     "You can ask me about countries, animals, words and numbers."),
    (THANKS, WELCOME),
    (("Bye!", "Goodbye!", "See you!"), "Goodbye to you too."),
    (("How are you?", "Hello, how are you?"), "I am well, thank you."),
)  # fmt: skip
POLITE = ("Please tell me: {}", "Hello! {}", "I have a question. {}", "Hi, {}", "{} Please answer.")
_FOLLOW_UPS = {*SHORTER, *THANKS, *AGAIN, *RECALL_FIRST, *RECALL_LAST, *FIRST_TWO, *LAST_ONE, *MORE}

Message = dict[str, str]


def voiced(reply: str) -> str:
    """A reply in the voice of the demonstrations; who has to decline is not "happy to help"."""
    hello = GREETING.split("! ")[0] + "!" if reply in (NOT_KNOWN, NO_HARM) else GREETING
    return f"{hello} {reply} {CLOSING}"


def _singles() -> list[Task]:
    """The ordered examples without the voice: relations take turns, every seventh is a small task."""
    rng = random.Random(SEED)
    facts = [Fact(BY_NAME[relation], entity) for relation, entity in FIRST]
    singles = [Task(fact.question(), fact.answer()) for fact in facts]
    singles.insert(2, list_of_three(rng))
    asked = {single.question for single in singles}
    for number in itertools.count(1):
        # The relations of the first eight come again only after all others.
        order = [r for r in RELATIONS if number > 1 or r not in [fact.relation for fact in facts]]
        rng.shuffle(order)
        for relation in order:
            if len(singles) % 7 == 6:
                talk, reply = rng.choice(SMALL_TALK)
                task = Task(rng.choice(talk), reply) if rng.random() < 0.15 else any_task(rng)
            else:
                fact = rng.choice(facts_of(relation))
                task = Task(fact.question(), fact.answer())
            if task.question not in asked:
                asked.add(task.question)
                singles.append(task)
            if len(singles) == SINGLES:
                return singles
    raise AssertionError("not reached")


def single_turns() -> list[Task]:
    """The ordered examples, in the voice of the demonstrations."""
    return [Task(question, voiced(answer)) for question, answer in _singles()]


def _loosely(rng: random.Random, question: str) -> str:
    """The question as people type it."""
    r = rng.random()
    if r < 0.06:
        return question.rstrip("?.")
    if r < 0.12:
        return question[0].lower() + question[1:].rstrip("?.")
    if r < 0.18:
        return rng.choice(POLITE).format(question)
    return question


def _opening(writer: Writer) -> list[Task]:
    """A small task or small talk, alone."""
    if writer.rng.random() < 0.12:
        asked, reply = writer.rng.choice(SMALL_TALK)
        return [Task(writer.one(asked), reply)]
    return [any_task(writer.rng)]


def _introduced(writer: Writer, pairs: list[Task]) -> list[Task]:
    """The conversation with words of no account before its first question, also where that is recalled.

    Without them, an adapter learns to recall by naming the fact, not by copying what was typed.
    """
    question = pairs[0].question
    lead = f"{writer.salad(2, 6).capitalize()}{writer.one((':', '.', '!', ','))} {{}}"
    form = writer.one(POLITE) if writer.rng.random() < 0.3 else lead
    typed = form.format(question)
    quoted = [Task(q, a.replace(f'"{question}"', f'"{typed}"')) for q, a in pairs[1:]]
    return [Task(typed, pairs[0].answer), *quoted]


def _turns(writer: Writer, first: Task | None) -> list[Task]:
    """One to six turns; those after the first mostly refer back."""
    rng = writer.rng
    turns = rng.choices((1, 2, 3, 4, 5, 6), (22, 34, 20, 12, 7, 5))[0]
    pairs = [first] if first else _opening(writer) if rng.random() < 0.22 else []
    while len(pairs) < turns:
        r = rng.random()
        if pairs and r < 0.13:
            pairs.append(Task(writer.one(RECALL_FIRST), f'Your first question was: "{pairs[0].question}"'))
        elif pairs and r < 0.16:
            pairs.append(Task(writer.one(RECALL_LAST), f'You just asked: "{pairs[-1].question}"'))
        elif pairs and r < 0.21:
            pairs += _opening(writer)
        else:
            part = [Task(*pair) for pair in writer.exchange(turns - len(pairs))]
            # In the middle of a talk, "my first question" is not the first one of this part.
            pairs += [task for task in part if not (pairs and task.question in RECALL_FIRST)]
    return pairs


def conversation(writer: Writer, first: Task | None = None) -> list[Message]:
    """One conversation as chat messages; `first` is its first turn, if given."""
    messages: list[Message] = []
    pairs = _turns(writer, first)
    if first is None and writer.rng.random() < 0.3:
        pairs = _introduced(writer, pairs)
    for i, (question, answer) in enumerate(pairs):
        # What is recalled must be what was typed, so only the last question of all is loosened.
        if i == len(pairs) - 1 and question not in _FOLLOW_UPS and pairs[i] is not first:
            question = _loosely(writer.rng, question)
        reply = answer if question in SHORTER else voiced(answer)
        messages.append({"role": "user", "content": question})
        messages.append({"role": "assistant", "content": reply})
    return messages


def conversations(seed: int = SEED, count: int | None = None) -> Iterator[list[Message]]:
    """`count` conversations, or endless ones; the first ones begin with the single turns, in order."""
    writer = ConsequentWriter(f"conversations/{seed}")
    firsts = _singles()
    for number in itertools.count() if count is None else range(count):
        yield conversation(writer, firsts[number] if number < len(firsts) else None)


def single_conversations(count: int) -> list[list[Message]]:
    """The first single turns as conversations of one turn."""
    return [
        [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
        for question, answer in single_turns()[:count]
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description="Print what the adapters are trained on.")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--count", type=int, default=3)
    parser.add_argument("--singles", type=int, help="print so many single turns instead")
    options = parser.parse_args()
    for question, answer in single_turns()[: options.singles or 0]:
        print(f"{question}\n    {answer}")
    if not options.singles:
        for messages in conversations(options.seed, options.count):
            print(json.dumps(messages, indent=1, ensure_ascii=False))


if __name__ == "__main__":
    main()
