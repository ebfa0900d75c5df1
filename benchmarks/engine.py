"""Benchmark the engine against a conventional baseline: PEFT and `generate`, one lane after another.

    python -m playground bench [--json]
    python -m benchmarks.engine [--json]

Two models are measured in float32 on the CPU (or on the GPU with --device cuda): the bundled pocket model,
and a randomly initialized Llama with 125M parameters and a 16k context. Most metrics are ratios of medians.
Runs alternate between the engine and the baseline, so that a temporary slowdown of the machine affects both.

Like the engine, the baseline keeps the model in memory. It switches adapters with PEFT's functions and passes
the whole prompt to `generate` in every turn. The models never generate an EOS token, so the engine and the
baseline always generate the same number of tokens. The pocket model's position limit is raised, which affects
its answers but not its speed.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import multiprocessing
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import psutil
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerFast,
)
from transformers.utils import logging as transformers_logging

from playground.config import Settings
from playground.engine.loading.device import compute_type
from playground.engine.local import LocalEngine
from playground.library import ROOT, Library
from playground.types import Done, InputError, Prompt, Reply, Request, Sampling

POSITIONS = 16384
NEW = 40
TURNS = 4
STEPS = 48
QUIET = 0.7
"""Load average above which measurements are unreliable."""

TARGETS: dict[str, tuple[str, float, str]] = {
    "conversation_1k": (
        "at most",
        0.45,
        "time for 4 turns, URIAL + IFT, 1,000 tokens of demonstrations: engine / baseline",
    ),
    "conversation_4k": ("at most", 0.25, "the same with 4,000 tokens of demonstrations"),
    "pair_step": ("at most", 1.3, "decoding step: one base row and one adapter row / one base row"),
    "quad_step": ("at most", 1.6, "decoding step: four rows, two with the adapter / one base row"),
    "ttft_10k": ("at most", 0.05, "time to first token in turn 2 after 10,000 tokens: engine / baseline"),
    "ttft_growth": ("at most", 4.0, "time to first token in turn 2: 10,000 / 1,000 cached tokens"),
    "loop_vs_generate": ("at least", 1.0, "tokens per second, one base row: engine / generate"),
    "sixteen_rows": ("at least", 3.0, "tokens per second: 8 conversations (16 rows) / 1 conversation"),
    "memory": ("within 5% of", 1.0, "memory with 2 lanes / (base + adapter + keys and values)"),
    "overhead": ("at most", 0.1, "share of a decoding step outside the model's forward pass"),
}
FOR_125M = {"pair_step", "quad_step", "sixteen_rows"}
"""Metrics whose targets do not apply to the pocket model, because it is bound by call overhead, not
memory.
"""


@dataclass
class Subject:
    """A model and an adapter to measure, with a function that generates prompts of a given length."""

    name: str
    base: Path
    adapter: Path
    words: Any
    """Function that takes a number of tokens and a seed, and returns text with exactly that many tokens."""
    tokenizer: Any = field(repr=False, default=None)


def pocket(folder: Path) -> Subject:
    """Copy the bundled model and its adapter, modified so that no EOS token is ever generated."""
    base = folder / "pocket"
    shutil.copytree(ROOT / "models" / "pocket", base, ignore=shutil.ignore_patterns("recipe", "*.md"))
    config = json.loads((base / "config.json").read_text())
    config |= {"max_position_embeddings": POSITIONS, "eos_token_id": None}
    (base / "config.json").write_text(json.dumps(config))
    (base / "generation_config.json").write_text("{}")
    tokenizer = AutoTokenizer.from_pretrained(base)
    tokenizer.eos_token = None
    tokenizer.save_pretrained(base)

    sentence = tokenizer("The capital of Italy is Rome. ", add_special_tokens=False)["input_ids"]

    def words(tokens: int, seed: int) -> str:
        start = tokenizer(f"{seed}. ", add_special_tokens=False)["input_ids"]
        ids = (start + sentence * (tokens // len(sentence) + 1))[:tokens]
        return str(tokenizer.decode(ids))

    return Subject("pocket", base, ROOT / "adapters" / "pocket-ift", words, tokenizer)


def llama(folder: Path) -> Subject:
    """Create a randomly initialized 125M Llama with a vocabulary of 32,000 words, and a random rank-16
    adapter.
    """
    base, adapter = folder / "llama-125m", folder / "adapter-125m"
    vocabulary = {f"w{number}": number for number in range(32000)}
    words_tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="w0"))
    words_tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=words_tokenizer, unk_token="w0")
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=32000,
        hidden_size=768,
        intermediate_size=2560,
        num_hidden_layers=12,
        num_attention_heads=12,
        max_position_embeddings=POSITIONS,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=None,
        pad_token_id=None,
    )
    model = LlamaForCausalLM(config)
    model.generation_config.eos_token_id = None
    model.save_pretrained(base)
    tokenizer.save_pretrained(base)
    recipe = LoraConfig(r=16, lora_alpha=32, target_modules="all-linear", init_lora_weights=False)
    get_peft_model(model, recipe).save_pretrained(adapter)
    (adapter / "adapter.toml").write_text(f'base_model = "{base}"\n')

    def words(tokens: int, seed: int) -> str:
        return " ".join(f"w{(seed * 7919 + index * 31) % 32000}" for index in range(tokens))

    return Subject("125m", base, adapter, words, tokenizer)


# --- The two sides --------------------------------------------------------------------------------


class PeftBaseline:
    """The baseline: PEFT and `generate`, one lane after another, each time with the whole prompt."""

    def __init__(self, subject: Subject, device: str) -> None:
        compute = compute_type(torch.device(device))
        base = AutoModelForCausalLM.from_pretrained(
            subject.base, dtype=compute, device_map="auto" if device == "cuda" else {"": "cpu"}
        )
        self._model = PeftModel.from_pretrained(base, subject.adapter, adapter_name="tuned").eval()
        self._tokenizer = subject.tokenizer

    def answer(self, text: str, adapter: str | None, new: int) -> str:
        """Return one lane's greedily decoded continuation as text.

        Args:
            text: the whole prompt.
            adapter: the adapter's name; None for the base model.
            new: number of tokens to generate.
        """
        inputs = self._tokenizer(text, return_tensors="pt").to(self._model.device)
        options = {"max_new_tokens": new, "do_sample": False, "pad_token_id": 0}
        inputs.pop("token_type_ids", None)
        with torch.inference_mode():
            if adapter is None:
                with self._model.disable_adapter():
                    ids = self._model.generate(**inputs, **options)
            else:
                ids = self._model.generate(**inputs, **options)
        return str(self._tokenizer.decode(ids[0][inputs["input_ids"].shape[1] :]))


class BaselineProcess:
    """The baseline in a separate process. In a single process, the threads of the baseline and the engine
    would slow each other down.
    """

    def __init__(self, subject: Subject, device: str) -> None:
        self._pipe, theirs = multiprocessing.Pipe()
        # Keep only the fields that can be pickled.
        plain = dataclasses.replace(subject, words=None, tokenizer=None)
        process = multiprocessing.get_context("spawn").Process(
            target=_serve_baseline, args=(plain, device, theirs), daemon=True
        )
        process.start()
        self._pipe.recv()

    def answer(self, text: str, adapter: str | None, new: int) -> str:
        """Return one lane's continuation (see `PeftBaseline.answer`)."""
        self._pipe.send((text, adapter, new))
        answer: str = self._pipe.recv()
        return answer

    def close(self) -> None:
        """Signal the baseline's process to exit."""
        self._pipe.send(None)


