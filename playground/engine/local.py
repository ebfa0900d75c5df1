"""One base model in memory, any number of adapters on it, all lanes of all people in one batch.

One thread owns the model; everybody else hands it jobs and drains a queue. Between two decoding steps the
thread takes in new jobs, reads one chunk of a waiting job's tokens (after the longest prefix that the store
has of them), and lets rows whose prompt is read join the batch; then it runs one forward pass over all live
rows, whatever adapter each one uses, and chooses each row's next token by that row's own parameters. Rows
that end or are cancelled leave between two steps, and their keys and values go to the store.

The arithmetic is in `model`, the choice of tokens in `sampling`, text in `text`; here is the order of things.
"""

from __future__ import annotations

import dataclasses
import gc
import itertools
import queue
import threading
import time
import traceback
from bisect import bisect_right
from collections.abc import Generator, Iterator, Sequence
from typing import Any, TypeVar

import torch
from torch import Tensor

from playground.config import Settings
from playground.engine.adapters.load import BaseChangedError
from playground.engine.ends import named_ends, with_ends
from playground.engine.kv import KV, PrefixStore, common_prefix
from playground.engine.loading import load as loading
from playground.engine.memory import release_freed_memory
from playground.engine.model import Model
from playground.engine.rope import Regime
from playground.engine.sampling import Row, next_tokens
from playground.engine.text import Detokenizer, Writer
from playground.library import Library
from playground.types import (
    Delta,
    Done,
    Event,
    Finish,
    InputError,
    OutsideError,
    Prompt,
    Reply,
    Request,
    Status,
    Token,
    TokenScore,
    Waiting,
)

BEAT = 0.1
"""Seconds after which `stream` yields `Waiting` if there is nothing else."""
IDLE = 2.0
"""Seconds without a request after which freed memory is given back."""
MEASURED_FOR = 1.0
"""Seconds for which a measurement of the memory that is held is used again."""
CHUNK_ALONE = 512
"""Tokens read in one forward pass while no row is decoding."""
CHUNK_BESIDE = 64
"""The same while rows are decoding, which wait for it: two or three steps' time on a CPU."""
WORTH_KEEPING = 32
"""What was read goes to the store at once if at least so many tokens had to be computed."""
CLOSED = "The engine is closed: start the app again."
RESTARTED = "The engine broke down and was started again: send the message again."

Result = TypeVar("Result")


class _Closed(BaseException):
    """The engine was closed while it loaded; no failure that a library could take for its own."""


class _Job:
    """Token ids to be read under one adapter, and where to report."""

    urgent = True  # before jobs that nobody waits for

    def __init__(self, adapter: str | None) -> None:
        self.adapter = adapter
        self.ids: list[int] = []
        self.cancelled = False  # set by the caller's thread, read by the decode thread
        self.submitted = time.monotonic()
        self.cached = 0  # ids whose keys and values were in the store
        self.kv: KV | None = None  # from the first chunk on, until the job is read or joins the batch
        self.regime: Regime = ()  # what the keys depend on besides ids and adapter, see `rope`

    def text(self) -> list[int]:
        """All ids that are to be read."""
        return self.ids

    def owner(self) -> tuple[str | None, Regime]:
        """What the keys and values are of besides ids."""
        return self.adapter, self.regime

    def left(self) -> int:
        """Ids still to be read."""
        return len(self.text()) - (self.kv.lengths[0] if self.kv else 0)

    def fail(self, error: str) -> None:
        """Tell the caller."""


