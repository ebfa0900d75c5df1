"""The biases of the judges on a panel, and the agreement among them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

from playground.judging.judge_names import name_judges
from playground.scoreboard.agreement import PanelComparison, Side, measure_panel_agreement, preference
from playground.scoreboard.entries import CountedVerdict, first_place_share, inconsistent_share, longer_share
from playground.scoreboard.rows import JudgeHabits, Panel
from playground.statistics import Share


def summarize_panel(entries: Sequence[CountedVerdict]) -> Panel | None:
    """Return the biases of a panel's judges and the agreement among them.

    Return None if the judges' verdicts are missing.

    Judges are identified by name, so that results are combined across conversations.
    """
    found = [(entry, _members(entry)) for entry in entries]
    names = name_judges((each.verdict.judge, each.verdict.server) for _, own in found for each in own)
    by_judge: dict[str, list[CountedVerdict]] = {}
    compared: list[PanelComparison] = []
    agreed: dict[str, list[bool]] = {}
    for entry, members in found:
        for member in members:
            by_judge.setdefault(member.judge_name(names), []).append(member)
        for first, second in combinations(entry.verdict.lanes, 2):
            said = [preference(member.verdict, first, second) for member in members]
            if members and None not in said:
                sides = tuple(_side(each, first) for each in said if each is not None)
                compared.append(PanelComparison(conversation=entry.conversation.id, sides=sides))
            most = preference(entry.verdict, first, second)
            for member, each in zip(members, said, strict=True):
                if most is not None and each is not None:
                    agreed.setdefault(member.judge_name(names), []).append(most == each)
    if not by_judge:
        return None
    habits = tuple(
        JudgeHabits(
            judge=judge,
            inconsistent=inconsistent_share(own),
            first_place=first_place_share(own),
            longer=longer_share(own),
            with_majority=Share(hits=sum(agreed.get(judge, ())), count=len(agreed.get(judge, ()))),
        )
        for judge, own in sorted(by_judge.items())
    )
    return Panel(judges=habits, agreement=measure_panel_agreement([each.judge for each in habits], compared))


def _members(entry: CountedVerdict) -> list[CountedVerdict]:
    """Return the judges' verdicts on which a majority verdict is based, ordered by judge.

    Return [] if any of the judges' verdicts is missing.
    """
    here = {verdict.id: verdict for verdict in entry.conversation.turns[entry.turn].verdicts}
    if any(id not in here for id in entry.verdict.panel):
        return []
    found = [CountedVerdict(entry.conversation, entry.turn, here[id]) for id in entry.verdict.panel]
    return sorted(found, key=lambda member: (member.verdict.judge, member.verdict.server or ""))


def _side(said: tuple[int | None], first: int) -> Side:
    return "neither" if said[0] is None else "first" if said[0] == first else "second"
