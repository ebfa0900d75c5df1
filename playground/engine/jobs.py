"""Jobs for the decode thread: answering requests, scoring replies and warming the prefix cache.

Every job is prepared (tokenised and checked), prefilled in chunks, and then finished. The classes in this
module implement these steps for each kind of job; `scheduler` decides when they run.
"""

from __future__ import annotations

import queue
import time
from abc import ABC, abstractmethod
from typing import Protocol

from torch import Tensor

from playground.engine.eos import resolve_stop_tokens
from playground.engine.kv import KV
from playground.engine.model import Model
from playground.engine.rope import Regime
from playground.engine.sampling import Row
from playground.engine.text import Detokenizer, Writer
from playground.types import Delta, Done, Event, Finish, InputError, Prompt, Reply, Request, TokenScore
from playground.words import format_number


class Decoder(Protocol):
    """Interface for decoding answers once their prompts are prefilled; implemented by `batch.Batch`."""

    def start(self, row: AnswerJob, kv: KV, logits: Tensor) -> None:
        """Choose a row's first token and start decoding the row.

        Args:
            row: a row whose prompt is prefilled.
            kv: the row's KV cache; the decoder takes ownership of it.
            logits: the logits at the prompt's last token, of shape (1, V).
        """


class Job(ABC):
    """A unit of work for the decode thread, which prefills the job's token ids and reports a result."""

    is_urgent = True
    """Whether a caller is waiting for the job's result."""
    decodes = False
    """Whether the job continues with decoding after the prefill. Decoding extends the job's KV cache."""

    def __init__(self, prompt: Prompt) -> None:
        self.prompt = prompt
        self.adapter = prompt.adapter
        self.ids: list[int] = []
        """Token ids of the prompt; in a scoring job, followed by the token ids of the reply."""
        self.cancelled = False
        """Whether the caller has cancelled the job; set by the caller's thread, read by the decode thread."""
        self.started = time.monotonic()
        """Start time for latency measurements: when the job was submitted or, if later, when the model became
        ready."""
        self.cached = 0
        """Number of token ids whose keys and values came from the prefix cache."""
        self.kv: KV | None = None
        """KV cache of the job; set from the first prefill chunk until the job finishes or joins the batch."""
        self.regime: Regime = ()
        """RoPE regime (state of the rotary frequencies) under which the keys are computed; see `rope.Regime`.
        Keys depend on the regime as well as on the token ids and the adapter."""

    @property
    def prefill_ids(self) -> list[int]:
        """All token ids that the job has to prefill."""
        return self.ids

    @property
    def owner(self) -> tuple[str | None, Regime]:
        """Owner of the job's entries in the prefix cache: the adapter and the RoPE regime."""
        return self.adapter, self.regime

    @property
    def remaining(self) -> int:
        """Number of token ids that remain to be prefilled."""
        return len(self.prefill_ids) - (self.kv.lengths[0] if self.kv else 0)

    @property
    def reusable(self) -> int:
        """Maximum number of leading token ids that the job can take from the prefix cache.

        The prefix cache contains no logits, so it cannot be used for positions whose logits the job needs.
        """
        return len(self.prefill_ids) - 1

    @abstractmethod
    def prepare(self, model: Model) -> bool:
        """Tokenise the job's texts and check the tokens.

        Returns:
            False if there is nothing to prefill and the job is already finished.

        Raises:
            InputError: the tokens do not fit in the model's context, or the prompt has no tokens.
        """

    def needs_logits(self, end: int) -> bool:
        """Return whether `read_logits` needs the logits of the chunk that ends just before position `end`."""
        return False

    def read_logits(self, model: Model, logits: Tensor, start: int) -> None:
        """Process the logits of shape (T, V) for a chunk that starts at position `start`."""
        raise NotImplementedError("this kind of job does not read logits")

    @abstractmethod
    def finish(self, decoder: Decoder, kv: KV, logits: Tensor) -> None:
        """Report the result or start decoding, once all ids are prefilled.

        Args:
            decoder: the decoder to which answer jobs are added.
            kv: the job's KV cache.
            logits: the logits of the last chunk.
        """

    @abstractmethod
    def fail(self, error: str) -> None:
        """Report a failure to the caller."""


