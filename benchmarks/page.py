"""Measure the page in a browser: token latency, load on the browser's main thread, and Stop latency.

    python -m benchmarks.page [--json] [--runs N]

The real app with the pocket model and a headless Chromium run on the same machine. Two lanes answer at full
speed in conversations of 0, 10 and 30 turns. The conversations are recorded beforehand in a temporary folder,
using the scripted engine, and opened by URL. The browser is the one in TANDEM_CHROMIUM, the system's Chromium
or Chrome, or Playwright's, in this order.

**Token to pixels** is the time from when the engine yields a token to the first frame that shows it. It
includes the network, the browser's work, and delays in the session and the page, which renders text at most
ten times per second. On the engine's side, the time is the system clock when the token's event leaves
`Engine.stream`. In the browser, a MutationObserver detects changes to the page. The next animation frame
counts the letters in the answer and posts a message that arrives after the frame is painted. The time of that
message is `performance.timeOrigin + performance.now()`, corrected by the offset from the system clock. A
token counts as visible in the first frame with at least as many letters as the answer had up to that token,
so invisible Markdown syntax does not matter. Tokens without letters are not counted.

**Updates** are frames in which a lane's text changed, per second between the first and the last one.

**Main thread** is the share of the time from Send to the end of the last answer that Chromium's main thread
spends in tasks (`TaskDuration` of the DevTools protocol's Performance domain), including this measurement.
The longest task comes from a PerformanceObserver, which reports tasks of at least 50 ms.

**Stop** is the time from the click on Stop to the first frame in which all lanes are marked as stopped.
"""

from __future__ import annotations

import argparse
import json
import socket
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page

from benchmarks.browser import run_in_browser
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
"""At this temperature, all tokens are almost equally likely, so any model generates long answers."""
ENOUGH = 100
"""Minimum number of tokens in an answer. Runs with shorter answers are repeated with another seed."""
LOST = 0.05
"""Maximum share of an answer's letters that can be missing on the page because they were parsed as markup."""
STOP_WITHIN = 0.5
"""Target for the Stop latency, in seconds."""

# These selectors are the only details of the page that this module depends on.
READY = "#model .ready"
MESSAGE = "#message textarea"
SEND, STOP, NEW = "#send", "#stop", "#new"
IN_PAGE = {
    "lane": "#chat-%",
    "answer": ".bot-row",
    "aside": ".waiting, .notice, .by, .codepoint",  # not part of the answer text
    "status": "#status-% .figures",
    "stop": STOP,
}
"""Selectors for the script that runs in the page. "%" is replaced by the lane index."""

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
"""The recorded answers, which contain typical Markdown."""


class Watched:
    """Engine wrapper that records the time at which each token is yielded."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.noted: dict[str | None, list[tuple[float, int]]] = {}
        """(system time in milliseconds, number of letters so far) for each token, keyed by adapter."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)

    def stream(self, requests: Sequence[Request]) -> Generator[Event]:
        """Stream events as `Engine.stream` does, and record the time of each token."""
        with closing(self._engine.stream(requests)) as events:
            for event in events:
                if isinstance(event, Delta):
                    noted = self.noted.setdefault(requests[event.row].prompt.adapter, [])
                    noted.append((1000 * time.time(), letters(event.reply.text)))
                yield event


@dataclass
class Figures:
    """The measurements for one conversation length."""

    latencies: list[float] = field(default_factory=list)
    """Token-to-pixels times in milliseconds."""
    updates: list[float] = field(default_factory=list)
    """Updates per second, per lane and run."""
    busy: list[float] = field(default_factory=list)
    """Share of the time that the main thread is busy, per run."""
    longest: float = 0.0
    """Longest task over all runs, in milliseconds; 0 if no task took 50 ms or more."""
    rates: list[float] = field(default_factory=list)
    """Tokens per second, per lane and run."""
    stops: list[float] = field(default_factory=list)
    """Seconds from the click on Stop until all lanes are stopped, per run."""

    def summary(self) -> dict[str, float]:
        """Return the metrics for the table."""
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
    """Count the letters in text in the same way as the script in the page."""
    return sum(each.isascii() and each.isalpha() for each in text)


