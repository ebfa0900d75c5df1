"""HTML for the verdicts and votes below an answer.

Pure functions, independent of Gradio. Judge output is untrusted, like model output, and is escaped. Lanes are
identified only by letter, because their names must not be revealed in blind mode.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from playground.judging.cost import Cost, Estimate
from playground.judging.votes import HUMAN, Choice
from playground.lanes.letters import lane_letter
from playground.rubrics.known_answer import REFERENCE
from playground.types import SETTLED, Aspect, JudgeCall, Outcome, Verdict
from playground.ui.html.text import escape, render_letter, reveal, reveal_plain
from playground.words import count_things, format_number, format_price, shorten

OUTCOMES: Mapping[Outcome, str] = {
    "win": "better",
    "tie": "tie",
    "both-bad": "both bad",
    "inconsistent": "tie, inconsistent",
    "scored": "scored",
    "unparsable": "unreadable reply",
    "refused": "refused",
    "cut": "reply cut off",
    "empty": "empty reply",
    "failed": "failed",
    "cancelled": "stopped",
    "unfinished": "unfinished",
}
JUDGING = "judging\u2026"


# --- Votes ----------------------------------------------------------------------------------------


def choice_of(verdict: Verdict, pair: tuple[int, int]) -> Choice:
    """Return the choice recorded by a vote. Choices "A" and "B" stand for the two lanes in `pair`."""
    if verdict.winner is not None:
        return "A" if verdict.winner == pair[0] else "B"
    return "tie" if verdict.outcome == "tie" else "both-bad"


VOTE_STATUS = {
    "open": "Which is better?",
    "cast": "Your vote",
    "blind": "Your vote (final after Reveal)",
    "locked": "Your blind vote (final)",
}
"""Texts before the vote buttons, by the state of the user's vote."""


def render_vote_status(cast: bool, blind: bool, locked: bool) -> str:
    """Render the text before the vote buttons, as wide as the longest one, so that the buttons stay in place.

    Args:
        cast: whether the user has voted.
        blind: whether the lanes' names are hidden.
        locked: whether the vote can no longer be changed.
    """
    now = "locked" if locked else "open" if not cast else "blind" if blind else "cast"
    reserved = "".join(f'<span aria-hidden="true">{text}</span>' for text in VOTE_STATUS.values())
    return f"<p><span>{VOTE_STATUS[now]}</span>{reserved}</p>"


def _render_vote(verdict: Verdict, lane: int, own: bool) -> str:
    words = (
        f"{render_letter(verdict.winner)} better" if verdict.winner is not None else OUTCOMES[verdict.outcome]
    )
    whose = "Your vote" if own else "Another user\u2019s vote"
    blind = ", blind" if verdict.blind else ""
    against = " and ".join(lane_letter(each) for each in verdict.lanes)
    kind = " won" if verdict.winner == lane else ""
    title = reveal_plain(f"{whose} on {against}{blind}")
    return f'<span class="mark vote{kind}" title="{title}">{whose}{blind}: <b>{words}</b></span>'


# --- Marks below an answer ------------------------------------------------------------------------


def render_marks(
    lane: int,
    verdicts: Sequence[Sequence[Verdict]],
    voter: str | None,
    running: Collection[str],
    costs: Mapping[str, Cost],
) -> dict[int, str]:
    """Render the votes and verdicts below a lane's answers, keyed by turn index.

    Turns without votes or verdicts are omitted.

    Args:
        lane: index of the lane.
        verdicts: the verdicts on each turn, in request order.
        voter: the current user's voter id.
        running: ids of verdicts still in progress.
        costs: costs by verdict id.
    """
    found = {}
    for turn, here in enumerate(verdicts):
        by_id = {verdict.id: verdict for verdict in here}
        own = [verdict for verdict in latest(here) if lane in verdict.lanes]
        rendered = [
            _render_vote(verdict, lane, verdict.by == voter)
            if verdict.judge == HUMAN
            else _render_judged(verdict, lane, turn, verdict.id in running, costs.get(verdict.id), by_id)
            for verdict in own
        ]
        if rendered:
            found[turn] = f'<div class="marks">{"".join(rendered)}</div>'
    return found


def latest(verdicts: Sequence[Verdict]) -> list[Verdict]:
    """Return the latest verdict for each request.

    If the latest verdict has no outcome yet or failed, the latest settled verdict for the same request is
    returned too, in front of it.
    """
    kept: dict[tuple[object, ...], list[Verdict]] = {}
    for verdict in verdicts:
        key = (verdict.judge, verdict.server, verdict.rubric, verdict.scope, verdict.lanes, verdict.by)
        before = [each for each in kept.get(key, []) if each.outcome in SETTLED]
        kept[key] = [verdict] if verdict.outcome in SETTLED else [*before[-1:], verdict]
    return [verdict for each in kept.values() for verdict in each]


