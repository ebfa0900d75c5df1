"""Measure how often each stop rule cuts an answer at the wrong position, on raw continuations from a base
model.

    python -m benchmarks.stops                          # table for the stored continuations
    python -m benchmarks.stops FOLDER --out FILE        # generate continuations and print their table
    python -m benchmarks.stops --data FILE              # table for existing continuations

FOLDER is the folder of a model that Transformers can load. A GGUF file in the folder requires the `gguf`
package.

**Continuations.** Each prompt consists of the first 3 to 8 demonstrations of general-3 or general-50,
followed by the first message of a probe. All messages are continued in the fenced family, greedily and at
temperature 0.7, and every second message also in another family. Only the end-of-sequence token or the limit
`NEW_TOKENS` ends a continuation.

**Labels.** `end` is the number of characters in `raw` that belong to the answer, without trailing whitespace.
In the stored file, it was set by a human annotator, with the cut by "own header and fence" as a suggestion.
It is null if the end is unclear because the model closed its block and then continued to answer the same
question. For new continuations, it is computed by `hindsight`, which uses the whole text.

**Metrics.** A cut is right if it keeps exactly the labeled characters, too late if it keeps invented text
after the answer, and too early if part of the answer is lost.
"""

from __future__ import annotations

import argparse
import json
import platform
import re
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.engine import processor
from playground.demonstrations.families import FAMILIES, FENCE, Family, render
from playground.demonstrations.headers import Header
from playground.engine.text import Cutter
from playground.library import ROOT, Library
from playground.library.probes import find_probes
from playground.types import DemoSet, Message, StopRule

DATA = Path(__file__).parent / "data" / "stops.jsonl"
NEW_TOKENS = 100
ROWS = 16
"""Number of continuations per batch."""
SEED = 20240519
SETS = (("general-3", 3), ("general-50", 3), ("general-50", 5), ("general-50", 8))
OTHERS = ("fenced-user", "inline", "v2", "v4", "v5", "v6")

Row = dict[str, Any]


# --- The rules ------------------------------------------------------------------------------------


def own(raw: str, family: Family) -> int:
    """Return the number of characters kept by the rule "own"."""
    return _kept(raw, family.stop)


def paper(raw: str, family: Family) -> int:
    """Return the number of characters kept by the rule "paper"."""
    return _kept(raw, family.stop_rule("paper"))


def paper_unfenced(raw: str, family: Family) -> int:
    """Return the number of characters kept by the rule "paper", excluding a final fence. The paper's
    published code deletes all fences afterwards.
    """
    return len(_without_closing_fence(raw[: paper(raw, family)], family))


def _kept(raw: str, rule: StopRule) -> int:
    cutter = Cutter(rule)
    text = cutter.feed(raw) + cutter.finish()
    return len(raw) - len(raw.lstrip()) + len(text) if text else 0


def earlier(raw: str, family: Family) -> int:
    """Return the number of characters kept by the rule that Tandem used before "own". That rule cut an answer
    at a bare fence if the fence was followed by the end of the text, or by a blank line and a header alone on
    its line. In formats without fences, it cut an answer at a header alone on its line after a blank line.
    """
    headers = (family.query, family.answer)
    at, fence, blank, inner = 0, None, True, False
    for line in raw.split("\n"):
        text = line.rstrip()
        part = at + len(line) == len(raw) and any(header.startswith(text) for header in headers)
        if not family.fence:
            if blank and text in headers:
                return len(raw[:at].rstrip())
            blank = not text
        elif fence is not None and text:
            if blank and (text in headers or part):
                return len(raw[: fence + inner * len(FENCE)].rstrip())
            fence, inner = None, not inner
        elif fence is not None:
            blank = True
        if family.fence and text == FENCE:
            fence, blank = at, False
        elif family.fence and text.startswith(FENCE) and not inner:
            inner = "`" not in text[len(FENCE) :]
        at += len(line) + 1
    return len(raw[:fence].rstrip() if fence is not None and not inner else raw.rstrip())


RULES: dict[str, Callable[[str, Family], int]] = {
    "own header and fence": own,
    "before": earlier,
    "paper": paper,
    "paper, closing fence deleted": paper_unfenced,
}


# --- Labels and metrics ---------------------------------------------------------------------------


def hindsight(raw: str, family: Family) -> int:
    """Return the length of the answer in characters, determined from the whole continuation.

    The answer ends before the first line that starts with the family's user header, unless that line is in a
    code block that names a language and is closed later. It also ends before the fence that closes the
    answer's own block.
    """
    header = Header(family.query)
    form = rf"{header.pattern}.*" if header.marks else re.escape(header.text) + r"[ \t]*"
    for found in re.finditer(rf"(?m)^(?:{form})$", raw):
        blocks = re.findall(rf"(?m)^{FENCE}(.*)$", raw[: found.start()])
        in_code = len(blocks) % 2 == 1 and blocks[-1].strip()
        if not (in_code and re.search(rf"(?m)^{FENCE}[ \t]*\n(?!\n*#)", raw[found.end() :])):
            return len(_without_closing_fence(raw[: found.start()], family))
    return len(_without_closing_fence(raw, family))


def _without_closing_fence(text: str, family: Family) -> str:
    """Remove trailing whitespace, and a final fence that does not close a code block."""
    text = text.rstrip()
    last = text.rfind("\n") + 1
    if family.fence and text[last:] == FENCE and len(re.findall(rf"(?m)^{FENCE}", text)) % 2:
        return text[:last].rstrip()
    return text