# --- The app and its pages ------------------------------------------------------------------------


def recorded(store: Store, library: Library, turns: int, seed: int) -> str:
    """Record a new conversation and return its id.

    Args:
        store: the database.
        library: the library with the adapters.
        turns: number of turns.
        seed: the seed of the conversation's lanes; the other decoding parameters come from `DECODING`.
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
    """Context manager that serves the app on a free port, and yields its engine, session and URL."""
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
    """Context manager that opens a page with a conversation of `turns` turns, and closes it at the end."""
    # A new conversation copies lanes and decoding parameters from the previous one, so first open a
    # conversation that has a turn.
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
        page.wait_for_timeout(1000)  # wait until meters and token counts have been updated
        yield page
    finally:
        page.close()


def send(page: Page) -> None:
    """Start the observer script in the page, and send the question."""
    page.fill(MESSAGE, QUESTION)
    page.evaluate(WATCH, IN_PAGE | {"lanes": len(LANES)})
    page.press(MESSAGE, "Enter")


# --- Measurements ---------------------------------------------------------------------------------


def answer(page: Page, engine: Watched, session: Session, figures: Figures) -> bool:
    """Measure the answers to one message. Return False if the answers were too short."""
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
            raise RuntimeError(
                "A token was displayed before it was generated: the clocks are not synchronized."
            )
        figures.updates.append(1000 * (len(frames) - 1) / (frames[-1][0] - frames[0][0]))
        figures.rates.append(1000 * (len(tokens) - 1) / (tokens[-1][0] - tokens[0][0]))
    figures.busy.append((task_ended - task_began) / (ended - began))
    figures.longest = max([figures.longest, *seen["tasks"]])
    return True


def latencies(tokens: Sequence[tuple[float, int]], frames: Sequence[tuple[float, int]]) -> list[float]:
    """Return the time to the first frame that shows a token, for each token with letters.

    Args:
        tokens: time of each token and number of letters up to it, in chronological order.
        frames: time and number of letters of each frame, in chronological order.
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
            break  # letters that the page parsed as markup
        found.append(frames[at][0] - when)
    return found


def stop(page: Page, figures: Figures, after: float) -> bool:
    """Measure the Stop latency after `after` seconds of generation. Return False if an answer finished before
    that."""
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
    """Measure all metrics, keyed by number of turns.

    Runs alternate between conversation lengths, so that a temporary slowdown affects all of them.
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
    """Format the metrics as a Markdown table, followed by the machine and the software versions."""
    heads = (
        *("turns per lane", "token to pixels: median", "95% of tokens within", "updates per second"),
        *("main thread busy", "longest task", "slowest Stop"),
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
    lanes = f"{len(LANES)} lanes at {rate:.0f} tokens per second"
    lines += ["", f"{results['machine']}; {results['versions']}. {lanes}."]
    return "\n".join(lines)


def run(runs: int) -> dict[str, Any]:
    """Run the benchmark. Return the metrics by number of turns, the machine and the software versions."""

    def measure_turns(browser: Browser) -> dict[str, Any]:
        with tempfile.TemporaryDirectory() as folder:
            figures = measure(browser, runs, Path(folder))
        return {"turns": {turns: each.summary() for turns, each in figures.items()}}

    return run_in_browser(measure_turns)


def main() -> None:
    """Run the command line of `python -m benchmarks.page`."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", action="store_true", help="print one JSON document on standard output")
    parser.add_argument(
        "--runs",
        type=int,
        default=3,
        help="number of messages to answer, and to stop, per conversation length",
    )
    arguments = parser.parse_args()
    results = run(arguments.runs)
    print(json.dumps(results, indent=1) if arguments.json else table(results))


if __name__ == "__main__":
    main()