class AnswerJob(Job):
    """A job that prefills the prompt of one row, then decodes the row's answer in the batch."""

    decodes = True

    def __init__(self, index: int, request: Request, outbox: queue.SimpleQueue[Event]) -> None:
        super().__init__(request.prompt)
        self.index = index
        self.request = request
        self.outbox = outbox
        self.answer_ids: list[int] = []
        self.limit = 0
        """Maximum number of tokens in the answer."""
        self.eos_token_ids: frozenset[int] = frozenset()
        self.vocabulary: int | None = None
        """Size of the vocabulary from which the row's tokens are chosen."""
        self.writer: Writer | None = None
        self.weights: str | None = None
        self.ttft: float | None = None
        self.ended = False
        self.failed = False

    @property
    def prefill_ids(self) -> list[int]:
        """Ids of the prompt and of the answer so far.

        When a job is prefilled for the first time, the answer is empty. After a change of RoPE regime, the
        prompt and the answer so far are prefilled again.
        """
        return self.ids + self.answer_ids if self.answer_ids else self.ids

    def prepare(self, model: Model) -> bool:
        """Tokenise the prompt and set up the token limit and stop rule; see `Job.prepare`."""
        self.ids = _encode_prompt(model, self.prompt)
        self.vocabulary = model.vocabulary(self.adapter)
        self.limit = min(self.request.sampling.max_new_tokens, model.context - len(self.ids))
        tokenizer = model.tokenizer(self.adapter)
        rule, stop_ids = resolve_stop_tokens(tokenizer, self.request.stop)
        self.eos_token_ids = model.eos_token_ids(self.adapter) | stop_ids
        self.writer = Writer(tokenizer.decode, self.ids, rule, self.prompt.prefill)
        if self.limit == 0:
            self.end("length")
        return not self.ended

    def finish(self, decoder: Decoder, kv: KV, logits: Tensor) -> None:
        """Start decoding the answer."""
        decoder.start(self, kv, logits)

    def fail(self, error: str) -> None:
        """Finish the row with an error."""
        self.end("error", error)

    def accept(self, token: int) -> bool:
        """Append a token to a prepared row's answer, and return whether decoding continues."""
        assert self.writer is not None
        self.answer_ids.append(token)
        if self.ttft is None:
            self.ttft = time.monotonic() - self.started
        if token in self.eos_token_ids:
            self.end("stop")
            return False
        self._emit(self.writer.feed(token))
        if self.writer.stopped:
            self.end("stop")
        elif len(self.answer_ids) >= self.limit:
            self.end("length")
        return not self.ended

    def end(self, finish: Finish, error: str | None = None) -> None:
        """Finish the row: emit any text held back so far, then the `Done` event.

        Does nothing if the row has already finished.
        """
        if self.ended:
            return
        self.ended, self.failed = True, finish == "error"
        if self.writer is not None:
            if rest := self.writer.finish():
                self._emit(rest)
            finish = self.writer.finish_reason(finish)
        self.outbox.put(Done(row=self.index, reply=self._reply(finish, error)))

    def sampling_row(self) -> Row:
        """Return the sampling parameters and token ids needed to choose the row's next token."""
        return Row(self.request.sampling, self.ids, self.answer_ids, self.vocabulary)

    def _emit(self, text: str) -> None:
        self.outbox.put(Delta(row=self.index, text=text, reply=self._reply("")))

    def _reply(self, finish: Finish, error: str | None = None) -> Reply:
        """Return a `Reply` with the answer so far."""
        return Reply(
            text=self.writer.text if self.writer else "",
            raw_text=self.writer.raw_text if self.writer else "",
            finish=finish,
            error=error,
            prompt_tokens=len(self.ids) or None,
            cached_tokens=self.cached if self.ids else None,
            new_tokens=len(self.answer_ids),
            ttft=self.ttft,
            seconds=time.monotonic() - self.started,
            weights=self.weights,
            token_ids=tuple(self.answer_ids),
        )


