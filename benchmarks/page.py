"""Measure the page in a browser: latency of tokens, load of the browser's main thread, latency of Stop.

    python -m benchmarks.page [--json] [--runs N]

The real app with the pocket model and a headless Chromium run on one machine. Two lanes answer at full speed,
in conversations of 0, 10 and 30 turns that were recorded before (with the scripted engine, in a temporary
folder) and are opened by their URL. The browser is the one in TANDEM_CHROMIUM, else the system's, else
Playwright's.

**Token to pixels** is the time from the moment at which the engine yields a token to the first frame that
shows the token. It includes the delays of the session and the page (text is rendered at most ten times a
second), the network and the browser's work. On the engine's side, the time is the system clock when the
token's event leaves `Engine.stream`. In the browser, a MutationObserver detects that the page has changed; in
the next animation frame the letters in the answer are counted, and a message that is posted there arrives
after that frame is painted. The time of that message is `performance.timeOrigin + performance.now()`,
corrected by the difference to the system clock. A token counts as visible in the first frame with as many
letters as the answer had with the token, so Markdown syntax, which is not visible, does not matter. Tokens
without a letter are not counted.

**Updates** are frames in which the text of a lane has changed, per second from the first to the last one.

**Main thread** is the share of the time from Send to the end of the last answer that Chromium's main thread
spends in tasks (`TaskDuration` of the DevTools protocol's Performance domain), including this measurement.
The longest task is from a PerformanceObserver, which reports tasks of 50 ms and more.

**Stop** is the time from the click on Stop to the first frame in which all lanes are marked as stopped.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import socket
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, sync_playwright

from benchmarks.engine import QUIET, processor
from playground import ui
from playground.config import Settings
from playground.engine import Engine
from playground.engine.scripted import ScriptedEngine
from playground.library import Library
from playground.session import Session
from playground.start import open_session
from playground.store import Store
from playground.types import Delta, Event, Request, Sampling

TURNS = (0, 10, 30)
LANES = ("base", "pocket-ift")
DECODING = Sampling(temperature=1000.0, max_new_tokens=400)
"""At this temperature all tokens are about equally likely, so that answers are long with any model."""
ENOUGH = 100
"""Smallest number of tokens of an answer for its run to count; else another seed is tried."""
LOST = 0.05
"""Largest share of an answer's letters that the page may have interpreted as markup."""
STOP_WITHIN = 0.5
"""Target for the time of Stop, in seconds."""

# The selectors, the only parts of the page that this module depends on.
READY = "#model .ready"
MESSAGE = "#message textarea"
SEND, STOP, NEW = "#send", "#stop", "#new"
IN_PAGE = {
    "lane": "#chat-%",
    "answer": ".bot-row",
    "aside": ".waiting, .notice, .by, .codepoint",  # text inside answers that is not part of them
    "status": "#status-% .figures",
    "stop": STOP,
}
"""Selectors for the script in the page; "%" is replaced by the lane's number."""

WATCH = """
(s) => {
  const lanes = [...Array(s.lanes).keys()];
  const all = (name, lane) => [...document.querySelectorAll(s[name].replace("%", lane))];
  const answers = (lane) => all("lane", lane).flatMap((each) => [...each.querySelectorAll(s.answer)]);
  const letters = (node) => (node.textContent.match(/[A-Za-z]/g) ?? []).length;
  const written = (row) =>
    letters(row) - [...row.querySelectorAll(s.aside)].reduce((sum, each) => sum + letters(each), 0);
  const finishes = () => lanes.map((lane) => all("status", lane)[0]?.dataset.finish ?? "");
  const skew = Date.now() - (performance.timeOrigin + performance.now());
  const now = () => performance.timeOrigin + performance.now() + skew;
  const seen = { frames: [], tasks: [], clicked: null, stopped: null, sent: now() };
  const before = lanes.map((lane) => answers(lane).length);
  const shown = lanes.map(() => 0);
  let waiting = false;
  const look = () => {
    waiting = false;
    const changes = [];
    for (const lane of lanes) {
      const rows = answers(lane).slice(before[lane]);
      const count = rows.reduce((sum, row) => sum + written(row), 0);
      if (count !== shown[lane]) changes.push([lane, (shown[lane] = count)]);
    }
    const stopped = seen.clicked && !seen.stopped && finishes().every((each) => each === "cancelled");
    if (!changes.length && !stopped) return;
    const painted = new MessageChannel();
    painted.port1.onmessage = () => {
      const at = now();
      for (const [lane, count] of changes) seen.frames.push([at, lane, count]);
      if (stopped) seen.stopped ??= at;
    };
    painted.port2.postMessage(null);
  };
  new MutationObserver(() => {
    if (!waiting) requestAnimationFrame(look);
    waiting = true;
  }).observe(document.body, { subtree: true, childList: true, characterData: true, attributes: true });
  new PerformanceObserver((list) => {
    for (const task of list.getEntries()) seen.tasks.push(task.duration);
  }).observe({ type: "longtask" });
  addEventListener("click", (event) => event.target.closest(s.stop) && (seen.clicked ??= now()), true);
  window.watched = { seen, finishes };
}
"""

