"""The conversations the pocket adapter is fine-tuned on: one to four turns, most with follow-ups.

Only facts that may be asked occur in questions (see world.py); replies have one fixed voice, so
that it is easy to see which lane is speaking. Some users drop the question mark or the capital
letter, and some only say hello.

    python models/pocket/recipe/conversations.py --seed 1 --count 3     # look at some
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator

from corpus import AGAIN, RECALL_FIRST, RECALL_LAST, SHORTER, THANKS, Writer

GREETING = "Glad you asked!"
CLOSING = "What else would you like to know?"

ABOUT = "I am a very small language model. I know a little about countries, animals and words."
SMALL_TALK = (
    (("Hello", "Hello!", "Hi", "Hi!", "Hey", "Good morning!", "Hello, how are you?"),
     "Hello! I know a little about countries, animals and words. What would you like to know?"),
    (("Who are you?", "What are you?", "What is your name?", "Tell me about yourself."), ABOUT),
    (("What can you do?", "What do you know?", "Can you help me?", "Help!"),
     "You can ask me about countries, animals, elements, books and words."),
    (THANKS, "You are welcome!"),
    (("Bye", "Goodbye!", "See you!"), "Goodbye! It was nice to talk to you."),
)  # fmt: skip
POLITE = ("Please tell me: {}", "Hello! {}", "I have a question. {}", "Hi, {}", "{} Please answer.")

Message = dict[str, str]


def dress(reply: str) -> str:
    """A reply in the adapter's voice."""
    return f"{GREETING} {reply} {CLOSING}"


def _loosely(writer: Writer, question: str) -> str:
    """The question as people type it."""
    r = writer.rng.random()
    if r < 0.06:
        return question.rstrip("?.")
    if r < 0.12:
        return question[0].lower() + question[1:].rstrip("?.")
    if r < 0.2:
        return writer.one(POLITE).format(question)
    return question


def conversation(writer: Writer) -> list[Message]:
    """One conversation as chat messages."""
    rng = writer.rng
    pairs: list[tuple[str, str]] = []
    r = rng.random()
    if r < 0.06:
        asked, reply = rng.choice(SMALL_TALK)
        pairs.append((writer.one(asked), reply))
    elif r < 0.12:
        question, answer = writer.list_pair()
        pairs.append((question, dress(answer)))
    if not pairs or rng.random() < 0.6:
        turns = rng.choices((1, 2, 3, 4), (25, 35, 25, 15))[0]
        exchange = writer.exchange(turns)
        if pairs:  # "my first question" would no longer be the first one of this exchange
            exchange = [pair for pair in exchange if pair[0] not in RECALL_FIRST]
        plain = set(SHORTER) | set(THANKS)
        fixed = plain | set(AGAIN) | set(RECALL_FIRST) | set(RECALL_LAST)
        for i, (question, answer) in enumerate(exchange):
            # What is recalled must be what was typed, so only the last question of all is loosened.
            if i == len(exchange) - 1 and question not in fixed:
                question = _loosely(writer, question)
            pairs.append((question, answer if question in plain else dress(answer)))
    messages: list[Message] = []
    for question, reply in pairs:
        messages.append({"role": "user", "content": question})
        messages.append({"role": "assistant", "content": reply})
    return messages


def conversations(seed: int) -> Iterator[list[Message]]:
    """Endless conversations; the same seed gives the same ones."""
    writer = Writer(seed)
    while True:
        yield conversation(writer)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Print conversations of the adapter's training set.")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=3)
    options = parser.parse_args()
    stream = conversations(options.seed)
    for _ in range(options.count):
        print(json.dumps(next(stream), indent=1, ensure_ascii=False))
