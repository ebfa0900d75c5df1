"""HTML for the scoreboard: win rates and scores with confidence intervals, and disagreements between votes
and judges.

Pure functions, independent of Gradio. All names are escaped. Every confidence interval is shown both as a
bar and as text.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from playground.lanes.names import name_lane
from playground.scoreboard.agreement import Agreement, PanelAgreement, VoteComparison
from playground.scoreboard.rows import Board, Entrant, PairRecord, Panel, ScoreRow
from playground.statistics import Mean, Share, few
from playground.types import SETTLED, AdapterCard, Conversation
from playground.ui.html.labels import decoding
from playground.ui.html.text import render_letter, reveal, reveal_plain
from playground.ui.html.verdicts import OUTCOMES
from playground.words import count_things, format_number, shorten


@dataclass(frozen=True, kw_only=True)
class Labels:
    """What variants are called on the page."""

    cards: Mapping[str, AdapterCard]
    """Adapter cards by name, with the adapters' labels."""
    lanes: Mapping[str, Sequence[int]] = field(default_factory=dict)
    """The lanes in which a variant is open now, by its recipe. They have the lane's letter and color."""


NOTHING = (
    '<p class="nothing">No results yet. Vote on two answers with the buttons above the message box, '
    "or have a judge compare them.</p>"
)


def render_section(
    title: str, about: str, board: Board, conversations: Mapping[str, Conversation], labels: Labels
) -> str:
    """Render one section of the scoreboard: the scores from one judge or from votes.

    Args:
        title: the section's title.
        about: one sentence shown below the title.
        board: the scores.
        conversations: conversations by id, used to label disagreements.
        labels: what the variants are called on the page.
    """
    parts = [f"<h3>{reveal(title)}</h3>", f'<p class="what">{reveal(about)}</p>']
    if board.pairs:
        parts.append(_render_pairs(board.pairs, labels))
    scored = [row for row in board.score_rows if row.mean is not None]
    if scored and board.scale is not None:
        parts.append(_render_score_table(scored, board.scale, labels))
    parts.append(_render_facts(board, labels))
    if board.panel is not None:
        parts.append(_render_panel(board.panel))
    if board.agreement is not None:
        parts.append(_render_agreement(board.agreement, conversations))
    return f'<section class="scores">{"".join(parts)}</section>'


# --- Pairs ----------------------------------------------------------------------------------------


def _render_pairs(pairs: Sequence[PairRecord], labels: Labels) -> str:
    return f'<div class="pairs">{"".join(_render_pair(pair, labels) for pair in pairs)}</div>'


def _render_pair(pair: PairRecord, labels: Labels) -> str:
    ties = [
        (pair.ties, "tie", "ties"),
        (pair.both_bad, "both bad", "both bad"),
        (pair.inconsistent, "inconsistent", "inconsistent"),
        (pair.failed, "without a verdict", "without a verdict"),
    ]
    counts = ", ".join(count_things(count, one, more) for count, one, more in ties if count)
    first, second = (
        f"{_render_letters(each, labels)}{_render_name(each, labels)}" for each in (pair.first, pair.second)
    )
    rows = [_render_share_row("all turns", pair.rate, bold=True)]
    rows += [
        _render_share_row(f"turn {turn}", share)
        for turn, share in pair.by_turn.items()
        if len(pair.by_turn) > 1
    ]
    note = f" {pair.few}" if pair.few else ""
    where = count_things(pair.conversations, "conversation")
    return (
        '<article class="pair-scores"><header>'
        f'<div class="entrant">{_render_variant(pair.second, labels)}</div>'
        f'<div class="tally"><b>{format_number(pair.second_wins)}</b><span>:</span>'
        f"<b>{format_number(pair.first_wins)}</b></div>"
        f'<div class="entrant right">{_render_variant(pair.first, labels)}</div></header>'
        '<table><thead><tr><th scope="col"><span class="unseen">Turns</span></th>'
        f'<th scope="col">win rate of {first}, 95% interval</th>'
        f'<th scope="col">{_render_axis(second, first)}</th>'
        '<th scope="col"><span class="unseen">Comparisons</span></th></tr></thead>'
        f'<tbody class="{_lane_class(pair.first, labels)}">{"".join(rows)}</tbody></table>'
        f'<p class="note">{", ".join(filter(None, (counts, where)))}.{note}</p></article>'
    )


