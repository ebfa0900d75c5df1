"""The values Tandem is made of: what was asked, of whom, and what came.

Every value is frozen, keyword-only and equal by content, and builds on the standard library alone, so
any part of the program can hold one without importing a model, a page or a database. Identity (row ids,
times of storage) is the store's business. A value that is missing is None or has its own field; it is
never an empty string or 0 standing in for a failure.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import re
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from types import NoneType, UnionType
from typing import Any, Literal, Protocol, Union, cast, get_args, get_origin, get_type_hints

Role = Literal["user", "assistant"]
Finish = Literal["stop", "length", "cancelled", "error", ""]
PenaltyScope = Literal["all", "answer"]


class InputError(ValueError):
    """Something a person gave is wrong; the message is one sentence: what, where, what to do next."""


class OutsideError(RuntimeError):
    """Something outside broke, such as the disk; the message is one sentence, as for `InputError`."""


@dataclass(frozen=True, kw_only=True)
class Message:
    """One message of a conversation, as an aligner sees it."""

    role: Role
    text: str


# --- Recipes: demonstrations, adapters, decoding -------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Exchange:
    """One query and the answer the model is shown to it."""

    query: str
    answer: str | None
    """None: the query is shown without an answer."""


@dataclass(frozen=True, kw_only=True)
class Demo(Exchange):
    """One demonstration: a query with its answer, and what was said after it."""

    then: tuple[Exchange, ...] = ()
    """Further exchanges of the same conversation, for a demonstration of several turns."""
    before: str = ""
    """Free text between the blocks that stands before this demonstration."""

    @property
    def exchanges(self) -> tuple[Exchange, ...]:
        """All of its queries and answers in order."""
        return (Exchange(query=self.query, answer=self.answer), *self.then)


@dataclass(frozen=True, kw_only=True)
class DemoSet:
    """An instruction and the demonstrations after it (URIAL, arXiv 2312.01552, section 3)."""

    name: str
    instruction: str
    """Text before the first demonstration, verbatim; may be empty."""
    demos: tuple[Demo, ...]
    format: str = "fenced"
    """The family of block markers, one of `demos.FAMILIES`; "fenced" is URIAL's ``# Query:`` /
    ``# Answer:`` with fences."""
    meant_for: str = ""
    """The models it was written for, for people to read."""
    description: str = ""
    text: str | None = None
    """The prompt file it was taken from, verbatim, as long as nothing in it was changed; it is what a
    prompt begins with. None: prompts are written from the parts."""
    note: str = ""
    """What is odd about the file it was taken from, in one or two sentences for people."""

    @property
    def whole(self) -> bool:
        """Whether it is a text that could not be taken apart, so that nothing in it can be changed."""
        return self.text is not None and not self.demos

    @property
    def content_hash(self) -> str:
        """SHA-256 of all that shapes a prompt: equal content, equal hash, whatever the name."""
        shapes = {
            "instruction": self.instruction,
            "demos": self.demos,
            "format": self.format,
            "text": self.text,
        }
        return hashlib.sha256(canonical(to_json(shapes)).encode()).hexdigest()

    def take(self, n: int) -> DemoSet:
        """The first `n` demonstrations in order, so that K-shot sets are nested and share prefixes.

        A demonstration of several turns counts as one. All of them is the set as it is.

        Raises:
            InputError: `n` is negative, the set has fewer demonstrations, or it is `whole`.
        """
        if self.whole:
            raise InputError(
                f"Demonstration set {self.name!r} could not be taken apart and is used whole, so k={n} is "
                "not possible: leave k out."
            )
        if not 0 <= n <= len(self.demos):
            raise InputError(
                f"Demonstration set {self.name!r} has {len(self.demos)} demonstrations, so k={n} is "
                f"not possible: choose k from 0 to {len(self.demos)}."
            )
        return self if n == len(self.demos) else self.changed(demos=self.demos[:n])

    def changed(self, **changes: Any) -> DemoSet:
        """The set with other parts; the verbatim text, which they no longer agree with, is let go."""
        return dataclasses.replace(self, text=None, note="", **changes)


