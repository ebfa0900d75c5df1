"""Measure Tandem on vLLM against vLLM's own client, and the local engine against vLLM.

    python -m benchmarks.serving [--json] [--url URL] [--rows 1 4 16] [--runs N]

vLLM serves the pocket model in float32 with the adapter pocket-ift, on this machine and from the same files
as the local engine. It is installed by `make vllm`, and started by this benchmark unless --url names one that
is already running.

**Overhead.** Eight people at once send messages to two lanes, URIAL and IFT: 16 answers at the same time.
Tandem's tokens per second are divided by those of vLLM's benchmark client (the one of `vllm bench serve`),
which sends the same prompts in a process of its own. "Engine" is Tandem's engine alone; "session" also
records everything in a database in a temporary folder, as for people. The answers are shorter than where they
would end by themselves, so that all sides generate the same number of tokens.

**Engines.** The same requests, as one batch, to the local engine and to vLLM.

All sides run alternately, after one warm-up run, so that a temporary slowdown of the machine affects all.
Ratios are the median of the runs' ratios. vLLM caches the prompts, as does the local engine.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any, Self

import httpx

from benchmarks.engine import QUIET, Samples, in_turns, processor
from benchmarks.servers import HOW_VLLM, VLLM, VLLM_PYTHON
from playground.config import Settings
from playground.engine import Engine, open_engine
from playground.engine.remote import kinds
from playground.lanes.variant import parse_lane
from playground.library import POCKET, ROOT, Library
from playground.session import Session
from playground.store import Store
from playground.types import Done, InputError, Message, Reply, Request, Sampling, Variant

LANES = ("urial", "pocket-ift")
QUESTIONS = (
    "Name three instruments.",
    "Name three rivers.",
    "How many minutes does a week have?",
    "How many minutes are in an hour?",
    "What sound does a cow make?",
    "Which planet from the Sun is Mars?",
    "Where does a baker work?",
    "What is 2 + 3?",
)
"""One question per person. The answers of both lanes have more than `TOKENS` tokens."""
TOKENS = 24
MESSAGES = 4
"""Number of messages that each person sends in a run, each in a new conversation."""
ROWS = (1, 4, 16)
TARGET = 0.95
"""Tokens per second of Tandem, at least, divided by those of vLLM's client."""

People = Sequence[Sequence[Sequence[Request]]]
"""For each person, the messages sent one after the other, each as the requests of its lanes."""


@dataclass(frozen=True)
class Speed:
    """The tokens generated in a run, and the seconds it took."""

    tokens: int
    seconds: float

    @property
    def per_second(self) -> float:
        return self.tokens / self.seconds


# --- The sides ------------------------------------------------------------------------------------


