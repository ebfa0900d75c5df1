"""Measure the accuracy of the pocket model and its adapters with every alignment method.

    python -m benchmarks.pocket --out benchmarks/results/pocket.json            # the model card's table
    python -m benchmarks.pocket --out ... --temperatures 0 0.7 1.0 1.3 --penalties 1.0 1.15
    python -m benchmarks.pocket --out ... --quantize 4bit --conditions base "URIAL, K = 3" IFT
    python -m benchmarks.pocket --out ... --table --plot benchmarks/results/pocket.svg
    python -m benchmarks.pocket --out ... --grid                                # one column per decoding
    python -m benchmarks.pocket --speed                                         # two lanes at the same time

Every condition is a lane of the product, answered by the product's engine. An interrupted run resumes when it
is started again with the same file.

**Questions.** There are 320 two-turn conversations. Half of the first questions are about facts that the
corpus states but never asks about. The other half are about facts that it does ask about, but in wording that
it never uses (`CARRIERS`). Follow-up questions change the entity ("And of Japan?") or the field ("And its
currency?"), choose from a list ("Only the first two.") or refer back ("What did I ask first?"). The model's
own first answer stays in the conversation.

**Scoring rule.** An answer is right if a correct value occurs in it as a word, ignoring case. A list is right
if it has three different members; a choice from a list, if it names the first two and not the third; an
answer that refers back, if it quotes the question. An answer counts as ended if the model ended it, and as in
style if it starts and ends with the demonstrated sentences.
"""

from __future__ import annotations

import argparse
import dataclasses
import hashlib
import json
import platform
import random
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from tqdm import tqdm

from benchmarks.engine import processor
from playground.config import Settings
from playground.engine import open_engine
from playground.judging.reference import find_named, occurs
from playground.lanes.variant import parse_lane
from playground.library import POCKET, ROOT, Library
from playground.statistics import wilson
from playground.types import Done, Message, Reply, Request, Sampling, Variant

sys.path.insert(
    0, str(ROOT / POCKET / "recipe")
)  # for its modules, which import each other as top-level modules

from conversations import CLOSING, GREETING
from corpus import CARRY_ENTITY, FIRST_TWO, RECALL_FIRST, facts_of, may_be_asked
from world import FACTS, LISTS, RELATIONS, Fact, siblings

CARRIERS = ("I would like to know this: {}", "Here is what I want to ask: {}")
QUESTIONS = 320
SEED = 20240519
ROWS = 16
"""Number of conversations to answer at the same time."""
NEW_TOKENS = 64
SPEED_QUESTIONS = 40
TEMPERATURES, PENALTIES = (0.0, 0.7, 1.0, 1.3), (1.0, 1.15)
GRID = ("turn 1", "turn 2", "style")
"""The metrics in a cell of `grid`."""
PRECISION = {"none": "float32", "4bit": "NF4"}

CONDITIONS = {
    "base": "base",
    "instruction only": "urial:demos=pocket-50,k=0",
    "URIAL, K = 1": "urial:demos=pocket-50,k=1",
    "URIAL, K = 3": "urial:demos=pocket-50,k=3",
    "URIAL, K = 8": "urial:demos=pocket-50,k=8",
    "URIAL, K = 20": "urial:demos=pocket-50,k=20",
    "URIAL, K = 50": "urial:demos=pocket-50,k=50",
    "K = 3, answers shifted": "urial:demos=pocket-50,k=3,ablation=shifted",
    "K = 3, answers random": "urial:demos=pocket-50,k=3,ablation=random",
    # The result depends on the random choice of answers, so ten seeds are measured.
    **{
        f"K = 3, answers random, seed {seed}": f"urial:demos=pocket-50,k=3,ablation=random,seed={seed}"
        for seed in range(1, 10)
    },
    "K = 3, no answers": "urial:demos=pocket-50,k=3,ablation=no-answers",
    "K = 3, nearest": "urial:demos=pocket-50,k=3,pick=nearest",
    "K = 3, nearest to each message": "urial:demos=pocket-50,k=3,pick=nearest-turn",
    "K = 8, nearest": "urial:demos=pocket-50,k=8,pick=nearest",
    "K = 3, of several turns": "urial:demos=pocket-multi-turn-3",
    "IFT": "pocket-ift",
    "IFT, 3 examples": "pocket-ift-3",
    "IFT, 10 examples": "pocket-ift-10",
    "IFT, 50 examples": "pocket-ift-50",
    "IFT, 500 examples": "pocket-ift-500",
    "IFT + URIAL, K = 3": "urial:demos=pocket-50,k=3,adapter=pocket-ift",
}

TWO_LANES = ("URIAL, K = 3", "IFT")
"""The two conditions that `--speed` runs at the same time."""


