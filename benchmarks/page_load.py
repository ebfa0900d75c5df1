"""Measure how the page loads in a browser, at the window sizes of a laptop and a phone.

    python -m benchmarks.page_load [--baseline FOLDER] [--setup LINK] [--runs N] [--json]

The real app with the pocket model and a headless Chromium run on the same machine. Every load has a browser
context of its own, so that nothing is cached. With `--baseline`, the app of another checkout runs, too, and
the loads of the two alternate: compare the ratios, because the times depend on the machine and its load. The
set-up is that of a first visit, unless `--setup` names another one as in a link to the page, for example
`lane=urial&lane=base`: two checkouts can differ in the lanes of a first visit.

**First paint** is the time from the first byte of the page to the first frame with content (the paint timing
`first-contentful-paint`).

**Usable** is the time from the start of the navigation to the first frame in which the page's own message box
is visible, the model is ready, and the skeleton shown while loading is gone.

**Layout shift** is the sum of the layout-shift entries up to `SETTLED` seconds after the page is usable: the
metric Cumulative Layout Shift without its session windows. Shifts under the skeleton, which covers the page
while it loads, do not count.

**Main thread** is the time in the same interval that Chromium's main thread spends in tasks (`TaskDuration`
of the DevTools protocol's Performance domain).

**Transferred** is the number of bytes received from the server in the same interval, headers included and
compressed as sent.
"""

from __future__ import annotations

import argparse
import json
import socket
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, ViewportSize

from benchmarks.browser import run_in_browser

ROOT = Path(__file__).parents[1]
SIZES: dict[str, ViewportSize] = {
    "laptop": {"width": 1440, "height": 900},
    "phone": {"width": 390, "height": 844},
}
SETTLED = 3.0
"""Seconds after the page is usable until which layout shifts, tasks and transfers count."""
PAINT_WITHIN = 500.0
"""Target for the first paint, in milliseconds after the first byte."""
TIMEOUT = 120_000
"""Milliseconds in which the page must be usable."""

# These selectors are the only details of the page that this module depends on.
WATCH = """
(() => {
  const seen = (window.loadWatched = { shifts: [], uncovered: 0, usable: null });
  new PerformanceObserver((list) => {
    for (const { hadRecentInput, startTime, value } of list.getEntries())
      if (!hadRecentInput) seen.shifts.push([startTime, value]);
  }).observe({ type: "layout-shift", buffered: true });
  const shown = (selector) => document.querySelector(selector)?.checkVisibility();
  const look = () => {
    const loads = document.querySelector("#skeleton");
    if (loads) seen.uncovered = null;
    else if (seen.uncovered === null) requestAnimationFrame((next) => (seen.uncovered = next));
    if (!loads && shown("#message textarea") && shown("#model .ready")) seen.usable = performance.now();
    else requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
})();
"""
READ = """
() => ({
  shift: loadWatched.shifts.reduce((sum, [at, value]) => sum + (at < loadWatched.uncovered ? 0 : value), 0),
  usable: loadWatched.usable,
  paint: performance.getEntriesByName("first-contentful-paint")[0].startTime
    - performance.getEntriesByType("navigation")[0].responseStart,
})
"""


@dataclass(frozen=True, kw_only=True)
class Load:
    """The measurements of one load of the page."""

    paint_ms: float
    """First paint, in milliseconds after the first byte."""
    usable_s: float
    """Seconds from the start of the navigation until the page is usable."""
    shift: float
    """Sum of the layout shifts."""
    main_thread_s: float
    """Seconds that the main thread spent in tasks."""
    transferred_kb: float
    """Received data in kB (1,000 bytes)."""


HEADS = {
    "paint_ms": ("first paint", "{:.0f} ms"),
    "usable_s": ("usable", "{:.2f} s"),
    "shift": ("layout shift", "{:.3f}"),
    "main_thread_s": ("main thread", "{:.2f} s"),
    "transferred_kb": ("transferred", "{:,.0f} kB"),
}
"""Column title and format of each measurement."""


