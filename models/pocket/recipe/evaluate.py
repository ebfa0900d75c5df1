"""A small evaluation: the raw base, URIAL with three demonstrations, and the adapter, by turn.

First turns: facts the corpus asks ("asked") and facts it only states ("held out"). Second turns:
dialogues whose follow-up changes the entity ("And Spain?") or the relation ("And its currency?");
the model's own first reply stays in the history, and only dialogues are counted whose facts may be
asked. A reply is right when the true value occurs in it as a word. Decoding is greedy unless
--temperature says otherwise. The raw base gets the bare question; in its second turn the lines so
far.

    python models/pocket/recipe/evaluate.py [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import platform
import random
import re
import time
import tomllib
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import torch
from corpus import CARRY_ENTITY, facts_of
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedTokenizerBase
from world import BY_NAME, FACTS, RELATIONS, Fact, siblings

POCKET = Path(__file__).resolve().parent.parent
ROOT = POCKET.parent.parent
FENCE_END = re.compile(r"\n```(?=\n|$)")
NEW_TOKENS = 56


@dataclass(frozen=True)
class Demonstrations:
    """A demonstration set as the URIAL prompt needs it."""

    instruction: str
    pairs: tuple[tuple[str, str], ...]

    @classmethod
    def read(cls, path: Path) -> Demonstrations:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
        pairs = tuple((demo["query"], demo["answer"]) for demo in data["demos"])
        return cls(data["instruction"], pairs)

    def shuffled(self) -> Demonstrations:
        """Each query with the answer of the next one."""
        answers = [answer for _, answer in self.pairs]
        moved = answers[1:] + answers[:1]
        queries = [query for query, _ in self.pairs]
        return Demonstrations(self.instruction, tuple(zip(queries, moved, strict=True)))

    def prompt(self, turns: list[tuple[str, str]], question: str, k: int) -> str:
        """The fenced URIAL prompt; generation starts inside the last, open answer block."""
        blocks = [_fenced(q, a) + "\n```\n" for q, a in (*self.pairs[:k], *turns)]
        return "\n".join([self.instruction + "\n", *blocks, _fenced(question, "")])


def _fenced(query: str, answer: str) -> str:
    return f"# Query:\n```\n{query}\n```\n\n# Answer:\n```\n{answer}"


@dataclass(frozen=True)
class Dialogue:
    """Two questions with the true values of their answers."""

    questions: tuple[str, str]
    values: tuple[str, str]
    kind: str  # "entity" or "relation": what the follow-up changes


def first_questions(seed: int, count: int) -> list[Fact]:
    """`count` asked and `count` held-out facts, relations drawn evenly."""
    rng = random.Random(seed)
    chosen: list[Fact] = []
    for held_out in (False, True):
        pool = [fact for fact in FACTS if fact.held_out is held_out]
        names = [r.name for r in RELATIONS if any(f.relation is r for f in pool)]
        found: dict[Fact, None] = {}
        while len(found) < count:
            name = rng.choice(names)
            found[rng.choice([f for f in pool if f.relation.name == name])] = None
        chosen += found
    return chosen


def dialogues(seed: int, count: int) -> list[Dialogue]:
    """`count` dialogues of each kind."""
    rng = random.Random(seed)
    made: list[Dialogue] = []
    topics = [BY_NAME[n] for n in ("capital", "language", "currency", "continent", "class", "young")]
    for kind in ("entity", "relation"):
        for _ in range(count):
            first = rng.choice(facts_of(rng.choice(topics)))
            if kind == "entity":
                second = rng.choice([f for f in facts_of(first.relation) if f != first])
                follow_up = rng.choice(CARRY_ENTITY).format(e=second.entity)
            else:
                choices = [Fact(r, first.entity) for r in siblings(first) if r.carry]
                choices = [f for f in choices if not f.held_out]
                if not choices:
                    continue
                second = rng.choice(choices)
                follow_up = rng.choice(second.relation.carry)
            made.append(Dialogue((first.question(), follow_up), (first.value, second.value), kind))
    return made


def is_right(reply: str, value: str) -> bool:
    """Does the value occur in the reply as a word?"""
    value = value.removeprefix("the ")
    return re.search(rf"(?<!\w){re.escape(value)}(?!\w)", reply, re.IGNORECASE) is not None


class Model:
    """The base model with the adapter attached; each call says whether it is on."""

    def __init__(self, base: Path, adapter: Path) -> None:
        self.tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(adapter)
        plain = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
        self.model = PeftModel.from_pretrained(plain, adapter).eval()

    @torch.no_grad()
    def complete(
        self, prompts: list[str], adapted: bool, bos: bool = True, temperature: float = 0.0
    ) -> list[str]:
        """Up to 56 new tokens after each prompt, EOS kept as text."""
        replies: list[str] = []
        how = {"do_sample": True, "temperature": temperature, "top_k": 0} if temperature else {}
        for start in range(0, len(prompts), 40):
            inputs = self.tokenizer(
                prompts[start : start + 40],
                return_tensors="pt",
                padding=True,
                padding_side="left",
                add_special_tokens=bos,
            )
            if adapted:
                made = self.model.generate(**inputs, max_new_tokens=NEW_TOKENS, **how)
            else:
                with self.model.disable_adapter():
                    made = self.model.generate(**inputs, max_new_tokens=NEW_TOKENS, **how)
            new = made[:, inputs["input_ids"].shape[1] :]
            replies += [text.replace("<pad>", "") for text in self.tokenizer.batch_decode(new)]
        return replies


@dataclass(frozen=True)
class Lane:
    """One way of asking: turns so far and a question to a prompt, a completion to a reply."""

    model: Model
    demonstrations: Demonstrations | None = None
    k: int = 0
    adapted: bool = False
    temperature: float = 0.0

    def prompt(self, turns: list[tuple[str, str]], question: str) -> str:
        if self.demonstrations is not None:
            return self.demonstrations.prompt(turns, question, self.k)
        if not self.adapted:
            return "\n".join([*(line for turn in turns for line in turn), question])
        messages = []
        for asked, reply in turns:
            messages += [
                {"role": "user", "content": asked},
                {"role": "assistant", "content": reply},
            ]
        messages.append({"role": "user", "content": question})
        template = self.model.tokenizer.apply_chat_template
        return str(template(messages, tokenize=False, add_generation_prompt=True))

    def ask(self, histories: list[list[tuple[str, str]]], questions: list[str]) -> list[tuple[str, bool]]:
        """(reply, ended by itself) for each question."""
        prompts = [self.prompt(h, q) for h, q in zip(histories, questions, strict=True)]
        raws = self.model.complete(prompts, self.adapted, bos=not self.adapted, temperature=self.temperature)
        answers = []
        for raw in raws:
            text = raw.split("</s>")[0]
            ended = "</s>" in raw
            if self.demonstrations is not None and (end := FENCE_END.search(text)):
                text, ended = text[: end.start()], True
            answers.append((text.strip(), ended))
        return answers


def share(flags: list[bool]) -> float:
    """Per cent, one decimal."""
    return round(100 * sum(flags) / max(1, len(flags)), 1)


def measure(lane: Lane, facts: list[Fact], talks: list[Dialogue], opening: str) -> dict[str, float]:
    """All figures of one lane, in per cent."""
    questions = [fact.question() for fact in facts]
    answers = lane.ask([[] for _ in facts], questions)
    right = [is_right(a, f.value) for (a, _), f in zip(answers, facts, strict=True)]
    held = [f.held_out for f in facts]

    first = lane.ask([[] for _ in talks], [t.questions[0] for t in talks])
    histories = [[(t.questions[0], a)] for t, (a, _) in zip(talks, first, strict=True)]
    second = lane.ask(histories, [t.questions[1] for t in talks])
    first_right = [is_right(a, t.values[0]) for (a, _), t in zip(first, talks, strict=True)]
    second_right = [is_right(a, t.values[1]) for (a, _), t in zip(second, talks, strict=True)]
    kinds = [t.kind for t in talks]
    return {
        "turn 1": share(right),
        "asked": share([r for r, h in zip(right, held, strict=True) if not h]),
        "held out": share([r for r, h in zip(right, held, strict=True) if h]),
        "ended": share([ended for _, ended in answers]),
        "opening": share([a.startswith(opening) for a, _ in answers]) if opening else 0.0,
        "dialogue turn 1": share(first_right),
        "dialogue turn 2": share(second_right),
        "entity": share([r for r, k in zip(second_right, kinds, strict=True) if k == "entity"]),
        "relation": share([r for r, k in zip(second_right, kinds, strict=True) if k == "relation"]),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description="Evaluate the pocket base model and adapter.")
    parser.add_argument("--base", type=Path, default=POCKET)
    parser.add_argument("--adapter", type=Path, default=ROOT / "adapters/pocket-ift")
    parser.add_argument("--demos", type=Path, default=ROOT / "prompts/demos/pocket-3.toml")
    parser.add_argument("--seed", type=int, default=3)
    parser.add_argument("--count", type=int, default=80, help="facts and dialogues of each sort")
    parser.add_argument("--temperature", type=float, default=0.0)
    parser.add_argument("--json", type=Path, help="also write the figures here")
    options = parser.parse_args()

    torch.manual_seed(options.seed)
    start = time.time()
    model = Model(options.base, options.adapter)
    demos = Demonstrations.read(options.demos)
    facts = first_questions(options.seed, options.count)
    talks = dialogues(options.seed, options.count)
    warm = options.temperature
    hello = re.split(r"(?<=[.!?]) ", demos.pairs[0][1])[0]  # the demonstrated greeting
    lanes = {
        "raw base": (Lane(model, temperature=warm), hello),
        "URIAL K=0": (Lane(model, demos, 0, temperature=warm), hello),
        "URIAL K=1": (Lane(model, demos, 1, temperature=warm), hello),
        "URIAL K=3": (Lane(model, demos, 3, temperature=warm), hello),
        "URIAL K=3, answers shuffled": (Lane(model, demos.shuffled(), 3, temperature=warm), hello),
        "IFT adapter": (Lane(model, adapted=True, temperature=warm), "Glad you asked!"),
    }
    rows = {name: measure(lane, facts, talks, hello) for name, (lane, hello) in lanes.items()}

    columns = list(next(iter(rows.values())))
    print(f"{len(facts)} first questions, {len(talks)} dialogues, temperature {warm}; per cent\n")
    print("| condition | " + " | ".join(columns) + " |")
    print("|---|" + "---|" * len(columns))
    for name, row in rows.items():
        print(f"| {name} | " + " | ".join(f"{row[column]:.1f}" for column in columns) + " |")
    result = {
        "rows": rows,
        "questions": len(facts),
        "dialogues": len(talks),
        "temperature": warm,
        "seconds": round(time.time() - start, 1),
        "versions": {n: version(n) for n in ("torch", "transformers", "peft")},
        "machine": f"{platform.machine()}, {torch.get_num_threads()} threads",
    }
    print("\n" + json.dumps(result, indent=1))
    if options.json:
        options.json.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
