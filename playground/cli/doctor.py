"""`doctor`: load the model, and report which adapters are available and whether the model and the adapters
work.
"""

from __future__ import annotations

import importlib.metadata
import json
import platform
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from playground.cli.exits import FAILURE
from playground.cli.options import Json, PresetOptions
from playground.cli.output import print_json
from playground.config import Settings
from playground.engine import measure_room, offer_presets
from playground.library import Library
from playground.library.presets import list_presets, offer_json, offer_line
from playground.session import Session
from playground.start import open_session
from playground.store import FILE
from playground.store.repair import find_damage, repair_record
from playground.templates import template_problem
from playground.terminal import print_text
from playground.types import InputError, OutsideError, Status
from playground.words import format_number


def doctor(
    *,
    json_output: Json = False,
    model: PresetOptions,
    repair: Annotated[
        Path | None,
        typer.Option(help="Only copy the readable part of the database to this new file."),
    ] = None,
) -> None:
    """Load the model, and report what is available and whether it works."""
    settings = model.read_settings()
    if repair is not None:
        print_text(repair_record(settings.data_dir / FILE, repair))
        return
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
        raise typer.Exit(FAILURE)


def wait_until_loaded(session: Session) -> Status:
    """Block until the engine is ready. Raises OutsideError if loading fails."""
    while (status := session.status()).state == "loading" or status.is_checking:
        time.sleep(0.05)
    if status.state == "failed":
        raise OutsideError(status.note)
    return status


HIDDEN_IF_NONE = ("server", "server_tokens", "device", "precision", "parameters", "prefix_store_bytes")
"""Keys of the report that apply either to a server or to a model on this machine."""
LOCAL = ("plain_path", "ends", "layers")
"""Keys of the report that do not apply to a server."""
COUNTS = ("parameters", "context", "prefix_store_bytes")
"""Keys of the report whose values are counts."""
PACKAGES = ("torch", "transformers", "peft", "bitsandbytes", "gradio", "openai", "sentencepiece")


def doctor_json(settings: Settings, session: Session, status: Status) -> dict[str, Any]:
    """Return the document that `doctor --json` prints."""
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
        "server": status.server,
        "server_lacks": list(status.gaps),
        "server_tokens": status.tokens or None,
        "precision": status.precision,
        "layers": dict(status.layers),
        "parameters": status.parameters,
        "context": status.context,
        "plain_path": status.plain,
        "ends": list(status.ends),
        "prefix_store_bytes": status.prefix_limit,
        "adapters": adapters,
        "adapters_not_served": list(library.not_served),
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
            *session.library.rubric_problems,
            *session.library.probe_problems,
            *find_damage(session.store.path),
            *base_template_problems(library),
            *(reason for entry in adapters for reason in (entry["error"], entry["warning"]) if reason),
        ],
    }


def base_template_problems(library: Library) -> list[str]:
    """Return a description of the problem, as a one-item list, if the base's chat template cannot be
    rendered. Otherwise, return an empty list.
    """
    try:
        format = library.chat_format()
    except InputError as error:
        return [str(error)]
    problem = "" if format is None else template_problem(format)
    return [f"Lane 'chat' of the base: {problem}"] if problem else []


def format_ends(ends: Sequence[str]) -> str:
    """Format EOS tokens and stop sequences on one line, each as a JSON string."""
    return ", ".join(json.dumps(end, ensure_ascii=False) for end in ends)


def print_report(report: dict[str, Any]) -> None:
    """Print the `doctor` report as text."""
    for name, value in report.items():
        if (value is None and name in HIDDEN_IF_NONE) or (report.get("server") and name in LOCAL):
            continue
        if name == "adapters":
            for entry in value:
                kl = entry["kl_from_base_nats"]
                apart = "" if kl is None else f", KL divergence from the base {kl:.2f} nats per token"
                state = entry["error"] or f"ready{apart}"
                print_text(f"adapter {entry['name']}: {state} ({entry['source']})")
                if entry["serving"]:
                    print_text(f"adapter {entry['name']}: {entry['serving']}")
                if entry["ends"]:
                    print_text(f"adapter {entry['name']}: answers end at {format_ends(entry['ends'])}")
        elif name == "ends":
            print_text(f"base: answers end at {format_ends(value) or 'the token limit only'}")
        elif name == "presets":
            print_text("\n".join(map(offer_line, value)) or "presets: none")
        elif name == "server_lacks":
            for gap in value:
                print_text(f"server: {gap}")
        elif name == "plain_path":
            print_text(
                f"decoding: {f'one row at a time because {value}' if value else 'all rows as one batch'}"
            )
        elif name == "warnings":
            for warning in value:
                print_text(f"WARNING: {warning}")
        elif name == "problems":
            print_text("\n".join(f"PROBLEM: {problem}" for problem in value) or "no problems")
        elif name in COUNTS and value is not None:
            print_text(f"{name}: {format_number(value)}")
        elif isinstance(value, list):
            print_text(f"{name}: {', '.join(value) or 'none'}")
        elif isinstance(value, dict):
            print_text(f"{name}: {', '.join(f'{key} {item}' for key, item in value.items()) or 'none'}")
        else:
            print_text(f"{name}: {value}")