def _serve_baseline(subject: Subject, device: str, pipe: Connection) -> None:
    """Run the baseline's process, which answers requests from the pipe until it receives None."""
    transformers_logging.disable_progress_bar()
    transformers_logging.set_verbosity_error()
    subject.tokenizer = AutoTokenizer.from_pretrained(subject.base)
    baseline = PeftBaseline(subject, device)
    pipe.send("ready")
    while (question := pipe.recv()) is not None:
        pipe.send(baseline.answer(*question))


class Ours:
    """The local engine, with the model and the adapter loaded."""

    def __init__(self, subject: Subject, device: str) -> None:
        library = Library.open(str(subject.base), root=subject.base.parent)  # contains no other adapters
        library.ask_for("tuned", str(subject.adapter))
        settings = Settings(base=str(subject.base), device=device, quantize="none")  # type: ignore[arg-type]
        self.engine = LocalEngine(settings, library)
        while self.engine.status().state == "loading":
            time.sleep(0.05)
        if self.engine.status().state == "failed" or self.engine.status().adapters[0].error:
            raise RuntimeError(str(self.engine.status()))

    def answers(self, rows: Sequence[tuple[str, str | None]], new: int) -> list[Reply]:
        """Generate the answers of all rows in one batch.

        Args:
            rows: the prompt and the adapter of each row.
            new: number of tokens per answer.

        Raises:
            RuntimeError: an answer has a different number of tokens.
        """
        requests = [
            Request(prompt=Prompt(text=text, adapter=adapter), sampling=Sampling(max_new_tokens=new))
            for text, adapter in rows
        ]
        done = {e.row: e.reply for e in self.engine.stream(requests) if isinstance(e, Done)}
        replies = [done[row] for row in range(len(rows))]
        for reply in replies:
            if reply.finish != "length" or reply.new_tokens != new:
                raise RuntimeError(
                    f"not comparable: {reply.finish}, {reply.new_tokens} tokens, {reply.error}"
                )
        return replies