def _render_share_row(label: str, share: Share, bold: bool = False) -> str:
    """Render the first variant's win rate as a table row with a bar.

    As in all bars, the right end is 100%. The first variant is therefore shown on the right, so that the
    point lies on the side of the variant that wins more often.
    """
    low, high = share.interval
    value = share.value
    figure = "\u2013" if value is None else f"{value:.0%}"
    return (
        f'<tr{" class=all" if bold else ""}><th scope="row">{label}</th>'
        f"<td><b>{figure}</b> <span>{low:.0%} to {high:.0%}</span></td>"
        f"<td>{render_bar(value, (low, high))}</td>"
        f"<td>{format_number(share.count)}</td></tr>"
    )


def _render_axis(low: str, high: str) -> str:
    """Render what the left and the right end of the bars below mean, as HTML."""
    return f'<div class="axis"><span>{low}</span><span>{high}</span></div>'


def render_bar(
    value: float | None, interval: tuple[float, float] | None, scale: tuple[float, float] = (0.0, 1.0)
) -> str:
    """Render a bar that shows a value and its confidence interval graphically, without numbers.

    The left end is always the lowest value of the scale, and the right end the highest.
    """
    low, high = scale

    def place(figure: float) -> float:
        return 100 * min(1.0, max(0.0, (figure - low) / (high - low)))

    middle = '<i class="middle"></i>' if scale == (0.0, 1.0) else ""
    between = ""
    if interval is not None:
        left, right = place(interval[0]), place(interval[1])
        between = f'<i class="between" style="left:{left:.1f}%;width:{right - left:.1f}%"></i>'
    point = "" if value is None else f'<i class="point" style="left:{place(value):.1f}%"></i>'
    return f'<div class="interval" aria-hidden="true">{middle}{between}{point}</div>'


# --- Scores ---------------------------------------------------------------------------------------


def _render_score_table(scored: Sequence[ScoreRow], scale: tuple[float, float], labels: Labels) -> str:
    """Render a table of each variant's mean scores: overall, by turn and by aspect."""
    turns = sorted({turn for row in scored for turn in row.by_turn})
    turns = turns if len(turns) > 1 else []
    aspects = list(dict.fromkeys(name for row in scored for name in row.aspects))
    is_share = scale == (0.0, 1.0)
    heading = "correct answers" if is_share else f"mean score, {scale[0]:g} to {scale[1]:g}"
    ends = [_format_value(end, True) if is_share else f"{end:g}" for end in scale]
    heads = [*(f"turn {turn}" for turn in turns), *aspects]
    columns = "".join(f'<th scope="col">{reveal(name)}</th>' for name in heads)
    rows = "".join(_render_score_row(row, turns, aspects, scale, labels) for row in scored)
    note = few(min(row.mean.conversations for row in scored if row.mean), "conversation")
    return (
        '<div class="wide"><table class="standings"><thead><tr><th scope="col">variant</th>'
        f'<th scope="col">{_render_axis(*ends)}</th><th scope="col">{heading}, 95% interval</th>{columns}'
        '<th scope="col">no verdict</th></tr></thead>'
        f"<tbody>{rows}</tbody></table></div>" + (f'<p class="note">{note}</p>' if note else "")
    )