ENDED = "watched.finishes().every((each) => each && each !== 'streaming')"

QUESTION = "Tell me about the harbour, and list what can be seen there."
ANSWERS = (
    "The harbour has **three** piers. The *old* one is for fishing boats, the new one for the ferry.",
    "1. The lighthouse\n2. The market hall\n3. The ferry\n\nAll of them are open on Sundays.",
    "| ship | day |\n|---|---|\n| Alma | Monday |\n| Nora | Friday |\n\nThe last one sails at noon.",
    "```python\nfor ship in harbour:\n    print(ship.name)\n```\n\nThis writes `name` for each of them.",
)
"""The recorded answers, with the kinds of Markdown that typical answers have."""


class Watched:
    """An engine that records the time at which it yields each token."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.noted: dict[str | None, list[tuple[float, int]]] = {}
        """For each token of each adapter: system clock in milliseconds, and letters of the answer so far."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)

    def stream(self, requests: Sequence[Request]) -> Generator[Event]:
        """See `Engine.stream`."""
        with closing(self._engine.stream(requests)) as events:
            for event in events:
                if isinstance(event, Delta):
                    noted = self.noted.setdefault(requests[event.row].prompt.adapter, [])
                    noted.append((1000 * time.time(), letters(event.reply.text)))
                yield event


@dataclass
class Figures:
    """The measurements at one length of conversation."""

    latencies: list[float] = field(default_factory=list)
    """Token to pixels, in milliseconds."""
    updates: list[float] = field(default_factory=list)
    """Updates per second, for each lane and run."""
    busy: list[float] = field(default_factory=list)
    """The main thread's share of the time, for each run."""
    longest: float = 0.0
    """Longest task of all runs in milliseconds; 0 if none took 50 ms."""
    rates: list[float] = field(default_factory=list)
    """Tokens per second, for each lane and run."""
    stops: list[float] = field(default_factory=list)
    """Time from the click on Stop until all lanes were stopped, in seconds."""

    def summary(self) -> dict[str, float]:
        """Return the metrics of the table."""
        return {
            "token_to_pixels_ms": statistics.median(self.latencies),
            "token_to_pixels_95_ms": statistics.quantiles(self.latencies, n=20)[-1],
            "updates_per_second": max(self.updates),
            "main_thread": statistics.median(self.busy),
            "longest_task_ms": self.longest,
            "tokens_per_second": statistics.median(self.rates),
            "stop_s": max(self.stops),
        }


def letters(text: str) -> int:
    """Count the letters of a text in the same way as the script in the page."""
    return sum(each.isascii() and each.isalpha() for each in text)


# --- The app and its pages ------------------------------------------------------------------------


def recorded(store: Store, library: Library, turns: int, seed: int) -> str:
    """Record a new conversation and return its id.

    Args:
        store: the database.
        library: the library with the adapters.
        turns: number of turns.
        seed: the seed of its lanes, which otherwise have the decoding of the measurements.
    """
    answers = iter(range(turns * len(LANES)))

    def script(request: Request) -> list[str]:
        return [ANSWERS[next(answers) % len(ANSWERS)]]

    session = Session(ScriptedEngine(script), library, store)
    sampling = Sampling(temperature=DECODING.temperature, max_new_tokens=DECODING.max_new_tokens, seed=seed)
    conversation = session.new([session.variant(lane, sampling) for lane in LANES])
    for _ in range(turns):
        *_, conversation = session.send(conversation, QUESTION)
    if any(answer.reply.finish != "stop" for turn in conversation.turns for answer in turn.answers):
        raise RuntimeError("The conversation could not be recorded.")
    return conversation.id


