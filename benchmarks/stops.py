"""How often each stop rule cuts an answer in the wrong place, on raw continuations of a real model."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from playground.config import Settings
from playground.demos import pieces
from playground.engine import open_engine
from playground.library import ROOT, Library
from playground.probes import find_probes
from playground.types import DemoSet, Done, Message, Prompt, Request, Sampling, StopRule

NEW_TOKENS = 100
ROWS = 8
SEED = 20240519
FENCED = (("general-3", 3), ("general-50", 3), ("general-50", 5), ("general-50", 8))
OTHERS = ("fenced-user", "inline", "v2", "v4", "v5", "v6")


def in_format(demos: DemoSet, format: str) -> DemoSet:
    """The set in another family, its instruction naming that family's headers."""
    from playground.demos import FAMILIES

    family = FAMILIES[format]
    instruction = demos.instruction.replace("# Query:", family.query).replace("# Answer:", family.answer)
    if not family.fence:
        instruction = instruction.replace(", both inside a block of three backticks", "")
        assert "backticks" not in instruction, instruction
    return demos.changed(format=format, instruction=instruction)


def rows() -> list[dict]:
    questions = [(probe.name, probe.turns[0]) for probe in find_probes([ROOT / "prompts" / "probes"])[0]]
    found = []
    for at, (name, question) in enumerate(questions):
        for temperature in (0.0, 0.7):
            # Three of four by the shorter sets, since a prompt of eight takes three times as long.
            demos, k = FENCED[(at + (temperature > 0)) % 8 % 7 % len(FENCED)]
            found.append(
                {
                    "probe": name,
                    "question": question,
                    "format": "fenced",
                    "demos": demos,
                    "k": k,
                    "temperature": temperature,
                }
            )
        if at % 2 == 0:
            found.append(
                {
                    "probe": name,
                    "question": question,
                    "format": OTHERS[at // 2 % len(OTHERS)],
                    "demos": "general-3",
                    "k": 3,
                    "temperature": 0.7 if at % 24 >= 12 else 0.0,
                }
            )
    return found


def generate(base: str, out: Path) -> None:
    import time

    library = Library.open(base)
    engine = open_engine(Settings(base=base, device="cpu", quantize="none"), library)
    while engine.status().state == "loading":
        time.sleep(0.2)
    print(engine.status(), flush=True)
    groups: dict[tuple, list[dict]] = {}
    for at, row in enumerate(rows()):
        key = (row["format"], row["demos"], row["k"])
        groups.setdefault(key, []).append(row | {"seed": SEED + at})
    done = [json.loads(line) for line in out.open()] if out.exists() else []
    kept = {row["seed"] for row in done}
    for (format, name, k), group in groups.items():
        group = [row for row in group if row["seed"] not in kept]
        demos = in_format(library.demo_set(name), format).take(k)
        for start in range(0, len(group), ROWS):
            batch = group[start : start + ROWS]
            began = time.monotonic()
            requests = [
                Request(
                    prompt=Prompt.of(
                        pieces(demos, [Message(role="user", text=row["question"])]), stop=StopRule(trim=False)
                    ),
                    sampling=Sampling(
                        temperature=row["temperature"], seed=row["seed"], max_new_tokens=NEW_TOKENS
                    ),
                )
                for row in batch
            ]
            replies = {event.row: event.reply for event in engine.stream(requests) if isinstance(event, Done)}
            for at, row in enumerate(batch):
                reply = replies[at]
                if reply.error:
                    raise RuntimeError(reply.error)
                done.append(row | {"ended": reply.finish == "stop", "raw": reply.raw_text})
            print(len(done), format, name, k, f"{time.monotonic() - began:.0f} s", flush=True)
            with out.open("w") as file:
                file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in done)
    engine.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("model", type=Path)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    generate(str(given.model), given.out)