def _render_score_row(
    row: ScoreRow, turns: Sequence[int], aspects: Sequence[str], scale: tuple[float, float], labels: Labels
) -> str:
    assert row.mean is not None
    is_share = scale == (0.0, 1.0)
    mean = f"<b>{_format_value(row.mean.value, is_share)}</b> {_render_interval(row.mean, is_share)}"
    cells = [
        f"<td>{render_bar(row.mean.value, row.mean.interval, scale)}</td><td>{mean}</td>",
        *(_render_cell(row.by_turn.get(turn), is_share) for turn in turns),
        *(_render_cell(row.aspects.get(name), is_share) for name in aspects),
        f"<td>{format_number(row.failed)}</td>",
    ]
    kind = _lane_class(row.entrant, labels)
    return (
        f'<tr class="{kind}"><th scope="row">{_render_variant(row.entrant, labels)}</th>{"".join(cells)}</tr>'
    )


def _format_value(value: float, is_share: bool) -> str:
    return f"{value:.0%}" if is_share else f"{value:.2f}"


def _render_interval(mean: Mean, is_share: bool) -> str:
    if mean.interval is None:
        return "<span>one conversation</span>"
    low, high = (_format_value(bound, is_share) for bound in mean.interval)
    return f"<span>{low} to {high}</span>"


def _render_cell(mean: Mean | None, is_share: bool) -> str:
    if mean is None:
        return "<td>\u2013</td>"
    title = reveal_plain(_describe_mean(mean, is_share))
    return f'<td title="{title}">{_format_value(mean.value, is_share)}</td>'


def _describe_mean(mean: Mean, is_share: bool) -> str:
    if mean.interval is None:
        return f"{count_things(mean.count, 'score')} from one conversation"
    low, high = (_format_value(each, is_share) for each in mean.interval)
    return (
        f"{low} to {high}; {count_things(mean.count, 'score')} from "
        f"{count_things(mean.conversations, 'conversation')}"
    )


# --- Reliability ----------------------------------------------------------------------------------


def _render_facts(board: Board, labels: Labels) -> str:
    """Render statistics that indicate how reliable the scores are."""
    facts = []
    compared = [row for row in board.score_rows if row.wins.count]
    if len(board.pairs) > 1:
        rates = "; ".join(
            f"{_render_name(each.entrant, labels)} {_render_share(each.wins)}" for each in compared
        )
        facts.append(("Win rates over all pairs", rates))
    if board.inconsistent.count and not _is_human(board) and board.panel is None:
        facts.append(("Inconsistent", _render_share(board.inconsistent)))
    if board.first_place.count:
        facts.append(("The answer shown first wins", _render_share(board.first_place)))
    if board.longer.count:
        facts.append(("The longer answer wins", _render_share(board.longer)))
    if board.winner_length is not None and board.loser_length is not None:
        won, lost = format_number(board.winner_length), format_number(board.loser_length)
        facts.append(("Mean length of winners and losers", f"{won} and {lost} characters"))
    failed = [
        f"{format_number(count)} {OUTCOMES[outcome]}"
        for outcome, count in sorted(board.outcomes.items())
        if outcome not in SETTLED and count
    ]
    if failed:
        facts.append(("Without a verdict (not counted)", ", ".join(failed)))
    if not facts:
        return ""
    return _render_list(facts)


def _is_human(board: Board) -> bool:
    return board.judge == "human"


def _render_share(share: Share) -> str:
    low, high = share.interval
    value = f"{share.value:.0%}" if share.value is not None else "\u2013"
    hits = f"{share.hits:,g} of {format_number(share.count)}"
    return f"<b>{value}</b> <span>{low:.0%} to {high:.0%}; {hits}</span>"


def _render_panel(panel: Panel) -> str:
    """Render the agreement between the judges of a panel, and each judge's biases."""
    rows = "".join(
        f'<tr><th scope="row">{reveal(judge.judge)}</th><td>{_render_share_or_dash(judge.with_majority)}</td>'
        f"<td>{_render_share_or_dash(judge.inconsistent)}</td><td>{_render_share_or_dash(judge.first_place)}</td>"
        f"<td>{_render_share_or_dash(judge.longer)}</td></tr>"
        for judge in panel.judges
    )
    heads = ("judge", "with the majority", "inconsistent", "answer shown first wins", "longer wins")
    columns = "".join(f'<th scope="col">{head}</th>' for head in heads)
    table = (
        f'<h4>The judges</h4><div class="wide"><table class="standings"><thead><tr>{columns}</tr></thead>'
        f"<tbody>{rows}</tbody></table></div>"
    )
    if panel.agreement is None:
        return f'{table}<p class="note">These judges have not compared the same answers yet.</p>'
    return _render_panel_agreement(panel.agreement) + table


