"""The command line: `python -m playground chat|prompt|judge|fetch|doctor|bench|history`.

Standard output carries the answer and nothing else; errors go to standard error in one sentence, with exit
status 2 for bad input and 1 for a failure.
"""

from __future__ import annotations

import dataclasses
import importlib.metadata
import json
import platform
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer
import typer.core

from playground.config import Settings, prepare_environment
from playground.context_fit import describe_left_out
from playground.demonstrations.files import SUFFIXES, read_demo_file
from playground.engine import measure_room, offer_presets
from playground.engine.hub import fetch_cards
from playground.files import read_json
from playground.lanes.spec import format_spec
from playground.lanes.variant import parse_lane
from playground.library import Library
from playground.library.presets import list_presets, offer_json, offer_line
from playground.session import Session
from playground.start import open_library, open_session
from playground.store import FILE, Store
from playground.store.repair import find_damage, repair_record
from playground.templates import template_problem
from playground.terminal import print_error, print_text
from playground.types import (
    HALF_CHARACTER,
    Answer,
    Conversation,
    InputError,
    Message,
    OutsideError,
    Sampling,
    Status,
    Turn,
    check_characters,
    to_json,
)

if TYPE_CHECKING:
    from playground.published.fetch import Collection

app = typer.Typer(
    help="Ways of aligning one base language model, side by side.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

Base = Annotated[
    str | None, typer.Option(help="Base model: Hub id, ID@REVISION, folder, FILE.gguf or ID:FILE.gguf.")
]
Adapter = Annotated[list[str] | None, typer.Option(help="A LoRA adapter: NAME=ID or NAME=PATH; repeatable.")]
Preset = Annotated[
    str | None, typer.Option(help="A preset, which brings a base and adapters; `doctor` lists them.")
]
Quantize = Annotated[str | None, typer.Option(help="auto, 4bit or none.")]
Device = Annotated[str | None, typer.Option(help="auto, cpu or cuda.")]
AllowPickle = Annotated[
    bool, typer.Option("--allow-pickle", help="Read weights in pickled files (.bin) too.")
]
RemoteCode = Annotated[
    bool, typer.Option("--trust-remote-code", help="Let the base's repository run Python code here.")
]
SameBase = Annotated[
    bool, typer.Option("--same-base", help="Do not warn of adapters that name another base but fit.")
]
DataDir = Annotated[Path | None, typer.Option(help="Where the record of conversations is kept.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON document on standard output.")]


def print_json(document: Any, ensure_ascii: bool = False) -> None:
    """Print one JSON document on standard output, for programs: nothing in it is escaped for a terminal."""
    sys.stdout.write(json.dumps(document, ensure_ascii=ensure_ascii, indent=1) + "\n")


def fail(message: str, status: int) -> NoReturn:
    """One sentence to standard error, then out."""
    print_error(message)
    raise typer.Exit(status)


@contextmanager
def plain_errors() -> Iterator[None]:
    """Turn the errors a person can do something about into a sentence and an exit status."""
    try:
        yield
    except InputError as error:
        fail(str(error), 2)
    except OutsideError as error:
        fail(str(error), 1)
    except UnicodeEncodeError as error:
        half = HALF_CHARACTER.match(error.object, error.start)
        if half is None:
            raise
        fail(f"A text or a file's name holds {half[0]!r}, which is half a character: remove it.", 2)
    except KeyboardInterrupt:
        fail("Stopped.", 130)


class CheckedCommand(typer.core.TyperCommand):
    """A command whose texts are checked for halves of characters before it runs."""

    def invoke(self, ctx: Any) -> Any:
        """Check, and run; paths may be any that the system has."""
        with plain_errors():
            for parameter in self.params:
                given = ctx.params.get(parameter.name or "")
                is_option = isinstance(parameter, typer.core.TyperOption)
                what = parameter.opts[0] if is_option else (parameter.name or "").upper()
                for text in given if isinstance(given, list | tuple) else [given]:
                    if isinstance(text, str):
                        check_characters(text, what)
        return super().invoke(ctx)


def read_settings(
    base: str | None = None,
    adapter: list[str] | None = None,
    quantize: str | None = None,
    device: str | None = None,
    data_dir: Path | None = None,
    allow_pickle: bool = False,
    trust_remote_code: bool = False,
    same_base: bool = False,
    preset: str | None = None,
) -> Settings:
    """Settings from this command line, the environment and the defaults."""
    return Settings.read(
        {
            "base": base,
            "adapters": adapter,
            "quantize": quantize,
            "device": device,
            "same_base": same_base or None,
            "data_dir": data_dir,
            "allow_pickle": allow_pickle or None,
            "trust_remote_code": trust_remote_code or None,
            "preset": preset,
        }
    )


# --- chat -----------------------------------------------------------------------------------------


@app.command(cls=CheckedCommand)
def chat(
    messages: Annotated[list[str], typer.Argument(help="The messages, one turn each.")],
    lane: Annotated[
        list[str] | None,
        typer.Option(help="A lane: NAME or NAME:key=value,...; repeatable. Default: base, urial."),
    ] = None,
    temperature: Annotated[str | None, typer.Option(help="0 is greedy.")] = None,
    top_p: Annotated[str | None, typer.Option(help="In (0, 1].")] = None,
    top_k: Annotated[str | None, typer.Option(help="0 is off.")] = None,
    min_p: Annotated[str | None, typer.Option(help="In [0, 1); 0 is off.")] = None,
    repetition_penalty: Annotated[str | None, typer.Option(help="1 is off.")] = None,
    max_new_tokens: Annotated[str | None, typer.Option(help="Tokens an answer may take.")] = None,
    penalty_scope: Annotated[
        str | None, typer.Option(help="What the penalty sees: all (prompt and answer), or answer.")
    ] = None,
    seed: Annotated[str | None, typer.Option(help="Seed of the sampling noise.")] = None,
    stop: Annotated[list[str] | None, typer.Option(help="A text that ends answers; repeatable.")] = None,
    start: Annotated[str, typer.Option(help="Words that every answer is to begin with.")] = "",
    json_output: Json = False,
    preset: Preset = None,
    base: Base = None,
    adapter: Adapter = None,
    quantize: Quantize = None,
    device: Device = None,
    allow_pickle: AllowPickle = False,
    trust_remote_code: RemoteCode = False,
    same_base: SameBase = False,
    data_dir: DataDir = None,
) -> None:
    """Put MESSAGES, one after the other, to every lane."""
    decoding = {
        "temperature": temperature,
        "top_p": top_p,
        "top_k": top_k,
        "min_p": min_p,
        "repetition_penalty": repetition_penalty,
        "max_new_tokens": max_new_tokens,
        "penalty_scope": penalty_scope,
        "seed": seed,
    }
    with plain_errors():
        if any(not message.strip() for message in messages):
            raise InputError("A message is empty: give every turn some text.")
        given = {name: text for name, text in decoding.items() if text is not None}
        Sampling.parse(given)  # which says what is wrong before anything is loaded
        settings = read_settings(
            base,
            adapter,
            quantize,
            device,
            data_dir,
            allow_pickle,
            trust_remote_code,
            same_base,
            preset,
        )
        session = open_session(settings)
        try:
            fetch_cards(session.library)
            suggested = session.library.preset
            sampling = Sampling.parse(given, suggested.sampling if suggested else None)
            sampling = dataclasses.replace(sampling, stop=tuple(stop or ()))
            own = [each.name for each in suggested.adapters] if suggested else []
            lanes = lane or [*(own or ["base"]), "urial"]
            conversation = session.new([session.variant(spec, sampling) for spec in lanes])
            for message in messages:
                conversation = ask(session, conversation, message, show=not json_output, start=start)
        finally:
            session.close()
        if (unsaved := session.unsaved(conversation.id)) is not None:
            print_error(unsaved)
        if json_output:
            print_json(chat_json(conversation))
        print_warnings(session.status(), settings, session.library.refused)
        if session.status().state == "failed":
            fail(session.status().note, 1)


def print_warnings(status: Status, settings: Settings, refused: Mapping[str, str]) -> None:
    """Warnings about the base, and about the adapters that this command line named, on standard error."""
    named = {name for name, _ in settings.adapters}
    adapters = [entry for entry in status.adapters if entry.card.name in named]
    reasons = [entry.error or entry.warning for entry in adapters]
    for sentence in (*status.warnings, *refused.values(), *reasons):
        if sentence:
            print_error(sentence)


def ask(
    session: Session, conversation: Conversation, message: str, show: bool, start: str = ""
) -> Conversation:
    """One turn to its end; with `show`, printed when it is complete."""
    for snapshot in session.send(conversation, message, prefill=start):
        conversation = snapshot
    if show:
        print_turn(conversation.turns[-1])
    return conversation


def print_turn(turn: Turn) -> None:
    """A turn as plain text, lane after lane."""
    print_text(f"> {turn.user}\n")
    for answer in turn.answers:
        reply = answer.reply
        print_text(f"[{answer.variant}] {reply.error or answer.text}")
        if answer.request and (left_out := answer.request.left_out):
            print_text(f"    {describe_left_out(left_out)}")
        if reply.finish != "error":
            cached = f", {reply.cached_tokens} of {reply.prompt_tokens} prompt tokens cached"
            print_text(f"    {reply.finish}, {reply.new_tokens} tokens in {reply.seconds:.2f} s{cached}")
        print_text()


def chat_json(conversation: Conversation) -> dict[str, Any]:
    """The document that `chat --json` prints."""
    return {
        "id": conversation.id,
        "turns": [
            {"user": turn.user, "answers": [answer_json(answer) for answer in turn.answers]}
            for turn in conversation.turns
        ],
    }


REPLY_KEYS = (
    "raw_text",
    "finish",
    "error",
    "prompt_tokens",
    "cached_tokens",
    "new_tokens",
    "ttft",
    "seconds",
)


def answer_json(answer: Answer) -> dict[str, Any]:
    """One lane's part of a turn: who was asked, exactly what, and what came."""
    request = answer.request
    return {
        "variant": answer.variant,
        "adapter": request.prompt.adapter if request else None,
        "prompt": request.prompt.text if request else None,
        "left_out": to_json(request.left_out) if request else None,
        "text": answer.text,
        **{name: getattr(answer.reply, name) for name in REPLY_KEYS},
    }


def wait_until_loaded(session: Session) -> Status:
    """Block until the engine is ready; OutsideError if it never will be."""
    import time

    while (status := session.status()).state == "loading":
        time.sleep(0.05)
    if status.state == "failed":
        raise OutsideError(status.note)
    return status


# --- prompt ---------------------------------------------------------------------------------------


@app.command(cls=CheckedCommand)
def prompt(
    messages: Annotated[Path, typer.Option(help='JSON list of {"role", "content"} objects.')],
    lane: Annotated[str, typer.Option(help="A lane: NAME or NAME:key=value,...")] = "urial",
    demos: Annotated[
        str | None, typer.Option(help="A demonstration set: its name, or a .toml or .txt file.")
    ] = None,
    k: Annotated[int | None, typer.Option(help="Its first K demonstrations.")] = None,
    ablation: Annotated[str | None, typer.Option(help="What is changed in them on purpose.")] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of an ablation that draws at random.")] = None,
    base: Base = None,
    adapter: Adapter = None,
    quantize: Quantize = None,
    device: Device = None,
    allow_pickle: AllowPickle = False,
    trust_remote_code: RemoteCode = False,
    same_base: SameBase = False,
    data_dir: DataDir = None,
) -> None:
    """Print the exact prompt of a lane for a conversation, byte for byte, and nothing else."""
    with plain_errors():
        settings = read_settings(
            base,
            adapter,
            quantize,
            device,
            data_dir,
            allow_pickle,
            trust_remote_code,
            same_base,
        )
        library = open_library(settings)
        fetch_cards(library)
        spec = lane
        if demos is not None:
            # By any other suffix, a name comes first: a file may be called as a set is.
            if Path(demos).suffix in SUFFIXES or (demos not in library.demo_sets and Path(demos).exists()):
                demo_set = read_demo_file(Path(demos))
                library.demo_sets[demo_set.name] = demo_set
                demos = demo_set.name
            spec = format_spec(spec, {"demos": demos})
        for name, value in (("k", k), ("ablation", ablation), ("seed", seed)):
            if value is not None:
                spec = format_spec(spec, {name: str(value)})
        variant = parse_lane(spec, library)
        text = variant.aligner(read_messages(messages)).text
        # Bytes, so that no newline is translated and no locale matters.
        sys.stdout.buffer.write(text.encode("utf-8"))
        sys.stdout.buffer.flush()


def read_messages(path: Path) -> list[Message]:
    """The messages in a JSON file: alternating, beginning and ending with the user's.

    Raises:
        InputError: the file cannot be read, or is not such a list.
    """
    data = read_json(path)
    if not isinstance(data, list) or not data:
        raise InputError(f'{path} must hold a list of {{"role", "content"}} objects, at least one.')
    messages = []
    for number, entry in enumerate(data, start=1):
        expected = "user" if number % 2 else "assistant"
        if not isinstance(entry, dict) or set(entry) != {"role", "content"}:
            raise InputError(f'{path}, message {number}: it must have "role" and "content" and no more.')
        if entry["role"] != expected:
            raise InputError(
                f'{path}, message {number}: its role must be "{expected}", not {entry["role"]!r:.40}; user '
                "and assistant alternate, beginning with the user."
            )
        if not isinstance(entry["content"], str):
            raise InputError(f'{path}, message {number}: "content" must be text.')
        check_characters(entry["content"], f'{path}, message {number}: "content"')
        messages.append(Message(role=expected, text=entry["content"]))  # type: ignore[arg-type]
    if messages[-1].role != "user":
        raise InputError(f"{path} must end with the user's message, which the prompt asks for an answer to.")
    return messages


# --- fetch ----------------------------------------------------------------------------------------


@app.command(cls=CheckedCommand)
def fetch(
    name: Annotated[str, typer.Argument(help="A collection; without one, they are listed.")] = "",
    json_output: Json = False,
    data_dir: DataDir = None,
) -> None:
    """Download prompt files that others have published, as demonstration sets of yours."""
    with plain_errors():
        # Imported here: it brings in an HTTP client, which no other command needs.
        from playground.published import fetch as published

        if not name:
            print_collections(published.collections(), json_output)
            return
        settings = read_settings(data_dir=data_dir)
        collection = published.find_collection(name)
        outcomes = []
        taken = Library.open(settings.base, data_dir=settings.data_dir).demo_sets
        for outcome in published.fetch(
            collection, settings.data_dir / "demos", settings.mirror, taken=list(taken)
        ):
            outcomes.append(outcome)
            if not json_output and outcome.error is None:
                print_text(f"{FETCHED[outcome.state]} {outcome.path}")
            elif outcome.error is not None:
                print_error(outcome.error)
        library = Library.open(settings.base, data_dir=settings.data_dir)
        for problem in library.problems:
            ours = [settings.data_dir / "demos" / outcome.path.name for outcome in outcomes if outcome.file]
            if problem.startswith(tuple(f"{path}" for path in ours)):
                print_error(problem)
        sets = {path.resolve(): demos for demos, path in library.own_sets.items()}
        if json_output:
            rows = [
                {
                    "name": outcome.file.name if outcome.file else None,
                    "published": outcome.file.path if outcome.file else None,
                    "path": str(outcome.path),
                    "state": outcome.state,
                    "set": sets.get(outcome.path),
                    "error": outcome.error,
                }
                for outcome in outcomes
            ]
            print_json({"collection": name, "files": rows})
        elif names := [sets[outcome.path] for outcome in outcomes if outcome.path in sets]:
            print_text(f"Use them as demos=NAME: {', '.join(names)}")
        if any(outcome.error for outcome in outcomes):
            raise typer.Exit(1)


FETCHED = {"fetched": "fetched", "here": "already here:", "kept": "kept as it is, though not as published:"}


def print_collections(collections: list[Collection], json_output: bool) -> None:
    """What there is to fetch."""
    if json_output:
        print_json([to_json(entry) for entry in collections])
        return
    for entry in collections:
        size = sum(file.size for file in entry.files)
        print_text(f"{entry.name}: {entry.description}")
        print_text(
            f"    {len(entry.files)} files, {size} bytes, {entry.licence}, github.com/{entry.repository}"
        )
        if entry.folders and entry.revision:
            print_text(
                f"    and the other ones in {', '.join(entry.folders)} at {entry.revision[:7]}, by git"
            )


# --- doctor ---------------------------------------------------------------------------------------


@app.command(cls=CheckedCommand)
def doctor(
    json_output: Json = False,
    preset: Preset = None,
    base: Base = None,
    adapter: Adapter = None,
    quantize: Quantize = None,
    device: Device = None,
    allow_pickle: AllowPickle = False,
    trust_remote_code: RemoteCode = False,
    same_base: SameBase = False,
    data_dir: DataDir = None,
    repair: Annotated[
        Path | None,
        typer.Option(help="Copy what can be read of the record into this new file, and do nothing else."),
    ] = None,
) -> None:
    """Load the model and say what is here, what works, and what does not."""
    with plain_errors():
        if repair is not None:
            print_text(repair_record(read_settings(data_dir=data_dir).data_dir / FILE, repair))
            return
        settings = read_settings(
            base,
            adapter,
            quantize,
            device,
            data_dir,
            allow_pickle,
            trust_remote_code,
            same_base,
            preset,
        )
        session = open_session(settings)
        try:
            status = wait_until_loaded(session)
        finally:
            session.close()
        report = doctor_json(settings, session, status)
        if json_output:
            print_json(report)
        else:
            print_report(report)
        if report["problems"]:
            raise typer.Exit(1)


PACKAGES = ("torch", "transformers", "peft", "bitsandbytes", "gradio", "openai", "sentencepiece")


def doctor_json(settings: Settings, session: Session, status: Status) -> dict[str, Any]:
    """The document that `doctor --json` prints."""
    library = session.library
    presets, preset_problems = list_presets(settings.data_dir)
    offers = offer_presets(presets, measure_room(settings))
    adapters = [
        {
            "name": entry.card.name,
            "label": entry.card.label,
            "source": entry.card.source,
            "chat_template": entry.card.chat_format is not None or bool(entry.card.tokenizer),
            "ends": list(entry.ends),
            "kl_from_base_nats": entry.kl,
            "serving": entry.serving,
            "error": entry.error,
            "warning": entry.warning,
        }
        for entry in status.adapters
    ]
    return {
        "python": platform.python_version(),
        "machine": platform.platform(),
        "packages": {name: importlib.metadata.version(name) for name in PACKAGES},
        "base": status.base,
        "device": status.device,
        "precision": status.precision,
        "layers": dict(status.layers),
        "parameters": status.parameters,
        "context": status.context,
        "plain_path": status.plain,
        "ends": list(status.ends),
        "prefix_store_bytes": status.prefix_limit,
        "adapters": adapters,
        "adapters_for_other_bases": {card.name: card.base_model for card in library.other_adapters.values()},
        "demo_sets": {
            name: "whole" if demos.whole else len(demos.demos) for name, demos in library.demo_sets.items()
        },
        "demo_notes": {name: demos.note for name, demos in library.demo_sets.items() if demos.note},
        "presets": [offer_json(offer) for offer in offers],
        "record": str(session.store.path),
        "warnings": list(status.warnings),
        "problems": [
            *library.problems,
            *preset_problems,
            *session.judges.problems,
            *find_damage(session.store.path),
            *base_template_problems(library),
            *(reason for entry in adapters for reason in (entry["error"], entry["warning"]) if reason),
        ],
    }


def base_template_problems(library: Library) -> list[str]:
    """Why the base's own chat template writes nothing, if it has one that does not."""
    try:
        format = library.chat_format()
    except InputError as error:
        return [str(error)]
    problem = "" if format is None else template_problem(format)
    return [f"The base's lane 'chat': {problem}"] if problem else []


def written(ends: Sequence[str]) -> str:
    """End tokens and texts on one line, each as it is written."""
    return ", ".join(json.dumps(end, ensure_ascii=False) for end in ends)


def print_report(report: dict[str, Any]) -> None:
    """The doctor's document for people."""
    for name, value in report.items():
        if name == "adapters":
            for entry in value:
                state = entry["error"] or (
                    f"ready, {entry['kl_from_base_nats']:.2f} nats per token from the base"
                )
                print_text(f"adapter {entry['name']}: {state} ({entry['source']})")
                if entry["serving"]:
                    print_text(f"adapter {entry['name']}: {entry['serving']}")
                if entry["ends"]:
                    print_text(f"adapter {entry['name']}: answers end at {written(entry['ends'])}")
        elif name == "ends":
            print_text(f"answers of the base end at {written(value) or 'nothing but the limit'}")
        elif name == "presets":
            print_text("\n".join(map(offer_line, value)) or "presets: none")
        elif name == "plain_path":
            print_text(f"decoding: {f'row after row, since {value}' if value else 'all rows as one batch'}")
        elif name == "warnings":
            for warning in value:
                print_text(f"WARNING: {warning}")
        elif name == "problems":
            print_text("\n".join(f"PROBLEM: {problem}" for problem in value) or "no problems")
        elif isinstance(value, dict):
            print_text(f"{name}: {', '.join(f'{key} {item}' for key, item in value.items()) or 'none'}")
        else:
            print_text(f"{name}: {value}")


# --- bench ----------------------------------------------------------------------------------------


@app.command(cls=CheckedCommand)
def bench(
    json_output: Json = False,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "cpu",
    runs: Annotated[int, typer.Option(min=1, help="Runs of the long figures.")] = 3,
) -> None:
    """Measure the engine against PEFT and `generate`; some minutes, on a machine that does nothing else."""
    with plain_errors():
        from benchmarks import engine as benchmark

        results = benchmark.run(benchmark.choose_device(device), runs, say=print_error)
        if json_output:
            print_json(results, ensure_ascii=True)
        else:
            print_text(benchmark.table(results))


# --- judge ----------------------------------------------------------------------------------------


@app.command(cls=CheckedCommand)
def judge(
    id: Annotated[str, typer.Argument(help="A recorded conversation, see `history`.")],
    rubric: Annotated[str | None, typer.Option(help="What is asked: single, pairwise, aspects...")] = None,
    named: Annotated[
        list[str] | None,
        typer.Option(
            "--judge",
            help='A model, MODEL@http://SERVER, or "reference" for probes with a known answer; up to five '
            "times, for their majority and agreement too.",
        ),
    ] = None,
    url: Annotated[str | None, typer.Option("--judge-url", help="The judge's server.")] = None,
    turns: Annotated[str | None, typer.Option(help="Which turns, such as 1,2; by default all.")] = None,
    lanes: Annotated[str | None, typer.Option(help="Which lanes, such as 1,3; by default all.")] = None,
    scope: Annotated[str, typer.Option(help="turn, or conversation for all up to each turn.")] = "turn",
    samples: Annotated[int, typer.Option(help="How often each question is put.")] = 1,
    estimate: Annotated[bool, typer.Option("--estimate", help="Only say what it would cost.")] = False,
    judge_budget: Annotated[str | None, typer.Option(help="Tokens it may take.")] = None,
    json_output: Json = False,
    data_dir: DataDir = None,
) -> None:
    """Judge the answers of a conversation; the key is OPENAI_API_KEY or TANDEM_JUDGE_KEY."""
    from playground.judging import report
    from playground.judging.service import Judges

    with plain_errors():
        flags = {
            "judge_url": url,
            "judge_budget": judge_budget,
            "data_dir": data_dir,
        }
        settings = Settings.read(flags)
        store = Store(settings.data_dir)
        judges = Judges(store, settings)
        try:
            asked = report.questions(
                judges, named or (), store.load(id), rubric, turns, lanes, scope, samples
            )
            for warning in report.family_warnings(judges, asked):
                print_error(warning)
            if estimate:
                document = report.estimate_json(asked)
                if json_output:
                    print_json(document, ensure_ascii=True)
                else:
                    print_text(report.estimate_text(document))
                return
            judged = report.ask(judges, asked)
        finally:
            judges.close()
        if json_output:
            document = report.verdicts_json(store.load(id), judged)
            print_json(document)
        else:
            print_text(report.verdicts_text(store.load(id), judged))
        errors = [verdict.error for _, verdict in judged if verdict.error]
        if errors:
            fail(errors[0], 1)


# --- history --------------------------------------------------------------------------------------


@app.command(cls=CheckedCommand)
def history(
    query: Annotated[str, typer.Argument(help="Words in any of the user's messages.")] = "",
    json_output: Json = False,
    data_dir: DataDir = None,
) -> None:
    """List recorded conversations, the latest first."""
    with plain_errors():
        summaries = Store(read_settings(data_dir=data_dir).data_dir).summaries(query)
        if json_output:
            rows = [to_json(summary) | {"updated": summary.updated.isoformat()} for summary in summaries]
            print_json(rows)
            return
        for summary in summaries:
            updated = summary.updated.astimezone().strftime("%Y-%m-%d %H:%M")
            title = " ".join(summary.title.split())
            print_text(f"{summary.id}  {updated}  {summary.turns} turns  {title[:60]}")


def main() -> None:
    """What `python -m playground` runs."""
    prepare_environment()
    app()


if __name__ == "__main__":
    main()