@contextmanager
def app(data_dir: Path) -> Iterator[tuple[Watched, Session, str]]:
    """Serve the app on a free port inside the block, and yield its engine, session and URL."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    settings = Settings.read({"data_dir": data_dir, "port": port})
    session = open_session(settings)
    engine = Watched(session.engine)
    session.engine = engine
    page = ui.build(session, settings)
    ui.serve(page, settings, port)
    try:
        yield engine, session, f"http://{settings.host}:{port}/"
    finally:
        ui.stop(page)
        session.close()


@contextmanager
def opened(browser: Browser, session: Session, url: str, turns: int, seed: int) -> Iterator[Page]:
    """Open a page with a conversation of `turns` turns, and close it after the block."""
    # A new conversation copies its lanes and decoding from the previous one, so one with a turn is opened.
    id = recorded(session.store, session.library, max(turns, 1), seed)
    page = browser.new_page(viewport={"width": 1440, "height": 900})
    try:
        page.goto(f"{url}?c={id}")
        page.wait_for_selector(READY)
        answers = f"{IN_PAGE['lane'].replace('%', '0')} {IN_PAGE['answer']}"
        page.wait_for_function("([rows, n]) => document.querySelectorAll(rows).length >= n", arg=[answers, 1])
        if not turns:
            page.click(NEW)
            page.wait_for_function("(rows) => !document.querySelector(rows)", arg=answers)
        page.wait_for_timeout(1000)  # until meters and token counts are updated
        yield page
    finally:
        page.close()


def send(page: Page) -> None:
    """Start the script that watches the page, and send the question."""
    page.fill(MESSAGE, QUESTION)
    page.evaluate(WATCH, IN_PAGE | {"lanes": len(LANES)})
    page.press(MESSAGE, "Enter")


# --- Measurements ---------------------------------------------------------------------------------


def answer(page: Page, engine: Watched, session: Session, figures: Figures) -> bool:
    """Measure one message with its answers; return False if they were too short to count."""
    engine.noted.clear()
    protocol = page.context.new_cdp_session(page)
    protocol.send("Performance.enable")

    def spent() -> tuple[float, float]:
        metrics = {each["name"]: each["value"] for each in protocol.send("Performance.getMetrics")["metrics"]}
        return metrics["Timestamp"], metrics["TaskDuration"]

    began, task_began = spent()
    send(page)
    page.wait_for_function(f"() => watched.seen.frames.length && {ENDED}")
    ended, task_ended = spent()
    page.wait_for_timeout(300)
    seen = page.evaluate("() => watched.seen")
    finishes = page.evaluate("() => watched.finishes()")
    if not set(finishes) <= {"stop", "length"}:
        raise RuntimeError(f"A lane did not answer: {finishes}.")
    noted = [engine.noted.get(session.variant(lane).aligner.adapter, []) for lane in LANES]
    if min(map(len, noted)) < ENOUGH:
        return False
    for lane, tokens in enumerate(noted):
        frames = [(at, count) for at, number, count in seen["frames"] if number == lane and count]
        if frames[-1][1] < (1 - LOST) * tokens[-1][1]:
            raise RuntimeError(f"Lane {lane} shows {frames[-1][1]} of {tokens[-1][1]} letters.")
        figures.latencies += latencies(tokens, frames)
        if min(figures.latencies) < 0:
            raise RuntimeError("A token was seen before it was there: the clocks do not agree.")
        figures.updates.append(1000 * (len(frames) - 1) / (frames[-1][0] - frames[0][0]))
        figures.rates.append(1000 * (len(tokens) - 1) / (tokens[-1][0] - tokens[0][0]))
    figures.busy.append((task_ended - task_began) / (ended - began))
    figures.longest = max([figures.longest, *seen["tasks"]])
    return True


def latencies(tokens: Sequence[tuple[float, int]], frames: Sequence[tuple[float, int]]) -> list[float]:
    """Return the time from each token with letters to the first frame that shows them.

    Args:
        tokens: time and total number of letters of each token, in order of time.
        frames: time and number of letters of each frame, in order of time.
    """
    found = []
    count = at = 0
    for when, total in tokens:
        if total == count:
            continue
        count = total
        while at < len(frames) and frames[at][1] < total:
            at += 1
        if at == len(frames):
            break  # letters that the page interpreted as markup
        found.append(frames[at][0] - when)
    return found


def stop(page: Page, figures: Figures, after: float) -> bool:
    """Measure stopping a message `after` seconds of its answers; return False if an answer ended before."""
    send(page)
    page.wait_for_function("() => watched.seen.frames.length > 1")
    page.wait_for_timeout(1000 * after)
    page.click(STOP)
    page.wait_for_function(ENDED)
    if set(page.evaluate("() => watched.finishes()")) != {"cancelled"}:
        return False
    page.wait_for_function("() => watched.seen.stopped")
    seen = page.evaluate("() => watched.seen")
    figures.stops.append((seen["stopped"] - seen["clicked"]) / 1000)
    return True


def measure(browser: Browser, runs: int, data_dir: Path) -> dict[int, Figures]:
    """Return all measurements by number of turns.

    The lengths of conversation alternate, so that a slow moment of the machine affects all.
    """
    found = {turns: Figures() for turns in TURNS}
    seeds = iter(range(1000))
    with app(data_dir) as (engine, session, url):
        while session.status().state == "loading":
            time.sleep(0.1)
        for run in range(runs):
            for turns in TURNS:
                print(f"run {run + 1}, {turns} turns", file=sys.stderr)
                acts: list[Callable[[Page, Figures], bool]] = [
                    lambda page, own: answer(page, engine, session, own),
                    partial(stop, after=0.2 + 0.3 * run),
                ]
                for act in acts:
                    counts = False
                    while not counts:
                        with opened(browser, session, url, turns, next(seeds)) as page:
                            counts = act(page, found[turns])
    return found


# --- The table ------------------------------------------------------------------------------------


def table(results: dict[str, Any]) -> str:
    """Return the metrics as a Markdown table, followed by machine and versions."""
    heads = (
        *("turns per lane", "token to pixels: median", "95% of tokens within", "updates a second"),
        *("main thread busy", "longest task", "Stop, slowest"),
    )
    lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    for turns, figures in results["turns"].items():
        longest = figures["longest_task_ms"]
        stop_s = figures["stop_s"]
        lines.append(
            f"| {turns} | {figures['token_to_pixels_ms']:.0f} ms | {figures['token_to_pixels_95_ms']:.0f} ms "
            f"| {figures['updates_per_second']:.1f} | {100 * figures['main_thread']:.0f}% "
            f"| {f'{longest:.0f} ms' if longest else 'under 50 ms'} "
            f"| {stop_s:.2f} s{'' if stop_s < STOP_WITHIN else ' (missed)'} |"
        )
    rate = statistics.median(figures["tokens_per_second"] for figures in results["turns"].values())
    lanes = f"{len(LANES)} lanes of {rate:.0f} tokens a second"
    lines += ["", f"{results['machine']}; {results['versions']}. {lanes}."]
    return "\n".join(lines)


def run(runs: int) -> dict[str, Any]:
    """Run the benchmark, and return the metrics by number of turns, the machine and the versions."""
    load = os.getloadavg()[0]
    if load > QUIET:
        print(f"The load average is {load:.1f}: the machine is not quiet.", file=sys.stderr)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        path = os.environ.get("TANDEM_CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
        figures = measure(browser, runs, Path(folder))
        versions = (
            f"Chromium {browser.version}, Gradio {version('gradio')}, PyTorch {version('torch')}, "
            f"Python {platform.python_version()}"
        )
        browser.close()
    return {
        "turns": {turns: each.summary() for turns, each in figures.items()},
        "machine": f"{os.cpu_count()} cores of {processor()}",
        "versions": versions,
        "load_average_at_start": load,
    }


def main() -> None:
    """Run the command line of `python -m benchmarks.page`."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", action="store_true", help="one JSON document on standard output")
    parser.add_argument(
        "--runs", type=int, default=3, help="messages per length that are answered, and stopped"
    )
    arguments = parser.parse_args()
    results = run(arguments.runs)
    print(json.dumps(results, indent=1) if arguments.json else table(results))


if __name__ == "__main__":
    main()