def _render_share_or_dash(share: Share) -> str:
    return _render_share(share) if share.count else "\u2013"


def _render_panel_agreement(agreement: PanelAgreement) -> str:
    kappa = _render_kappa(agreement.kappa, agreement.interval, "undefined: all ratings are the same")
    facts = [("All judges agree", _render_share(agreement.same)), ("Fleiss\u2019 kappa", kappa)]
    note = f'<p class="note">{agreement.few}</p>' if agreement.few else ""
    return _render_list(facts) + note


def _render_list(facts: Sequence[tuple[str, str]]) -> str:
    return "<dl>" + "".join(f"<dt>{label}</dt><dd>{value}</dd>" for label, value in facts) + "</dl>"


def _render_kappa(kappa: float | None, interval: tuple[float, float] | None, unknown: str) -> str:
    if kappa is None:
        return unknown
    if interval is None:
        return f"<b>{kappa:.2f}</b> <span>no interval: only one conversation</span>"
    return f"<b>{kappa:.2f}</b> <span>{interval[0]:.2f} to {interval[1]:.2f}</span>"


def _render_agreement(agreement: Agreement, conversations: Mapping[str, Conversation]) -> str:
    kappa = _render_kappa(agreement.kappa, agreement.interval, "undefined: all ratings are the same")
    written = _render_list(
        [("Agrees with the votes", _render_share(agreement.same)), ("Cohen\u2019s kappa", kappa)]
    )
    if agreement.few:
        written += f'<p class="note">{agreement.few}</p>'
    if agreement.disagreements:
        items = "".join(_render_disagreement(each, conversations) for each in agreement.disagreements)
        written += f'<h4>Where they disagree</h4><ul class="disagreements">{items}</ul>'
    return written


def _render_disagreement(found: VoteComparison, conversations: Mapping[str, Conversation]) -> str:
    def side(lane: int | None) -> str:
        return "neither" if lane is None else render_letter(lane)

    user = shorten(conversations[found.conversation].turns[found.turn].user, 70)
    sides = f"vote {side(found.vote)}, judge {side(found.verdict)}"
    return (
        f'<li><button type="button" data-act="open" data-id="{reveal_plain(found.conversation)}">'
        f"<span>{reveal(user)}</span><small>turn {found.turn + 1}: {sides}</small></button></li>"
    )


# --- Names ----------------------------------------------------------------------------------------


def _render_name(entrant: Entrant, labels: Labels) -> str:
    name = name_lane(entrant.variant, labels.cards) if entrant.variant is not None else entrant.name
    return reveal(name)


def _render_letters(entrant: Entrant, labels: Labels) -> str:
    """Render the letters of the lanes in which a variant is open now, each followed by a space."""
    return "".join(f"{render_letter(lane)} " for lane in labels.lanes.get(entrant.recipe, ()))


def _lane_class(entrant: Entrant, labels: Labels) -> str:
    """Return the CSS class that gives a bar the color of the variant's lane; "" if it is in no lane."""
    lanes = labels.lanes.get(entrant.recipe, ())
    return f"of-lane-{lanes[0]}" if lanes else ""


def _render_variant(entrant: Entrant, labels: Labels) -> str:
    """Render a variant's name and decoding parameters."""
    words = "" if entrant.variant is None else decoding(entrant.variant.sampling).replace(", seed 0", "")
    name = f"{_render_letters(entrant, labels)}{_render_name(entrant, labels)}"
    return f"<strong>{name}</strong><small>{reveal(words)}</small>"