class _Row(_Job):
    """One request: its prompt is read, then it decodes in the batch."""

    def __init__(self, index: int, request: Request, outbox: queue.SimpleQueue[Event]) -> None:
        super().__init__(request.prompt.adapter)
        self.index = index
        self.request = request
        self.outbox = outbox
        self.started = self.submitted
        self.answer_ids: list[int] = []
        self.limit = 0  # tokens the answer may take
        self.ends: frozenset[int] = frozenset()  # token ids that end the answer
        self.vocabulary: int | None = None  # tokens that may be chosen
        self.writer: Writer | None = None
        self.weights: str | None = None
        self.ttft: float | None = None
        self.ended = False
        self.failed = False

    def text(self) -> list[int]:
        """See `_Job.text`; a started answer is read again where scaled positions change."""
        return self.ids + self.answer_ids if self.answer_ids else self.ids

    def reply(self, finish: Finish, error: str | None = None) -> Reply:
        """All that has come so far."""
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

    def say(self, text: str) -> None:
        """Emit more of the answer."""
        self.outbox.put(Delta(row=self.index, text=text, reply=self.reply("")))

    def end(self, finish: Finish, error: str | None = None) -> None:
        """Emit what was held back, then the row's one `Done`."""
        if self.ended:
            return
        self.ended, self.failed = True, finish == "error"
        if self.writer is not None:
            if rest := self.writer.finish():
                self.say(rest)
            finish = self.writer.finish_reason(finish)
        self.outbox.put(Done(row=self.index, reply=self.reply(finish, error)))

    def fail(self, error: str) -> None:
        self.end("error", error)

    def state(self) -> Row:
        """What the choice of the next token depends on."""
        return Row(self.request.sampling, self.ids, self.answer_ids, self.vocabulary)


class _Scoring(_Job):
    """A reply to be scored: prompt and reply are read, and the reply's tokens looked up in the logits."""

    def __init__(self, request: Request, reply: Reply, top: int) -> None:
        super().__init__(request.prompt.adapter)
        self.request = request
        self.reply = reply
        self.top = top
        self.first = 0  # index in `ids` of the reply's first token
        self.detokenizer: Detokenizer | None = None
        self.scores: list[TokenScore] = []
        self.result: queue.SimpleQueue[list[TokenScore] | str] = queue.SimpleQueue()

    def fail(self, error: str) -> None:
        self.result.put(error)


class _Warming(_Job):
    """A prompt to be read into the store before anybody asks."""

    urgent = False

    def __init__(self, prompt: Prompt) -> None:
        super().__init__(prompt.adapter)
        self.prompt = prompt