# --- Questions ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Turn:
    """A question and the rule that scores its answer."""

    question: str
    kind: str
    """The kind of question: "fact", "list", "entity", "field", "choice" or "recall"."""
    right: tuple[str, ...] = ()
    """Values, one of which must occur in the answer; for a list, its members."""

    def is_right(self, answer: str, before: str = "") -> bool:
        """Score an answer; `before` is the answer in the previous turn."""
        if self.kind == "list":
            return len(find_named(self.right, answer)) >= 3
        if self.kind == "choice":
            first = find_named(self.right, before)
            return len(first) >= 3 and find_named(self.right, answer) == first[:2]
        return any(occurs(value, answer) for value in self.right)


@dataclass(frozen=True)
class Item:
    """A two-turn conversation."""

    first: Turn
    second: Turn
    held_out: bool
    """Whether the corpus never asks about the fact in the first turn."""


def items(count: int = QUESTIONS, seed: int = SEED) -> list[Item]:
    """Return the conversations, which are always the same for the same seed.

    Relations are chosen uniformly, and half of the first facts are held out.
    """
    rng = random.Random(seed)
    made: dict[str, Item] = {}
    while len(made) < count:
        held_out = len(made) % 2 == 0
        item = _about_a_list(rng) if len(made) % 8 == 1 else _about_a_fact(rng, held_out)
        if item is not None:
            made.setdefault(item.first.question, item)
    return list(made.values())


def _about_a_list(rng: random.Random) -> Item:
    name = rng.choice(sorted(LISTS))
    question = rng.choice(CARRIERS).format(f"Name three {name}.")
    members = tuple(LISTS[name])
    return Item(Turn(question, "list", members), Turn(rng.choice(FIRST_TWO), "choice", members), False)


def _about_a_fact(rng: random.Random, held_out: bool) -> Item | None:
    relation = rng.choice(RELATIONS)
    pool = [fact for fact in FACTS if fact.relation is relation and fact.held_out is held_out]
    if not pool:
        return None
    fact = rng.choice(pool)
    question = fact.question() if held_out else rng.choice(CARRIERS).format(fact.question())
    first = Turn(question, "fact", fact.right)
    kind = rng.choice(("entity", "entity", "field", "field", "recall"))
    if kind == "recall":
        return Item(first, Turn(rng.choice(RECALL_FIRST), kind, (question,)), held_out)
    if kind == "entity":
        others = [other for other in facts_of(relation) if other != fact]
        follow_up = "" if not others else rng.choice(CARRY_ENTITY)
    else:
        others = [Fact(r, fact.entity) for r in siblings(fact) if r.carry]
        others = [other for other in others if may_be_asked(other)]
        follow_up = ""
    if not others:
        return None
    second = rng.choice(others)
    question = follow_up.format(e=second.entity) if kind == "entity" else rng.choice(second.relation.carry)
    return Item(first, Turn(question, kind, second.right), held_out)


# --- Answers --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Cell:
    """A condition with one set of decoding parameters."""

    condition: str
    temperature: float
    penalty: float
    quantize: str

    @property
    def key(self) -> str:
        decoding = f"T {self.temperature:g}, penalty {self.penalty:g}"
        return f"{self.condition}; {decoding}; {PRECISION[self.quantize]}"


def ask(engine: Any, variant: Variant, talks: Sequence[Sequence[Message]], seed: int) -> list[Reply]:
    """Return a lane's replies to conversations that end with a question, generating `ROWS` at a time."""
    replies: list[Reply] = []
    for start in range(0, len(talks), ROWS):
        requests = [
            Request(
                prompt=variant.aligner(talk),
                sampling=dataclasses.replace(variant.sampling, seed=seed + start + row),
            )
            for row, talk in enumerate(talks[start : start + ROWS])
        ]
        done = {event.row: event.reply for event in engine.stream(requests) if isinstance(event, Done)}
        replies += [done[row] for row in range(len(requests))]
    return replies


def measure(engine: Any, library: Library, cell: Cell, questions: Sequence[Item]) -> dict[str, Any]:
    """Run one cell, and return its scores and all answers, so that other rules can be applied later."""
    sampling = Sampling(
        temperature=cell.temperature, repetition_penalty=cell.penalty, max_new_tokens=NEW_TOKENS
    )
    variant = parse_lane(CONDITIONS[cell.condition], library, sampling)
    started = time.monotonic()
    talks = [[Message(role="user", text=item.first.question)] for item in questions]
    firsts = ask(engine, variant, talks, SEED)
    talks = [
        [*talk, Message(role="assistant", text=reply.text), Message(role="user", text=item.second.question)]
        for talk, reply, item in zip(talks, firsts, questions, strict=True)
    ]
    seconds = ask(engine, variant, talks, SEED + 10_000)
    answers = []
    for item, first, second in zip(questions, firsts, seconds, strict=True):
        for reply in (first, second):
            if reply.finish == "error":
                raise RuntimeError(f"{cell.key}: {reply.error}")
        answers.append(
            {
                "first": first.text,
                "second": second.text,
                "right": [item.first.is_right(first.text), item.second.is_right(second.text, first.text)],
                "ended": [first.finish == "stop", second.finish == "stop"],
                "style": [in_style(first.text), in_style(second.text)],
            }
        )
    return {"lane": CONDITIONS[cell.condition], "seconds": time.monotonic() - started, "answers": answers}


