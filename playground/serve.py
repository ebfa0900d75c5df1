"""Serve the page: choose a port, open a session, run the page, and shut both down on Ctrl-C."""

from __future__ import annotations

import errno
import signal
import socket
import sys
import threading
import time
import webbrowser
from types import FrameType

from playground.config import DEFAULT_PORT, Settings, has_display
from playground.engine.memory import share_freed_memory
from playground.terminal import escape_log, print_error, print_text
from playground.types import InputError, Status
from playground.words import format_seconds

LOOPBACK = ("127.0.0.1", "localhost", "::1", "[::1]")
TRIES = 100
"""Number of ports to try if no port was given, starting with the default port."""


def serve_page(settings: Settings) -> None:
    """Open a session, serve its page, and shut both down on SIGINT or SIGTERM.

    Raises:
        InputError: the given port or an adapter cannot be used, or the database cannot be opened.
    """
    start = time.monotonic()
    port = _choose_port(settings)
    print_error("Starting Tandem...")
    share_freed_memory()
    escape_log()
    # Imported here, so that an unusable port is reported before Gradio is loaded.
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
    host = "127.0.0.1" if settings.host == "0.0.0.0" else settings.host
    url = f"http://{f'[{host}]' if ':' in host else host}:{port}"
    print_text(f"Tandem is running at {url}")
    if settings.api:
        print_text(f"Its API is at {url}/v1")
    open_browser(settings, url)
    reporter = StatusReporter(start)
    while not ended.wait(0.5):  # with a timeout, because an unlimited wait ignores Ctrl-C on Windows
        reporter.report(session.status())
    ui.stop(page)
    # Model loading cannot be interrupted. Its thread terminates with the process.
    closing = threading.Thread(target=session.close, daemon=True)
    closing.start()
    closing.join(timeout=5)


class StatusReporter:
    """Prints that the model is ready, why it is not and, if its server was lost, that it is back."""

    def __init__(self, start: float) -> None:
        """
        Args:
            start: time at which the program was started.
        """
        self._start = start
        self._was_ready = False
        self._failure: str | None = None
        """The failure printed last, until the model is ready."""

    def report(self, status: Status) -> None:
        """Print what has changed since the last call."""
        if status.state == "failed" and status.note != self._failure:
            print_error(status.note)
            self._failure = status.note
        elif status.state == "ready":
            if not self._was_ready:
                seconds = format_seconds(time.monotonic() - self._start)
                print_text(f"Ready in {seconds}. Press Ctrl-C to stop.")
            elif self._failure is not None:
                print_text("Ready again.")
            self._was_ready, self._failure = True, None


def open_browser(settings: Settings, url: str) -> None:
    """Open the page in the user's browser, if it is meant for a person at this machine's own display."""
    is_local = settings.host in LOOPBACK and not settings.public
    if is_local and not settings.no_browser and has_display():
        webbrowser.open(url)


def _choose_port(settings: Settings) -> int:
    """Return the given port or, if none was given, the first free port.

    Raises:
        InputError: the port is in use, or it is not possible to listen on the host.
    """
    ports = [settings.port] if settings.port else list(range(DEFAULT_PORT, DEFAULT_PORT + TRIES))
    for port in ports:
        try:
            _listen_once(settings.host, port)
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                continue
            if error.errno == errno.EACCES:
                raise InputError(
                    f"No permission to listen on port {port}: choose a port above 1023 with --port."
                ) from error
            raise InputError(
                f"Cannot listen on {settings.host} ({error.strerror or error}): "
                "choose another address with --host."
            ) from error
        return port
    if settings.port:
        raise InputError(
            f"Port {settings.port} on {settings.host} is in use: "
            "stop the other program, or choose another port with --port."
        )
    raise InputError(
        f"Ports {ports[0]} to {ports[-1]} on {settings.host} are all in use: choose another port with --port."
    )


def _listen_once(host: str, port: int) -> None:
    """Briefly listen on a port to check that it is available. Raises OSError if listening fails."""
    family, _, _, _, address = socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM)[0]
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        if sys.platform != "win32":  # on Windows, this option would allow binding to a port that is in use
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(address)
        probe.listen(1)
