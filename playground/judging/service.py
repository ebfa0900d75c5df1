"""Who can judge, what it would cost, and asking them: every judgment begins here and is recorded here."""

from __future__ import annotations

import hashlib
import re
import secrets
import threading
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from playground.config import Settings
from playground.judging import reference
from playground.judging.candidates import answered, candidate
from playground.judging.client import JudgeModel, without_key
from playground.judging.client.completion import clean
from playground.judging.client.refusals import Refusals
from playground.judging.cost import Cost, Estimate, JudgeBudget, cost_of, priced, tokens_of
from playground.judging.families import family_warning
from playground.judging.panel import PanelJudging, check_judges
from playground.judging.reference import PAIR_RUBRIC, REFERENCE
from playground.judging.rubric_files import read_rubrics
from playground.judging.rubrics import Kind, Material, Rubric
from playground.judging.run import Call, Judging, Questions, read_again, replied_before
from playground.judging.verdicts import concluded
from playground.library.probes import Check, Probe, find_probes
from playground.library.sources import ROOT
from playground.secret import Secret
from playground.store import Store
from playground.types import Conversation, InputError, JudgeCall, Scope, Verdict, canonical

HUMAN = "human"
VOTE = "vote"
"""The rubric of a person's vote."""
SAMPLE_TEMPERATURE = 0.7
"""The temperature of several samples where the judge's own is 0, at which all would be one."""
SIDE_BY_SIDE = 8
"""Judgments that run at the same time; others wait."""
MOST_SAMPLES = 20

Vote = Literal["A", "B", "tie", "both-bad"]


