"""The judge's panel: who is asked about which answers, by what rubric, and what that will take.

A judgment goes on whoever looks: it lives in the session's judges, and the page only draws how far it has
come. A key that is typed here is kept in the visit, on the server, for the address that it was typed for; it
goes back to no browser and into no record.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any, get_args

import gradio as gr

from playground.config import Settings
from playground.judging.candidates import answered
from playground.judging.client import JudgeModel, check_key, without_key
from playground.judging.client.completion import clean
from playground.judging.cost import Estimate, JudgeBudget
from playground.judging.panel import read_judges
from playground.judging.reference import PAIR_RUBRIC, REFERENCE
from playground.judging.reference import RUBRIC as REFERENCE_RUBRIC
from playground.judging.service import MOST_SAMPLES
from playground.lanes.letters import LETTERS
from playground.secret import Secret
from playground.types import Conversation, InputError, OutsideError, Scope, Verdict, check_characters
from playground.ui.controls.choice import Choice, Choices
from playground.ui.controls.events import QUICK
from playground.ui.controls.toast import attempt, say
from playground.ui.dialogs.dialog import HtmlDialog
from playground.ui.html import verdicts as html_verdicts
from playground.ui.page.controller import Controller
from playground.ui.page.state import PageState
from playground.words import shorten

Updates = dict[Any, Any]
ACTS = ("judge", "judge-stop", "judge-again", "verdict")
"""What the buttons under an answer ask for."""
MODEL = "model"
SCOPES = (("this turn's answers", "turn"), ("the conversation so far", "conversation"))
REFERENCE_RUBRICS = (("right or wrong", REFERENCE_RUBRIC), ("two compared", PAIR_RUBRIC))
BY_RULE = "Right or wrong by a stated rule, from the answers that the probe knows; no model is asked."
SIDE_BY_SIDE = 40
"""Judgments of one conversation at the same time: those of five judges and their majority on every two of
four lanes are 36."""
DAY = 24 * 3600
"""Seconds after which a stranger's visit is another one."""
KEY_LIMIT = 500
MODELS_LIMIT = 500


@dataclass(frozen=True, kw_only=True)
class _Wish:
    """What the panel asks for."""

    conversation: Conversation
    turn: int
    scope: Scope
    pairs: Sequence[tuple[int, ...]]
    """The lanes of each judgment."""
    judges: tuple[JudgeModel, ...]
    """Several are a panel; none: the reference judge."""
    rubric: str
    samples: int