class ScoreJob(Job):
    """A job that prefills a prompt and its reply, and scores the reply's tokens from the logits."""

    def __init__(self, request: Request, reply: Reply, top: int) -> None:
        super().__init__(request.prompt)
        self.result: queue.SimpleQueue[list[TokenScore] | str] = queue.SimpleQueue()
        """Queue that receives either the scores or the reason why the reply cannot be scored."""
        self._reply = reply
        self._top = top
        self._first = 0  # index of the reply's first token in `ids`
        self._detokenizer: Detokenizer | None = None
        self._scores: list[TokenScore] = []

    @property
    def reusable(self) -> int:
        """Number of prompt ids minus one; see `Job.reusable`.

        The logits at the last prompt token are needed to score the reply's first token.
        """
        return self._first - 1

    def prepare(self, model: Model) -> bool:
        """Tokenise the prompt and the reply; see `Job.prepare`."""
        prompt = model.encode(self.prompt)
        # Prefer the reply's own token ids if known: tokenising its text may produce different ids.
        reply = list(self._reply.token_ids) or model.encode(
            Prompt(text=self._reply.raw_text, bos=False, adapter=self.adapter)
        )
        if not reply:
            self.result.put([])
            return False
        if not prompt or len(prompt) + len(reply) > model.context:
            raise InputError(
                f"Prompt and reply have {format_number(len(prompt))} + {format_number(len(reply))} tokens: "
                f"scoring needs at least one prompt token, and at most {format_number(model.context)} "
                "tokens in total."
            )
        self._first = len(prompt)
        self.ids = prompt + reply
        return True

    def needs_logits(self, end: int) -> bool:
        """Return whether the chunk reaches the prompt's last token; see `Job.needs_logits`."""
        return end >= self._first

    def read_logits(self, model: Model, logits: Tensor, start: int) -> None:
        """Score the reply tokens predicted by a chunk: the logits at position p predict token p + 1."""
        decode = model.tokenizer(self.adapter).decode
        if self._detokenizer is None:
            self._detokenizer = Detokenizer(decode, self.ids[: self._first])
        for offset in range(max(0, self._first - 1 - start), len(logits)):
            position = start + offset + 1
            if position == len(self.ids):
                break
            line = logits[offset].float().log_softmax(-1)
            token = self.ids[position]
            best = line.topk(min(self._top, len(line)))
            self._scores.append(
                TokenScore(
                    token=token,
                    text=self._detokenize(self._detokenizer, position),
                    logprob=float(line[token]),
                    rank=int((line > line[token]).sum()) + 1,
                    top=tuple(
                        (decode([other]), float(value))
                        for value, other in zip(best.values, best.indices.tolist(), strict=True)
                    ),
                )
            )

    def _detokenize(self, detokenizer: Detokenizer, position: int) -> str:
        """Return the text that the token at `position` adds to the reply."""
        if position + 1 < len(self.ids):
            return detokenizer.feed(self.ids[position], self.ids[position + 1])
        return detokenizer.feed(self.ids[position], None) + detokenizer.finish()

    def finish(self, decoder: Decoder, kv: KV, logits: Tensor) -> None:
        """Report the scores of the reply's tokens."""
        self.result.put(self._scores)

    def fail(self, error: str) -> None:
        """Report why the reply cannot be scored."""
        self.result.put(error)


class WarmUpJob(Job):
    """A job that prefills a prompt into the prefix cache before a request needs it."""

    is_urgent = False

    def prepare(self, model: Model) -> bool:
        """Tokenise the prompt; see `Job.prepare`."""
        self.ids = _encode_prompt(model, self.prompt)
        return True

    def finish(self, decoder: Decoder, kv: KV, logits: Tensor) -> None:
        """Do nothing: the scheduler has already stored the KV cache in the prefix cache."""

    def fail(self, error: str) -> None:
        """Do nothing: a request for the same prompt will report the error."""


def prepare_job(job: Job, model: Model) -> bool:
    """Prepare a job of any kind, and check its adapter and token ids.

    Returns:
        False if there is nothing to prefill and the job is already finished.

    Raises:
        InputError: the adapter cannot be used, the tokens do not fit in the context, or the model has no
            embedding for one of the tokens.
    """
    _check_adapter(model, job.adapter)
    if not job.prepare(model):
        return False
    _check_tokens(model, job)
    job.regime = model.regime(len(job.ids))
    return True


def _check_adapter(model: Model, name: str | None) -> None:
    if name is None:
        return
    status = next((status for status in model.adapters if status.card.name == name), None)
    if status is None:
        raise InputError(f"Adapter {name!r} is not loaded: choose another lane.")
    if status.error:
        raise InputError(status.error)


def _encode_prompt(model: Model, prompt: Prompt) -> list[int]:
    """Tokenise a prompt, and check that it leaves room for an answer in the context.

    Raises:
        InputError: the prompt has no tokens, or fills the whole context.
    """
    ids = model.encode(prompt)
    if not ids:
        raise InputError("The prompt is empty: type a message.")
    if len(ids) >= model.context:
        raise InputError(
            f"The prompt has {format_number(len(ids))} tokens, which leaves no room for an answer in the "
            f"context of {format_number(model.context)} tokens: use fewer demonstrations, or start a new "
            "conversation."
        )
    return ids


def _check_tokens(model: Model, job: Job) -> None:
    """Check that the model has an embedding for every token of a job.

    Raises:
        InputError: a token has no embedding; the message names the token.
    """
    limit = model.token_limit(job.adapter)
    beyond = next((token for token in job.ids if token >= limit), None)
    if beyond is not None:
        token = model.tokenizer(job.adapter).text(beyond)
        raise InputError(
            f"Token {token!r} has id {beyond}, but the model only has embeddings for "
            f"{format_number(limit)} tokens: remove the token from the text, or use the model's own "
            "tokenizer."
        )