class LocalEngine:
    """See the module. The model is loaded by the decode thread, behind the constructor's return."""

    def __init__(self, settings: Settings, library: Library) -> None:
        self._settings = settings
        self._library = library
        self._status = Status(state="loading", note="Starting", base=settings.base, progress=0.0)
        self._inbox: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._closed = False
        self._ready_at = 0.0
        self._held: tuple[int, int | None] = (0, None)
        self._measured_at = -MEASURED_FOR
        self._model: Model | None = None
        self._store = PrefixStore(0)
        self._waiting: list[_Job] = []  # not read to the end yet, in the order they came
        self._turn = itertools.cycle((True, False))  # see `_next_job`
        self._live: list[_Row] = []  # rows of `_batch`, in its order
        self._batch: KV | None = None
        self._start_lock = threading.Lock()  # so that two callers do not both start a thread
        self._start()

    # --- Called from any thread -------------------------------------------------------------------

    def status(self) -> Status:
        """See `Engine.status`."""
        model = self._model
        if model is None:
            return self._status
        now = time.monotonic()
        if now - self._measured_at >= MEASURED_FOR:
            # Not at every call: each stream asks for the status many times a second.
            self._held, self._measured_at = loading.held(model.device), now
        memory, on_device = self._held
        return dataclasses.replace(
            self._status, memory=memory, device_memory=on_device, prefix_bytes=self._store.bytes
        )

    def stream(self, requests: Sequence[Request]) -> Generator[Event, None, None]:
        """See `Engine.stream`."""
        outbox: queue.SimpleQueue[Event] = queue.SimpleQueue()
        rows = [_Row(index, request, outbox) for index, request in enumerate(requests)]
        self._hand_over(rows)
        unfinished = len(rows)
        try:
            while unfinished:
                try:
                    event = outbox.get(timeout=BEAT)
                except queue.Empty:
                    if not self._thread.is_alive():
                        yield from self._mourn(rows, outbox)
                        return
                    yield Waiting(note=self._status.note if self._status.state == "loading" else "")
                    continue
                unfinished -= isinstance(event, Done)
                yield event
        finally:
            # No lock: the decode thread only ever reads it, and a step more or less does not matter.
            for row in rows:
                row.cancelled = True

    def tokens(self, prompt: Prompt) -> list[Token] | None:
        """See `Engine.tokens`."""
        return None if self._model is None else self._model.tokens(prompt)

    def score(
        self, requests: Sequence[Request], replies: Sequence[Reply], top: int = 5
    ) -> list[list[TokenScore]]:
        """See `Engine.score`."""
        jobs = [_Scoring(*pair, top) for pair in zip(requests, replies, strict=True)]
        self._hand_over(jobs)
        scores = []
        try:
            for job in jobs:
                result = self._wait_for(job.result)
                if isinstance(result, str):
                    raise OutsideError(result)
                scores.append(result)
        finally:
            for job in jobs:
                job.cancelled = True
        return scores

    def warm(self, prompts: Sequence[Prompt]) -> None:
        """See `Engine.warm`."""
        self._hand_over([_Warming(prompt) for prompt in prompts])

    def close(self) -> None:
        """See `Engine.close`. A model that is being loaded is given up at the next report of its progress."""
        self._closed = True
        self._inbox.put(None)
        self._thread.join()
        self._model, self._store = None, PrefixStore(0)
        # A model is full of references to itself, and another one may be waiting for its memory.
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()

    def _hand_over(self, jobs: Sequence[_Job]) -> None:
        with self._start_lock:
            if not self._thread.is_alive() and not self._closed:
                self._start()
        for job in jobs:
            self._inbox.put(job)

    def _start(self) -> None:
        self._thread = threading.Thread(target=self._run, name="tandem-decode", daemon=True)
        self._thread.start()

    def _wait_for(self, results: queue.SimpleQueue[Result]) -> Result | str:
        while True:
            try:
                return results.get(timeout=BEAT)
            except queue.Empty:
                if not self._thread.is_alive():
                    return CLOSED if self._closed else RESTARTED

    def _mourn(self, rows: Sequence[_Row], outbox: queue.SimpleQueue[Event]) -> Iterator[Event]:
        """The decode thread is gone: end the rows it had not ended, and pass on all that is left."""
        for row in rows:
            row.fail(CLOSED if self._closed else RESTARTED)
        while not outbox.empty():
            yield outbox.get()

    # --- The decode thread ------------------------------------------------------------------------

    def _run(self) -> None:
        with torch.inference_mode():
            if self._model is None:
                try:
                    self._load()
                except _Closed:
                    self._fail_loading(InputError(CLOSED))
                except Exception as error:
                    self._fail_loading(error)
            while not self._closed:
                try:
                    self._loop()
                except BaseException as error:
                    # Nothing in the loop lets an exception through that one row could have caused, so
                    # this is a breakdown of the engine: all rows end, and it goes on with new ones.
                    traceback.print_exception(error)
                    self._give_up(RESTARTED)
            self._give_up(CLOSED)

    def _loop(self) -> None:
        """What happens between two steps, and one step."""
        self._admit(block=not (self._waiting or self._live))
        self._drop_cancelled()
        if (job := self._next_job()) is not None:
            room = CHUNK_BESIDE - self._read(job)
            # What is short goes along: several people who ask at once do not wait for a step each.
            while self._live and (job := self._short_job(room)) is not None:
                room -= self._read(job)
        if self._live:
            self._step()

    def _give_up(self, reason: str) -> None:
        """End every job with an error and let go of what they hold."""
        while not self._inbox.empty():
            if (job := self._inbox.get()) is not None:
                self._waiting.append(job)
        jobs = [*self._waiting, *self._live]
        self._waiting, self._live, self._batch = [], [], None
        for job in jobs:
            job.fail(reason)

    def _load(self) -> None:
        model, loaded = self._load_model()
        self._adapters = {status.card.name: status for status in model.adapters}
        self._store = PrefixStore(loaded.prefix_limit)
        self._model = model
        self._ready_at = time.monotonic()
        self._status = Status(
            state="ready",
            note="Ready",
            base=self._settings.base,
            progress=1.0,
            device=loaded.device_name,
            precision=loaded.precision,
            layers=loaded.layers,
            warnings=loaded.warnings,
            parameters=loaded.parameters,
            context=loaded.context,
            ends=model.tokenizer(None).texts(model.ends(None)),
            adapters=tuple(with_ends(status, model, self._library) for status in model.adapters),
            plain=model.plain,
            prefix_limit=loaded.prefix_limit,
        )

    def _load_model(self) -> tuple[Model, loading.Loaded]:
        """The base with every adapter that leaves it as it is; one that does not is left out, and the base
        loaded anew."""
        refused: dict[str, str] = {}
        while True:
            try:
                loaded = loading.load(self._settings, self._library, self._report, refused)
                self._report("Trying it out", 0.95)
                return Model(loaded), loaded
            except BaseChangedError as error:
                refused[error.name] = str(error)
            gc.collect()

    def _report(self, note: str, progress: float) -> None:
        if self._closed:
            raise _Closed
        self._status = Status(state="loading", note=note, base=self._settings.base, progress=progress)

    def _fail_loading(self, error: Exception) -> None:
        if isinstance(error, InputError):
            note = str(error)
        elif _out_of_memory(error):
            note = (
                f"The model {self._settings.base} does not fit in memory: choose a smaller one, or load it "
                "in 4 bit (--quantize 4bit)."
            )
        else:
            traceback.print_exc()
            note = f"The model {self._settings.base} could not be loaded: {_one_line(error)}."
        self._status = Status(state="failed", note=note, base=self._settings.base)

    # --- Jobs come and go -------------------------------------------------------------------------

    def _admit(self, block: bool) -> None:
        """Take jobs from the inbox; wait for the first if there is nothing else to do."""
        while True:
            try:
                job = self._wait_for_job() if block else self._inbox.get_nowait()
            except queue.Empty:
                return
            block = False
            if job is None:
                return
            if job.cancelled:
                continue
            if self._model is None:
                job.fail(self._status.note)
                continue
            try:
                if self._prepare(self._model, job):
                    _check_tokens(self._model, job)
                    job.regime = self._model.regime(len(job.ids))
                    self._waiting.append(job)
            except InputError as error:
                job.fail(str(error))
            except Exception as error:
                job.fail(self._explain(error))

    def _wait_for_job(self) -> _Job | None:
        """The next job; freed memory is given back once nothing has been asked for a while."""
        try:
            return self._inbox.get(timeout=IDLE)
        except queue.Empty:
            release_freed_memory()
            return self._inbox.get()

    def _prepare(self, model: Model, job: _Job) -> bool:
        """Tokenise and check; False if there is nothing to be read.

        Raises:
            InputError: no such adapter, or the tokens do not fit.
        """
        if job.adapter is not None:
            if job.adapter not in self._adapters:
                raise InputError(f"Adapter {job.adapter!r} is not loaded: choose another lane.")
            if error := self._adapters[job.adapter].error:
                raise InputError(error)
        if isinstance(job, _Scoring):
            return self._prepare_scoring(model, job)
        prompt = job.prompt if isinstance(job, _Warming) else job.request.prompt  # type: ignore[attr-defined]
        job.ids = model.encode(prompt)
        tokens = len(job.ids)
        if not tokens:
            raise InputError("The prompt is empty: type a message.")
        if tokens >= model.context:
            raise InputError(
                f"The prompt has {tokens} tokens, and the context of {model.context} must hold it and "
                "the answer: use fewer demonstrations, or start a new conversation."
            )
        if isinstance(job, _Row):
            job.started = max(job.submitted, self._ready_at)
            job.vocabulary = model.vocabulary(job.adapter)
            job.limit = min(job.request.sampling.max_new_tokens, model.context - tokens)
            tokenizer = model.tokenizer(job.adapter)
            rule, named = named_ends(tokenizer, job.request.stop)
            job.ends = model.ends(job.adapter) | named
            job.writer = Writer(tokenizer.decode, job.ids, rule, prompt.prefill)
            if job.limit == 0:
                job.end("length")
                return False
        return True

    def _prepare_scoring(self, model: Model, job: _Scoring) -> bool:
        prompt = model.encode(job.request.prompt)
        # The reply's own tokens where they are known: its text could be cut into others.
        reply = list(job.reply.token_ids) or model.encode(
            Prompt(text=job.reply.raw_text, bos=False, adapter=job.adapter)
        )
        if not reply:
            job.result.put([])
            return False
        if not prompt or len(prompt) + len(reply) > model.context:
            raise InputError(
                f"Prompt and reply have {len(prompt)} + {len(reply)} tokens, and the context holds "
                f"{model.context}: score a shorter one."
            )
        job.first = len(prompt)
        job.ids = prompt + reply
        return True

    def _drop_cancelled(self) -> None:
        self._waiting = [job for job in self._waiting if not job.cancelled]
        gone = [row for row in self._live if row.cancelled]
        if gone:
            self._leave(gone)

    def _next_job(self) -> _Job | None:
        """Whose tokens are read next, if anybody's.

        By turns the job that came first and the one with the least left, so that neither a long prompt
        holds up short ones nor short ones a long one. A job that begins as another does, which is being
        read, waits for that one's keys and values instead of computing them again.
        """
        ready = self._ready()
        if not ready:
            return None
        return ready[0] if next(self._turn) else min(ready, key=_Job.left)

    def _short_job(self, room: int) -> _Job | None:
        """The job that came first, if at most `room` of its tokens are left.

        Only the first is looked up in the store: to look up all of them before every step would take longer
        than it saves.
        """
        job = next(iter(self._ready()), None)
        return job if job is not None and self._unread(job) <= room else None

    def _unread(self, job: _Job) -> int:
        """Tokens still to be read; of a job that has not started, those that are not in the store."""
        if job.kv is not None or self._model is None or self._model.plain:
            return job.left()
        ids = job.text()
        _, common = self._store.longest(job.owner(), ids)
        return max(1, len(ids) - common)

    def _ready(self) -> list[_Job]:
        """The jobs whose tokens can be read now."""
        ready = [job for job in self._waiting if not self._follows(job)]
        urgent = [job for job in ready if job.urgent]
        if not urgent and self._live:
            return []  # warming up waits for a quiet moment
        return urgent or ready

    def _follows(self, job: _Job) -> bool:
        """Whether a job waits for another that is reading the same beginning."""
        if job.kv is not None:
            return False
        return any(
            other.kv is not None
            and other.owner() == job.owner()
            and other.urgent >= job.urgent
            and common_prefix(other.text(), job.text()) >= other.kv.lengths[0] + WORTH_KEEPING
            for other in self._waiting
        )

    # --- Reading ----------------------------------------------------------------------------------

    def _read(self, job: _Job) -> int:
        """Read one chunk of a job's tokens; after the last chunk, start its answer or report its scores.

        Returns:
            How many tokens were read.
        """
        assert self._model is not None
        chunk: list[int] = []
        try:
            if job.kv is None:
                job.kv = self._begin(self._model, job)
            done = job.kv.lengths[0]
            ids = job.text()
            size = CHUNK_BESIDE if self._live else CHUNK_ALONE
            chunk = ids[done:] if self._model.plain else ids[done : done + size]
            scored = isinstance(job, _Scoring) and done + len(chunk) >= job.first
            # Only where positions depend on it.
            whole = {"whole": [len(ids)]} if self._model.rope else {}
            logits = self._model.forward(job.kv, [job.adapter], [chunk], every=scored, **whole)
            if isinstance(job, _Scoring) and scored:
                job.scores += self._look_up(self._model, job, logits[0], done)
            if job.left():
                return len(chunk)
            self._waiting.remove(job)
            if len(ids) - job.cached >= WORTH_KEEPING:
                self._store.put(job.owner(), ids, job.kv, ended=not isinstance(job, _Row))
            if isinstance(job, _Row):
                job.weights = self._model.weights()[0]
                self._begin_answer(job, logits)
            elif isinstance(job, _Scoring):
                job.result.put(job.scores)
        except Exception as error:
            if job in self._waiting:
                self._waiting.remove(job)
            job.fail(self._explain(error))
        return len(chunk)

    def _begin(self, model: Model, job: _Job) -> KV:
        """One row with the longest stored prefix; at least one token is left to be read."""
        if model.plain:
            return model.begin()
        # A reply's first score comes from the logits of the prompt's last token, so that one is read.
        ids = job.text()
        most = (job.first if isinstance(job, _Scoring) else len(ids)) - 1
        entry, common = self._store.longest(job.owner(), ids)
        cached = min(common, most)
        if len(ids) == len(job.ids):  # an answer that is read again keeps what is known of its prompt
            job.cached = cached
        return entry.begin(cached) if entry is not None and cached else model.begin()

    def _begin_answer(self, row: _Row, logits: Tensor) -> None:
        assert row.kv is not None
        if not self._accept(row, next_tokens(logits, [row.state()])[0]):
            self._keep(row, row.kv, 0)
            return
        # Rows of one adapter stay side by side, the base's first: see `lora`.
        at = bisect_right([live.adapter or "" for live in self._live], row.adapter or "")
        # mypy cannot know that both are of one kind, which `plain` decides for the model's whole life.
        self._batch = row.kv if self._batch is None else self._batch.joined(row.kv, at)  # type: ignore[arg-type]
        row.kv = None
        self._live.insert(at, row)

    def _look_up(self, model: Model, job: _Scoring, logits: Tensor, done: int) -> list[TokenScore]:
        """The scores of the reply's tokens that a chunk's logits, (T, V), speak of.

        The logits of position p are about token p + 1; `done` is the chunk's first position.
        """
        scores = []
        decode = model.tokenizer(job.adapter).decode
        for offset in range(max(0, job.first - 1 - done), len(logits)):
            position = done + offset + 1
            if position == len(job.ids):
                break
            line = logits[offset].float().log_softmax(-1)
            token = job.ids[position]
            best = line.topk(min(job.top, len(line)))
            if job.detokenizer is None:
                job.detokenizer = Detokenizer(decode, job.ids[: job.first])
            last = position == len(job.ids) - 1
            text = job.detokenizer.feed(token, None if last else job.ids[position + 1])
            if last:
                text += job.detokenizer.finish()
            scores.append(
                TokenScore(
                    token=token,
                    text=text,
                    logprob=float(line[token]),
                    rank=int((line > line[token]).sum()) + 1,
                    top=tuple(
                        (decode([other]), float(value))
                        for value, other in zip(best.values, best.indices.tolist(), strict=True)
                    ),
                )
            )
        return scores

    # --- Decoding ---------------------------------------------------------------------------------

    def _step(self) -> None:
        """One token more for every live row."""
        assert self._model is not None
        if self._model.rope:
            self._reread(self._model)
        if self._batch is None:
            return
        try:
            logits = self._model.forward(
                self._batch, [row.adapter for row in self._live], [row.answer_ids[-1:] for row in self._live]
            )
        except Exception as error:
            self._fail_step(error)
            return
        gone = []
        for row, token in zip(self._live, self._choose(logits), strict=True):
            try:
                if isinstance(token, Exception):
                    raise token
                if not self._accept(row, token):
                    gone.append(row)
            except Exception as error:
                row.fail(self._explain(error))
                gone.append(row)
        if gone:
            self._leave(gone)

    def _reread(self, model: Model) -> None:
        """Let rows wait to be read again from their start where their positions change for all of a text."""
        if model.plain:  # which does so itself
            return
        again = [row for row in self._live if model.must_reread(len(row.text()))]
        if not again:
            return
        self._leave(again)
        for row in again:
            row.regime = model.regime(len(row.text()))
            self._waiting.append(row)

    def _fail_step(self, error: Exception) -> None:
        """A pass over all rows failed: out of memory ends the longest row alone, anything else all."""
        gone = list(self._live)
        if isinstance(error, torch.OutOfMemoryError):
            assert self._batch is not None
            longest = max(range(len(self._live)), key=self._batch.lengths.__getitem__)
            gone = [self._live[longest]]
        reason = self._explain(error)
        for row in gone:
            row.fail(reason)
        self._leave(gone)

    def _choose(self, logits: Tensor) -> Sequence[int | Exception]:
        """Every row's next token, or what went wrong in that row alone."""
        states = [row.state() for row in self._live]
        try:
            return next_tokens(logits, states)
        except Exception:
            chosen: list[int | Exception] = []
            for index, state in enumerate(states):
                try:
                    chosen += next_tokens(logits[index : index + 1], [state])
                except Exception as error:
                    chosen.append(error)
            return chosen

    def _accept(self, row: _Row, token: int) -> bool:
        """Add a token to a row; False if that ended it."""
        assert row.writer is not None
        row.answer_ids.append(token)
        if row.ttft is None:
            row.ttft = time.monotonic() - row.started
        if token in row.ends:
            row.end("stop")
            return False
        row.say(row.writer.feed(token))
        if row.writer.stopped:
            row.end("stop")
        elif len(row.answer_ids) >= row.limit:
            row.end("length")
        return not row.ended

    def _leave(self, gone: Sequence[_Row]) -> None:
        """Take rows out of the batch; their keys and values go to the store."""
        assert self._batch is not None
        for row in gone:
            if not row.failed:  # what a failed row computed may hold NaN
                self._keep(row, self._batch, self._live.index(row))
        stay = [index for index, row in enumerate(self._live) if row not in gone]
        self._batch = self._batch.only(stay) if stay else None
        self._live = [self._live[index] for index in stay]

    def _keep(self, row: _Row, kv: KV, index: int) -> None:
        assert self._model is not None
        # The last token was chosen but not read, so it has no keys and values yet.
        ids = (row.ids + row.answer_ids)[: kv.lengths[index]]
        if self._model.regime(len(ids)) == row.regime:  # else its keys are of several regimes
            self._store.put(row.owner(), ids, kv, index)

    def _explain(self, error: Exception) -> str:
        """A failure in one sentence for the lane; the traceback goes to the log."""
        if isinstance(error, torch.OutOfMemoryError):
            if torch.cuda.is_available():
                torch.cuda.empty_cache()
            return (
                "The device ran out of memory: use fewer demonstrations, fewer lanes or a lower limit on "
                "new tokens."
            )
        traceback.print_exception(error)
        return f"The model failed on this answer: {_one_line(error)}."


def _check_tokens(model: Model, job: _Job) -> None:
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


def _out_of_memory(error: Exception) -> bool:
    """Whether memory ran out, on a GPU or, where PyTorch says so in words alone, here."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and "can't allocate memory" in str(error)


def _one_line(error: Any) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return text.rstrip(".")[:300]