def in_style(answer: str) -> bool:
    """Return whether an answer starts and ends with the demonstrated sentences."""
    return answer.startswith(GREETING) and answer.rstrip().endswith(CLOSING)


def speed(engine: Any, library: Library, questions: Sequence[Item]) -> dict[str, float]:
    """Measure the tokens per second of two lanes that answer at the same time, from the first token on."""
    sampling = Sampling(max_new_tokens=NEW_TOKENS)
    variants = [parse_lane(CONDITIONS[name], library, sampling) for name in TWO_LANES]
    tokens, seconds = [0] * len(variants), [0.0] * len(variants)
    for item in questions:
        talk = [Message(role="user", text=item.first.question)]
        requests = [Request(prompt=v.aligner(talk), sampling=sampling) for v in variants]
        for event in engine.stream(requests):
            if isinstance(event, Done):
                tokens[event.row] += event.reply.new_tokens - 1
                seconds[event.row] += (event.reply.seconds or 0.0) - (event.reply.ttft or 0.0)
    return {name: n / s for name, n, s in zip(TWO_LANES, tokens, seconds, strict=True)}


# --- Metrics --------------------------------------------------------------------------------------


def figures(result: dict[str, Any], questions: Sequence[Item]) -> dict[str, dict[str, float]]:
    """Return all metrics of a cell, each as (percentage, 95% interval, count)."""
    pairs = list(zip(questions, result["answers"], strict=True))

    def share(flags: Sequence[bool]) -> dict[str, float]:
        low, high = (100 * bound for bound in wilson(sum(flags), len(flags)))
        per_cent = 100 * sum(flags) / max(1, len(flags))
        return {"share": per_cent, "low": low, "high": high, "count": len(flags)}

    found = {
        "turn 1": share([a["right"][0] for _, a in pairs]),
        "asked": share([a["right"][0] for i, a in pairs if not i.held_out]),
        "held out": share([a["right"][0] for i, a in pairs if i.held_out]),
        "turn 2": share([a["right"][1] for _, a in pairs]),
        "ended": share([a["ended"][0] for _, a in pairs]),
        "style": share([a["style"][0] for _, a in pairs]),
        "style 2": share([a["style"][1] for _, a in pairs]),
    }
    for kind in ("entity", "field", "choice", "recall"):
        found[kind] = share([a["right"][1] for i, a in pairs if i.second.kind == kind])
    return found


def table(results: dict[str, Any], questions: Sequence[Item]) -> str:
    """Return the metrics as a Markdown table, with intervals for the accuracy in both turns."""
    columns = ("turn 1", "asked", "held out", "turn 2", "ended", "style", "style 2")
    lines = ["| lane | " + " | ".join(columns) + " |", "|---" * (len(columns) + 1) + "|"]
    for key, result in results["cells"].items():
        found = figures(result, questions)
        cells = []
        for column in columns:
            figure = found[column]
            interval = f" ({figure['low']:.0f}-{figure['high']:.0f})" if column.startswith("turn") else ""
            cells.append(f"{figure['share']:.1f}{interval}")
        lines.append(f"| {key} | {' | '.join(cells)} |")
    return "\n".join(lines)


def grid(results: dict[str, Any], questions: Sequence[Item], quantize: str) -> str:
    """Return a Markdown table with one column for each set of decoding parameters.

    A cell has the percentages of right answers in turn 1 / right answers in turn 2 / first answers in style.
    """
    ways = [(temperature, penalty) for temperature in TEMPERATURES for penalty in PENALTIES]
    names = [f"T {temperature:g}, {penalty:g}" for temperature, penalty in ways]
    lines = ["| lane | " + " | ".join(names) + " |", "|---" * (len(ways) + 1) + "|"]
    for condition in CONDITIONS:
        cells = [results["cells"].get(Cell(condition, *way, quantize).key) for way in ways]
        if not any(cells):
            continue
        told = []
        for cell in cells:
            found = figures(cell, questions) if cell else {}
            told.append(" / ".join(f"{found[name]['share']:.0f}" for name in GRID if found) or "-")
        lines.append(f"| {condition} | {' | '.join(told)} |")
    return "\n".join(lines)