class Judges:
    """Asks judges and records what they say. Any thread may call; nothing here waits for a judge."""

    def __init__(self, store: Store, settings: Settings | None = None, root: Path = ROOT) -> None:
        self.store = store
        self.settings = settings or Settings()
        self._folders = (root / "prompts", self.store.path.parent)
        self._refusals = Refusals()
        self._questions = Questions()
        self._turn = threading.Semaphore(SIDE_BY_SIDE)
        self._under_way: dict[str, tuple[str, int, Judging | PanelJudging]] = {}
        """By verdict: its conversation, its turn, and the judgment."""
        self._closed = False

    # --- Who and by what --------------------------------------------------------------------------

    @cached_property
    def _read(self) -> tuple[dict[str, Rubric], list[str]]:
        return read_rubrics([folder / "judge" for folder in self._folders])

    @property
    def rubrics(self) -> dict[str, Rubric]:
        """Those of `prompts/judge` and of `judge` in the user's folder, by name."""
        return self._read[0]

    @property
    def problems(self) -> list[str]:
        """One sentence for each file there that is no rubric, or that has no probes."""
        return [*self._read[1], *self._probes[1]]

    def rubric(self, name: str) -> Rubric:
        """The rubric of that name; InputError names the ones there are."""
        if name not in self.rubrics:
            raise InputError(f"There is no rubric {name!r}: choose one of {', '.join(self.rubrics)}.")
        return self.rubrics[name]

    @cached_property
    def _probes(self) -> tuple[list[Probe], list[str]]:
        return find_probes([folder / "probes" for folder in self._folders])

    @property
    def probes(self) -> list[Probe]:
        """Those of `prompts/probes` and of `probes` in the user's folder."""
        return self._probes[0]

    @property
    def probe_problems(self) -> list[str]:
        """One sentence for each file there that has no probes."""
        return self._probes[1]

    def probe(self, conversation: Conversation, turn: int) -> Probe | None:
        """The probe whose messages are the user's, word for word, up to this turn (from 0)."""
        said = tuple(entry.user for entry in conversation.turns[: turn + 1])
        return next((probe for probe in self._probes[0] if probe.turns[: turn + 1] == said), None)

    def model(
        self, model: str | None = None, server: str | None = None, key: Secret | None = None
    ) -> JudgeModel:
        """A judge as a person names it; what is left out is as in the settings.

        The settings' key goes to the settings' address only, and a key that is set for another host to that
        host. On a public page there is no other address, so that no visitor can make this machine call an
        address of their choice.

        Raises:
            InputError: no model is named, or the address is not one, or not to be chosen.
        """
        own = self.settings
        name = (model or own.judge_model or "").strip()
        if not name:
            raise InputError("Name the model that is to judge, such as gpt-4o, or set TANDEM_JUDGE_MODEL.")
        same = server is None or not server.strip() or clean(server) == clean(own.judge_url)
        if own.public and not same:
            raise InputError("On a public page the judge's address cannot be chosen: leave it as it is.")
        return JudgeModel(
            model=name,
            server=own.judge_url if same or server is None else server.strip(),
            key=key or (own.judge_key if same else self._key_of(server)),
            own_key=bool(key),
            timeout=own.judge_timeout,
        )

    def _key_of(self, server: str | None) -> Secret | None:
        """The key that is set for a server's host; none goes where others could read it on the way."""
        parts = urlsplit((server or "").strip())
        if parts.scheme != "https" and parts.hostname not in ("127.0.0.1", "localhost", "::1"):
            return None
        return self.settings.judge_keys.get(re.sub(r"[^A-Z0-9]", "_", parts.netloc.upper()))

    def family_warnings(
        self, judges: Sequence[JudgeModel], conversation: Conversation, base: str
    ) -> list[str]:
        """A sentence for each judge of the family of the base, or of an adapter that answers."""
        adapters = [lane.aligner.adapter for lane in conversation.variants if lane.aligner.adapter]
        found = [family_warning(judge.model, [base, *adapters]) for judge in judges]
        return [warning for warning in found if warning]

    def missing(self, judge: JudgeModel, budget: JudgeBudget | None = None) -> str | None:
        """What keeps this judge from being asked and what to do about it, in a sentence; None if nothing."""
        if budget is not None and budget.left == 0 and not judge.own_key:
            return "This visit's tokens for judging are used up, or there are none: type a key of your own."
        return without_key(judge)

    def new_budget(self) -> JudgeBudget:
        """What one visit may take with the settings' key: on a public page nothing, unless it is set."""
        limit = self.settings.judge_budget
        return JudgeBudget(0 if limit is None and self.settings.public else limit)

    # --- Judging ----------------------------------------------------------------------------------

    def estimate(
        self,
        conversation: Conversation,
        turn: int,
        rubric: str,
        judge: JudgeModel,
        *,
        lanes: Sequence[int] | None = None,
        scope: Scope = "turn",
        samples: int = 1,
        references: Mapping[int, str] | None = None,
    ) -> Estimate:
        """What `judge` with the same arguments would cost."""
        sheet = self.rubric(rubric)
        _, calls = self._plan(conversation, turn, sheet, judge, lanes, scope, samples, references)
        return self._estimate(calls)

    def _estimate(self, calls: Sequence[Call]) -> Estimate:
        asked = {call.key: call for call in calls if call.known is None}.values()
        tokens_in = sum(max(tokens_of(messages) for messages in call.messages.values()) for call in asked)
        tokens_out = sum(call.tokens for call in asked) - tokens_in
        return Estimate(
            calls=len(asked),
            cached=len(calls) - len(asked),
            prompt_tokens=tokens_in,
            most_new_tokens=tokens_out,
            price=priced(tokens_in, tokens_out, self.settings.judge_prices),
        )

    def judge(
        self,
        conversation: Conversation,
        turn: int,
        rubric: str,
        judge: JudgeModel,
        *,
        lanes: Sequence[int] | None = None,
        scope: Scope = "turn",
        samples: int = 1,
        references: Mapping[int, str] | None = None,
        budget: JudgeBudget | None = None,
    ) -> Judging:
        """Ask a model about a turn's answers; returns at once, with the judgment under way.

        Args:
            turn: from 0.
            rubric: the name of one of `rubrics`.
            lanes: which lanes; by default all that have an answer. A comparison takes two.
            scope: whether this turn's answers count, or the conversations up to it.
            samples: how often each question is put; more than once at a temperature above 0, with one seed
                after the other.
            references: reference answers by turn; by default those of the probe that is played.
            budget: of the visit. A key that was typed for the visit is its owner's affair.

        Raises:
            InputError: there is nothing to judge, the rubric does not fit, the key is missing, or the
                budget does not suffice. Nothing is recorded then.
            OutsideError: the record cannot be written.
        """
        return self._judge_each(
            conversation, turn, rubric, [judge], lanes, scope, samples, references, budget
        )[0]

    def begin(
        self,
        conversation: Conversation,
        turn: int,
        rubric: str,
        judges: Sequence[JudgeModel],
        *,
        lanes: Sequence[int] | None = None,
        scope: Scope = "turn",
        samples: int = 1,
        references: Mapping[int, str] | None = None,
        budget: JudgeBudget | None = None,
    ) -> list[Judging | PanelJudging]:
        """Ask one model, or up to five the same, whose majority is recorded as a verdict too. See `judge`.

        Returns:
            Each model's judgment, and after those of several models the panel.

        Raises:
            InputError: as `judge`, for any of them; none is asked then.
            OutsideError: the record cannot be written.
        """
        check_judges([(judge.model, judge.server) for judge in judges])
        judgings = self._judge_each(
            conversation, turn, rubric, judges, lanes, scope, samples, references, budget
        )
        if len(judgings) < 2:
            return [*judgings]
        panel = PanelJudging(
            judgings, lambda verdict: self.store.save_verdict(conversation.id, turn, verdict)
        )
        self._under_way[panel.verdict.id] = (conversation.id, turn, panel)
        try:
            self._record(conversation, turn, panel.verdict)
        finally:  # the judges are at work, whether or not it could be written yet
            panel.start(lambda: self._forget(panel.verdict.id))
        return [*judgings, panel]

    def _judge_each(
        self,
        conversation: Conversation,
        turn: int,
        rubric: str,
        judges: Sequence[JudgeModel],
        lanes: Sequence[int] | None,
        scope: Scope,
        samples: int,
        references: Mapping[int, str] | None,
        budget: JudgeBudget | None,
    ) -> list[Judging]:
        """Begin a judgment by each judge, once nothing keeps any of them from being asked."""
        sheet = self.rubric(rubric)
        plans = [
            self._plan(conversation, turn, sheet, judge, lanes, scope, samples, references)
            for judge in judges
        ]
        for judge, (_, calls) in zip(judges, plans, strict=True):
            if any(call.known is None for call in calls) and (missing := without_key(judge)):
                raise InputError(missing)
        spent: list[Callable[[int], None]] = []
        started: list[Judging] = []
        try:
            for judge, (_, calls) in zip(judges, plans, strict=True):
                spent.append(self._set_aside(judge, calls, budget))
            for (verdict, _), spend in zip(plans, spent, strict=True):
                started.append(self._begin(conversation, turn, verdict, spend))
        except BaseException:
            for spend in spent:
                spend(0)
            for judging in started:
                self._forget(judging.verdict.id)
            raise
        for judge, (verdict, calls), judging in zip(judges, plans, started, strict=True):
            judging.start(
                judge,
                sheet,
                calls,
                self._refusals,
                self._questions,
                self._turn,
                partial(self._forget, verdict.id),
            )
        return started

    def _set_aside(
        self, judge: JudgeModel, calls: Sequence[Call], budget: JudgeBudget | None
    ) -> Callable[[int], None]:
        """Take what the calls may cost from a visit's budget; what is returned is told what they did cost."""
        if budget is None or judge.own_key:
            return lambda tokens: None
        aside = self._estimate(calls).most_tokens
        budget.set_aside(aside)
        return lambda tokens: budget.settle(aside, tokens)

    def judge_by_reference(
        self,
        conversation: Conversation,
        turn: int,
        *,
        lanes: Sequence[int] | None = None,
        pair: bool = False,
    ) -> Verdict:
        """Mark a turn's answers right (1) or wrong (0) by the rule of the probe that is played.

        With `pair`, two lanes are compared by it: the one that is right alone wins, two right answers are a
        tie, and two wrong ones both bad.

        Raises:
            InputError: the turn is not one of a probe with a known answer, or there is nothing to judge.
        """
        lanes = self._lanes(conversation, turn, lanes, "pairwise" if pair else "single")
        check = self.check(conversation, turn)
        candidates = {lane: candidate(conversation, turn, lane) for lane in lanes}
        right = {lane: reference.is_right(check, candidates[lane]) for lane in lanes}
        verdict = Verdict(
            id=secrets.token_hex(8),
            judge=REFERENCE,
            rubric=PAIR_RUBRIC if pair else reference.RUBRIC,
            lanes=lanes,
            judged=tuple(candidates[lane].hash for lane in lanes),
            outcome="unfinished",
            scale=None if pair else reference.SCALE,
        )
        if pair:
            winners = [lane for lane in lanes if right[lane]]
            outcome = "win" if len(winners) == 1 else "tie" if winners else "both-bad"
            winner = winners[0] if len(winners) == 1 else None
            reason = f"{reference.rule(check)} " + " ".join(
                f"{letter} is {'right' if right[lane] else 'wrong'}."
                for letter, lane in zip("AB", lanes, strict=True)
            )
            swapped = f"{reference.rule(check)} " + " ".join(
                f"{letter} is {'right' if right[lane] else 'wrong'}."
                for letter, lane in zip("AB", lanes[::-1], strict=True)
            )
            games = [
                JudgeCall(shown=lanes, outcome=outcome, winner=winner, reason=reason),  # type: ignore[arg-type]
                JudgeCall(shown=lanes[::-1], outcome=outcome, winner=winner, reason=swapped),  # type: ignore[arg-type]
            ]
        else:
            games = [
                JudgeCall(
                    shown=(lane,),
                    outcome="scored",
                    score=float(right[lane]),
                    reason=f"{reference.rule(check)} It is {'right' if right[lane] else 'wrong'}.",
                )
                for lane in lanes
            ]
        verdict = concluded(verdict, "pairwise" if pair else "single", games)
        self._record(conversation, turn, verdict)
        return verdict

    def check(self, conversation: Conversation, turn: int) -> Check:
        """The rule for a turn; InputError if it is none of a probe with a known answer."""
        probe = self.probe(conversation, turn)
        check = probe.checks[turn] if probe and probe.checks else None
        if check is None:
            raise InputError(
                f"Turn {turn + 1} is not one of a probe with a known answer: play such a probe, or ask "
                "another judge."
            )
        return check

    def vote(
        self,
        conversation: Conversation,
        turn: int,
        vote: Vote,
        shown: Sequence[int],
        by: str | None = None,
        blind: bool = False,
    ) -> Verdict:
        """Record a person's vote.

        Args:
            vote: "A" is for the answer that was shown first.
            shown: the two lanes in the order in which their answers were shown.
            by: whose vote, as an id that means nothing, such as the visit's; a later vote of theirs on the
                same answers replaces it.
            blind: whether the person cannot know whose answers they are. Once they can, such a vote stands.

        Raises:
            InputError: there are not two answers, or the person has voted on them blind before.
            OutsideError: the record cannot be written.
        """
        if vote not in ("A", "B", "tie", "both-bad"):
            raise InputError(f"A vote is A, B, tie or both-bad, not {vote!r}.")
        shown = tuple(shown)
        lanes = self._lanes(conversation, turn, sorted(shown), "pairwise")
        judged = tuple(candidate(conversation, turn, lane).hash for lane in lanes)
        id = secrets.token_hex(8)
        if by is not None:
            who = canonical([conversation.id, turn, lanes, judged, by])
            id = hashlib.sha256(who.encode()).hexdigest()[:32]
            cast = self.store.verdicts(conversation.id).get(turn, ())
            if not blind and any(verdict.id == id and verdict.blind for verdict in cast):
                raise InputError(
                    "You voted on these answers while their names were hidden, and that vote stands: vote on "
                    "other answers."
                )
        game = (
            JudgeCall(shown=shown, outcome="win", winner=shown["AB".index(vote)])
            if vote in ("A", "B")
            else JudgeCall(shown=shown, outcome="tie" if vote == "tie" else "both-bad")
        )
        verdict = Verdict(
            id=id,
            judge=HUMAN,
            rubric=VOTE,
            lanes=lanes,
            judged=judged,
            outcome=game.outcome,
            winner=game.winner,
            calls=(game,),
            by=by,
            blind=blind,
        )
        self._record(conversation, turn, verdict)
        return verdict

    def verdicts(self, conversation: str) -> dict[int, tuple[Verdict, ...]]:
        """Every verdict on a conversation by turn; those under way as far as they have come."""
        live = {id: judging.verdict for id, (_, _, judging) in list(self._under_way.items())}
        return {
            turn: tuple(live.get(verdict.id, verdict) for verdict in recorded)
            for turn, recorded in self.store.verdicts(conversation).items()
        }

    def cost(self, verdict: Verdict) -> Cost:
        """What a verdict has cost so far, in money too where prices are set."""
        return cost_of(verdict, self.settings.judge_prices)

    def judged(self, limit: int = 1000, owner: str | None = None) -> list[Conversation]:
        """Recorded conversations that have a verdict or a vote, the latest first, for a scoreboard.

        One that is damaged in the record is left out.

        Args:
            limit: at most so many.
            owner: whose, see `Store.summaries`.
        """
        return self.store.load_judged(limit, owner)

    def under_way(self, conversation: str) -> list[Judging | PanelJudging]:
        """The judgments on a conversation that have not ended."""
        return [judging for of, _, judging in list(self._under_way.values()) if of == conversation]

    def cancel(self, verdict: str) -> None:
        """Stop the judgment of that verdict, if it is under way."""
        if entry := self._under_way.get(verdict):
            entry[2].cancel()

    def close(self) -> None:
        """Stop what is under way; it is recorded as stopped."""
        self._closed = True
        judgings = [judging for _, _, judging in list(self._under_way.values())]
        for judging in judgings:
            judging.cancel()
        for judging in judgings:
            judging.wait(2)

    # --- Putting it together ----------------------------------------------------------------------

    def _begin(self, conversation: Conversation, turn: int, verdict: Verdict, spent: Any) -> Judging:
        if self._closed:
            raise InputError("Tandem is closing: start it again to judge.")
        self._record(conversation, turn, verdict)
        judging = Judging(
            verdict,
            save=lambda verdict: self.store.save_verdict(conversation.id, turn, verdict),
            known=self.store.judge_call,
            keep=self.store.save_judge_call,
            spent=spent,
        )
        self._under_way[verdict.id] = (conversation.id, turn, judging)
        return judging

    def _record(self, conversation: Conversation, turn: int, verdict: Verdict) -> None:
        """Write a verdict; a branch that has no message of its own yet is recorded with it."""
        if not self.store.holds(conversation.id):
            self.store.save(conversation)
        self.store.save_verdict(conversation.id, turn, verdict)

    def _forget(self, id: str) -> None:
        self._under_way.pop(id, None)

    def _lanes(
        self, conversation: Conversation, turn: int, lanes: Sequence[int] | None, kind: Kind
    ) -> tuple[int, ...]:
        if lanes is None:
            candidate(conversation, turn, 0) if turn >= len(conversation.turns) or turn < 0 else None
            lanes = answered(conversation, turn)
        found = tuple(lanes)
        if len(set(found)) < len(found):
            raise InputError("The lanes to judge must differ.")
        if kind == "pairwise" and len(found) != 2:
            raise InputError(
                f"A comparison is of two lanes, and turn {turn + 1} has {len(found)} to compare: choose two."
            )
        if not found:
            raise InputError(f"Turn {turn + 1} has no answer, so there is nothing to judge.")
        return found

    def _plan(
        self,
        conversation: Conversation,
        turn: int,
        rubric: Rubric,
        judge: JudgeModel,
        lanes: Sequence[int] | None,
        scope: Scope,
        samples: int,
        references: Mapping[int, str] | None,
    ) -> tuple[Verdict, list[Call]]:
        """The verdict as begun and the questions that it takes, each with its answer if it is on record."""
        lanes = self._lanes(conversation, turn, lanes, rubric.kind)
        if not 1 <= samples <= MOST_SAMPLES:
            raise InputError(f"Samples must be from 1 to {MOST_SAMPLES}, not {samples}.")
        candidates = {lane: candidate(conversation, turn, lane) for lane in lanes}
        known = self._references(conversation, turn, references) if rubric.reference else ()
        if rubric.reference and (not known or known[-1][0] != conversation.turns[turn].user):
            raise InputError(
                f"Rubric {rubric.name!r} needs a reference answer, and turn {turn + 1} has none: choose a "
                "rubric without, or play a probe that has one."
            )
        orders = [lanes, lanes[::-1]] if rubric.kind == "pairwise" else [(lane,) for lane in lanes]
        calls = []
        for shown in orders:
            material = Material(
                candidates=tuple(candidates[lane] for lane in shown), references=known, scope=scope
            )
            messages = {False: rubric.messages(material, structured=False)}
            if rubric.schema is not None:
                messages[True] = rubric.messages(material, structured=True)
            for sample in range(samples):
                calls.append(self._call(shown, messages, rubric, judge, sample, samples))
        verdict = Verdict(
            id=secrets.token_hex(8),
            judge=judge.model,
            server=clean(judge.server),
            rubric=rubric.name,
            scope=scope,
            lanes=lanes,
            judged=tuple(candidates[lane].hash for lane in lanes),
            outcome="unfinished",
            scale=rubric.scale,
        )
        return verdict, calls

    def _call(
        self,
        shown: tuple[int, ...],
        messages: dict[bool, Any],
        rubric: Rubric,
        judge: JudgeModel,
        sample: int,
        samples: int,
    ) -> Call:
        parameters = dict(judge.parameters if rubric.fixed is None else rubric.fixed)
        if samples > 1:
            parameters["temperature"] = parameters["temperature"] or SAMPLE_TEMPERATURE
            parameters["seed"] = (judge.seed or 0) + sample
        asked = {
            "model": judge.model,
            "server": clean(judge.server),
            "messages": messages.get(True, messages[False]),
            "schema": rubric.schema,
            "parameters": parameters,
            "kind": rubric.kind,
        }
        key = hashlib.sha256(canonical(asked).encode()).hexdigest()
        recorded = self.store.judge_call(key)
        game = recorded and read_again(rubric, recorded)
        most_in = max(tokens_of(each) for each in messages.values())
        most_out = self._refusals.of(judge.server, judge.model).limit(parameters["max_tokens"])
        return Call(
            shown=shown,
            messages=messages,
            parameters=parameters,
            key=key,
            tokens=most_in + most_out,
            known=game and replied_before(game, shown),
        )

    def _references(
        self, conversation: Conversation, turn: int, given: Mapping[int, str] | None
    ) -> tuple[tuple[str, str], ...]:
        """(question, reference answer) of the turns up to this one that have one."""
        found: dict[int, str] = {}
        if probe := self.probe(conversation, turn):
            found = {
                number: text for number, text in enumerate(probe.reference[: turn + 1]) if text is not None
            }
        found |= {number: text for number, text in (given or {}).items() if text.strip() and number <= turn}
        return tuple((conversation.turns[number].user, text) for number, text in sorted(found.items()))
