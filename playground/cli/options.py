"""Command-line options shared by several commands and by `app.py`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from playground.cli.exits import exit_on_error
from playground.config import READERS, Settings, flag_name

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document on standard output.")]


def refuse_plainly(read: Callable[[str], Any]) -> Callable[[str], Any]:
    """Wrap an option parser so that, if it raises an InputError, the program prints that error's message and
    exits.

    Args:
        read: function that converts text to a value and raises InputError for invalid text.
    """

    def parse(text: str) -> Any:
        with exit_on_error():
            return read(text)

    return parse


def number_option(name: str, help: str) -> Any:
    """Create a command-line option for a numeric setting."""
    return typer.Option(parser=refuse_plainly(partial(READERS[name], flag_name(name))), help=help)


@dataclass(frozen=True, kw_only=True)
class DataOptions:
    """Command-line option for the database's location. Here and in subclasses, each field is named after the
    setting that it sets.
    """

    data_dir: Annotated[
        Path | None, typer.Option(help="Folder for the conversation database and your files.")
    ] = None

    def read_settings(self) -> Settings:
        """Read the settings from these options, the environment and the defaults.

        Raises:
            InputError: a value is invalid.
        """
        return Settings.read(vars(self))


@dataclass(frozen=True, kw_only=True)
class ModelOptions(DataOptions):
    """Options for the base model and adapters."""

    base: Annotated[
        str | None,
        typer.Option(help="Base model: Hub ID, ID@REVISION, folder, FILE.gguf or ID:FILE.gguf."),
    ] = None
    adapters: Annotated[
        list[str] | None, typer.Option("--adapter", help="LoRA adapter: NAME=ID or NAME=PATH; repeatable.")
    ] = None
    remotes: Annotated[
        list[str] | None,
        typer.Option(
            "--remote",
            help="Server with an OpenAI-compatible API that runs the model: URL or URL=MODEL; repeatable. "
            "--adapter is then NAME=SERVED-NAME.",
        ),
    ] = None
    tokenizer: Annotated[
        str | None, typer.Option(help="Tokenizer of the model behind --remote: folder or Hub ID.")
    ] = None
    quantize: Annotated[str | None, typer.Option(help="Quantization of the base: auto, 4bit or none.")] = None
    device: Annotated[str | None, typer.Option(help="Device for the model: auto, cpu or cuda.")] = None
    allow_pickle: Annotated[
        bool | None, typer.Option("--allow-pickle", help="Allow loading weights from pickle files (.bin).")
    ] = None
    trust_remote_code: Annotated[
        bool | None,
        typer.Option(
            "--trust-remote-code",
            help="Allow running Python code from the base model's repository on this machine.",
        ),
    ] = None
    same_base: Annotated[
        bool | None,
        typer.Option(
            "--same-base", help="Do not warn about compatible adapters that declare a different base."
        ),
    ] = None


@dataclass(frozen=True, kw_only=True)
class PresetOptions(ModelOptions):
    """Model options that also accept a preset instead of a base model."""

    preset: Annotated[
        str | None,
        typer.Option(help="Preset that includes a base and adapters; `doctor` lists all presets."),
    ] = None


@dataclass(frozen=True, kw_only=True)
class JudgeOptions(DataOptions):
    """Options for the judge server and the judging budget."""

    judge_url: Annotated[
        str | None, typer.Option(help="URL of a judge server with an OpenAI-compatible chat API.")
    ] = None
    judge_budget: Annotated[
        int | None, number_option("judge_budget", "Token budget for judging, per UI session or per command.")
    ] = None


@dataclass(frozen=True, kw_only=True)
class PageOptions(JudgeOptions, PresetOptions):
    """All options for serving the page."""

    judge_model: Annotated[str | None, typer.Option(help="Judge model, such as gpt-4o.")] = None
    host: Annotated[str | None, typer.Option(help="Address to listen on; 127.0.0.1 by default.")] = None
    port: Annotated[int | None, number_option("port", "Port; 7860, or the next free one, by default.")] = None
    no_browser: Annotated[
        bool | None,
        typer.Option(
            "--no-browser",
            help="Do not open the page in a browser. Without a display or with --public, none is opened.",
        ),
    ] = None
    public: Annotated[
        bool | None,
        typer.Option(
            "--public",
            help="Public mode: rate limits on, history hidden, uploads and model loading disabled.",
        ),
    ] = None
    shared_history: Annotated[
        bool | None,
        typer.Option(
            "--shared-history", help="List the conversations of all visitors in everyone's history."
        ),
    ] = None
    auth: Annotated[
        str | None,
        typer.Option(help="Require USER:PASSWORD to open the page. Preferably set TANDEM_AUTH instead."),
    ] = None
    api: Annotated[
        bool | None,
        typer.Option(
            "--api",
            help="Also serve the lanes with an OpenAI-compatible API under /v1; TANDEM_API_KEY sets its key.",
        ),
    ] = None
    hosts: Annotated[
        list[str] | None,
        typer.Option(
            "--allow-host",
            help="Extra host name to accept when listening on other interfaces; IP addresses are always "
            "accepted. Repeatable.",
        ),
    ] = None
    proxies: Annotated[
        int | None, number_option("proxies", "Number of reverse proxies that append to X-Forwarded-For.")
    ] = None
    max_tokens: Annotated[
        int | None, number_option("max_tokens", "Maximum number of tokens per answer; 0: no limit.")
    ] = None
    max_turns: Annotated[
        int | None, number_option("max_turns", "Maximum number of turns per conversation; 0: no limit.")
    ] = None
    max_characters: Annotated[
        int | None, number_option("max_characters", "Maximum number of characters per message; 0: no limit.")
    ] = None
    visitor_messages: Annotated[
        int | None,
        number_option("visitor_messages", "Maximum number of messages per minute per visitor; 0: no limit."),
    ] = None
    total_messages: Annotated[
        int | None,
        number_option(
            "total_messages", "Maximum number of messages per minute from all visitors combined; 0: no limit."
        ),
    ] = None
    queue: Annotated[
        int | None,
        number_option("queue", "Maximum number of messages answered at the same time; 0: no limit."),
    ] = None
