"""Several judges on the same answers, and their majority, which is recorded as a judge of its own.

The rule is strict: a lane wins if more than half of all judges of the panel say so. A judge that has come to
no verdict says nothing, and where it could have decided, there is no verdict. Of scores, the median is the
majority's.
"""

from __future__ import annotations

import dataclasses
import re
import secrets
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from statistics import median
from urllib.parse import urlsplit

from playground.judging.client.completion import hide_login, identify_server
from playground.judging.run import Judging
from playground.judging.verdicts import WORST
from playground.types import SETTLED, InputError, Outcome, OutsideError, Verdict

MOST_JUDGES = 5
MAJORITY = "majority of "
"""How the name of a panel's majority begins; the names of its judges follow."""
_ELSEWHERE = re.compile(r"(?P<model>.*\S)@(?P<server>https?://\S+)\Z", re.IGNORECASE)

_MISTYPED = re.compile(r"@[a-z][a-z0-9+.-]*://|@https?:|\Ahttps?:/|@\Z", re.IGNORECASE)
"""What begins or ends a server's address and is in no model's name; an @ alone is in some."""


def read_judge(text: str) -> tuple[str, str | None]:
    """Model and server of a judge as a person names it: ``MODEL``, or ``MODEL@http://SERVER``.

    Raises:
        InputError: a server is meant, and it or the model is missing, or it is no address.
    """
    text = text.strip()
    found = _ELSEWHERE.match(text)
    if found and "#" not in found["server"]:
        return found["model"].strip(), found["server"]
    if found or _MISTYPED.search(text):
        raise InputError(
            f"The judge {hide_login(text)!r:.120} is mistyped: write MODEL, or MODEL@http://SERVER or "
            "MODEL@https://SERVER, without a # part."
        )
    return text, None


def read_judges(text: str) -> list[tuple[str, str | None]]:
    """Judges as a person lists them, separated by commas; see `read_judge`.

    Raises:
        InputError: there are more than `MOST_JUDGES`, or one is there twice.
    """
    return check_judges([read_judge(part) for part in text.split(",") if part.strip()])


def check_judges(judges: Sequence[tuple[str, str | None]]) -> list[tuple[str, str | None]]:
    """The same judges, each a model and its server's address.

    Raises:
        InputError: there are more than `MOST_JUDGES`, one is there twice, in whatever spelling of its
            address, or an address cannot be read.
    """
    if len(judges) > MOST_JUDGES:
        raise InputError(f"A panel has at most {MOST_JUDGES} judges, not {len(judges)}: leave some out.")
    seen = set()
    for model, server in judges:
        judge = (model, None if server is None else identify_server(server))
        if judge in seen:
            raise InputError(f"The judge {model} is named twice: leave one out.")
        seen.add(judge)
    return list(judges)


def name_judges(judges: Iterable[tuple[str, str | None]]) -> dict[tuple[str, str | None], str]:
    """How each judge is called beside the others: by its model, and by its host where models share a name.

    Args:
        judges: models and their servers' addresses, as in `Verdict`.
    """
    distinct = dict.fromkeys(judges)
    by_host = {
        each: each[0] if each[1] is None else f"{each[0]} at {urlsplit(each[1]).netloc}" for each in distinct
    }
    models = Counter(model for model, _ in distinct)
    hosts = Counter(by_host.values())
    return {
        (model, server): model
        if models[model] == 1
        else by_host[model, server]
        if hosts[by_host[model, server]] == 1
        else f"{model} at {server}"
        for model, server in distinct
    }


def majority_name(verdicts: Sequence[Verdict]) -> str:
    """What the majority of these verdicts' judges is called as a judge; in whatever order they were named."""
    return MAJORITY + ", ".join(sorted(_names(verdicts)))


def _names(verdicts: Sequence[Verdict]) -> list[str]:
    """The judge of each verdict, see `name_judges`."""
    names = name_judges((verdict.judge, verdict.server) for verdict in verdicts)
    return [names[verdict.judge, verdict.server] for verdict in verdicts]


