"""Load-test the app with concurrent users: errors, mixed-up text, waiting times and memory.

    python -m benchmarks.load [--json] [--people N] [--seconds N]

The real app runs in a separate process with the pocket model. Simulated users call it over HTTP in the same
way as the page's script. Each user has a unique word that occurs in all of that user's messages. Each user
repeatedly sends a message to two lanes and, at random, stops the answers, votes, requests a judgment from the
reference judge, starts a new conversation, or reloads the page.

**Errors** are calls that failed and messages that were rejected with a toast. **Mixed texts** are answers or
pages that contain another user's word. **Waiting** is the time from Send to the first event with answer text;
"alone" is measured with the same messages before the other users start. **Memory** is the app's resident set
size before the other users start, at its peak, and 30 s after they have left, together with the size of the
prefix cache as shown on the page. The cache can grow up to its configured limit.

Meanwhile, 50 more clients connect one after another, send a message, and close their connection within a
second, before or while reading the answer. **Busy after** is the number of cores that the app uses 30 s after
all users have left. An answer still being generated for a disconnected client would use one core.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import re
import signal
import socket
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import httpx

from benchmarks.engine import QUIET, processor
from benchmarks.page_events import event_data, find_event
from playground.store import FILE

WORDS = ("apricot", "bergamot", "cinnamon", "damson", "elderberry", "fennel", "ginger", "hazelnut")
QUESTIONS = (
    "What is the capital of France?",
    "How many legs does a spider have?",
    "What is the opposite of cold?",
    "What color is the sky?",
)
VANISHING = 50
"""Number of clients that disconnect without stopping their answers."""
START = 120
"""Time limit for starting the app, in seconds."""


@dataclass
class Figures:
    """The counts and measurements from a run."""

    sent: int = 0
    stopped: int = 0
    voted: int = 0
    judged: int = 0
    reloaded: int = 0
    vanished: int = 0
    errors: list[str] = field(default_factory=list)
    mixed: list[str] = field(default_factory=list)
    first_tokens: list[float] = field(default_factory=list)
    by_person: dict[str, list[float]] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)


class App:
    """The app in a separate process."""

    def __init__(self, data_dir: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        self.data_dir = data_dir
        self.log = data_dir.parent / "app.log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "app.py", "--port", str(port), "--data-dir", str(data_dir)],
                cwd=Path(__file__).parents[1],
                env={**os.environ, "HF_HUB_OFFLINE": "1"},
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        end = time.monotonic() + START
        while "Tandem is running at" not in self.log.read_text(errors="replace"):
            if self.process.poll() is not None or time.monotonic() > end:
                raise SystemExit(f"The app did not start: {self.log.read_text(errors='replace')[-500:]}")
            time.sleep(0.1)

    def memory(self) -> float:
        """Return the app's resident set size in MB (10^6 bytes)."""
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS"):
                return int(line.split()[1]) * 1024 / 1e6
        raise SystemExit("The app has exited.")

    def busy(self, seconds: float = 5) -> float:
        """Return the app's CPU usage in cores, averaged over several seconds."""
        before = self._processor_seconds()
        time.sleep(seconds)
        return (self._processor_seconds() - before) / seconds

    def _processor_seconds(self) -> float:
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def end(self) -> None:
        """Stop the app as Ctrl-C does. Kill it if it does not exit within a minute."""
        self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()