class JudgePanel:
    """A sheet, and a button that stops; made inside a `gr.Blocks`."""

    def __init__(self, chat: Controller, settings: Settings) -> None:
        self.chat = chat
        self.settings = settings
        self._budgets: dict[str, tuple[float, JudgeBudget]] = {}
        """On a public page, by visitor: a reload does not renew it."""
        self.timer = gr.Timer(1, active=False)

    @property
    def judges(self) -> Any:
        return self.chat.session.judges

    def compose_row(self) -> None:
        """The buttons above the text box."""
        small: dict[str, Any] = {"size": "sm", "min_width": 0, "scale": 0}
        self.open = gr.Button("Judge", elem_id="open-judge", **small)
        self.stop = gr.Button("Stop the judge", visible=False, elem_id="stop-judge", **small)

    def compose_sheet(self) -> None:
        """The sheets over the page."""
        own = self.settings
        with gr.Column(visible=False, elem_id="judge", elem_classes="sheet") as self.sheet:
            with gr.Row(elem_classes="sheet-head"):
                gr.HTML("<h2>Judge</h2>")
                self.close = gr.Button(
                    "Close", size="sm", min_width=0, scale=0, elem_id="judge-close", elem_classes="close"
                )
            with gr.Column(elem_classes="sheet-body", elem_id="judge-body"):
                with gr.Row(elem_classes="options-row"):
                    self.turn = Choice(
                        [], label="Answers of", filterable=False, min_width=220, elem_id="judge-turn"
                    )
                    self.scope = gr.Dropdown(
                        list(SCOPES),
                        value="turn",
                        label="What counts",
                        filterable=False,
                        min_width=180,
                        elem_id="judge-scope",
                    )
                    self.lanes = Choices([], label="Lanes", min_width=160, elem_id="judge-lanes")
                with gr.Row(elem_classes="options-row"):
                    self.who = gr.Dropdown(
                        [("a model", MODEL), ("reference: a rule, no model", REFERENCE)],
                        value=MODEL,
                        label="Judge",
                        filterable=False,
                        min_width=200,
                        elem_id="judge-who",
                    )
                    self.rubric = Choice(
                        self._rubrics(),
                        value=self._rubrics()[0],
                        label="Rubric",
                        filterable=False,
                        min_width=200,
                        elem_id="judge-rubric",
                    )
                    self.rule = gr.Dropdown(
                        list(REFERENCE_RUBRICS),
                        value=REFERENCE_RUBRIC,
                        label="What it says",
                        filterable=False,
                        min_width=200,
                        visible=False,
                        elem_id="judge-rule",
                    )
                    self.samples = gr.Number(
                        1,
                        label="Samples",
                        minimum=1,
                        maximum=MOST_SAMPLES,
                        step=1,
                        min_width=80,
                        elem_id="judge-samples",
                    )
                with gr.Row(elem_classes="options-row") as self.of_model:
                    self.model = gr.Textbox(
                        own.judge_model or "" if own.judge_model != REFERENCE else "",
                        label="Model, or up to five",
                        placeholder="such as gpt-4o, or gpt-4o, gpt-4o-mini",
                        max_length=MODELS_LIMIT,
                        min_width=160,
                        elem_id="judge-model",
                    )
                    self.server = gr.Textbox(
                        "",
                        label="Server",
                        placeholder=clean(own.judge_url),
                        max_length=500,
                        min_width=220,
                        visible=not own.public,
                        elem_id="judge-server",
                    )
                    self.key = gr.Textbox(
                        "",
                        label="Key, for this visit only",
                        type="password",
                        max_length=KEY_LIMIT,
                        min_width=180,
                        html_attributes=gr.InputHTMLAttributes(autocomplete="off"),
                        elem_id="judge-key",
                    )
                self.about = gr.HTML("", elem_id="judge-about")
            with gr.Row(elem_classes="sheet-foot", elem_id="judge-foot"):
                self.ask = gr.Button(
                    "Judge", size="sm", min_width=0, scale=0, elem_id="judge-ask", elem_classes="primary"
                )
                self.cancel = gr.Button(
                    "Cancel", size="sm", min_width=0, scale=0, visible=False, elem_id="judge-cancel"
                )
                self.forget = gr.Button(
                    "Forget the key", size="sm", min_width=0, scale=0, visible=False, elem_id="judge-forget"
                )
        self.whole = HtmlDialog("verdict", "All that was sent and came")

    @property
    def controls(self) -> list[Any]:
        """What says what is asked for; the key stands apart."""
        what = [self.turn, self.scope, self.lanes]
        return [*what, self.who, self.rubric, self.rule, self.samples, self.model, self.server]

    @property
    def parts(self) -> list[Any]:
        """The components that handlers update."""
        buttons = [self.stop, self.cancel, self.forget, self.timer]
        own = [self.sheet, self.of_model, self.key, self.about]
        return [*self.controls, *own, *buttons, *self.whole.outputs]

    def connect(self, state: gr.State, marked: Callable[[PageState], Updates], outputs: list[Any]) -> None:
        """Give the components their work.

        Args:
            marked: the updates that draw the lanes with their verdicts.
            outputs: what `marked` updates.
        """
        self._marked = marked
        typed = [state, self.key, *self.controls]
        self.open.click(self.on_open, [state], self.parts, **QUICK)
        self.turn.input(self.on_turn, [state, *self.controls], self.parts, **QUICK)
        self.who.input(self.on_who, [state, *self.controls], self.parts, **QUICK)
        chosen = (self.scope, self.lanes, self.rubric, self.rule)
        for changes in (
            *(control.input for control in chosen),
            *(control.change for control in (self.samples, self.model, self.server)),
        ):
            changes(self.on_control, [state, *self.controls], self.parts, trigger_mode="always_last", **QUICK)
        gr.on([self.key.blur, self.key.submit], self.on_key, typed, self.parts, **QUICK)
        self.ask.click(self.on_ask, typed, [*outputs, *self.parts], **QUICK)
        gr.on([self.stop.click, self.cancel.click], self.on_stop, [state], self.parts, **QUICK)
        self.forget.click(self.on_forget, [state, *self.controls], self.parts, **QUICK)
        self.close.click(lambda: gr.update(visible=False), None, self.sheet, **QUICK)
        self.timer.tick(self.on_tick, [state], [*outputs, *self.parts], **QUICK)

    # --- Handlers ---------------------------------------------------------------------------------

    def on_open(self, state: PageState) -> Updates:
        """Open the panel on the last turn."""
        return attempt(lambda: self.opened(state, None), self.about)

    def on_turn(self, state: PageState, *values: Any) -> Updates:
        """Another turn: the lanes that have an answer in it."""

        def act() -> Updates:
            conversation = self._conversation(state)
            lanes = answered(conversation, self._turn(conversation, values[0]))
            changed = [*values]
            changed[2] = list(lanes)
            return {**self._offered(lanes, lanes), **self._told(state, changed)}

        return attempt(act, self.about)

    def on_who(self, state: PageState, *values: Any) -> Updates:
        """A model or the rule: each with its rubrics."""

        def act() -> Updates:
            return {**self._shown(values[3] == REFERENCE), **self._told(state, values)}

        return attempt(act, self.about)

    def on_control(self, state: PageState, *values: Any) -> Updates:
        """What it takes now."""
        return attempt(lambda: self._told(state, values), self.about)

    def on_key(self, state: PageState, key: Any, *values: Any) -> Updates:
        """Keep a key that was typed, and empty the field."""

        def act() -> Updates:
            self._keep(state, key, values)
            updates = self._told(state, values)
            updates[self.key]["value"] = ""
            return updates

        return attempt(act, self.about)

    def on_forget(self, state: PageState, *values: Any) -> Updates:
        """Forget every key that was typed in this visit."""
        state.judging.keys.clear()
        return attempt(lambda: self._told(state, values), self.about)

    def on_ask(self, state: PageState, key: Any, *values: Any) -> Updates:
        """Ask the judge, and close the panel: the verdict comes under the answers."""
        begun = False

        def act() -> Updates:
            nonlocal begun
            self._keep(state, key, values)
            wish = self._wish(state, values)
            for lanes in wish.pairs:
                self._begin(state, wish, lanes)
                begun = True
            state.own.add(wish.conversation.id)
            return {self.sheet: gr.update(visible=False)}

        updates: Updates = {self.key: "", **attempt(act, self.about)}
        if begun:
            updates |= {**self._marked(state), **self.watched(state)}
            if self._under_way(state):
                say("The judge is at work; its verdict comes under the answers.")
        return updates

    def on_stop(self, state: PageState) -> Updates:
        """Stop what is under way on this conversation; what was answered is kept."""
        for judging in self._under_way(state):
            judging.cancel()
        return {self.timer: gr.Timer(active=True)}

    def on_tick(self, state: PageState) -> Updates:
        """While something is under way: how far it has come."""

        def act() -> Updates:
            seen = self._seen(state)
            new = seen != state.judging.drawn
            state.judging.drawn = seen
            idle = {self.timer: gr.Timer(active=False)}
            return {**idle, **self.watched(state), **(self._marked(state) if new else {})}

        return attempt(act, self.about)

    def acted(self, state: PageState, act: str, turn: Any, id: Any) -> Updates:
        """What the buttons under an answer do.

        Raises:
            InputError: there is no such verdict.
        """
        if act == "judge":
            return self.opened(state, turn)
        conversation = self._conversation(state)
        here = self.judges.verdicts(conversation.id).get(turn, ())
        verdict = next((each for each in here if each.id == id), None)
        if verdict is None:
            raise InputError("There is no such verdict: reload the page.")
        if act == "judge-stop":
            self.judges.cancel(verdict.id)
            return {self.timer: gr.Timer(active=True)}
        if act == "judge-again":
            return self.opened(state, turn, verdict)
        return self.whole.show_html(html_verdicts.whole(verdict, self.judges.cost(verdict)))

    # --- What is asked for ------------------------------------------------------------------------

    def _conversation(self, state: PageState) -> Conversation:
        conversation = self.chat.conversations.current(state)
        if conversation is None or not conversation.turns:
            raise InputError("There is nothing to judge yet: send a message first.")
        return conversation

    def _turn(self, conversation: Conversation, turn: Any) -> int:
        if isinstance(turn, bool) or not isinstance(turn, int) or not 0 <= turn < len(conversation.turns):
            raise InputError("Choose one of the turns of this conversation.")
        return turn

    def _wish(self, state: PageState, values: Sequence[Any]) -> _Wish:
        """What the controls' values ask for; they come from a browser.

        Raises:
            InputError: it cannot be asked.
        """
        turn, scope, lanes, who, rubric, rule, samples, model, server = values
        conversation = self._conversation(state)
        turn = self._turn(conversation, turn)
        there = answered(conversation, turn)
        chosen = tuple(lane for lane in there if lane in lanes) if isinstance(lanes, list) else ()
        if not there:
            raise InputError(f"Turn {turn + 1} has no answer yet: wait for it, or choose another.")
        if not chosen or any(lane not in there for lane in lanes):
            raise InputError(
                f"Choose lanes that have an answer: {', '.join(LETTERS[lane] for lane in there)}."
            )
        if scope not in get_args(Scope):
            raise InputError("Choose what counts: this turn, or the conversation so far.")
        if not isinstance(samples, int | float) or samples != int(samples):
            raise InputError(f"Samples must be a whole number from 1 to {MOST_SAMPLES}.")
        rubric, judges = str(rubric or ""), []
        if who == REFERENCE:
            rubric, compares = str(rule), rule == PAIR_RUBRIC
        else:
            compares = self.judges.rubric(rubric).kind == "pairwise"
            for name, elsewhere in read_judges(str(model or "")) or [("", None)]:
                at = elsewhere or str(server or "") or None
                judges.append(self.judges.model(name, at, state.judging.keys.get(self._address(at))))
        if compares and len(chosen) < 2:
            raise InputError("A comparison is of two lanes: choose another one beside it.")
        return _Wish(
            conversation=conversation,
            turn=turn,
            scope=scope,
            pairs=list(combinations(chosen, 2)) if compares else [chosen],
            judges=tuple(judges),
            rubric=rubric,
            samples=int(samples),
        )

    def _begin(self, state: PageState, wish: _Wish, lanes: tuple[int, ...]) -> None:
        if not wish.judges:
            pair = wish.rubric == PAIR_RUBRIC
            self.judges.judge_by_reference(wish.conversation, wish.turn, lanes=lanes, pair=pair)
            return
        if len(self.judges.under_way(wish.conversation.id)) >= SIDE_BY_SIDE:
            raise InputError("The judge has much to do on this conversation: wait for some of it to end.")
        self.judges.begin(
            wish.conversation,
            wish.turn,
            wish.rubric,
            wish.judges,
            lanes=lanes,
            scope=wish.scope,
            samples=wish.samples,
            budget=self._budget(state),
        )

    def _estimate(self, wish: _Wish) -> Estimate:
        """Of all of the judgments together."""
        return Estimate.total(
            self.judges.estimate(
                wish.conversation,
                wish.turn,
                wish.rubric,
                judge,
                lanes=lanes,
                scope=wish.scope,
                samples=wish.samples,
            )
            for lanes in wish.pairs
            for judge in wish.judges
        )

    # --- Keys and budgets -------------------------------------------------------------------------

    def _address(self, server: Any) -> str:
        """The address that a key is for."""
        return clean(str(server or "").strip() or self.settings.judge_url)

    def _keep(self, state: PageState, key: Any, values: Sequence[Any]) -> None:
        if isinstance(key, str) and key.strip():
            if len(key) > KEY_LIMIT:
                raise InputError(f"A key has at most {KEY_LIMIT} characters: check what was pasted.")
            state.judging.keys[self._address(values[-1])] = check_key(Secret(key.strip()))

    def _budget(self, state: PageState) -> JudgeBudget:
        """What may be taken without a key of the visitor's own."""
        if not self.settings.public:
            state.judging.budget = state.judging.budget or self.judges.new_budget()
            return state.judging.budget
        who, now = self.chat.visitor(), time.monotonic()
        since, budget = self._budgets.get(who, (now, None))
        if budget is None or now - since > DAY:
            since, budget = now, self.judges.new_budget()
        self._budgets[who] = (since, budget)
        return budget

    # --- Drawing ----------------------------------------------------------------------------------

    def opened(self, state: PageState, turn: Any, like: Verdict | None = None) -> Updates:
        """The panel on a turn (None: the last one), set up as a verdict was asked for, if one is given.

        Raises:
            InputError: there is nothing to judge.
        """
        conversation = self._conversation(state)
        turn = len(conversation.turns) - 1 if turn is None else self._turn(conversation, turn)
        there = answered(conversation, turn)
        lanes = tuple(lane for lane in like.lanes if lane in there) if like else there
        by_rule = like.judge == REFERENCE if like else self._has_rule(conversation, turn)
        rubrics = self._rubrics()
        rubric = like.rubric if like and like.rubric in rubrics else rubrics[0]
        rule = PAIR_RUBRIC if like and like.rubric == PAIR_RUBRIC else REFERENCE_RUBRIC
        scope = like.scope if like else "turn"
        server = like.server if like and like.server != clean(self.settings.judge_url) else ""
        own = "" if self.settings.judge_model == REFERENCE else self.settings.judge_model or ""
        model = self._names(conversation, turn, like) if like and not by_rule else state.judging.model or own
        server = server or ("" if like else state.judging.server)
        who = REFERENCE if by_rule else MODEL
        values = [turn, scope, list(lanes), who, rubric, rule, 1, model, server]
        turns = [
            (f"Turn {number + 1}: {shorten(each.user, 40)}", number)
            for number, each in enumerate(conversation.turns)
        ]
        return {
            self.sheet: gr.update(visible=True),
            self.turn: gr.update(choices=turns, value=turn),
            **self._offered(there, lanes),
            self.who: who,
            self.model: model,
            self.server: server,
            **self._shown(by_rule),
            self.rubric: gr.update(value=rubric, visible=not by_rule),
            self.rule: gr.update(value=rule, visible=by_rule),
            self.scope: gr.update(value=scope, visible=not by_rule),
            self.samples: gr.update(value=1, visible=not by_rule),
            **self._told(state, values),
            **self.watched(state),
        }

    def _names(self, conversation: Conversation, turn: int, verdict: Verdict) -> str:
        """Who gave a verdict, as one types it: the judge, or those of its panel with their servers."""
        here = {each.id: each for each in self.judges.verdicts(conversation.id).get(turn, ())}
        members = [here[id] for id in verdict.panel if id in here]
        own = clean(self.settings.judge_url)
        names = [
            member.judge if member.server in (None, own) else f"{member.judge}@{member.server}"
            for member in members
        ]
        return ", ".join(names) or verdict.judge

    def _has_rule(self, conversation: Conversation, turn: int) -> bool:
        """Whether the rule can judge, and no model is set up to."""
        if self.settings.judge_model not in (None, REFERENCE):
            return False
        probe = self.judges.probe(conversation, turn)
        return bool(probe and probe.checks and probe.checks[turn])

    def _rubrics(self) -> list[str]:
        return sorted(self.judges.rubrics, key=lambda name: (name != "single", name))

    def _offered(self, there: Sequence[int], chosen: Sequence[int]) -> Updates:
        choices = [(LETTERS[lane], lane) for lane in there]
        return {self.lanes: gr.update(choices=choices, value=list(chosen))}

    def _shown(self, by_rule: bool) -> Updates:
        return {
            self.of_model: gr.update(visible=not by_rule),
            self.rule: gr.update(visible=by_rule),
            self.rubric: gr.update(visible=not by_rule),
            self.samples: gr.update(visible=not by_rule),
            self.scope: gr.update(visible=not by_rule),
        }

    def _told(self, state: PageState, values: Sequence[Any]) -> Updates:
        """What it takes, or what is missing; and what was typed is there when the panel opens again."""
        who, rubric, model, server = values[3], values[4], *values[-2:]
        model = check_characters(str(model or ""), "The judge's model")
        server = check_characters(str(server or ""), "The judge's address")
        state.judging.model, state.judging.server = model[:MODELS_LIMIT], server[:500]
        told = ""
        if who != REFERENCE and rubric in self.judges.rubrics:
            told += html_verdicts.about(self.judges.rubric(rubric).description)
        known = None
        try:
            known = state.judging.keys.get(self._address(server))
            wish = self._wish(state, values)
            if not wish.judges:
                self.judges.check(wish.conversation, wish.turn)
                told += html_verdicts.about(BY_RULE)
            else:
                estimate = self._estimate(wish)
                told += html_verdicts.estimated(estimate)
                told += self._credit(state, wish.judges, estimate)
                base = self.chat.session.library.base
                warnings = self.judges.family_warnings(wish.judges, wish.conversation, base)
                told += "".join(map(html_verdicts.warned, warnings))
        except (InputError, OutsideError) as error:
            told += html_verdicts.missing(str(error))
        return {
            self.about: told,
            self.forget: gr.update(visible=bool(state.judging.keys)),
            self.key: gr.update(placeholder="kept until you leave" if known else ""),
        }

    def _credit(self, state: PageState, judges: Sequence[JudgeModel], estimate: Estimate) -> str:
        """Whether there are keys, and what may be taken with them."""
        lacking = [lacks for judge in judges if (lacks := without_key(judge))]
        if estimate.calls and lacking:
            return "".join(map(html_verdicts.missing, lacking))
        if all(judge.own_key for judge in judges):
            return html_verdicts.about("With the key that you typed.")
        left = self._budget(state).left
        if left is None:
            return ""
        told = f"{left} tokens are left of what this visit may take."
        if estimate.calls and estimate.most_tokens > left:
            return html_verdicts.missing(f"{told} Type a key of your own, or judge less at once.")
        return html_verdicts.about(told)

    # --- What is under way ------------------------------------------------------------------------

    def _under_way(self, state: PageState) -> list[Any]:
        id = state.branch.id if state.branch is not None else state.conversation
        return list(self.judges.under_way(id)) if id else []

    def watched(self, state: PageState) -> Updates:
        """The buttons that stop, and the clock, while something is under way or has yet to be drawn.

        Only the clock's own handler lets it stand still: it draws what ended meanwhile.
        """
        running = bool(self._under_way(state))
        updates: Updates = {button: gr.update(visible=running) for button in (self.stop, self.cancel)}
        if running or self._seen(state) != state.judging.drawn:
            updates[self.timer] = gr.Timer(active=True)
        return updates

    def _seen(self, state: PageState) -> tuple[Any, ...]:
        """Tells whether there is something new to draw."""
        conversation = self.chat.conversations.current(state)
        verdicts = self.judges.verdicts(conversation.id) if conversation else {}
        if conversation is None or not verdicts:
            return ()
        running = tuple(judging.verdict.id for judging in self._under_way(state))
        seen = tuple((each.id, each.outcome, len(each.calls)) for turn in verdicts.values() for each in turn)
        return (conversation.id, state.streaming, running, seen)