def plot(results: dict[str, Any], questions: Sequence[Item], path: Path) -> None:
    """Plot the right answers in both turns by condition, with greedy decoding and intervals, as an SVG."""
    import matplotlib  # a development dependency that is only needed here

    matplotlib.use("svg")
    from matplotlib import pyplot

    rows = [(name, results["cells"].get(Cell(name, 0.0, 1.0, "none").key)) for name in CONDITIONS]
    rows = [(name, figures(cell, questions)) for name, cell in rows if cell][::-1]
    figure, axes = pyplot.subplots(figsize=(8, 0.42 * len(rows) + 1.2), layout="constrained")
    for offset, turn, colour in ((0.14, "turn 1", "#2f6f9f"), (-0.14, "turn 2", "#d08a2e")):
        shares = [found[turn]["share"] for _, found in rows]
        errors = [
            [found[turn]["share"] - found[turn]["low"] for _, found in rows],
            [found[turn]["high"] - found[turn]["share"] for _, found in rows],
        ]
        places = [row + offset for row in range(len(rows))]
        axes.errorbar(shares, places, xerr=errors, fmt="o", color=colour, capsize=3, label=turn)
    axes.set_yticks(range(len(rows)), [name for name, _ in rows])
    axes.set_xlim(-2, 102)
    axes.set_xlabel("right answers (%), with 95% intervals")
    axes.grid(axis="x", alpha=0.3)
    axes.legend(loc="lower right")
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    figure.savefig(path, metadata={"Date": None})


# --- All together ---------------------------------------------------------------------------------


def weights_hash(library: Library) -> str:
    """Return a hash of the base and adapter weights; results for other weights are not resumed."""
    digest = hashlib.sha256((ROOT / POCKET / "model.safetensors").read_bytes())
    for name in sorted(library.adapters):
        folder = Path(library.adapters[name].source)
        digest.update((folder / "adapter_model.safetensors").read_bytes())
    return digest.hexdigest()[:16]


def main() -> None:
    """Run the command line of `python -m benchmarks.pocket`."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, help="JSON file for all answers; an existing file is resumed")
    parser.add_argument("--conditions", nargs="+", choices=list(CONDITIONS), default=list(CONDITIONS))
    parser.add_argument("--temperatures", type=float, nargs="+", default=[0.0])
    parser.add_argument("--penalties", type=float, nargs="+", default=[1.0])
    parser.add_argument("--quantize", choices=["none", "4bit"], default="none")
    parser.add_argument("--count", type=int, default=QUESTIONS, help="number of conversations")
    parser.add_argument(
        "--table", action="store_true", help="only print the table of the results in the file"
    )
    parser.add_argument(
        "--grid", action="store_true", help="print the table with one column per set of decoding parameters"
    )
    parser.add_argument(
        "--speed", action="store_true", help="only measure the tokens per second of two lanes"
    )
    parser.add_argument("--plot", type=Path, help="write a plot of the results in the file")
    options = parser.parse_args()

    library = Library.open(POCKET)
    questions = items(options.count)
    if options.speed:
        engine = open_engine(Settings(base=POCKET, device="cpu", quantize=options.quantize), library)
        for name, figure in speed(engine, library, questions[:SPEED_QUESTIONS]).items():
            print(f"{name}: {figure:.0f} tokens/s")
        engine.close()
        return
    if options.out is None:
        parser.error("Specify a file for the answers: --out FILE.")
    weights = weights_hash(library)
    results: dict[str, Any] = json.loads(options.out.read_text()) if options.out.exists() else {}
    if results and (results["weights"], results["count"]) != (weights, options.count):
        parser.error(f"{options.out} has results for other weights or questions: move it away first.")
    results = results or {
        "weights": weights,
        "count": options.count,
        "seed": SEED,
        "machine": f"{processor()}, {platform.machine()}",
        "versions": {name: version(name) for name in ("torch", "transformers", "peft")},
        "cells": {},
    }
    cells = [
        Cell(condition, temperature, penalty, options.quantize)
        for temperature in options.temperatures
        for penalty in options.penalties
        for condition in options.conditions
    ]
    missing = [cell for cell in cells if cell.key not in results["cells"]]
    if missing and not (options.table or options.grid or options.plot):
        engine = open_engine(Settings(base=POCKET, device="cpu", quantize=options.quantize), library)
        for cell in tqdm(missing, unit="cell"):
            results["cells"][cell.key] = measure(engine, library, cell, questions)
            options.out.parent.mkdir(parents=True, exist_ok=True)
            fresh = options.out.with_suffix(".new")
            fresh.write_text(json.dumps(results, indent=1, ensure_ascii=False))
            fresh.replace(options.out)
        engine.close()
    print(grid(results, questions, options.quantize) if options.grid else table(results, questions))
    if options.plot:
        plot(results, questions, options.plot)


if __name__ == "__main__":
    main()
