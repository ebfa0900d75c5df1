"""Command-line options shared by several commands and `app.py`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from playground.cli.exits import exit_on_error
from playground.config import READERS, Settings

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document on standard output.")]


def refuse_plainly(read: Callable[[str], Any]) -> Callable[[str], Any]:
    """Wrap a parser of option texts so that an InputError ends the program with the error's own message.

    Args:
        read: converts a text to a value; raises InputError for an invalid text.
    """

    def parse(text: str) -> Any:
        with exit_on_error():
            return read(text)

    return parse


def number_option(name: str, help: str) -> Any:
    """Create an option for the numeric setting of that name."""
    return typer.Option(parser=refuse_plainly(READERS[name]), help=help)


@dataclass(frozen=True, kw_only=True)
class DataOptions:
    """The database's location. Field names here and in the classes below are those of the settings."""

    data_dir: Annotated[
        Path | None, typer.Option(help="Folder of the conversation database and of your own files.")
    ] = None

    def read_settings(self) -> Settings:
        """Read the settings from these options, the environment and the defaults.

        Raises:
            InputError: a value is invalid.
        """
        return Settings.read(vars(self))


@dataclass(frozen=True, kw_only=True)
class ModelOptions(DataOptions):
    """Which base model and adapters to load, and how."""

    base: Annotated[
        str | None,
        typer.Option(help="Base model: Hub id, ID@REVISION, folder, FILE.gguf or ID:FILE.gguf."),
    ] = None
    adapters: Annotated[
        list[str] | None, typer.Option("--adapter", help="LoRA adapter: NAME=ID or NAME=PATH; repeatable.")
    ] = None
    quantize: Annotated[str | None, typer.Option(help="auto, 4bit or none.")] = None
    device: Annotated[str | None, typer.Option(help="auto, cpu or cuda.")] = None
    allow_pickle: Annotated[
        bool | None, typer.Option("--allow-pickle", help="Also read weights in pickled files (.bin).")
    ] = None
    trust_remote_code: Annotated[
        bool | None,
        typer.Option("--trust-remote-code", help="Let the base's repository run Python code here."),
    ] = None
    same_base: Annotated[
        bool | None,
        typer.Option("--same-base", help="Do not warn about adapters that name another base but fit."),
    ] = None


@dataclass(frozen=True, kw_only=True)
class PresetOptions(ModelOptions):
    """Model options that also accept a preset in place of the base."""

    preset: Annotated[
        str | None, typer.Option(help="Preset, which brings a base and adapters; `doctor` lists them.")
    ] = None


@dataclass(frozen=True, kw_only=True)
class JudgeOptions(DataOptions):
    """The judge's server, and the budget for judging."""

    judge_url: Annotated[
        str | None, typer.Option(help="Address of the judge's server: any with OpenAI's chat API.")
    ] = None
    judge_budget: Annotated[
        int | None, number_option("judge_budget", "Tokens that judging may take: in a UI session, or in all.")
    ] = None


@dataclass(frozen=True, kw_only=True)
class PageOptions(JudgeOptions, PresetOptions):
    """All options that the page can be started with."""

    judge_model: Annotated[str | None, typer.Option(help="Model that judges, such as gpt-4o.")] = None
    host: Annotated[str | None, typer.Option(help="Address to listen on; 127.0.0.1 by default.")] = None
    port: Annotated[int | None, number_option("port", "Port; 7860, or the next free one, by default.")] = None
    public: Annotated[
        bool | None,
        typer.Option(
            "--public",
            help="Public mode: rate limits on, history hidden, uploads and model loading disabled.",
        ),
    ] = None
    shared_history: Annotated[
        bool | None,
        typer.Option("--shared-history", help="List the conversations of all visitors in every history."),
    ] = None
    auth: Annotated[
        str | None, typer.Option(help="USER:PASSWORD that the page asks for; better in TANDEM_AUTH.")
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
        int | None, number_option("proxies", "Number of proxies in front that add to X-Forwarded-For.")
    ] = None
    max_tokens: Annotated[
        int | None, number_option("max_tokens", "Most tokens of one answer; 0: no limit.")
    ] = None
    max_turns: Annotated[
        int | None, number_option("max_turns", "Most turns of one conversation; 0: no limit.")
    ] = None
    max_characters: Annotated[
        int | None, number_option("max_characters", "Most characters of one message; 0: no limit.")
    ] = None
    visitor_messages: Annotated[
        int | None, number_option("visitor_messages", "Most messages a minute of one visitor; 0: no limit.")
    ] = None
    total_messages: Annotated[
        int | None, number_option("total_messages", "Most messages a minute of all visitors; 0: no limit.")
    ] = None
    queue: Annotated[
        int | None, number_option("queue", "Most messages that are answered at one time; 0: no limit.")
    ] = None