def table(rows: Sequence[Row]) -> str:
    """Return a Markdown table showing how often each rule is right."""
    clear = [row for row in rows if row["end"] is not None]
    lines = [f"{len(rows)} continuations, {len(rows) - len(clear)} of them unclear.", ""]
    lines += ["| families | rule | right | too late | too early |", "|---|---|---|---|---|"]
    for name, fenced in (("with fences", True), ("without fences", False)):
        chosen = [row for row in clear if bool(FAMILIES[row["format"]].fence) is fenced]
        for rule, kept in RULES.items():
            counts = Counter(_judged(kept(row["raw"], FAMILIES[row["format"]]), row["end"]) for row in chosen)
            figures = " | ".join(str(counts[what]) for what in ("right", "too late", "too early"))
            lines.append(f"| {name} ({len(chosen)}) | {rule} | {figures} |")
    return "\n".join(lines)


def _judged(kept: int, end: int) -> str:
    return "right" if kept == end else "too late" if kept > end else "too early"


# --- Writing --------------------------------------------------------------------------------------


def questions() -> list[Row]:
    """Return the prompt settings for each row: question, family, demonstration set, K and temperature."""
    found: list[Row] = []
    for at, probe in enumerate(find_probes([ROOT / "prompts" / "probes"])[0]):
        asked = {"probe": probe.name, "question": probe.turns[0]}
        for temperature in (0.0, 0.7):
            demos, k = SETS[(at + (temperature > 0)) % len(SETS)]
            if k == 8 and at // 4 % 4:
                demos, k = SETS[0]  # a prompt with eight demonstrations takes several times longer to process
            found.append({**asked, "format": "fenced", "demos": demos, "k": k, "temperature": temperature})
        if at % 2 == 0:
            format, temperature = OTHERS[at // 2 % len(OTHERS)], (0.0, 0.7)[at // 12 % 2]
            found.append(
                {**asked, "format": format, "demos": "general-3", "k": 3, "temperature": temperature}
            )
    return found


def in_format(demos: DemoSet, format: str) -> DemoSet:
    """Convert a demonstration set to another family, with that family's headers in the instruction."""
    family = FAMILIES[format]
    text = demos.instruction.replace("# Query:", family.query).replace("# Answer:", family.answer)
    if not family.fence:
        text = text.replace(", both inside a block of three backticks", "")
    return demos.with_changes(format=format, instruction=text)


def continuations(folder: Path, out: Path) -> None:
    """Generate a model's continuations for all `questions`, and write them to a file, one JSON object per
    line.

    Args:
        folder: the model's folder.
        out: the file.
    """
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    files = dict.fromkeys(["gguf_file"], next((path.name for path in folder.glob("*.gguf")), None))
    tokenizer = AutoTokenizer.from_pretrained(folder, padding_side="left", **files)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, **files).eval()
    library = Library.open("models/pocket")
    groups: dict[tuple[str, str, int, float], list[Row]] = {}
    for row in questions():
        groups.setdefault((row["format"], row["demos"], row["k"], row["temperature"]), []).append(row)
    with out.open("w", encoding="utf-8") as file:
        for (format, name, k, temperature), group in groups.items():
            demos = in_format(library.demo_set(name), format).take(k)
            for start in range(0, len(group), ROWS):
                batch, began = group[start : start + ROWS], time.monotonic()
                prompts = [render(demos, [Message(role="user", text=row["question"])]) for row in batch]
                given = tokenizer(prompts, add_special_tokens=False, padding=True, return_tensors="pt")
                torch.manual_seed(SEED + start)
                how = {"do_sample": True, "temperature": temperature, "top_k": 0} if temperature else {}
                ids = model.generate(**given, max_new_tokens=NEW_TOKENS, **(how or {"do_sample": False}))
                for row, written in zip(batch, ids[:, given["input_ids"].shape[1] :], strict=True):
                    raw = tokenizer.decode(
                        written, skip_special_tokens=True, clean_up_tokenization_spaces=False
                    )
                    asked = {key: value for key, value in row.items() if key != "question"}
                    ended = tokenizer.eos_token_id in written
                    end = hindsight(raw, FAMILIES[format])
                    file.write(json.dumps({**asked, "ended": ended, "raw": raw, "end": end}) + "\n")
                seconds = time.monotonic() - began
                print(f"{format}, {name}, K = {k}, T = {temperature}: {len(batch)} rows, {seconds:.0f} s")


def main() -> None:
    """Generate continuations if a model is given, and print the table of results."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument(
        "model", type=Path, nargs="?", help="folder of the model that generates continuations"
    )
    parser.add_argument("--out", type=Path, help="file for the generated continuations")
    parser.add_argument("--data", type=Path, default=DATA, help="file with existing continuations")
    given = parser.parse_args()
    if given.model is not None:
        if given.out is None:
            parser.error("Specify a file for the continuations: --out FILE.")
        continuations(given.model, given.out)
        given.data = given.out
        packages = ", ".join(f"{name} {version(name)}" for name in ("torch", "transformers"))
        print(f"{processor()}, Python {platform.python_version()}, {packages}", file=sys.stderr)
    rows = [json.loads(line) for line in given.data.read_text(encoding="utf-8").splitlines()]
    print(table(rows))


if __name__ == "__main__":
    main()