class Person:
    """A simulated user who calls the page's API without a browser."""

    def __init__(self, url: str, word: str, config: dict[str, Any] | None = None) -> None:
        self.word = word
        self.session = os.urandom(6).hex()
        self.client = httpx.Client(
            base_url=url, trust_env=False, timeout=180, cookies={"tandem-voter": os.urandom(16).hex()}
        )
        self.client.get("/")  # set the same cookies as a browser would
        self.config = config or self.client.get("/config").json()
        self.props = {each["id"]: each["props"] for each in self.config["components"]}

    def event(self, elem_id: str, kind: str) -> dict[str, Any]:
        """Return the event handler of a component."""
        return find_event(self.config, self._id(elem_id), kind)

    def call(
        self, elem_id: str, kind: str = "click", data: Any = None, **changes: Any
    ) -> Iterator[dict[str, Any]]:
        """Call an event handler as the page does, and yield its messages until it completes."""
        joined = self._post("/gradio_api/queue/join", elem_id, kind, data, **changes)
        joined.raise_for_status()
        id = joined.json()["event_id"]
        with self._events() as stream:
            for line in stream.iter_lines():
                message = json.loads(line[5:]) if line.startswith("data:") else {}
                if message.get("event_id") == id:
                    yield message
                    if message["msg"] == "process_completed":
                        return

    def _post(
        self, path: str, elem_id: str, kind: str = "click", data: Any = None, **changes: Any
    ) -> httpx.Response:
        """Send an event with the initial values of its inputs, except for `changes`.

        Args:
            path: the request path.
            elem_id: the component's element id.
            kind: the kind of event.
            data: the event's data.
            changes: changed input values, by element id with "_" in place of "-".
        """
        event = self.event(elem_id, kind)

        def value(id: int) -> Any:
            props = self.props[id]
            return changes.get(str(props.get("elem_id")).replace("-", "_"), props.get("value"))

        body = {
            "data": event_data(self.config, event, value),
            "fn_index": event["id"],
            "session_hash": self.session,
            "event_data": data,
            "trigger_id": event["trigger"],
        }
        return self.client.post(path, json=body)

    def _events(self) -> AbstractContextManager[httpx.Response]:
        parameters = {"session_hash": self.session}
        return self.client.stream("GET", "/gradio_api/queue/data", params=parameters)

    def vanish(self, text: str, after: float, reads: bool) -> None:
        """Send a message and disconnect without stopping the answer.

        Args:
            text: the message.
            after: seconds until the connection is closed.
            reads: whether to read events before disconnecting.
        """
        self._post("/gradio_api/queue/join", "send", message=text).raise_for_status()
        end = time.monotonic() + after
        if reads:
            with self._events() as stream:
                for _ in stream.iter_lines():
                    if time.monotonic() > end:
                        break
        else:
            time.sleep(after)
        self.client.close()

    def stored(self) -> float:
        """Return the size of the prefix cache in MB, as shown on the page."""
        shown = json.dumps(list(self.call("model", "click")), ensure_ascii=False)
        found = re.search(r'Prompt cache</dt><dd title=\\"([0-9,]+) bytes', shown)
        if found is None:
            raise SystemExit(f"The page does not show the size of the stored prompts: {shown[:500]}")
        return int(found[1].replace(",", "")) / 1e6

    def _id(self, elem_id: str) -> int:
        ids: Iterator[int] = (id for id, props in self.props.items() if props.get("elem_id") == elem_id)
        return next(ids)

    def send(self, text: str, stop_after: float | None, **changes: Any) -> tuple[float | None, str, str]:
        """Send a message and wait until its answers are finished.

        Args:
            text: the message.
            stop_after: seconds after which to stop the answers; None to let them finish.
            changes: changed input values; see `_post`.

        Returns:
            The seconds to the first answer text (None if there was none), all received messages, and the
            error or "".
        """
        started, first, came, fault = time.monotonic(), None, [], ""
        lines = [
            place
            for place, id in enumerate(self.event("send", "click")["outputs"])
            if str(self.props[id].get("elem_id")).startswith("status-")
        ]
        timer = threading.Timer(stop_after, self._stop) if stop_after is not None else None
        if timer:
            timer.start()
        for message in self.call("send", message=text, **changes):
            raw = json.dumps(message, ensure_ascii=False)
            came.append(raw)
            if first is None and message["msg"] == "process_generating" and _has_answer(message, lines):
                first = time.monotonic() - started
            if message["msg"] == "log":
                fault = message["log"]
            if message["msg"] == "process_completed" and not message["success"]:
                fault = fault or raw[:200]
        if timer:
            timer.cancel()
        return first, "\n".join(came), fault

    def _stop(self) -> None:
        self._post("/gradio_api/run/predict", "stop")


def _has_answer(message: dict[str, Any], lines: list[int]) -> bool:
    """Return whether an event contains answer text.

    This is the case if a status line shows the time to first token.

    Args:
        message: the event, with the changes to the outputs.
        lines: indices of the status lines among the outputs.
    """
    data = message["output"]["data"]
    return any("first token after" in json.dumps(data[place]) for place in lines if place < len(data))