@dataclass(frozen=True, kw_only=True)
class ChatFormat:
    """How a conversation is written for a fine-tuned model: a Jinja chat template and its tokens."""

    template: str
    """Jinja source, as in a Hugging Face tokenizer's `chat_template`."""
    bos_token: str = ""
    eos_token: str = ""
    name: str = ""
    """Which of a tokenizer's templates it is; "" for the only one."""
    special_tokens: tuple[tuple[str, str], ...] = ()
    """The tokenizer's special tokens as (variable, text), which the template can read; empty in old records,
    where only the two above are known."""
    ends: tuple[str, ...] = ()
    """What the template writes right after an assistant's text: tokens, and texts where there is no token.
    A text that begins with a newline ends an answer only there."""
    problem: str = ""
    """Why no prompt can be written with it, in one sentence; "" if one can."""

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> ChatFormat:
        """The `ChatFormat` that `to_json` wrote, now or before formats had all of today's fields."""
        special_tokens = tuple((name, text) for name, text in data.get("special_tokens", ()))
        return cls(**{**data, "special_tokens": special_tokens, "ends": tuple(data.get("ends", ()))})

    @property
    def token_variables(self) -> dict[str, str]:
        """The template's variables for special tokens, and their text."""
        if self.special_tokens:
            return dict(self.special_tokens)
        return {"bos_token": self.bos_token, "eos_token": self.eos_token}


@dataclass(frozen=True, kw_only=True)
class AdapterCard:
    """What is known of a LoRA adapter without loading its weights."""

    name: str
    source: str
    """Where the files are: a folder, or a Hugging Face Hub id."""
    base_model: str
    """The base it was trained on, as its card or PEFT's adapter_config.json says."""
    label: str
    description: str = ""
    chat_format: ChatFormat | None = None
    """The chat format that its card names, or a sketch of its tokenizer's, which `Library.chat_format`
    completes. None: it brings no single template and names none."""
    tokenizer: str = ""
    """The folder of the chat template and tokenizer beside its weights; "" if there are none, or if the card
    names a chat format."""