class VLLMClient:
    """vLLM's own client, in a process of vLLM's Python.

    Args:
        url: base URL of the server.
        models: the server's names of the adapters' models, keyed by adapter; None is the base model.

    Raises:
        RuntimeError: the client cannot be started.
    """

    def __init__(self, url: str, models: dict[str | None, str]) -> None:
        self._models = models
        command = [str(VLLM_PYTHON), "-P", str(ROOT / "benchmarks" / "vllm_client.py"), url]
        environment = {**os.environ, "VLLM_NO_USAGE_STATS": "1"}
        self._process = subprocess.Popen(
            command,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self._read()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(30)

    def send(self, people: People) -> Speed:
        """Send the messages of all people.

        Raises:
            RuntimeError: a request failed.
        """
        assert self._process.stdin is not None
        document = [[[self._write(each) for each in message] for message in person] for person in people]
        self._process.stdin.write(json.dumps(document) + "\n")
        self._process.stdin.flush()
        result = self._read()
        if result["errors"]:
            raise RuntimeError(f"vLLM's client failed: {result['errors'][0]}")
        return Speed(result["tokens"], result["seconds"])

    def _write(self, request: Request) -> dict[str, Any]:
        """Write a request with the fields that Tandem sends, without those that ask for counts and ids."""
        fields, _ = kinds.write_parameters(kinds.VLLM, request.sampling)
        fields |= kinds.write_stops(kinds.VLLM, request.stop.texts, ())
        return {
            "model": self._models[request.prompt.adapter],
            "prompt": request.prompt.text,
            "max_tokens": request.sampling.max_new_tokens,
            "fields": {**fields, "add_special_tokens": request.prompt.bos},
        }

    def _read(self) -> Any:
        assert self._process.stdout is not None
        # vLLM may print lines of its own.
        for line in self._process.stdout:
            if line.startswith(("{", '"')):
                return json.loads(line)
        raise RuntimeError(f"vLLM's client cannot be started with {VLLM_PYTHON}; {HOW_VLLM}.")


def count_tokens(replies: Sequence[Reply]) -> int:
    """Return the number of generated tokens.

    Raises:
        RuntimeError: a reply failed.
    """
    for reply in replies:
        if reply.error is not None:
            raise RuntimeError(reply.error)
    return sum(reply.new_tokens for reply in replies)


def run_people(people: int, answer: Callable[[int], int]) -> Speed:
    """Run a function for each person's number at the same time. It returns a number of tokens."""
    with ThreadPoolExecutor(people) as pool:
        started = time.perf_counter()
        tokens = sum(pool.map(answer, range(people)))
        return Speed(tokens, time.perf_counter() - started)


def stream_people(engine: Engine, people: People) -> Speed:
    """Answer the messages of all people with an engine alone."""

    def answer(number: int) -> int:
        events = (event for message in people[number] for event in engine.stream(message))
        return count_tokens([event.reply for event in events if isinstance(event, Done)])

    return run_people(len(people), answer)


def send_people(session: Session, variants: Sequence[Variant], messages: int) -> Speed:
    """Send the questions of all people to a session, which records them."""

    def answer(number: int) -> int:
        tokens = 0
        for _ in range(messages):
            *_, conversation = session.send(session.new(variants), QUESTIONS[number])
            tokens += count_tokens([answer.reply for answer in conversation.turns[-1].answers])
        return tokens

    return run_people(len(QUESTIONS), answer)


# --- Measurements ---------------------------------------------------------------------------------


def build_requests(variants: Sequence[Variant]) -> list[list[Request]]:
    """Return the requests of each person's message."""
    return [
        [
            Request(prompt=variant.aligner([Message(role="user", text=question)]), sampling=variant.sampling)
            for variant in variants
        ]
        for question in QUESTIONS
    ]


def compare(runs: int, **sides: Callable[[], Speed]) -> dict[str, Any]:
    """Run the sides alternately; return their tokens per second, and how many tokens they generated."""
    counts: dict[str, int] = {}

    def measure(name: str, _: int) -> float:
        speed = sides[name]()
        counts[name] = speed.tokens
        return speed.per_second

    found = in_turns(runs, **{name: partial(measure, name) for name in sides})
    return {
        "tokens": counts,
        "per_second": {name: side.raw() for name, side in found.items()},
        "values": {name: side.values for name, side in found.items()},
    }


def ratio(measured: dict[str, Any], top: str, bottom: str) -> float:
    """Return the median of the runs' ratios of two sides."""
    values = measured["values"]
    return Samples([a / b for a, b in zip(values[top], values[bottom], strict=True)]).median


def measure_overhead(
    settings: Settings, client: VLLMClient, tokens: int, messages: int, runs: int
) -> dict[str, Any]:
    """Measure Tandem on a server against vLLM's client."""
    library = Library.open(settings.base)
    with ExitStack() as stack:
        engine = stack.enter_context(closing(open_engine(settings, library)))
        if engine.status().state != "ready":
            raise RuntimeError(engine.status().note)
        store = Store(Path(stack.enter_context(tempfile.TemporaryDirectory())))
        session = Session(engine, library, store)
        variants = [parse_lane(lane, library, Sampling(max_new_tokens=tokens)) for lane in LANES]
        people = [[requests] * messages for requests in build_requests(variants)]
        found = compare(
            runs,
            client=partial(client.send, people),
            engine=partial(stream_people, engine, people),
            session=partial(send_people, session, variants, messages),
        )
    return found | {f"{name}_ratio": ratio(found, name, "client") for name in ("engine", "session")}


def measure_engines(client: VLLMClient, rows: Sequence[int], tokens: int, runs: int) -> dict[str, Any]:
    """Measure the local engine against vLLM, for batches of several sizes."""
    library = Library.open(POCKET)
    with closing(open_engine(Settings(device="cpu", quantize="none"), library)) as engine:
        while engine.status().state == "loading":
            time.sleep(0.05)
        variants = [parse_lane(lane, library, Sampling(max_new_tokens=tokens)) for lane in LANES]
        requests = [request for message in build_requests(variants) for request in message]
        found = {}
        for number in rows:
            batch = [[requests[:number]] * MESSAGES]
            measured = compare(
                runs,
                local=partial(stream_people, engine, batch),
                vllm=partial(client.send, batch),
            )
            found[str(number)] = measured | {"ratio": ratio(measured, "local", "vllm")}
    return found


def run(
    url: str | None = None,
    rows: Sequence[int] = ROWS,
    runs: int = 3,
    tokens: int = TOKENS,
    messages: int = MESSAGES,
    threads: int = 1,
) -> dict[str, Any]:
    """Run the benchmark.

    Args:
        url: base URL of a vLLM that serves the pocket model and pocket-ift; None to start one.
        rows: sizes of the batches for the local engine and vLLM.
        runs: number of counted runs.
        tokens: length of each answer.
        messages: number of messages that each person sends in a run.
        threads: threads of a vLLM that is started.

    Raises:
        InputError: vLLM is not installed.
        RuntimeError: a server does not start, or a request fails.
    """
    if not VLLM_PYTHON.exists():
        raise InputError(f"vLLM is not installed; {HOW_VLLM}.")
    load = os.getloadavg()[0]
    if load > QUIET:
        print(f"The load average is {load:.1f}: do not trust the results.", file=sys.stderr)
    with ExitStack() as stack:
        if url is None:
            log = Path(stack.enter_context(tempfile.TemporaryDirectory())) / "log"
            adapter = f"{LANES[1]}={ROOT / 'adapters' / LANES[1]}"
            # More LoRA slots than adapters, see tests/integration/test_vllm_engine.py.
            flags = ["--enable-lora", "--max-loras", "3", "--max-lora-rank", "64", "--lora-modules", adapter]
            url = stack.enter_context(VLLM(ROOT / POCKET, "base", log, *flags, threads=threads)).url
        settings = Settings.read({"remotes": [url], "base": POCKET}, {})
        address = settings.remotes[0][0]
        found = httpx.get(f"{address.removesuffix('/v1')}/version", trust_env=False).json()
        listed = httpx.get(f"{address}/models", trust_env=False).json()["data"]
        base = next(each["id"] for each in listed if each.get("parent") is None)
        client = stack.enter_context(VLLMClient(address, {None: base, LANES[1]: LANES[1]}))
        return {
            "overhead": measure_overhead(settings, client, tokens, messages, runs),
            "engines": measure_engines(client, rows, tokens, runs),
            "people": len(QUESTIONS),
            "lanes": list(LANES),
            "tokens_per_answer": tokens,
            "runs": runs,
            "threads": threads,
            "machine": f"{os.cpu_count()} cores of {processor()}",
            "versions": f"vLLM {found['version']}, PyTorch {version('torch')}, "
            f"Python {platform.python_version()}",
            "load_average_at_start": load,
        }


def table(results: dict[str, Any]) -> str:
    """Format the results as two Markdown tables, followed by the machine and the versions."""
    overhead = results["overhead"]
    answers = results["people"] * len(results["lanes"])
    lines = [f"| {answers} answers at once | tokens/s | / vLLM's client |", "|---|---|---|"]
    for name, label in (
        ("client", "vLLM's client"),
        ("engine", "Tandem, engine"),
        ("session", "Tandem, session"),
    ):
        share = overhead.get(f"{name}_ratio")
        missed = " (missed)" if share is not None and share < TARGET else ""
        cell = "" if share is None else f"{share:.2f}{missed}"
        lines.append(f"| {label} | {overhead['per_second'][name]['median']:,.0f} | {cell} |")
    lines += ["", "| rows | local engine, tokens/s | vLLM, tokens/s | ratio |", "|---|---|---|---|"]
    for rows, found in results["engines"].items():
        speeds = [f"{found['per_second'][name]['median']:,.0f}" for name in ("local", "vllm")]
        lines.append(f"| {rows} | {' | '.join(speeds)} | {found['ratio']:.2f} |")
    if len(set(overhead["tokens"].values())) > 1:
        lines += ["", f"The numbers of tokens differ: {overhead['tokens']}."]
    lines += ["", f"{results['machine']}; {results['versions']}. Medians of {results['runs']} runs."]
    return "\n".join(lines)


def main() -> None:
    """Run the command line of `python -m benchmarks.serving`."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", action="store_true", help="print one JSON document on standard output")
    parser.add_argument("--url", help="a vLLM that already serves the pocket model and pocket-ift")
    parser.add_argument("--rows", type=int, nargs="+", default=list(ROWS), choices=range(1, 17), metavar="N")
    parser.add_argument("--runs", type=int, default=3, help="number of counted runs")
    parser.add_argument("--tokens", type=int, default=TOKENS, help="length of each answer")
    parser.add_argument("--messages", type=int, default=MESSAGES, help="messages of each person in a run")
    parser.add_argument("--threads", type=int, default=1, help="threads of the vLLM that is started")
    arguments = parser.parse_args()
    for name in ("runs", "tokens", "messages", "threads"):
        if getattr(arguments, name) < 1:
            parser.error(f"--{name} must be at least 1")
    options = {name: value for name, value in vars(arguments).items() if name != "json"}
    try:
        results = run(**options)
    except InputError as error:
        parser.error(str(error))
    print(json.dumps(results, indent=1) if arguments.json else table(results))


if __name__ == "__main__":
    main()