@contextmanager
def app(checkout: Path) -> Iterator[str]:
    """Context manager that runs `python app.py` of a checkout on a free port, and yields its URL."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        process = subprocess.Popen(
            [sys.executable, "app.py", "--port", str(port), "--data-dir", folder],
            cwd=checkout,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert process.stdout is not None
        try:
            if not (said := process.stdout.readline()):
                raise RuntimeError(f"The app in {checkout} did not start: run `python app.py` there.")
            yield said.split()[-1]
        finally:
            process.terminate()
            process.wait()
            process.stdout.close()


def load(browser: Browser, url: str, size: ViewportSize) -> Load:
    """Load the page once, with an empty cache, and measure."""
    context = browser.new_context(viewport=size)
    try:
        page = context.new_page()
        protocol = context.new_cdp_session(page)
        protocol.send("Performance.enable")
        protocol.send("Network.enable")
        received = [0.0]
        protocol.on("Network.loadingFinished", lambda event: received.append(event["encodedDataLength"]))
        page.add_init_script(WATCH)
        page.goto(url, wait_until="commit")
        page.wait_for_function("() => loadWatched.usable", timeout=TIMEOUT)
        page.wait_for_timeout(1000 * SETTLED)
        read = page.evaluate(READ)
        metrics = {each["name"]: each["value"] for each in protocol.send("Performance.getMetrics")["metrics"]}
    finally:
        context.close()
    return Load(
        paint_ms=read["paint"],
        usable_s=read["usable"] / 1000,
        shift=read["shift"],
        main_thread_s=metrics["TaskDuration"],
        transferred_kb=sum(received) / 1000,
    )


def summarize(loads: Sequence[Load]) -> dict[str, float]:
    """Return the median of each measurement."""
    return {name: statistics.median(asdict(each)[name] for each in loads) for name in HEADS}


def measure(browser: Browser, checkouts: dict[str, Path], runs: int, setup: str) -> dict[str, dict[str, Any]]:
    """Load the page of each checkout `runs` times at each size; return the medians by size and checkout.

    One load of each checkout before the first counted one warms up the server. In every second run, the order
    of the checkouts is reversed.
    """
    found: dict[str, dict[str, list[Load]]] = {size: {name: [] for name in checkouts} for size in SIZES}
    with ExitStack() as apps:
        urls = {name: apps.enter_context(app(path)).rstrip("/") for name, path in checkouts.items()}
        urls = {name: f"{url}/{setup and f'?{setup}'}" for name, url in urls.items()}
        for url in urls.values():
            load(browser, url, SIZES["laptop"])
        for run in range(runs):
            for size, viewport in SIZES.items():
                print(f"run {run + 1}, {size}", file=sys.stderr)
                for name in sorted(urls, reverse=bool(run % 2)):
                    found[size][name].append(load(browser, urls[name], viewport))
    return {size: {name: summarize(own) for name, own in each.items()} for size, each in found.items()}


def table(results: dict[str, Any]) -> str:
    """Format the medians as a Markdown table, followed by the machine and the software versions.

    With a baseline, each cell contains the value of this checkout and its ratio to the baseline's.
    """
    heads = ["window", *(title for title, _ in HEADS.values())]
    lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    for size, by_checkout in results["sizes"].items():
        now, before = by_checkout["now"], by_checkout.get("baseline")
        cells = []
        for name, (_, form) in HEADS.items():
            cell = form.format(now[name])
            if before is not None:
                ratio = f"{now[name] / before[name]:.2f} times" if before[name] else "no ratio:"
                cell += f" ({ratio} {form.format(before[name])})"
            if name == "paint_ms" and now[name] >= PAINT_WITHIN:
                cell += " (missed)"
            cells.append(cell)
        lines.append(f"| {size} | {' | '.join(cells)} |")
    lines += ["", f"{results['machine']}; {results['versions']}. Medians of {results['runs']} loads."]
    return "\n".join(lines)


def run(runs: int, baseline: Path | None, setup: str) -> dict[str, Any]:
    """Run the benchmark. Return the medians by window size, the machine and the software versions."""
    checkouts = {"now": ROOT} | ({} if baseline is None else {"baseline": baseline})
    return run_in_browser(lambda browser: {"sizes": measure(browser, checkouts, runs, setup), "runs": runs})


def main() -> None:
    """Run the command line of `python -m benchmarks.page_load`."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", action="store_true", help="print one JSON document on standard output")
    parser.add_argument("--runs", type=int, default=5, help="number of counted loads per window size")
    parser.add_argument("--baseline", type=Path, help="folder of another checkout of Tandem, to compare with")
    parser.add_argument("--setup", default="", metavar="LINK", help="part of a link after the question mark")
    arguments = parser.parse_args()
    if arguments.runs < 1:
        parser.error("--runs must be at least 1")
    if arguments.baseline is not None and not (arguments.baseline / "app.py").is_file():
        parser.error(f"--baseline: there is no app.py in {arguments.baseline}: name a checkout of Tandem.")
    results = run(arguments.runs, arguments.baseline, arguments.setup)
    print(json.dumps(results, indent=1) if arguments.json else table(results))


if __name__ == "__main__":
    main()
