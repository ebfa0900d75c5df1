"""Plan a judgment's calls by building the prompts and looking up calls that are already recorded."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Container
from dataclasses import dataclass
from typing import Any

from playground.judging.calls import reread_call, reuse_call
from playground.judging.client import JudgeModel
from playground.judging.client.limits import Refusals
from playground.judging.cost import Estimate, Prices, price_tokens, tokens_of
from playground.judging.request import JudgeRequest
from playground.rubrics.rubric import Material, Messages, Rubric
from playground.servers.address import clean
from playground.store import Store
from playground.types import JudgeCall, Verdict, canonical

SAMPLE_TEMPERATURE = 0.7
"""Temperature used to draw several samples if the judge's own temperature is 0.

At temperature 0, all samples would be identical.
"""


@dataclass(frozen=True, kw_only=True)
class PlannedCall:
    """A planned judge call, including its result if the same call is already recorded."""

    shown: tuple[int, ...]
    """The lanes whose answers appear in the prompt, in prompt order."""
    messages: dict[bool, Messages]
    """Two versions of the prompt, keyed by whether the server enforces the rubric's schema."""
    parameters: dict[str, Any]
    key: str
    """Cache key, computed as a hash of everything that affects the reply."""
    tokens: int
    """Maximum total number of prompt and completion tokens."""
    recorded: JudgeCall | None
    """The call's result from the database; None if the call has not been recorded yet."""

    @property
    def prompt_tokens(self) -> int:
        """Estimated number of tokens in the prompt."""
        return max(tokens_of(each) for each in self.messages.values())

    def spent_tokens(self, call: JudgeCall | None) -> int:
        """Return the call's token usage as reported by the server.

        If the server reported no token counts, return 0 for a failed call and the maximum, `tokens`, for any
        other call. Calls that are cached or were never made use no tokens.
        """
        if call is None or call.cached:
            return 0
        if call.prompt_tokens is None and call.new_tokens is None:
            return 0 if call.outcome == "failed" else self.tokens
        return (call.prompt_tokens or 0) + (call.new_tokens or 0)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """The calls to one judge that a request requires, and the verdict, which is initially unfinished."""

    judge: JudgeModel
    rubric: Rubric
    verdict: Verdict
    calls: tuple[PlannedCall, ...]

    def new_calls(self, paid: Container[str] = ()) -> list[PlannedCall]:
        """Return the calls that will be billed: calls without a recorded result, excluding duplicates.

        Args:
            paid: keys of calls that another plan makes.
        """
        new = {call.key: call for call in self.calls if call.recorded is None and call.key not in paid}
        return list(new.values())

    def estimate(self, prices: Prices | None, paid: Container[str] = ()) -> Estimate:
        """Estimate the cost of the plan (see `new_calls`)."""
        new = self.new_calls(paid)
        tokens_in = sum(call.prompt_tokens for call in new)
        tokens_out = sum(call.tokens for call in new) - tokens_in
        return Estimate(
            calls=len(new),
            cached=len(self.calls) - len(new),
            prompt_tokens=tokens_in,
            most_new_tokens=tokens_out,
            price=price_tokens(tokens_in, tokens_out, prices),
        )


def plan_judgment(
    request: JudgeRequest, rubric: Rubric, judge: JudgeModel, store: Store, refusals: Refusals
) -> Plan:
    """Plan the calls to one of a request's judges.

    Args:
        request: the request.
        rubric: the request's rubric.
        judge: one of the request's judges.
        store: the database, which contains the calls of earlier judgments.
        refusals: the known limits of judge servers, which can reduce the maximum reply length.
    """
    orders = [request.lanes, request.lanes[::-1]] if request.compares else [(lane,) for lane in request.lanes]
    calls = []
    for shown in orders:
        material = Material(
            candidates=tuple(request.candidates[lane] for lane in shown),
            references=request.reference_answers if rubric.reference else (),
            scope=request.scope,
        )
        messages = {False: rubric.messages(material, structured=False)}
        if rubric.schema is not None:
            messages[True] = rubric.messages(material, structured=True)
        for sample in range(request.samples):
            parameters = _parameters(rubric, judge, sample, request.samples)
            calls.append(_plan_call(rubric, judge, shown, messages, parameters, store, refusals))
    verdict = Verdict(
        id=secrets.token_hex(8),
        judge=judge.model,
        server=clean(judge.server),
        rubric=rubric.name,
        scope=request.scope,
        lanes=request.lanes,
        judged=request.hashes,
        outcome="unfinished",
        scale=rubric.scale,
    )
    return Plan(judge=judge, rubric=rubric, verdict=verdict, calls=tuple(calls))


def _plan_call(
    rubric: Rubric,
    judge: JudgeModel,
    shown: tuple[int, ...],
    messages: dict[bool, Messages],
    parameters: dict[str, Any],
    store: Store,
    refusals: Refusals,
) -> PlannedCall:
    key = _key(rubric, judge, messages, parameters)
    recorded = store.judge_call(key)
    recorded = recorded and reread_call(rubric, recorded)
    most_in = max(tokens_of(each) for each in messages.values())
    most_out = refusals.of(judge.server, judge.model).limit(parameters["max_tokens"])
    return PlannedCall(
        shown=shown,
        messages=messages,
        parameters=parameters,
        key=key,
        tokens=most_in + most_out,
        recorded=recorded and reuse_call(recorded, shown),
    )


def _parameters(rubric: Rubric, judge: JudgeModel, sample: int, samples: int) -> dict[str, Any]:
    """Return the request parameters for one sample.

    Multiple samples use a temperature above 0 and consecutive seeds.
    """
    parameters = dict(judge.parameters if rubric.fixed is None else rubric.fixed)
    if samples > 1:
        parameters["temperature"] = parameters["temperature"] or SAMPLE_TEMPERATURE
        parameters["seed"] = (judge.seed or 0) + sample
    return parameters


def _key(
    rubric: Rubric, judge: JudgeModel, messages: dict[bool, Messages], parameters: dict[str, Any]
) -> str:
    shaping = {
        "model": judge.model,
        "server": clean(judge.server),
        "messages": messages.get(True, messages[False]),
        "schema": rubric.schema,
        "parameters": parameters,
        "kind": rubric.kind,
    }
    return hashlib.sha256(canonical(shaping).encode()).hexdigest()