def _render_judged(
    verdict: Verdict,
    lane: int,
    turn: int,
    running: bool,
    cost: Cost | None,
    here: Mapping[str, Verdict],
) -> str:
    """Render a verdict as a badge that expands to show the judge's reasons or each panel judge's verdict."""
    words, kind = badge(verdict, lane, running)
    against = " against ".join(lane_letter(each) for each in verdict.lanes) if _compares(verdict) else ""
    title = reveal_plain(", ".join(filter(None, (verdict.judge, verdict.rubric, _scope(verdict), against))))
    parts = [f'<p class="of">{_render_facts(verdict, cost)}</p>']
    if verdict.error and verdict.outcome not in SETTLED and not running:
        parts.append(f'<p class="notice error">{reveal(verdict.error)}</p>')
    parts += [_render_call(call, verdict) for call in verdict.calls if lane in call.shown]
    parts += [_render_member(here[id], lane) for id in verdict.panel if id in here]
    parts.append(f'<div class="verdict-acts">{_render_buttons(verdict, turn, running)}</div>')
    name = f'<span class="judge">{reveal(_name_judge(verdict))}:</span>'
    return (
        f'<details class="mark {kind}"><summary title="{title}">{name}<b>{words}</b></summary>'
        f'<div class="reasons">{"".join(parts)}</div></details>'
    )


def _name_judge(verdict: Verdict) -> str:
    if verdict.panel:
        return f"Majority of {len(verdict.panel)}"
    return "Reference rule" if verdict.judge == REFERENCE else shorten(verdict.judge)


def badge(verdict: Verdict, lane: int, running: bool = False) -> tuple[str, str]:
    """Return a short HTML label and a CSS class for a lane's outcome in a verdict."""
    if running:
        return JUDGING, "running"
    if verdict.outcome == "win":
        return ("won", "won") if verdict.winner == lane else ("lost", "lost")
    if verdict.scale is not None:
        scores = dict(zip(verdict.lanes, verdict.scores, strict=False))
        score = scores.get(lane)
        if score is not None:
            return score_of(score, verdict.scale), "scored"
        outcomes = [call.outcome for call in verdict.calls if call.shown == (lane,)]
        spoilt = next((outcome for outcome in outcomes if outcome not in SETTLED), verdict.outcome)
        return (OUTCOMES[spoilt] if spoilt not in SETTLED else "no score"), "failed"
    return OUTCOMES[verdict.outcome], "even" if verdict.outcome in SETTLED else "failed"


def score_of(score: float, scale: tuple[float, float]) -> str:
    """Format a score with its scale, as in ``7.5 / 10``. On a 0-1 scale, 1 is "right" and 0 is "wrong"."""
    if scale == (0.0, 1.0) and score in scale:
        return "right" if score else "wrong"
    return f"{score:.2f}".rstrip("0").rstrip(".") + f"\u2009/\u2009{scale[1]:g}"


def _compares(verdict: Verdict) -> bool:
    return verdict.scale is None and len(verdict.lanes) == 2


def _scope(verdict: Verdict) -> str:
    return "the conversation so far" if verdict.scope == "conversation" else "this turn"


def _render_facts(verdict: Verdict, cost: Cost | None) -> str:
    """Render a verdict's judge, rubric and cost."""
    by = [
        verdict.judge,
        *([f"at {verdict.server}"] if verdict.server else []),
        f"using rubric {verdict.rubric}",
    ]
    words = [reveal(" ".join(by)), _scope(verdict)]
    if cost is not None and (cost.calls or cost.cached):
        words.append(render_cost(cost))
    return "; ".join(words)


def _render_member(verdict: Verdict, lane: int) -> str:
    """Render the verdict of one panel judge."""
    if verdict.scale is None and verdict.winner is not None:
        words = f"{render_letter(verdict.winner)} better"
    else:
        words, _ = badge(verdict, lane)
    return f"<h5>{reveal(verdict.judge)}: <b>{words}</b></h5>"


def _render_call(call: JudgeCall, verdict: Verdict) -> str:
    """Render a judge call: the answer order, the verdict, the reasons and the collapsed raw response."""
    head = ""
    if _compares(verdict):
        first, second = (lane_letter(lane) for lane in call.shown)
        verdict_words = (
            f"{render_letter(call.winner)} better" if call.winner is not None else OUTCOMES[call.outcome]
        )
        head = f"<b>{first} first, then {second}: {verdict_words}</b>"
        if call.shown != verdict.lanes:
            head += f" (shown to the judge with {first} as \u201cA\u201d)"
    elif call.score is not None and verdict.scale is not None and len(verdict.calls) > len(verdict.lanes):
        head = f"<b>{score_of(call.score, verdict.scale)}</b>"
    if call.cached:
        head += ' <span class="cached">from the cache</span>'
    parts = [f"<h5>{head}</h5>"] if head else []
    if call.aspects and verdict.scale is not None:
        parts.append(f"<dl>{''.join(_render_aspect(aspect, verdict.scale) for aspect in call.aspects)}</dl>")
    if call.reason:
        parts.append(f'<p class="reason">{reveal(call.reason)}</p>')
    if call.error and call.error != verdict.error:
        parts.append(f'<p class="notice error">{reveal(call.error)}</p>')
    if call.raw is not None:
        parts.append(f"<details><summary>Raw response</summary><pre>{reveal(call.raw)}</pre></details>")
    return f'<div class="game">{"".join(parts)}</div>' if parts else ""