def state(app: App, word: str, config: dict[str, Any], until: float, figures: Figures, seed: int) -> None:
    """Simulate a user until a given time.

    Args:
        app: the app.
        word: the user's word.
        config: the page's Gradio configuration.
        until: the time at which the user leaves, on the clock of `time.monotonic()`.
        figures: the counts and measurements to update.
        seed: seed for the user's random choices.
    """
    generator = random.Random(seed)
    person = Person(app.url, word, config)
    others = [other for other in WORDS if other != word]
    number = 0
    while time.monotonic() < until:
        number += 1
        act = generator.random()
        try:
            if act < 0.12:
                list(person.call("new"))
                continue
            if act < 0.17:
                page = person.client.get("/config").text
                with figures.lock:
                    figures.reloaded += 1
                    if any(f"My word is {other} " in page for other in others):
                        figures.mixed.append(f"{word} {number}, its page")
                person.session = os.urandom(6).hex()
                continue
            if number > 2 and act < 0.27:
                act_on = generator.choice(["vote-1", "vote-2", "vote-3", "judge-ask"])
                list(person.call(act_on))
                with figures.lock:
                    figures.voted += act_on != "judge-ask"
                    figures.judged += act_on == "judge-ask"
                continue
            text = f"{generator.choice(QUESTIONS)} My word is {word} {number}."
            stop_after = generator.uniform(0.2, 2.0) if act > 0.75 else None
            first, came, fault = person.send(
                text, stop_after, max_new_tokens=generator.choice([40, 120, 240])
            )
            with figures.lock:
                figures.sent += 1
                figures.stopped += stop_after is not None
                if fault:
                    figures.errors.append(f"{word} {number}: {fault[:200]}")
                if first is not None:
                    figures.first_tokens.append(first)
                    figures.by_person.setdefault(word, []).append(first)
                if any(other in came for other in others):
                    figures.mixed.append(f"{word} {number}")
        except Exception as error:  # every failure of a call is counted as an error
            with figures.lock:
                figures.errors.append(f"{word} {number}: {error!r:.200}")
        time.sleep(generator.uniform(0, 0.5))
    person.client.close()


def come_and_vanish(
    app: App, config: dict[str, Any], seconds: float, figures: Figures, count: int = VANISHING
) -> None:
    """Simulate clients that send a message and disconnect, one after another."""
    generator = random.Random(count)
    for number in range(count):
        time.sleep(seconds / count * generator.uniform(0.5, 1))
        try:
            Person(app.url, "vanishing", config).vanish(
                f"{generator.choice(QUESTIONS)} I am gone, {number}.",
                generator.uniform(0, 1),
                reads=generator.random() < 0.5,
            )
        except Exception as error:  # every failure of a call is counted as an error
            with figures.lock:
                figures.errors.append(f"vanishing {number}: {error!r:.200}")
        with figures.lock:
            figures.vanished += 1


def mixed_in_record(data_dir: Path) -> list[str]:
    """Return the ids of recorded conversations with messages from more than one user."""
    db = sqlite3.connect(data_dir / FILE)
    found = []
    for id, texts in db.execute("SELECT conversation, group_concat(user) FROM turn GROUP BY conversation"):
        if sum(f"My word is {word} " in texts for word in WORDS) > 1:
            found.append(id)
    db.close()
    return found