# --- Metrics --------------------------------------------------------------------------------------


@dataclass
class Samples:
    """The measurements of the engine or the baseline, one per run."""

    values: list[float] = field(default_factory=list)

    def add(self, value: float) -> None:
        self.values.append(value)

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    def raw(self) -> dict[str, Any]:
        return {
            "median": self.median,
            "min": min(self.values),
            "max": max(self.values),
            "runs": len(self.values),
        }


def timed(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def in_turns(runs: int, **sides: Callable[[int], float]) -> dict[str, Samples]:
    """Run the given functions alternately, after one warm-up run of each.

    Args:
        runs: number of runs, excluding the warm-up.
        sides: functions that take the run number and return a measurement, keyed by name.
    """
    samples = {name: Samples() for name in sides}
    for run in range(runs + 1):
        for name, side in sides.items():
            value = side(run)
            if run:
                samples[name].add(value)
    return samples


def converse(
    subject: Subject, answer: Callable[[list[tuple[str, str | None]]], list[str]], tokens: int, seed: int
) -> float:
    """Return the seconds taken by a conversation with two lanes, one with long demonstrations and one with an
    adapter.
    """
    histories = [subject.words(tokens, seed), ""]
    questions = [subject.words(12, seed + 100 + turn) for turn in range(TURNS)]
    started = time.perf_counter()
    for question in questions:
        prompts = [f"{history} {question}" for history in histories]
        texts = answer([(prompts[0], None), (prompts[1], "tuned")])
        histories = [f"{prompt} {text}" for prompt, text in zip(prompts, texts, strict=True)]
    return time.perf_counter() - started


def conversation(
    subject: Subject, ours: Ours, theirs: BaselineProcess, tokens: int, runs: int
) -> dict[str, Samples]:
    """Measure the duration of whole conversations with the engine and the baseline, in seconds.

    Every run uses different demonstrations, so that nothing is cached from an earlier run. "ours" has already
    prefilled the demonstrations, as the app does in the background at startup. "ours_cold" includes this
    prefill.
    """
    samples = {name: Samples() for name in ("ours", "ours_cold", "theirs")}
    for run in range(runs):
        reading = timed(lambda: ours.answers([(subject.words(tokens, run), None)], 1))  # noqa: B023
        talking = converse(subject, lambda rows: [r.raw_text for r in ours.answers(rows, NEW)], tokens, run)
        samples["ours"].add(talking)
        samples["ours_cold"].add(reading + talking)
        samples["theirs"].add(
            converse(subject, lambda rows: [theirs.answer(*row, NEW) for row in rows], tokens, run)
        )
    return samples


def second_turn(subject: Subject, tokens: int, run: int, answer: str) -> tuple[str, str]:
    """Return the prompts for turn 1 and turn 2, with `tokens` tokens of demonstrations."""
    first = f"{subject.words(tokens, run)} {subject.words(12, run + 50)}"
    return first, f"{first} {answer} {subject.words(12, run + 60)}"


def first_token(subject: Subject, ours: Ours, tokens: int, run: int) -> float:
    """Return the time to first token in turn 2, in seconds, after turn 1 has been answered."""
    first, _ = second_turn(subject, tokens, run, "")
    reply = ours.answers([(first, None)], 8)[0]
    _, second = second_turn(subject, tokens, run, reply.raw_text)
    ttft = ours.answers([(second, None)], 1)[0].ttft
    assert ttft is not None
    return ttft


def step_seconds(replies: Sequence[Reply]) -> float:
    """Return the seconds per decoding step of a batch, measured on the row that was added last."""
    last = max(replies, key=lambda reply: reply.ttft or 0)
    assert last.seconds is not None
    assert last.ttft is not None
    return (last.seconds - last.ttft) / (last.new_tokens - 1)


def steps(subject: Subject, ours: Ours, runs: int) -> dict[str, Samples]:
    """Measure the seconds per decoding step with 1, 2, 4 and 16 rows. Every other row uses the adapter."""
    texts = [subject.words(200, 500 + number) for number in range(16)]
    adapters = [None, "tuned"] * 8
    rows = list(zip(texts, adapters, strict=True))
    return in_turns(
        runs,
        one=lambda _: step_seconds(ours.answers(rows[:1], STEPS)),
        pair=lambda _: step_seconds(ours.answers(rows[:2], STEPS)),
        quad=lambda _: step_seconds(ours.answers(rows[:4], STEPS)),
        sixteen=lambda _: step_seconds(ours.answers(rows, STEPS)),
    )


def loops(subject: Subject, ours: Ours, theirs: BaselineProcess, runs: int) -> dict[str, Samples]:
    """Measure the seconds to decode one base row after a short prompt that is not cached."""
    return in_turns(
        runs,
        ours=lambda run: timed(lambda: ours.answers([(subject.words(8, 900 + run), None)], STEPS)),
        theirs=lambda run: timed(lambda: theirs.answer(subject.words(8, 900 + run), None, STEPS)),
    )


def overhead(subject: Subject, ours: Ours, runs: int) -> Samples:
    """Measure the share of a decoding step spent outside the model's forward pass, with a base row and an
    adapter row.
    """
    engine = ours.engine
    scheduler, inside, whole, started_inside = engine._scheduler, 0.0, 0.0, 0.0
    assert scheduler is not None
    model, batch = scheduler.model, scheduler.batch
    step = batch.step

    def before_forward(*_: Any) -> None:
        nonlocal started_inside
        started_inside = time.perf_counter()

    def after_forward(*_: Any) -> None:
        nonlocal inside
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        inside += time.perf_counter() - started_inside

    def watched_step() -> None:
        nonlocal whole, inside
        if not scheduler.waiting:  # no prefill in between
            before = inside
            started = time.perf_counter()
            step()
            whole += time.perf_counter() - started
            counted.append(inside - before)
        else:
            step()

    samples = Samples()
    counted: list[float] = []
    rows = [(subject.words(200, 700), None), (subject.words(200, 701), "tuned")]
    # Hooks instead of a wrapper, because the engine also accesses the model's modules.
    hooks = model.hf.register_forward_pre_hook(before_forward), model.hf.register_forward_hook(after_forward)
    batch.step = watched_step  # type: ignore[method-assign]
    try:
        for _ in range(runs):
            whole, counted = 0.0, []
            ours.answers(rows, STEPS)
            samples.add(1 - sum(counted) / whole)
    finally:
        batch.step = step  # type: ignore[method-assign]
        for hook in hooks:
            hook.remove()
    return samples


# --- Memory ---------------------------------------------------------------------------------------


def resident(base: str, adapter: str, lanes: int) -> dict[str, float]:
    """Return this process's memory in bytes while a model answers in one or two lanes.

    Must run in a new process.
    """
    tokenizer = AutoTokenizer.from_pretrained(base)
    library = Library.open(base, root=Path(base).parent)
    if lanes == 2:
        library.ask_for("tuned", adapter)
    engine = LocalEngine(Settings(base=base, device="cpu", quantize="none"), library)
    text = tokenizer.decode([index % 1000 + 20 for index in range(1000)])
    requests = [
        Request(prompt=Prompt(text=text, adapter=name), sampling=Sampling(max_new_tokens=NEW))
        for name in (None, "tuned")[:lanes]
    ]
    steady = kept = 0
    process = psutil.Process()
    for event in engine.stream(requests):
        if isinstance(event, Done):
            assert event.reply.error is None, event.reply.error
        scheduler = engine._scheduler
        kv = None if scheduler is None else scheduler.batch.kv
        if scheduler is not None and kv is not None and len(kv.lengths) == lanes:
            # Measured while all lanes are decoding. Just before that, the old and the new batch exist at the
            # same time.
            steady = process.memory_info().rss
            # A one-row batch uses the prefix cache's buffers, so buffers are deduplicated by address.
            held = [layer.keys for layer in kv.layers]  # type: ignore[union-attr]
            held += [keys for entry in scheduler.store._entries.values() for keys, _ in entry.buffers]
            storages = {keys.data_ptr(): keys.untyped_storage().nbytes() for keys in held}
            kept = 2 * sum(storages.values())
    engine.close()
    return {"resident": steady, "keys_and_values": kept}


def memory(subject: Subject) -> dict[str, float]:
    """Measure the memory usage of one and two lanes in bytes.

    Also compute the ratio of the memory for two lanes to the sum of its parts.
    """

    def measure(lanes: int) -> dict[str, float]:
        command = [sys.executable, "-m", "benchmarks.engine"]
        command += ["--resident", str(subject.base), str(subject.adapter), str(lanes)]
        environment = {**os.environ, "MALLOC_ARENA_MAX": "1", "MALLOC_TRIM_THRESHOLD_": "0"}
        output = subprocess.run(
            command, capture_output=True, text=True, check=True, env=environment, cwd=ROOT
        ).stdout
        result: dict[str, float] = json.loads(output)
        return result

    alone, both = measure(1), measure(2)
    adapter = sum(path.stat().st_size for path in subject.adapter.glob("*.safetensors"))
    if subject.name == "pocket":
        adapter *= 2  # float16 on disk, float32 in memory
    grown = both["keys_and_values"] - alone["keys_and_values"]
    parts = alone["resident"] + adapter + grown
    return {
        "ratio": both["resident"] / parts,
        "alone": alone["resident"],
        "adapter": adapter,
        "keys_and_values_alone": alone["keys_and_values"],
        "keys_and_values_both": both["keys_and_values"],
        "both": both["resident"],
        "parts": parts,
    }


# --- All together ---------------------------------------------------------------------------------


def measure(subject: Subject, device: str, runs: int, say: Callable[[str], None]) -> dict[str, Any]:
    """Measure all metrics of one model.

    Args:
        subject: the model.
        device: "cpu" or "cuda".
        runs: number of runs of the long measurements.
        say: called with a description of each measurement before it starts.
    """
    figures: dict[str, float | None] = dict.fromkeys(TARGETS)
    raw: dict[str, Any] = {}
    say(f"{subject.name}: memory")
    if device == "cpu":
        raw["memory"] = memory(subject)
        figures["memory"] = raw["memory"]["ratio"]
    ours = Ours(subject, device)

    def ratio(key: str, samples: dict[str, Samples], top: str, bottom: str) -> None:
        raw[key] = {name: side.raw() for name, side in samples.items()}
        figures[key] = samples[top].median / samples[bottom].median

    say(f"{subject.name}: steps")
    stepped = steps(subject, ours, runs + 2)
    ratio("pair_step", stepped, "pair", "one")
    figures["quad_step"] = stepped["quad"].median / stepped["one"].median
    figures["sixteen_rows"] = (16 / stepped["sixteen"].median) / (2 / stepped["pair"].median)
    say(f"{subject.name}: one row against generate")
    theirs = BaselineProcess(subject, device)
    looped = loops(subject, ours, theirs, runs + 2)
    ratio("loop_vs_generate", looped, "theirs", "ours")
    raw["overhead"] = (share := overhead(subject, ours, runs + 2)).raw()
    figures["overhead"] = share.median
    for key, tokens in (("conversation_1k", 1000), ("conversation_4k", 4000)):
        say(f"{subject.name}: conversation after {tokens} tokens")
        ratio(key, conversation(subject, ours, theirs, tokens, runs), "ours", "theirs")
    if subject.name != "pocket":
        say(f"{subject.name}: first token after 1,000 and 10,000 tokens")
        first = in_turns(
            runs - 1 or 1,
            ours_1k=lambda run: first_token(subject, ours, 1000, run + 300),
            ours_10k=lambda run: first_token(subject, ours, 10000, run + 400),
        )
        ratio("ttft_growth", first, "ours_10k", "ours_1k")
        _, second = second_turn(subject, 10000, 400, subject.words(8, 1))
        theirs_10k = Samples([timed(lambda: theirs.answer(second, None, 1)) for _ in range(runs - 1 or 1)])
        ratio("ttft_10k", {"ours": first["ours_10k"], "theirs": theirs_10k}, "ours", "theirs")
    theirs.close()
    ours.engine.close()
    return {**figures, "raw": raw}


SUBJECTS = {"pocket": pocket, "125m": llama}


def choose_device(name: str) -> str:
    """Resolve "auto", "cpu" or "cuda" to the device to measure on.

    Raises:
        InputError: the name is invalid, or the device is not available.
    """
    if name not in ("auto", "cpu", "cuda"):
        raise InputError(f"--device must be auto, cpu or cuda, not {name!r}.")
    available = torch.cuda.is_available()
    if name == "cuda" and not available:
        raise InputError("--device cuda needs a GPU, and none is available: use cpu.")
    return "cuda" if available and name != "cpu" else "cpu"


def run(device: str = "cpu", runs: int = 3, say: Callable[[str], None] = print) -> dict[str, Any]:
    """Measure all metrics of both models (see the module's docstring).

    Args:
        device: "cpu" or "cuda".
        runs: number of runs of the long measurements.
        say: called with a description of each measurement before it starts.
    """
    load = os.getloadavg()[0]
    if load > QUIET:
        say(f"The load average is {load:.1f}: other programs are running, so do not trust the results.")
    results: dict[str, Any] = {}
    for name in SUBJECTS:
        # Each model gets its own process, because the engine sets the math library's thread count for the
        # whole process, depending on the model size.
        command = [sys.executable, "-m", "benchmarks.engine", "--subject", name, "--device", device]
        with subprocess.Popen(
            [*command, "--runs", str(runs)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        ) as process:
            assert process.stderr is not None
            assert process.stdout is not None
            line = ""
            for line in process.stderr:
                if line.startswith(name):
                    say(line.rstrip())
            figures = process.stdout.read()
        if process.returncode:
            raise RuntimeError(f"Measuring the {name} model failed: {line.strip()}")
        results[name] = json.loads(figures)
    results["machine"] = {
        "processor": processor(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "load_average_at_start": load,
        "device": torch.cuda.get_device_name() if device == "cuda" else "cpu",
        "python": platform.python_version(),
        "torch": torch.__version__,
    }
    return results


def processor() -> str:
    """Return the CPU's name, or its architecture if the system does not report a name."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def reached(key: str, value: float) -> bool:
    """Return whether a metric meets its target in `TARGETS`."""
    kind, target, _ = TARGETS[key]
    if kind == "at most":
        return value <= target
    if kind == "at least":
        return value >= target
    return abs(value - target) <= 0.05


def table(results: dict[str, Any]) -> str:
    """Return the metrics as a Markdown table."""
    lines = ["| metric | target | pocket | 125M |", "|---|---|---|---|"]
    for key, (kind, target, meaning) in TARGETS.items():
        cells = []
        for name in ("pocket", "125m"):
            value = results[name][key]
            missed = (
                value is not None and not reached(key, value) and not (name == "pocket" and key in FOR_125M)
            )
            cells.append("" if value is None else f"{value:.3g}{' (missed)' if missed else ''}")
        lines.append(f"| {meaning} | {kind} {target:g} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    """Run the command line of `python -m benchmarks.engine`."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", action="store_true", help="print one JSON document on standard output")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument(
        "--runs",
        type=int,
        default=3,
        help="number of runs of the long measurements (short ones run more often)",
    )
    parser.add_argument("--subject", choices=list(SUBJECTS), help=argparse.SUPPRESS)
    parser.add_argument("--resident", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    transformers_logging.disable_progress_bar()
    transformers_logging.set_verbosity_error()
    if arguments.subject:
        with tempfile.TemporaryDirectory() as folder:
            subject = SUBJECTS[arguments.subject](Path(folder))
            figures = measure(
                subject, arguments.device, arguments.runs, lambda text: print(text, file=sys.stderr)
            )
        print(json.dumps(figures))
        return
    if arguments.resident:
        base, adapter, lanes = arguments.resident
        print(json.dumps(resident(base, adapter, int(lanes))))
        return
    results = run(arguments.device, arguments.runs, say=lambda text: print(text, file=sys.stderr))
    print(json.dumps(results, indent=1) if arguments.json else table(results))


if __name__ == "__main__":
    main()
