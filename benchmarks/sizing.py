"""How much work a number of people make for a server: tokens per second, rows, keys and values.

A simulation of people who each send a message, wait until all lanes have answered, read the answers, and send
the next message; after some turns, they start a new conversation. People start at random times and do not
affect each other: every row is decoded at the same speed, so the figures say what the server must be able to
do for this to be true. The results of the first minutes, in which all conversations are new, are left out.

python -m benchmarks.sizing [--people N ...] [--json] [--think-seconds S ...]

Columns:
    tokens/s     generated tokens per second in all lanes: mean, 95th percentile and maximum of the seconds
    rows         answers being generated at the same time: mean and 95th percentile
    prefill/s    prompt tokens per second to compute: without any prefix cache; if only the demonstrations are
                 cached; if each conversation also stays cached, so that only the new message is computed
    K/V, active  keys and values of the answers being generated (95th percentile of the seconds), and of the
                 conversations of all people, each with its own copy of the demonstrations, and with one copy
                 that all share. Adapters and the base model do not share keys and values, so the
                 demonstrations are counted in the URIAL lane only.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

GB = 1e9


@dataclass(frozen=True, kw_only=True)
class Assumptions:
    """What people do and how fast answers are generated."""

    think_seconds: float = 60.0
    """Mean time from the last answer to the next message, exponentially distributed."""
    message_tokens: int = 30
    answer_tokens: float = 200.0
    """Mean length of an answer, before the maximum applies."""
    answer_spread: float = 0.6
    """Standard deviation of the logarithm of an answer's length; 0: all answers are equally long."""
    answer_limit: int = 512
    """Maximum length of an answer."""
    turns: int = 5
    """Turns of a conversation, after which a new one starts."""
    lanes: int = 3
    """Lanes: the raw base model, URIAL and one adapter."""
    urial_lanes: int = 1
    """How many of the lanes have demonstrations in their prompts."""
    demonstration_tokens: int = 1000
    """Tokens of the instruction and the demonstrations of a URIAL lane."""
    first_token_seconds: float = 0.5
    row_speed: float = 30.0
    """Tokens per second of each answer, faster than most people read."""
    hours: float = 1.0
    """Simulated time."""
    warm_up_seconds: float = 600.0
    """Time at the start that is left out of the results."""


@dataclass(frozen=True, kw_only=True)
class Shape:
    """The size of a base model's weights and of its keys and values."""

    name: str
    parameters: int
    layers: int
    kv_heads: int
    head_dim: int

    @property
    def token_bytes(self) -> int:
        """Bytes of the keys and values of one token, in 16-bit precision."""
        return 2 * self.layers * self.kv_heads * self.head_dim * 2

    @property
    def weight_bytes(self) -> int:
        """Bytes of the weights in 16-bit precision."""
        return 2 * self.parameters