def majority(verdicts: Sequence[Verdict], id: str) -> Verdict:
    """The judgment of most judges.

    Args:
        verdicts: of the judges of a panel, by the same rubric on the same answers, in any state.
        id: of the new verdict.

    Returns:
        Of comparisons, the lane that more than half of all judges prefer; a tie where no lane can reach that;
        "unfinished" or what a judge failed with where that judge could have decided it. Of scores, for each
        lane the judges' median; None where a judge has no score for it.
    """
    first = verdicts[0]
    combined = Verdict(
        id=id,
        judge=majority_name(verdicts),
        rubric=first.rubric,
        scope=first.scope,
        lanes=first.lanes,
        judged=first.judged,
        outcome="unfinished",
        scale=first.scale,
        panel=tuple(verdict.id for verdict in verdicts),
    )
    return _median(combined, verdicts) if first.scale is not None else _most(combined, verdicts)


def _most(combined: Verdict, verdicts: Sequence[Verdict]) -> Verdict:
    said = [verdict for verdict in verdicts if verdict.outcome in SETTLED]
    silent = len(verdicts) - len(said)
    votes = {lane: sum(verdict.winner == lane for verdict in said) for lane in combined.lanes}
    for lane, count in votes.items():
        if count * 2 > len(verdicts):
            return dataclasses.replace(combined, outcome="win", winner=lane)
    if any((count + silent) * 2 > len(verdicts) for count in votes.values()):
        return _without(combined, verdicts)
    bad = sum(verdict.outcome == "both-bad" for verdict in said)
    return dataclasses.replace(combined, outcome="both-bad" if bad * 2 > len(verdicts) else "tie")


def _median(combined: Verdict, verdicts: Sequence[Verdict]) -> Verdict:
    scores = []
    for number in range(len(combined.lanes)):
        given = [verdict.scores[number] if verdict.scores else None for verdict in verdicts]
        known = [score for score in given if score is not None]
        scores.append(median(known) if len(known) == len(verdicts) else None)
    if any(verdict.outcome not in SETTLED for verdict in verdicts):
        return dataclasses.replace(_without(combined, verdicts), scores=tuple(scores))
    return dataclasses.replace(combined, outcome="scored", scores=tuple(scores))


def _without(combined: Verdict, verdicts: Sequence[Verdict]) -> Verdict:
    """No verdict, and whose fault that is."""
    named = zip(verdicts, _names(verdicts), strict=True)
    spoilt = {name: verdict for verdict, name in named if verdict.outcome not in SETTLED}
    order: tuple[Outcome, ...] = ("unfinished", *WORST)
    first = min(spoilt.values(), key=lambda verdict: order.index(verdict.outcome))
    error = None
    if first.outcome != "unfinished":
        error = f"No verdict of {', '.join(spoilt)}, which could have decided: ask again."
    return dataclasses.replace(combined, outcome=first.outcome, error=error)


class PanelJudging:
    """Several judgments of one thing under way together. Any thread may look, wait or cancel."""

    def __init__(self, judgings: Sequence[Judging], save: Callable[[Verdict], None]) -> None:
        """
        Args:
            judgings: one for each judge, already started.
            save: records the majority's verdict.
        """
        self.judgings = tuple(judgings)
        self._save = save
        self._id = secrets.token_hex(8)
        self._ended = threading.Event()
        self._last: Verdict | None = None

    @property
    def verdict(self) -> Verdict:
        """The majority's, as far as it has come; "unfinished" until every judge has ended."""
        if self._last is not None:
            return self._last
        open_ = [dataclasses.replace(judging.verdict, outcome="unfinished") for judging in self.judgings]
        return majority(open_, self._id)

    @property
    def done(self) -> bool:
        """Whether it has ended."""
        return self._ended.is_set()

    def wait(self, timeout: float | None = None) -> Verdict:
        """Block until every judge has ended, or for `timeout` seconds; the majority's verdict then."""
        self._ended.wait(timeout)
        return self.verdict

    def cancel(self) -> None:
        """Stop every judge that is still at work."""
        for judging in self.judgings:
            judging.cancel()

    def start(self, ended: Callable[[], None]) -> None:
        """Wait for the judges in a thread of its own; `ended` is called once the majority is recorded."""

        def work() -> None:
            verdict = majority([judging.wait() for judging in self.judgings], self._id)
            try:
                self._save(verdict)
            except OutsideError as error:
                verdict = dataclasses.replace(verdict, error=str(error))
            self._last = verdict
            self._ended.set()
            ended()

        threading.Thread(target=work, name="panel of judges", daemon=True).start()
