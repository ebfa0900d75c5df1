"""The Typer app with all commands, and the entry points for `tandem`, `python -m playground` and `app.py`."""

from __future__ import annotations

from typing import Annotated

import typer

from playground.cli.bench import bench
from playground.cli.chat import chat
from playground.cli.command import add_command
from playground.cli.doctor import doctor
from playground.cli.fetch import fetch
from playground.cli.history import history
from playground.cli.judge import judge
from playground.cli.prompt import prompt
from playground.cli.serve import serve
from playground.config import prepare_environment
from playground.terminal import print_text
from playground.version import find_version


def print_version(is_given: bool) -> None:
    """If the option is given, print Tandem's version and exit."""
    if is_given:
        print_text(find_version())
        raise typer.Exit


app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


@app.callback()
def read_global_options(
    version: Annotated[
        bool,
        typer.Option("--version", help="Print the version and exit.", is_eager=True, callback=print_version),
    ] = False,
) -> None:
    """Compare ways of aligning one base language model, side by side."""


for command in (serve, chat, prompt, judge, history, fetch, doctor, bench):
    add_command(app, command)


def main() -> None:
    """Run the command specified on the command line."""
    prepare_environment()
    app()


def main_serve() -> None:
    """Run the `serve` command with all command-line arguments as its options.

    Entry point for `python app.py`.
    """
    prepare_environment()
    page = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    add_command(page, serve)
    page()