def run(people: int, seconds: float) -> dict[str, Any]:
    """Run the benchmark.

    Args:
        people: number of concurrent users.
        seconds: duration of the load.

    Returns:
        The results, as printed by `--json` and formatted by `table`.
    """
    load = os.getloadavg()[0]
    if load > QUIET:
        print(f"The load average is {load:.1f}: the machine is not idle.", file=sys.stderr)
    with tempfile.TemporaryDirectory() as folder:
        app = App(Path(folder) / "data")
        try:
            first = Person(app.url, "first")
            config = first.config
            for _ in range(3):
                first.send(QUESTIONS[0], None, max_new_tokens=40)
            alone = Figures()
            state(app, WORDS[0], config, time.monotonic() + min(60, seconds / 4), alone, 0)
            before, stored_before = app.memory(), first.stored()
            figures = Figures()
            until = time.monotonic() + seconds
            threads = [
                threading.Thread(target=state, args=(app, WORDS[number], config, until, figures, number + 1))
                for number in range(people)
            ]
            threads.append(threading.Thread(target=come_and_vanish, args=(app, config, seconds, figures)))
            for thread in threads:
                thread.start()
            peak = before
            while any(thread.is_alive() for thread in threads):
                peak = max(peak, app.memory())
                time.sleep(1)
            time.sleep(30)
            after, stored_after, busy = app.memory(), first.stored(), app.busy()
            status = list(first.call("new"))
            first.client.close()
            log = app.log.read_text(errors="replace")
        finally:
            app.end()
        waits, calm = sorted(figures.first_tokens), sorted(alone.first_tokens)
        return {
            "people": people,
            "seconds": seconds,
            "sent": figures.sent,
            **{
                name: getattr(figures, name)
                for name in ("stopped", "voted", "judged", "reloaded", "vanished")
            },
            "errors": figures.errors + alone.errors,
            "mixed": figures.mixed,
            "mixed_in_record": mixed_in_record(app.data_dir),
            "tracebacks": log.count("Traceback"),
            "still_serves": bool(status and status[-1].get("success")),
            "first_token_alone": {"median": statistics.median(calm), "p95": _p95(calm)},
            "first_token": {"median": statistics.median(waits), "p95": _p95(waits)},
            "p95_ratio": _p95(waits) / _p95(calm),
            "median_by_person": {
                word: round(statistics.median(each), 3) for word, each in sorted(figures.by_person.items())
            },
            "memory_mb": {"before": round(before), "peak": round(peak), "after": round(after)},
            "stored_prompts_mb": {"before": round(stored_before), "after": round(stored_after)},
            "memory_kept": (after - stored_after) / (before - stored_before) - 1,
            "busy_after": busy,
            "machine": f"{os.cpu_count()} cores of {processor()}",
            "versions": f"Gradio {version('gradio')}, PyTorch {version('torch')}, "
            f"Python {platform.python_version()}",
            "load_average_at_start": load,
        }


def _p95(values: list[float]) -> float:
    return values[min(len(values) - 1, int(0.95 * len(values)))]


def table(results: dict[str, Any]) -> str:
    """Format the results as text."""
    alone, waits, memory = results["first_token_alone"], results["first_token"], results["memory_mb"]
    stored = results["stored_prompts_mb"]
    return "\n".join(
        (
            f"{results['people']} users for {results['seconds']:g} s: {results['sent']} messages, "
            f"{results['stopped']} of them stopped, {results['voted']} votes, {results['judged']} judged, "
            f"{results['reloaded']} page reloads; {results['vanished']} clients disconnected",
            f"errors {len(results['errors'])}, mixed texts {len(results['mixed'])}, mixed conversations "
            f"{len(results['mixed_in_record'])}, tracebacks {results['tracebacks']}",
            f"first token: alone {alone['median']:.2f} s (p95 {alone['p95']:.2f}), together "
            f"{waits['median']:.2f} s (p95 {waits['p95']:.2f}), ratio of p95 {results['p95_ratio']:.1f}",
            f"medians by user: {results['median_by_person']}",
            f"memory: {memory['before']} MB before, {memory['peak']} at peak, {memory['after']} after, "
            f"of which stored prompts {stored['before']} and {stored['after']}: "
            f"{100 * results['memory_kept']:+.0f}% without them; "
            f"busy after: {results['busy_after']:.2f} cores",
            f"{results['machine']}; {results['versions']}",
            *results["errors"][:10],
        )
    )


def main() -> None:
    """Run the command line of `python -m benchmarks.load`."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", action="store_true", help="print one JSON document on standard output")
    parser.add_argument("--people", type=int, default=len(WORDS), choices=range(1, len(WORDS) + 1))
    parser.add_argument("--seconds", type=float, default=600)
    arguments = parser.parse_args()
    results = run(arguments.people, arguments.seconds)
    print(json.dumps(results, indent=1) if arguments.json else table(results))


if __name__ == "__main__":
    main()