SHAPES = (
    Shape(name="Llama-2-7B", parameters=6_738_415_616, layers=32, kv_heads=32, head_dim=128),
    Shape(name="Mistral-7B", parameters=7_241_732_096, layers=32, kv_heads=8, head_dim=128),
    Shape(name="Llama-3-8B", parameters=8_030_261_248, layers=32, kv_heads=8, head_dim=128),
    Shape(name="Llama-3-70B", parameters=70_553_706_496, layers=80, kv_heads=8, head_dim=128),
)
"""Shapes from each model's config.json on the Hugging Face Hub."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """One simulated answer."""

    start: float
    """Time at which its message was sent, in seconds."""
    tokens: int
    history: int
    """Tokens of the prompt, without demonstrations and the message."""
    has_demonstrations: bool


@dataclass(frozen=True, kw_only=True)
class Load:
    """The load that a number of people make. Keys and values are counted in tokens."""

    people: int
    tokens_mean: float
    tokens_p95: float
    tokens_peak: float
    rows_mean: float
    rows_p95: float
    prefill_uncached: float
    prefill_demonstrations_cached: float
    prefill_all_cached: float
    active_p95: float
    """K/V tokens of the answers being generated, each with its own demonstrations (95th percentile)."""
    active_shared_p95: float
    """The same with one copy of the demonstrations for all."""
    held: float
    """K/V tokens of the conversations of all people, in the middle of a conversation on average."""
    held_shared: float


def draw_length(assumptions: Assumptions, noise: random.Random) -> int:
    """Draw the length of one answer in tokens: log-normal with the given mean, limited to the maximum."""
    spread = assumptions.answer_spread
    length = assumptions.answer_tokens * math.exp(spread * noise.gauss(0, 1) - spread**2 / 2)
    return max(1, min(assumptions.answer_limit, round(length)))


def simulate_person(assumptions: Assumptions, noise: random.Random) -> Iterator[Row]:
    """Yield the answers that one person causes, in order of their start."""
    end = assumptions.hours * 3600
    now = noise.uniform(0, assumptions.think_seconds)
    while True:
        histories = [0] * assumptions.lanes
        for _ in range(assumptions.turns):
            longest = 0
            for lane in range(assumptions.lanes):
                tokens = draw_length(assumptions, noise)
                yield Row(
                    start=now,
                    tokens=tokens,
                    history=histories[lane],
                    has_demonstrations=lane < assumptions.urial_lanes,
                )
                histories[lane] += assumptions.message_tokens + tokens
                longest = max(longest, tokens)
            now += assumptions.first_token_seconds + longest / assumptions.row_speed
            now += noise.expovariate(1 / assumptions.think_seconds)
            if now >= end:
                return


def simulate(people: int, assumptions: Assumptions, seed: int) -> Load:
    """Simulate a number of people, and return the load that they make."""
    seconds = round(assumptions.hours * 3600)
    first = round(assumptions.warm_up_seconds)
    tokens, rows, active, own = ([0.0] * seconds for _ in range(4))
    prefill = [0, 0, 0]
    demonstrations, message = assumptions.demonstration_tokens, assumptions.message_tokens
    for number in range(people):
        for row in simulate_person(assumptions, random.Random(f"{seed} {number}")):
            before = demonstrations if row.has_demonstrations else 0
            if row.start >= first:
                prefill[0] += before + row.history + message
                prefill[1] += row.history + message
                prefill[2] += message
            _add_row(row, before, assumptions, tokens, rows, active, own)
    measured = slice(first, seconds)
    length = seconds - first
    shared = demonstrations if assumptions.urial_lanes else 0
    middle = assumptions.lanes * (assumptions.turns / 2) * (message + assumptions.answer_tokens)
    return Load(
        people=people,
        tokens_mean=sum(tokens[measured]) / length,
        tokens_p95=percentile(tokens[measured], 0.95),
        tokens_peak=max(tokens[measured]),
        rows_mean=sum(rows[measured]) / length,
        rows_p95=percentile(rows[measured], 0.95),
        prefill_uncached=prefill[0] / length,
        prefill_demonstrations_cached=prefill[1] / length,
        prefill_all_cached=prefill[2] / length,
        active_p95=percentile([a + b for a, b in zip(active[measured], own[measured], strict=True)], 0.95),
        active_shared_p95=percentile(active[measured], 0.95) + shared,
        held=people * (middle + assumptions.urial_lanes * demonstrations),
        held_shared=people * middle + shared,
    )


def _add_row(
    row: Row,
    before: int,
    assumptions: Assumptions,
    tokens: list[float],
    rows: list[float],
    active: list[float],
    own: list[float],
) -> None:
    """Add one answer to the sums of each second: tokens, rows, and K/V without and of the demonstrations."""
    first_token = row.start + assumptions.first_token_seconds
    end = first_token + row.tokens / assumptions.row_speed
    for second in range(int(row.start), min(len(tokens), math.ceil(end))):
        share = min(end, second + 1) - max(row.start, second)
        decoding = max(0.0, min(end, second + 1) - max(first_token, second))
        tokens[second] += decoding * assumptions.row_speed
        rows[second] += share
        generated = max(0.0, second + 0.5 - first_token) * assumptions.row_speed
        active[second] += share * (row.history + assumptions.message_tokens + min(row.tokens, generated))
        own[second] += share * before


def percentile(values: Sequence[float], share: float) -> float:
    """Return the smallest value that at least the given share of the values does not exceed."""
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


def describe(load: Load, shape: Shape) -> dict[str, float]:
    """Return the memory that a load needs with a model, in GB, and how many 80 GB cards hold it."""
    each = shape.token_bytes
    needed = shape.weight_bytes + each * load.active_shared_p95
    return {
        "active_gb": each * load.active_p95 / GB,
        "active_shared_gb": each * load.active_shared_p95 / GB,
        "held_gb": each * load.held / GB,
        "held_shared_gb": each * load.held_shared / GB,
        "cards_of_80_gb": math.ceil(needed / (0.9 * 80 * GB)),
    }


def conversation_tokens(assumptions: Assumptions) -> tuple[float, float]:
    """Return the K/V tokens of a finished conversation: without demonstrations, and of demonstrations."""
    turns = assumptions.turns * (assumptions.message_tokens + assumptions.answer_tokens)
    return assumptions.lanes * turns, float(assumptions.urial_lanes * assumptions.demonstration_tokens)


def report(loads: Sequence[Load], assumptions: Assumptions) -> dict[str, Any]:
    """Return the document that `--json` prints."""
    own, demonstrations = conversation_tokens(assumptions)
    return {
        "assumptions": dataclasses.asdict(assumptions),
        "loads": [dataclasses.asdict(load) for load in loads],
        "models": [
            {
                "name": shape.name,
                "weights_gb": shape.weight_bytes / GB,
                "token_bytes": shape.token_bytes,
                "conversation_gb": shape.token_bytes * (own + demonstrations) / GB,
                "conversation_shared_gb": shape.token_bytes * own / GB,
                "loads": [{"people": load.people, **describe(load, shape)} for load in loads],
            }
            for shape in SHAPES
        ],
    }


def render(document: dict[str, Any]) -> str:
    """Return the tables as Markdown."""
    lines = [
        "| people | tokens/s, mean | 95th percentile | peak | rows, mean | 95th percentile "
        "| prefill/s, no cache | demonstrations cached | conversations cached |",
        "|" + "---|" * 9,
    ]
    for load in document["loads"]:
        values = [
            *(load["people"], load["tokens_mean"], load["tokens_p95"], load["tokens_peak"]),
            *(load["rows_mean"], load["rows_p95"], load["prefill_uncached"]),
            *(load["prefill_demonstrations_cached"], load["prefill_all_cached"]),
        ]
        lines.append("| " + " | ".join(_digits(value) for value in values) + " |")
    lines += [
        "",
        "| model | weights | K/V per token | K/V per conversation | shared demonstrations |",
        "|" + "---|" * 5,
    ]
    for model in document["models"]:
        lines.append(
            f"| {model['name']} | {_digits(model['weights_gb'])} GB | {model['token_bytes'] // 1024} KiB "
            f"| {_digits(model['conversation_gb'])} GB | {_digits(model['conversation_shared_gb'])} GB |"
        )
    lines += [
        "",
        "| model | people | K/V, active | shared demonstrations | K/V, all conversations "
        "| shared demonstrations | 80 GB cards for weights and active K/V |",
        "|" + "---|" * 7,
    ]
    for model in document["models"]:
        for load in model["loads"]:
            sizes = ("active_gb", "active_shared_gb", "held_gb", "held_shared_gb")
            cells = " | ".join(f"{_digits(load[size])} GB" for size in sizes)
            lines.append(f"| {model['name']} | {load['people']:,} | {cells} | {load['cards_of_80_gb']} |")
    return "\n".join(lines)


def _digits(value: float) -> str:
    """Return a number with two significant digits, or with none after the point from 10 on."""
    if value >= 10 or value == round(value):
        return f"{round(value):,}"
    return f"{value:.2g}"


def main() -> None:
    """Print the tables, or one JSON document."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--people", type=int, nargs="+", default=[10, 100, 1000])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    for field in dataclasses.fields(Assumptions):
        name = f"--{field.name.replace('_', '-')}"
        parser.add_argument(name, type=type(field.default), default=field.default)
    options = vars(parser.parse_args())
    assumptions = Assumptions(
        **{field.name: options[field.name] for field in dataclasses.fields(Assumptions)}
    )
    loads = [simulate(people, assumptions, options["seed"]) for people in options["people"]]
    document = report(loads, assumptions)
    print(json.dumps(document, indent=2) if options["json"] else render(document))


if __name__ == "__main__":
    main()