@dataclass(frozen=True, kw_only=True)
class Sampling:
    """Decoding parameters of one lane. The defaults are plain greedy decoding.

    Raises:
        InputError: a value is out of range, with the range in the sentence.
        TypeError: an unknown name, so that a misspelling is never ignored.
    """

    temperature: float = 0.0
    """0 is greedy (argmax); otherwise logits are divided by it."""
    top_p: float = 1.0
    """Nucleus sampling, in (0, 1]; 1 keeps everything."""
    top_k: int = 0
    """Keep the k likeliest tokens; 0 keeps everything."""
    min_p: float = 0.0
    """Drop tokens below this share of the likeliest token's probability, in [0, 1); 0 is off."""
    repetition_penalty: float = 1.0
    """Above 1 makes tokens seen before less likely (CTRL, arXiv 1909.05858, section 4.1); 1 is off."""
    penalty_scope: PenaltyScope = "all"
    """Which tokens the penalty sees: prompt and answer ("all", as Hugging Face and vLLM), or "answer"."""
    max_new_tokens: int = 256
    """Tokens the answer may take at most."""
    seed: int = 0
    stop: tuple[str, ...] = ()
    """Texts that end the answer where they first stand in it, besides the prompt's own stop rule."""

    def __post_init__(self) -> None:
        for name in ("temperature", "top_p", "min_p", "repetition_penalty"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
                raise InputError(f"{_words(name)} must be a number, not {value!r}.")
            object.__setattr__(self, name, float(value))  # 1 and 1.0 are one recipe, with one hash
        for name in ("top_k", "max_new_tokens", "seed"):
            value = getattr(self, name)
            if isinstance(value, float) and value.is_integer():
                value = int(value)
                object.__setattr__(self, name, value)
            if isinstance(value, bool) or not isinstance(value, int):
                raise InputError(f"{_words(name)} must be a whole number, not {value!r}.")
        rules = (
            (self.temperature >= 0, "temperature", "0 (greedy) or more"),
            (0 < self.top_p <= 1, "top_p", "above 0 and at most 1 (1 keeps every token)"),
            (self.top_k >= 0, "top_k", "0 (off) or more"),
            (0 <= self.min_p < 1, "min_p", "at least 0 (off) and below 1"),
            (self.repetition_penalty > 0, "repetition_penalty", "above 0 (1 is off)"),
            (self.max_new_tokens >= 0, "max_new_tokens", "0 or more"),
            (0 <= self.seed < 2**63, "seed", "from 0 to 2^63 - 1"),
            (self.penalty_scope in ("all", "answer"), "penalty_scope", "'all' or 'answer'"),
            (_are_stops(self.stop), "stop", f"at most {MOST_STOPS} texts, none of them empty"),
        )
        for holds, name, allowed in rules:
            if not holds:
                raise InputError(f"{_words(name)} must be {allowed}, not {getattr(self, name)!r}.")
        object.__setattr__(self, "stop", tuple(self.stop))

    @classmethod
    def parse(cls, values: Mapping[str, str], base: Sampling | None = None) -> Sampling:
        """`base` (or the defaults) with `values` read from text, as a command line gives them.

        `stop` is one text, in which ``\\n`` is a newline.

        Raises:
            InputError: a value is not a number where one is needed, or is out of range.
        """
        changes: dict[str, Any] = {}
        for name, text in values.items():
            if name == "stop":
                changes[name] = (text.replace("\\n", "\n"),)
                continue
            kind = type(getattr(cls, name))
            try:
                changes[name] = kind(text.strip())
            except ValueError:
                want = "a whole number" if kind is int else "a number"
                raise InputError(f"{_words(name)} must be {want}, not {text!r}.") from None
        return dataclasses.replace(base or cls(), **changes)


MOST_STOPS = 8


def _are_stops(stops: Any) -> bool:
    if not isinstance(stops, list | tuple) or len(stops) > MOST_STOPS:
        return False
    return all(isinstance(text, str) and text for text in stops)


def _words(name: str) -> str:
    """A field's name as a person says it, for the start of a sentence."""
    return (
        name.replace("_", " ")
        .replace("top p", "top-p")
        .replace("top k", "top-k")
        .replace("min p", "min-p")
        .capitalize()
    )


SAMPLING_NAMES = tuple(f.name for f in dataclasses.fields(Sampling))


# --- Requests: what an engine is asked ------------------------------------------------------------


StopName = Literal["", "own", "paper"]
"""How the end of an answer is found in a URIAL format. "own": at the format's own user header, and at the
fence that closes the answer's block. "paper": at the first of the texts that the authors' published code
stops at, anywhere in the answer."""


@dataclass(frozen=True, kw_only=True)
class StopRule:
    """Where an answer ends, besides the model's own end-of-sequence token.

    `engine.text.Cutter` applies it and describes how.
    """

    name: StopName = "own"
    """How `fence` and `headers` are used; "" in records of earlier versions, which had another rule."""
    fence: str = ""
    """The line that closes the answer's block; "" in formats without such lines."""
    headers: tuple[str, ...] = ()
    """The header lines of a query and of an answer."""
    tokens: tuple[str, ...] = ()
    """Control tokens that end the answer, such as a chat format's end-of-turn token."""
    texts: tuple[str, ...] = ()
    """Texts before which the answer ends, wherever they stand in it."""
    trim: bool = True
    """Whether white space at both ends is left out of the answer. Where an answer is the plain
    continuation of a document, its white space is part of it."""


PartKind = Literal["instruction", "demonstration", "history", "message", "cue", "start", "text"]
"""What a stretch of a prompt is: "start" is the answer's beginning where it was given, "text" what cannot be
told apart any further."""


@dataclass(frozen=True, kw_only=True)
class Part:
    """A stretch of a prompt's text, for people; it begins where the one before it ends."""

    kind: PartKind
    end: int
    """Where it ends, in characters of the prompt's text."""
    number: int | None = None
    """Which demonstration, or which turn of the history it is, from 1."""


def _count(number: int, thing: str, which: str) -> str:
    return f"{which} {thing}" if number == 1 else f"{which} {number} {thing}s"


Piece = tuple[PartKind, int | None, str]
"""A part while a prompt is put together: its kind, its number, its text."""


@dataclass(frozen=True, kw_only=True)
class Prompt:
    """Exactly what a model is asked."""

    text: str
    stop: StopRule = field(default_factory=StopRule)
    adapter: str | None = None
    """The adapter whose weights answer; None is the base."""
    bos: bool = True
    """Whether the tokenizer's beginning-of-sequence token goes before the text (if it has one)."""
    control_tokens: bool = False
    """Whether control tokens spelled out in `text` (``</s>``) are read as such, as a chat template
    means them, or as the plain characters that a person typed."""
    start: str = ""
    """The words that the answer begins with where they were given: the end of `text`."""
    parts: tuple[Part, ...] = field(default=(), compare=False)
    """What the text is made of, all of it in order; empty in records from before it was kept."""

    @classmethod
    def of(cls, pieces: Iterable[Piece], **rest: Any) -> Prompt:
        """The prompt that `pieces` put one after the other make; `rest` are the other fields."""
        text, parts = "", []
        for kind, number, piece in pieces:
            text += piece
            if piece:
                parts.append(Part(kind=kind, number=number, end=len(text)))
        return cls(text=text, parts=tuple(parts), **rest)

    def begun(self, start: str) -> Prompt:
        """The prompt with the answer's first words written already, so that the model goes on from them."""
        if not start:
            return self
        text = self.text + start
        part = Part(kind="start", number=None, end=len(text))
        return dataclasses.replace(self, text=text, start=start, parts=(*self.parts, part))


@dataclass(frozen=True, kw_only=True)
class Token:
    """One token of a prompt as a tokenizer cut it."""

    id: int
    piece: str
    """As it stands in the vocabulary, such as ``▁the`` or ``<0x0A>``."""
    start: int | None
    """Where it begins in the prompt's text, in characters. None for one that is put before the text, or
    where a tokenizer does not say."""


@dataclass(frozen=True, kw_only=True)
class LeftOut:
    """What an overflowing prompt was asked without, so that it fits the context."""

    turns: int = 0
    """The oldest turns of the conversation."""
    demos: int = 0
    """The last demonstrations."""
    tokens: int
    """Tokens the prompt would have had with them."""

    def __str__(self) -> str:
        what = (
            _count(self.demos, "demonstration", "last")
            if self.demos
            else _count(self.turns, "turn", "oldest")
        )
        return f"Asked without the {what}: the whole prompt of {self.tokens} tokens does not fit."


@dataclass(frozen=True, kw_only=True)
class Request:
    """One row for an engine: a prompt and how to decode."""

    prompt: Prompt
    sampling: Sampling
    left_out: LeftOut | None = None
    """None: nothing."""

    @property
    def stop(self) -> StopRule:
        """Where the answer ends: the prompt's rule, and the texts that the lane was told to stop at."""
        rule = self.prompt.stop
        return dataclasses.replace(rule, texts=(*rule.texts, *self.sampling.stop))


# --- Replies: what came ---------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Reply:
    """What came for one request, or as much of it as has come."""

    text: str = ""
    """The answer: cut at its stop, and trimmed of white space at both ends unless the rule keeps it."""
    raw_text: str = ""
    """Everything the model wrote, what came after the stop included."""
    finish: Finish = ""
    """Why it ended; "" while it is still being written."""
    error: str | None = None
    """One sentence, exactly when `finish` is "error"."""
    prompt_tokens: int | None = None
    cached_tokens: int | None = None
    """Prompt tokens whose keys and values were there already and were not computed again."""
    new_tokens: int = 0
    ttft: float | None = None
    """Seconds from the request to its first token."""
    seconds: float | None = None
    """Seconds from the request to its last token."""
    weights: str | None = None
    """The weights that were run, as the engine saw them, not as they were asked for."""
    token_ids: tuple[int, ...] = ()
    """The tokens behind `raw_text`, where the engine knows them; may end in an end-of-sequence token."""


@dataclass(frozen=True, kw_only=True)
class Delta:
    """More text of one row; what was shown is never taken back."""

    row: int
    text: str
    reply: Reply
    """All that has come so far, this text included; its `finish` is ""."""


@dataclass(frozen=True, kw_only=True)
class Done:
    """The end of one row; comes exactly once for each."""

    row: int
    reply: Reply


@dataclass(frozen=True, kw_only=True)
class Waiting:
    """Nothing new for a moment, and why; lets a caller look up (and stop) while a model is busy."""

    note: str


Event = Delta | Done | Waiting


@dataclass(frozen=True, kw_only=True)
class AdapterStatus:
    """What became of one adapter at load."""

    card: AdapterCard
    error: str | None = None
    """Why it cannot be used, in one sentence; None if it can."""
    kl: float | None = None
    """KL divergence of its next-token distributions from the base's on a fixed text, in nats per token."""
    warning: str | None = None
    """What is unusual about it though it can be used, in one sentence."""
    serving: str = ""
    """What it changes and how that is computed, in a few words; "" where it cannot be used."""
    ends: tuple[str, ...] = ()
    """What ends an answer of its lanes: tokens and texts, as they are written."""


@dataclass(frozen=True, kw_only=True)
class Status:
    """What an engine is and whether it is ready."""

    state: Literal["loading", "ready", "failed"]
    note: str
    """One line for people: what is being loaded, what is running, or why it failed."""
    base: str
    progress: float | None = None
    """Share of the loading that is done, 0 to 1, while it is known."""
    device: str | None = None
    precision: str | None = None
    """How the weights are held: "float32", "bfloat16", "4-bit NF4"..."""
    parameters: int | None = None
    context: int | None = None
    """Positions the model has, prompt and answer together."""
    layers: tuple[tuple[str, int], ...] = ()
    """Of the linear and embedding layers, how many are held in each precision."""
    warnings: tuple[str, ...] = ()
    """What is unusual about the base though it can be used, one sentence each."""
    ends: tuple[str, ...] = ()
    """Tokens that end any answer of the base, as they are written."""
    adapters: tuple[AdapterStatus, ...] = ()
    plain: str | None = None
    """Why rows are decoded one after the other and not as one batch; None if they are one batch."""
    prefix_limit: int | None = None
    """Bytes that keys and values of prefixes may take."""
    prefix_bytes: int | None = None
    """Bytes that they take now."""
    memory: int | None = None
    """Bytes that this process holds in the machine's memory."""
    device_memory: int | None = None
    """Bytes that it holds on a GPU; None where there is none."""


@dataclass(frozen=True, kw_only=True)
class TokenScore:
    """One token of a reply under a model (arXiv 2312.01552, section 2.2)."""

    token: int
    text: str
    """What the token adds to the text; a character of several tokens comes with its last one, and all of
    a reply's put together are its raw text."""
    logprob: float
    """Natural logarithm of its probability under the unfiltered distribution."""
    rank: int
    """1 if it is the likeliest token."""
    top: tuple[tuple[str, float], ...] = ()
    """The likeliest tokens, written out, with their log-probabilities."""


# --- The record -----------------------------------------------------------------------------------


class Aligner(Protocol):
    """Turns a list of messages into a `Prompt`; a frozen dataclass, one file each in `aligners/`."""

    @property
    def kind(self) -> str:
        """The aligner's name, as the command line spells it."""

    @property
    def adapter(self) -> str | None:
        """The adapter its prompts ask for; None is the base."""

    def __call__(self, messages: Sequence[Message]) -> Prompt:
        """The prompt for the next answer to `messages`, which end with the user's."""


Overflow = Literal["refuse", "drop-turns", "drop-demos"]
"""What happens to a prompt that does not fit the context: it is refused, or asked without the oldest turns,
or without the last demonstrations."""


@dataclass(frozen=True, kw_only=True)
class Variant:
    """One lane's recipe: an aligner plus decoding parameters, under a name."""

    name: str
    aligner: Aligner
    sampling: Sampling
    overflow: Overflow = "refuse"

    @property
    def recipe(self) -> str:
        """SHA-256 of the canonical JSON of all but the name: equal recipes, equal hash."""
        content = {
            "aligner": to_json(self.aligner),
            "sampling": to_json(self.sampling),
            "overflow": self.overflow,
        }
        return hashlib.sha256(canonical(content).encode()).hexdigest()


@dataclass(frozen=True, kw_only=True)
class Answer:
    """Who was asked, exactly what, and what came."""

    variant: str
    request: Request | None
    """None if there was nothing to ask: the aligner could not write a prompt."""
    reply: Reply
    version: int = 0
    """Which of the lane's answers to this turn it is, in the order in which they were asked, from 0."""

    @property
    def text(self) -> str:
        """The whole answer: the words it was begun with, if any, and what the model wrote."""
        return (self.request.prompt.start if self.request else "") + self.reply.text


Outcome = Literal[
    "win",
    "tie",
    "both-bad",
    "inconsistent",
    "scored",
    "unparsable",
    "refused",
    "cut",
    "empty",
    "failed",
    "cancelled",
    "unfinished",
]
"""What became of a judgment. The first five say something about the answers: one is better, none is, none
is any good, the judge preferred whichever stood in one place, or each got a score. The others say nothing
about them: the reply could not be read, the judge would not judge, its reply was cut off at its limit, or
was empty, the call failed, a person stopped it, or it has not ended."""

SETTLED: tuple[Outcome, ...] = ("win", "tie", "both-bad", "inconsistent", "scored")
"""The outcomes that say something about the answers."""

Scope = Literal["turn", "conversation"]
"""What is judged: the answer of one turn, seen in its conversation, or the whole conversation up to it."""


@dataclass(frozen=True, kw_only=True)
class Aspect:
    """One side of an answer, such as its clarity, and its score (URIAL, arXiv 2312.01552, section 4.3)."""

    name: str
    score: float | None
    """None: the judge says that it does not apply."""
    reason: str | None = None


@dataclass(frozen=True, kw_only=True)
class JudgeCall:
    """One call of a judge: what it was shown, exactly what it was sent, and what came."""

    shown: tuple[int, ...]
    """The lanes whose answers it saw, in the order in which they stood: the first is "A"."""
    outcome: Outcome
    winner: int | None = None
    """The better lane, if `outcome` is "win"."""
    score: float | None = None
    aspects: tuple[Aspect, ...] = ()
    reason: str | None = None
    """The judge's reasons, without the verdict's form around them."""
    messages: tuple[tuple[str, str], ...] = ()
    """(role, text) of each message, as sent; none for a person and for the reference judge."""
    parameters: str | None = None
    """The rest of the request's body, as JSON."""
    raw: str | None = None
    """The whole reply; None if there was none."""
    error: str | None = None
    """One sentence, where the outcome is not one of `SETTLED`."""
    finish: str | None = None
    """Why the reply ended, in the server's word."""
    prompt_tokens: int | None = None
    """Tokens, as the server counted them."""
    new_tokens: int | None = None
    seconds: float | None = None
    cached: bool = False
    """Whether the reply was there already, on record or to another lane, so that it cost nothing."""


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """One judgment of a turn's answers, by a model, by the reference rule, or by a person's vote."""

    id: str
    judge: str
    """"human", "reference", the name of the model that was asked, or "majority of" several."""
    server: str | None = None
    """The address that the model was asked at."""
    rubric: str
    scope: Scope = "turn"
    lanes: tuple[int, ...]
    judged: tuple[str, ...]
    """For each of `lanes` the hash of what was judged there, see `judging.candidates`: a verdict holds for
    these answers and no others."""
    outcome: Outcome
    winner: int | None = None
    """The better lane, if `outcome` is "win"."""
    scores: tuple[float | None, ...] = ()
    """For each of `lanes`, the mean over samples; None where there is no score, which is never a 0."""
    scale: tuple[float, float] | None = None
    """The lowest and the highest score there is."""
    aspects: tuple[tuple[Aspect, ...], ...] = ()
    """For each of `lanes`; empty where the rubric has none."""
    games: tuple[JudgeCall, ...] = ()
    """Every call, in both orders; of a vote one, with the order in which the answers were shown."""
    error: str | None = None
    """One sentence, where the outcome is not one of `SETTLED`."""
    by: str | None = None
    """Of a vote: whose, as a meaningless id, so that voting again replaces it."""
    blind: bool = False
    """Of a vote: whether it was cast while nothing said whose answers they are."""
    panel: tuple[str, ...] = ()
    """Of the majority of several judges: the ids of their verdicts, see `judging.panel`."""


@dataclass(frozen=True, kw_only=True)
class Turn:
    """One user message and what every lane made of it."""

    user: str
    answers: tuple[Answer, ...]
    """The answer of each lane that is shown, and that the conversation goes on from."""
    verdicts: tuple[Verdict, ...] = ()
    versions: tuple[tuple[Answer, ...], ...] = ()
    """All answers of each lane, the shown one in its place; () where every lane has only that one."""
    histories: tuple[int, ...] = ()
    """For each lane, the lane whose earlier answers it was asked on; () where each had its own."""

    def all(self, lane: int) -> tuple[Answer, ...]:
        """Every answer of a lane, in the order in which they were asked."""
        return self.versions[lane] if self.versions else (self.answers[lane],)

    def showing(self, answer: Answer, lane: int) -> Turn:
        """The turn with `answer` shown in a lane: another version, a new one, or more of the same."""
        answers = (*self.answers[:lane], answer, *self.answers[lane + 1 :])
        versions = [self.all(each) for each in range(len(self.answers))]
        versions[lane] = (*versions[lane][: answer.version], answer, *versions[lane][answer.version + 1 :])
        several = any(len(each) > 1 for each in versions)
        return dataclasses.replace(self, answers=answers, versions=tuple(versions) if several else ())

    def rearranged(self, lanes: Sequence[int]) -> Turn:
        """The turn with its lanes in another order, some left out or there twice.

        Verdicts are about lanes side by side, so they stay only where no lane changed its place.
        """
        kept = [lane for lane in lanes if lane < len(self.answers)]
        same = tuple(kept) == tuple(range(len(self.answers)))
        asked_on = self.histories or tuple(range(len(self.answers)))
        whose = [kept.index(asked_on[lane]) if asked_on[lane] in kept else -1 for lane in kept]
        return dataclasses.replace(
            self,
            answers=tuple(self.answers[lane] for lane in kept),
            versions=tuple(self.all(lane) for lane in kept) if self.versions else (),
            verdicts=self.verdicts if same else (),
            histories=tuple(whose) if self.histories else (),
        )


def numbered(messages: Sequence[Message]) -> Iterator[tuple[PartKind, int | None, Message]]:
    """Each message with what it is in a prompt: a turn of the history, or the message to be answered."""
    turn = 0
    for at, message in enumerate(messages):
        turn += message.role == "user" or turn == 0
        if at == len(messages) - 1 and message.role == "user":
            yield "message", None, message
        else:
            yield "history", turn, message


@dataclass(frozen=True, kw_only=True)
class Conversation:
    """Several lanes' conversations with one user, turn by turn."""

    id: str
    variants: tuple[Variant, ...]
    turns: tuple[Turn, ...] = ()
    parent: str | None = None
    """The conversation that its first turns were taken from; None if it was begun anew."""
    owner: str = ""
    """Whose history lists it: a visitor of the page, by a hash; "" for the command line's, which all see."""

    def history(self, lane: int) -> tuple[Message, ...]:
        """The messages of one lane so far, its own answers in them, user and assistant alternating.

        A turn whose answer failed or was stopped before it wrote anything is left out, question
        included: an empty answer in its place would be something the model never said. An answer that
        is empty because the model ended at once is kept as it is.
        """
        messages: list[Message] = []
        for turn in self.turns:
            if lane >= len(turn.answers):
                continue  # the lane was added later
            reply = turn.answers[lane].reply
            if reply.text or reply.finish in ("stop", "length"):
                messages.append(Message(role="user", text=turn.user))
                messages.append(Message(role="assistant", text=turn.answers[lane].text))
        return tuple(messages)

    def before(self, turn: int) -> Conversation:
        """The conversation as it was when that turn (from 0) was about to be asked."""
        return dataclasses.replace(self, turns=self.turns[:turn])


# --- JSON -----------------------------------------------------------------------------------------


def to_json(value: Any) -> Any:
    """A value as plain JSON data: dataclasses become objects, tuples lists. Aligners gain `kind`."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        data = {f.name: to_json(getattr(value, f.name)) for f in dataclasses.fields(value)}
        kind = getattr(value, "kind", None)
        return {"kind": kind, **data} if kind else data
    if isinstance(value, Mapping):
        return {key: to_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [to_json(item) for item in value]
    return value


def canonical(data: Any) -> str:
    """JSON with sorted keys and no spaces: equal content, equal text."""
    return json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


@cache
def _hints(kind: Hashable) -> tuple[tuple[str, Any], ...]:
    """A dataclass's fields and their annotations."""
    return tuple(get_type_hints(kind).items())


def check_fields(value: Any) -> None:
    """Check that every field of a dataclass, and of those in it, holds what its annotation says.

    Python itself does not; a value that was read from a damaged file would fail much later.

    Raises:
        InputError: a field holds something else, half a character, or a number that is not finite.
    """
    for name, hint in _hints(cast(Hashable, type(value))):
        if not _fits(getattr(value, name), hint):
            raise InputError(f"{type(value).__name__}.{name} does not hold {hint}.")


def _fits(value: Any, hint: Any) -> bool:
    kinds = get_args(hint)
    origin = get_origin(hint)
    if origin in (Union, UnionType):
        return any(_fits(value, kind) for kind in kinds)
    if origin is Literal:
        return any(type(value) is type(each) and value == each for each in kinds)
    if origin is tuple:
        if not isinstance(value, tuple):
            return False
        if kinds[-1] is not Ellipsis:
            return len(value) == len(kinds) and all(map(_fits, value, kinds))
        if kinds[0] is int:  # as long as an answer has tokens
            return all(type(each) is int for each in value)
        return all(_fits(each, kinds[0]) for each in value)
    if hint is str:
        return isinstance(value, str) and (value.isascii() or not HALF_CHARACTER.search(value))
    if hint is int:
        return type(value) is int and abs(value) < 2**63
    if hint is float:
        return type(value) in (int, float) and abs(value) < 1e300  # which NaN is not
    if hint in (bool, NoneType):
        return isinstance(value, hint)
    if dataclasses.is_dataclass(hint):
        if not isinstance(value, cast(type, hint)):
            return False
        check_fields(value)
    return True


def request_from_json(data: Mapping[str, Any]) -> Request:
    """The `Request` that `to_json` wrote, now or before requests had all of today's fields."""
    prompt = dict(data["prompt"])
    parts = tuple(Part(**part) for part in prompt.pop("parts", ()))
    left_out = data.get("left_out")
    stop = prompt.pop("stop")
    rule = StopRule(
        name=stop.get("name", ""),
        fence=stop["fence"],
        headers=tuple(stop["headers"]),
        tokens=tuple(stop["tokens"]),
        texts=tuple(stop.get("texts", ())),
        trim=stop["trim"],
    )
    return Request(
        prompt=Prompt(stop=rule, parts=parts, **prompt),
        sampling=Sampling(**data["sampling"]),
        left_out=None if left_out is None else LeftOut(**left_out),
    )


def demo_set_from_json(data: Mapping[str, Any]) -> DemoSet:
    """The `DemoSet` that `to_json` wrote, now or before sets had all of today's fields."""
    demos = []
    for entry in data["demos"]:
        then = tuple(Exchange(**exchange) for exchange in entry.get("then", ()))
        demos.append(Demo(**{**entry, "then": then}))
    return DemoSet(**{**data, "demos": tuple(demos)})


def game_from_json(data: Mapping[str, Any]) -> JudgeCall:
    """The `JudgeCall` that `to_json` wrote.

    Raises:
        InputError: it has lanes or fields that no judge's reply has; other errors for what is no such JSON.
    """
    game = JudgeCall(
        **{
            **data,
            "shown": tuple(data["shown"]),
            "aspects": tuple(Aspect(**aspect) for aspect in data["aspects"]),
            "messages": tuple((role, text) for role, text in data["messages"]),
        }
    )
    check_fields(game)
    _check_lanes(game.shown, game)
    return game


def _check_lanes(lanes: tuple[int, ...], judged: JudgeCall | Verdict) -> None:
    """Raise InputError for a lane that cannot be, or a winner that is none of the lanes or not there."""
    if any(lane < 0 for lane in lanes):
        raise InputError(f"{type(judged).__name__} names a lane below 0.")
    if judged.winner not in ((() if judged.outcome == "win" else (None,)) + lanes):
        raise InputError(f"{type(judged).__name__} names no lane as its winner.")


def verdict_from_json(data: Mapping[str, Any]) -> Verdict:
    """The `Verdict` that `to_json` wrote.

    Raises:
        InputError: its fields do not fit each other; other errors for what is no such JSON.
    """
    scale = data["scale"]
    verdict = Verdict(
        **{
            **data,
            "lanes": tuple(data["lanes"]),
            "judged": tuple(data["judged"]),
            "panel": tuple(data.get("panel", ())),
            "scores": tuple(data["scores"]),
            "scale": None if scale is None else (scale[0], scale[1]),
            "aspects": tuple(tuple(Aspect(**aspect) for aspect in lane) for lane in data["aspects"]),
            "games": tuple(game_from_json(game) for game in data["games"]),
        }
    )
    check_fields(verdict)
    _check_lanes(verdict.lanes, verdict)
    for values in (verdict.judged, verdict.scores or verdict.lanes, verdict.aspects or verdict.lanes):
        if len(values) != len(verdict.lanes):
            raise InputError("Verdict has other lanes in its hashes, scores or aspects than in its list.")
    return verdict


_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*\Z")


LONGEST_NAME = 100
"""Characters of a name, which may become a file's."""


def check_name(name: str, what: str) -> str:
    """`name`, if it can stand in a command line, a file name and a page.

    Raises:
        InputError: it has other characters than letters, digits, dot, dash and underscore, or more than
            `LONGEST_NAME`.
    """
    if len(name) > LONGEST_NAME:
        raise InputError(f"{what} {name[:20]!r}... has {len(name)} characters: use at most {LONGEST_NAME}.")
    if not _NAME.match(name):
        raise InputError(
            f"{what} {name!r} is not a usable name: use letters, digits, dots, dashes and "
            "underscores, beginning with a letter or a digit."
        )
    return name


HALF_CHARACTER = re.compile("[\ud800-\udfff]")
"""Half of a surrogate pair, which no model reads and no file holds."""


def check_characters(text: str, what: str) -> str:
    """`text`, if every character of it is one: JSON and command lines can bring halves of a surrogate pair,
    which no model reads and no file holds.

    Raises:
        InputError: it has such a half.
    """
    if bad := HALF_CHARACTER.search(text):
        raise InputError(f"{what} holds {bad[0]!r}, which is half a character: remove it.")
    return text


def replace_surrogates(text: str) -> str:
    """`text` with each lone surrogate, which has no UTF-8 form, as U+FFFD."""
    return HALF_CHARACTER.sub("\ufffd", text)
