"""The three kinds of jobs of the decode thread: answer a request, score a reply, warm up the prefix store.

Every job is prepared (tokenised and checked), then prefilled in chunks, then finished. Each kind says here
how it does these steps; `scheduler` decides when.
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


class Decoder(Protocol):
    """What takes over an answer once its prompt is prefilled; see `batch.Batch`."""

    def start(self, row: AnswerJob, kv: KV, logits: Tensor) -> None:
        """Choose a row's first token and decode it from then on.

        Args:
            row: its prompt is prefilled.
            kv: the row's keys and values, which the decoder takes over.
            logits: those of the prompt's last token, (1, V).
        """


class Job(ABC):
    """Token ids to prefill under one adapter, and a caller to report to."""

    is_urgent = True
    """Whether a caller waits for it."""
    decodes = False
    """Whether the row continues to write into its keys and values after the prefill."""

    def __init__(self, prompt: Prompt) -> None:
        self.prompt = prompt
        self.adapter = prompt.adapter
        self.ids: list[int] = []
        """Token ids of the prompt, and of the reply if that is scored."""
        self.cancelled = False
        """Set by the caller's thread, read by the decode thread."""
        self.started = time.monotonic()
        """When the work could start: at submission, or when the model was ready."""
        self.cached = 0
        """Ids whose keys and values were in the store."""
        self.kv: KV | None = None
        """From the first prefill chunk until the job is finished or joins the batch."""
        self.regime: Regime = ()
        """What the keys depend on besides ids and adapter; see `rope`."""

    @property
    def prefill_ids(self) -> list[int]:
        """All ids that are to be prefilled."""
        return self.ids

    @property
    def owner(self) -> tuple[str | None, Regime]:
        """What the keys and values belong to besides the ids."""
        return self.adapter, self.regime

    @property
    def remaining(self) -> int:
        """Number of ids still to be prefilled."""
        return len(self.prefill_ids) - (self.kv.lengths[0] if self.kv else 0)

    @property
    def reusable(self) -> int:
        """Number of leading ids whose logits are not needed, so that they may come from the store."""
        return len(self.prefill_ids) - 1

    @abstractmethod
    def prepare(self, model: Model) -> bool:
        """Tokenise and check.

        Returns:
            False if the job is finished already, since there is nothing to prefill.

        Raises:
            InputError: the tokens do not fit in the context, or there are none.
        """

    def needs_logits(self, end: int) -> bool:
        """Whether `read_logits` needs the logits of a chunk that ends before position `end`."""
        return False

    def read_logits(self, model: Model, logits: Tensor, start: int) -> None:
        """Use the logits, (T, V), of a chunk that begins at position `start`."""
        raise NotImplementedError("only jobs that need logits read them")

    @abstractmethod
    def finish(self, decoder: Decoder, kv: KV, logits: Tensor) -> None:
        """Report or decode, now that everything is prefilled.

        Args:
            decoder: takes answers over.
            kv: the job's keys and values.
            logits: those of the last chunk.
        """

    @abstractmethod
    def fail(self, error: str) -> None:
        """Report a failure to the caller."""


