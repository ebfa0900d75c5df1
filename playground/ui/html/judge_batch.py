"""HTML for judging many turns at once: what will be judged, and the progress.

Pure functions, independent of Gradio. Judges' error messages are untrusted and are escaped.
"""

from __future__ import annotations

from playground.judging.batch import BatchFailure, BatchPlan, BatchProgress
from playground.ui.html.text import reveal, reveal_plain
from playground.words import count_things, format_number

MOST_FAILURES = 50
"""Maximum number of failures listed."""


def render_plan(plan: BatchPlan) -> str:
    """Render the number of turns that a batch judges and the turns that it skips, with the reasons."""
    turns = count_things(len(plan.turns), "turn")
    where = f" in {count_things(plan.conversations, 'conversation')}" if plan.conversations > 1 else ""
    head = f"<p><b>{turns}{where} to judge.</b></p>" if plan.turns else "<p><b>No turn left to judge.</b></p>"
    reasons = (
        (plan.judged, "already judged with this rubric and judge"),
        (plan.unanswered, "without an answer in every chosen lane"),
        (plan.without_reference, "without a reference answer"),
        (plan.omitted, "left out of this batch: judge them afterwards"),
    )
    skipped = [f"{count_things(count, 'turn')} {reason}" for count, reason in reasons if count]
    return head + (f'<p class="what">Skipped: {"; ".join(skipped)}.</p>' if skipped else "")


def render_progress(progress: BatchProgress, conversation: str) -> str:
    """Render a batch's progress and its failures.

    Args:
        progress: the progress.
        conversation: id of the conversation on the page. Failures in other conversations have a link.
    """
    total, judged = format_number(progress.total), format_number(progress.judged)
    count = f"{judged} of {total} turns judged"
    if progress.running and not progress.cancelled:
        words = f"{count}\u2026"
    elif progress.running:
        words = f"Stopping: {count}."
    elif progress.left:
        words = f"{'Stopped: ' if progress.cancelled else ''}{count}."
    else:
        words = f"{count_things(progress.total, 'turn')} judged. The verdicts are below the answers."
    bar = (
        f'<progress max="{progress.total}" value="{progress.judged + len(progress.failures)}" '
        'aria-label="Turns judged"></progress>'
    )
    parts = [f'<p role="status"><b>{words}</b></p>', bar]
    if progress.failures:
        failures = progress.failures[:MOST_FAILURES]
        items = "".join(_render_failure(failure, conversation) for failure in failures)
        parts.append(
            f'<p>{format_number(len(progress.failures))} failed:</p><ul class="failures">{items}</ul>'
        )
    return f'<div class="batch">{"".join(parts)}</div>'


def _render_failure(failure: BatchFailure, conversation: str) -> str:
    where = f"Turn {failure.turn + 1}"
    if failure.conversation != conversation:
        link = f'<a href="?c={reveal_plain(failure.conversation)}">another conversation</a>'
        where += f" of {link}"
    return f"<li>{where}: {reveal(failure.error)}</li>"
