"""Tandem, served as a page: settings -> session -> page. Run it with ``python app.py``."""

from __future__ import annotations

import errno
import signal
import socket
import sys
import threading
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer

from playground import config
from playground.config import DEFAULT_PORT, Settings
from playground.engine.memory import share_freed_memory
from playground.terminal import escape_log, print_error, print_text
from playground.types import InputError, OutsideError

TRIES = 100
"""Ports tried from the default one on, if none was asked for."""


def main(
    base: Annotated[
        str | None, typer.Option(help="Base model: Hub id, ID@REVISION, folder, FILE.gguf or ID:FILE.gguf.")
    ] = None,
    adapter: Annotated[
        list[str] | None, typer.Option(help="A LoRA adapter as NAME=ID or NAME=PATH; may be repeated.")
    ] = None,
    preset: Annotated[
        str | None, typer.Option(help="A preset of models/presets.toml: base, adapters, set-up.")
    ] = None,
    quantize: Annotated[str | None, typer.Option(help="auto, 4bit or none.")] = None,
    device: Annotated[str | None, typer.Option(help="auto, cpu or cuda.")] = None,
    allow_pickle: Annotated[
        bool, typer.Option("--allow-pickle", help="Read weights in pickled files (.bin) too.")
    ] = False,
    trust_remote_code: Annotated[
        bool, typer.Option("--trust-remote-code", help="Let the base's repository run Python code here.")
    ] = False,
    same_base: Annotated[
        bool, typer.Option("--same-base", help="Do not warn of adapters that name another base but fit.")
    ] = False,
    host: Annotated[str | None, typer.Option(help="Address to listen on; 127.0.0.1 by default.")] = None,
    port: Annotated[str | None, typer.Option(help="Port; 7860, or the next free one, by default.")] = None,
    data_dir: Annotated[Path | None, typer.Option(help="Where conversations are kept.")] = None,
    judge_model: Annotated[str | None, typer.Option(help="The model that judges, such as gpt-4o.")] = None,
    judge_url: Annotated[
        str | None, typer.Option(help="The judge's server; any that speaks OpenAI's chat API.")
    ] = None,
    judge_budget: Annotated[
        str | None, typer.Option(help="Tokens that judging may take in one visit.")
    ] = None,
    shared_history: Annotated[
        bool,
        typer.Option("--shared-history", help="Every history lists the conversations of all visitors."),
    ] = False,
    public: Annotated[
        bool, typer.Option("--public", help="Strangers come: limits, and nobody's conversations listed.")
    ] = False,
    auth: Annotated[
        str | None, typer.Option(help="USER:PASSWORD that the page asks for; better in TANDEM_AUTH.")
    ] = None,
    allow_host: Annotated[
        list[str] | None, typer.Option(help="A name that the page may be called by; may be repeated.")
    ] = None,
    proxies: Annotated[str | None, typer.Option(help="Proxies in front that add to X-Forwarded-For.")] = None,
    max_tokens: Annotated[str | None, typer.Option(help="Tokens that an answer may take; 0: any.")] = None,
    max_turns: Annotated[str | None, typer.Option(help="Turns of a conversation; 0: any.")] = None,
    max_characters: Annotated[str | None, typer.Option(help="Characters of a message; 0: any.")] = None,
    visitor_messages: Annotated[
        str | None, typer.Option(help="Messages a minute of one visitor; 0: any.")
    ] = None,
    total_messages: Annotated[
        str | None, typer.Option(help="Messages a minute of all visitors; 0: any.")
    ] = None,
    queue: Annotated[str | None, typer.Option(help="Messages being answered at one moment; 0: any.")] = None,
) -> None:
    """Serve the playground until Ctrl-C."""
    space = config.on_space()
    flags = {
        "base": base,
        "preset": preset,
        "adapters": adapter,
        "quantize": quantize,
        "device": device,
        "allow_pickle": allow_pickle or None,
        "trust_remote_code": trust_remote_code or None,
        "same_base": same_base or None,
        "host": host or ("0.0.0.0" if space else None),
        "port": port,
        "data_dir": data_dir,
        "public": public or space or None,
        "shared_history": shared_history or None,
        "judge_model": judge_model,
        "judge_url": judge_url,
        "judge_budget": judge_budget,
        "auth": auth,
        "hosts": allow_host,
        "proxies": proxies,
        "max_tokens": max_tokens,
        "max_turns": max_turns,
        "max_characters": max_characters,
        "visitor_messages": visitor_messages,
        "total_messages": total_messages,
        "queue": queue,
    }
    try:
        run(Settings.read(flags))
    except InputError as error:
        _leave(str(error), 2)
    except OutsideError as error:
        _leave(str(error), 1)


def run(settings: Settings) -> None:
    """Open a session, serve its page, and close both on Ctrl-C or a request to end."""
    port = _port(settings)
    share_freed_memory()
    escape_log()
    # Imported here: what they import reads the environment, and a bad flag should be answered at once.
    from playground import ui
    from playground.start import open_session

    ended = threading.Event()

    def end(signum: int, frame: FrameType | None) -> None:
        ended.set()

    signal.signal(signal.SIGINT, end)
    signal.signal(signal.SIGTERM, end)
    session = open_session(settings)
    page = ui.build(session, settings)
    ui.serve(page, settings, port)
    shown = "127.0.0.1" if settings.host == "0.0.0.0" else settings.host
    print_text(f"Tandem is at http://{f'[{shown}]' if ':' in shown else shown}:{port}")
    while not ended.wait(0.5):  # in slices, since on Windows a wait without end is deaf to Ctrl-C
        pass
    ui.stop(page)
    # A model in the middle of loading cannot be interrupted; its thread ends with the process.
    closing = threading.Thread(target=session.close, daemon=True)
    closing.start()
    closing.join(timeout=5)


def _port(settings: Settings) -> int:
    """The port asked for, or the first free one; checked before anything slow begins.

    Raises:
        InputError: it cannot be had.
    """
    ports = [settings.port] if settings.port else list(range(DEFAULT_PORT, DEFAULT_PORT + TRIES))
    for port in ports:
        try:
            _try(settings.host, port)
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                continue
            if error.errno == errno.EACCES:
                raise InputError(
                    f"Port {port} needs the system's permission: choose one above 1023 with --port."
                ) from error
            raise InputError(
                f"Cannot listen on {settings.host}: {error.strerror or error}; choose another with --host."
            ) from error
        return port
    if settings.port:
        raise InputError(
            f"Port {settings.port} on {settings.host} is in use: stop the other program, or choose another "
            "with --port."
        )
    raise InputError(
        f"Ports {ports[0]} to {ports[-1]} on {settings.host} are all in use: choose another with --port."
    )


def _try(host: str, port: int) -> None:
    """Raise OSError if nothing can listen there."""
    family, _, _, _, address = socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM)[0]
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        if sys.platform != "win32":  # there the option would allow a port that is in use
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(address)
        probe.listen(1)


def _leave(sentence: str, status: int) -> None:
    print_error(sentence)
    raise typer.Exit(status)


if __name__ == "__main__":
    config.prepare_environment()
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command()(main)
    app()