def _render_aspect(aspect: Aspect, scale: tuple[float, float]) -> str:
    score = "does not apply" if aspect.score is None else score_of(aspect.score, scale)
    return f"<dt>{reveal(aspect.name)}</dt><dd><b>{score}</b> {reveal(aspect.reason or '')}</dd>"


def _render_buttons(verdict: Verdict, turn: int, running: bool) -> str:
    acts = []
    if running:
        acts.append(("judge-stop", "Stop the judge"))
    elif verdict.outcome not in SETTLED:
        acts.append(("judge-again", "Judge again"))
    if verdict.server:
        acts.append(("verdict", "Requests and responses"))
    data = f'data-turn="{turn}" data-id="{reveal_plain(verdict.id)}"'
    return "".join(f'<button type="button" data-act="{act}" {data}>{label}</button>' for act, label in acts)


# --- Costs ----------------------------------------------------------------------------------------


def render_cost(cost: Cost) -> str:
    """Render a verdict's cost, using the server's token counts."""
    words = []
    if cost.calls:
        tokens = f"{format_number(cost.prompt_tokens)} tokens in, {format_number(cost.new_tokens)} out"
        words.append(f"{count_things(cost.calls, 'call')}, {tokens}{_price(cost.price, '')}")
    if cost.cached:
        words.append(f"{count_things(cost.cached, 'reply', 'replies')} from the cache, at no cost")
    if cost.unknown:
        words.append(f"the server did not report the usage of {count_things(cost.unknown, 'call')}")
    return ", ".join(words)


def render_note(sentence: str) -> str:
    """Render a note in the judge dialog."""
    return f'<p class="what">{reveal(sentence)}</p>'


def render_error(sentence: str) -> str:
    """Render an error explaining why a judgment cannot be requested."""
    return f'<p class="notice error">{reveal(sentence)}</p>'


def render_warning(sentence: str) -> str:
    """Render a non-blocking warning about a judge."""
    return f'<p class="notice warning">{reveal(sentence)}</p>'


def render_estimate(estimate: Estimate) -> str:
    """Render the estimated cost of a judgment."""
    if not estimate.calls:
        replies = count_things(estimate.cached, "reply", "replies")
        return f"<p>{replies} from the cache, at no cost.</p>"
    cached = f" ({format_number(estimate.cached)} more from the cache, at no cost)" if estimate.cached else ""
    read, written = format_number(estimate.prompt_tokens), format_number(estimate.most_new_tokens)
    tokens = f"{read} tokens in, at most {written} out"
    price = _price(estimate.price, "at most ")
    return f"<p><b>{count_things(estimate.calls, 'call')}</b>{cached}: about {tokens}{price}.</p>"


def _price(price: tuple[float, str] | None, before: str) -> str:
    return "" if price is None else f", {before}{escape(format_price(*price))}"


# --- Judge calls ----------------------------------------------------------------------------------


def render_calls(verdict: Verdict, cost: Cost | None) -> str:
    """Render all judge calls of a verdict with their full prompts and responses, as dialog content."""
    parts = [f'<p class="notice">{_render_facts(verdict, cost)}</p>']
    for at, call in enumerate(verdict.calls, 1):
        shown = ", then ".join(lane_letter(lane) for lane in call.shown)
        cached = ", from the cache" if call.cached else ""
        parts.append(f"<h3>Call {at}: {shown}; {OUTCOMES[call.outcome]}{cached}</h3>")
        if call.error:
            parts.append(f'<p class="notice error">{reveal(call.error)}</p>')
        for role, text in call.messages:
            parts.append(f"<h4>Request, {reveal(role)} message</h4><pre>{reveal(text)}</pre>")
        if call.parameters:
            parts.append(f"<h4>Request parameters</h4><pre>{reveal(call.parameters)}</pre>")
        if call.raw is not None:
            ended = f", finish reason {reveal(call.finish)}" if call.finish else ""
            parts.append(f"<h4>Response{ended}</h4><pre>{reveal(call.raw)}</pre>")
    return f'<div class="whole-verdict">{"".join(parts)}</div>'