class AnswerJob(Job):
    """One row of a stream: its prompt is prefilled, then it decodes in the batch."""

    decodes = True

    def __init__(self, index: int, request: Request, outbox: queue.SimpleQueue[Event]) -> None:
        super().__init__(request.prompt)
        self.index = index
        self.request = request
        self.outbox = outbox
        self.answer_ids: list[int] = []
        self.limit = 0
        """Most tokens that the answer may have."""
        self.eos_token_ids: frozenset[int] = frozenset()
        self.vocabulary: int | None = None
        """Number of tokens that may be chosen."""
        self.writer: Writer | None = None
        self.weights: str | None = None
        self.ttft: float | None = None
        self.ended = False
        self.failed = False

    @property
    def prefill_ids(self) -> list[int]:
        """The prompt's ids; the answer's too where scaled positions change and all is prefilled again."""
        return self.ids + self.answer_ids if self.answer_ids else self.ids

    def prepare(self, model: Model) -> bool:
        """See `Job.prepare`."""
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
        """Start to decode."""
        decoder.start(self, kv, logits)

    def fail(self, error: str) -> None:
        """End the row with an error."""
        self.end("error", error)

    def accept(self, token: int) -> bool:
        """Add a token to the answer of a prepared row; False if that ended it."""
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
        """Emit the text that was held back, then the row's one `Done`."""
        if self.ended:
            return
        self.ended, self.failed = True, finish == "error"
        if self.writer is not None:
            if rest := self.writer.finish():
                self._emit(rest)
            finish = self.writer.finish_reason(finish)
        self.outbox.put(Done(row=self.index, reply=self._reply(finish, error)))

    def sampling_row(self) -> Row:
        """What the choice of the next token depends on besides the logits."""
        return Row(self.request.sampling, self.ids, self.answer_ids, self.vocabulary)

    def _emit(self, text: str) -> None:
        self.outbox.put(Delta(row=self.index, text=text, reply=self._reply("")))

    def _reply(self, finish: Finish, error: str | None = None) -> Reply:
        """The answer so far."""
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
    """A reply to score: prompt and reply are prefilled, and the reply's tokens looked up in the logits."""

    def __init__(self, request: Request, reply: Reply, top: int) -> None:
        super().__init__(request.prompt)
        self.result: queue.SimpleQueue[list[TokenScore] | str] = queue.SimpleQueue()
        """The scores, or why there are none."""
        self._reply = reply
        self._top = top
        self._first = 0  # index in `ids` of the reply's first token
        self._detokenizer: Detokenizer | None = None
        self._scores: list[TokenScore] = []

    @property
    def reusable(self) -> int:
        """See `Job.reusable`; the first score needs the logits of the prompt's last token."""
        return self._first - 1

    def prepare(self, model: Model) -> bool:
        """See `Job.prepare`."""
        prompt = model.encode(self.prompt)
        # The reply's own token ids where they are known: the tokenizer could cut its text into others.
        reply = list(self._reply.token_ids) or model.encode(
            Prompt(text=self._reply.raw_text, bos=False, adapter=self.adapter)
        )
        if not reply:
            self.result.put([])
            return False
        if not prompt or len(prompt) + len(reply) > model.context:
            raise InputError(
                f"Prompt and reply have {len(prompt)} + {len(reply)} tokens, and the context holds "
                f"{model.context}: score a shorter one."
            )
        self._first = len(prompt)
        self.ids = prompt + reply
        return True

    def needs_logits(self, end: int) -> bool:
        """See `Job.needs_logits`; true from the prompt's last token on."""
        return end >= self._first

    def read_logits(self, model: Model, logits: Tensor, start: int) -> None:
        """Score the reply's tokens that a chunk predicts: the logits of position p are about token p + 1."""
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
        """The text that the token at a position adds to the reply."""
        if position + 1 < len(self.ids):
            return detokenizer.feed(self.ids[position], self.ids[position + 1])
        return detokenizer.feed(self.ids[position], None) + detokenizer.finish()

    def finish(self, decoder: Decoder, kv: KV, logits: Tensor) -> None:
        """Report the scores."""
        self.result.put(self._scores)

    def fail(self, error: str) -> None:
        """Report why there are no scores."""
        self.result.put(error)


class WarmUpJob(Job):
    """A prompt to prefill into the store before it is asked for."""

    is_urgent = False

    def prepare(self, model: Model) -> bool:
        """See `Job.prepare`."""
        self.ids = _encode_prompt(model, self.prompt)
        return True

    def finish(self, decoder: Decoder, kv: KV, logits: Tensor) -> None:
        """Nothing to report: the scheduler has stored the keys and values."""

    def fail(self, error: str) -> None:
        """Nothing to report: the request that asks for the prompt will fail in the same way."""


def prepare_job(job: Job, model: Model) -> bool:
    """Prepare a job and check what all kinds have in common: its adapter and its token ids.

    Returns:
        False if the job is finished already, since there is nothing to prefill.

    Raises:
        InputError: the adapter cannot be used, or the tokens do not fit.
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
    """Tokenise a prompt that leaves room for an answer.

    Raises:
        InputError: it has no tokens, or as many as the context holds, or more.
    """
    ids = model.encode(prompt)
    if not ids:
        raise InputError("The prompt is empty: type a message.")
    if len(ids) >= model.context:
        raise InputError(
            f"The prompt has {len(ids)} tokens, and the context of {model.context} must hold it and "
            "the answer: use fewer demonstrations, or start a new conversation."
        )
    return ids


def _check_tokens(model: Model, job: Job) -> None:
    """Check that the embedding has a row for every token of a job.

    Raises:
        InputError: it has none for one of them, which the message names.
    """
    limit = model.token_limit(job.adapter)
    beyond = next((token for token in job.ids if token >= limit), None)
    if beyond is not None:
        token = model.tokenizer(job.adapter).text(beyond)
        raise InputError(
            f"The token {token!r} has the id {beyond}, but the model has embeddings for "
            f"{limit} tokens only: leave it out of the text, or use the model's own tokenizer."
        )
