"""One base model in memory, any number of adapters on it, all lanes of all people in one batch.

One thread owns the model. `stream` hands it rows and drains a queue. Between two decoding steps the thread
admits waiting rows (the prompt's longest stored prefix is taken from the store, the rest is read in
chunks), drops finished and cancelled ones, then runs one forward pass over all live rows, whatever adapter
each one uses, and chooses each row's next token by that row's own parameters.
"""

from __future__ import annotations

import inspect
import queue
import threading
import time
import traceback
from collections.abc import Generator, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from playground.config import Settings
from playground.engine import loading
from playground.engine.kv import BatchKV, PrefixStore
from playground.engine.lora import RowLora
from playground.engine.sampling import Row, next_tokens
from playground.engine.text import Writer
from playground.library import Library
from playground.types import Delta, Done, Event, Finish, InputError, Reply, Request, Status, Waiting

BEAT = 0.1
"""Seconds after which `stream` yields `Waiting` if there is nothing else."""
CHUNK_ALONE = 512
"""Prompt tokens read in one forward pass while no row is decoding."""
CHUNK_BESIDE = 64
"""The same while rows are decoding, which wait for it."""
WORTH_KEEPING = 32
"""A prompt's keys and values go to the store at once if at least so many had to be computed."""
GONE = "The engine has stopped: start the app again."
MOST_THREADS = 16
"""Decoding a few rows is bound by memory, which more threads than this do not speed up."""
SMALL_MODEL = 20_000_000
"""Parameters below which one thread is used: a step is too short to share, and on a busy machine waiting
for a second thread made one 40 times slower (2.6M parameters, 2 cores, 0.3 against 12.6 s for 60 tokens)."""


class _Row:
    """One request on its way: waiting, then its prompt being read, then decoding."""

    def __init__(self, index: int, request: Request, outbox: queue.SimpleQueue[Event]) -> None:
        self.index = index
        self.request = request
        self.outbox = outbox
        self.cancelled = False  # set by the caller's thread, read by the decode thread
        self.submitted = time.monotonic()
        self.started = self.submitted
        self.prompt_ids: list[int] = []
        self.answer_ids: list[int] = []
        self.limit = 0  # tokens the answer may take
        self.ends: frozenset[int] = frozenset()  # token ids that end the answer
        self.cached = 0
        self.kv: BatchKV | None = None  # while the prompt is being read
        self.writer: Writer | None = None
        self.ttft: float | None = None
        self.failed = False

    @property
    def adapter(self) -> str | None:
        return self.request.prompt.adapter

    def reply(self, finish: Finish, error: str | None = None) -> Reply:
        """All that has come so far."""
        return Reply(
            text=self.writer.text if self.writer else "",
            raw_text=self.writer.raw_text if self.writer else "",
            finish=finish,
            error=error,
            prompt_tokens=len(self.prompt_ids) or None,
            cached_tokens=self.cached if self.prompt_ids else None,
            new_tokens=len(self.answer_ids),
            ttft=self.ttft,
            seconds=time.monotonic() - self.started,
        )

    def state(self) -> Row:
        """What sampling needs to know."""
        return Row(self.request.sampling, self.prompt_ids, self.answer_ids)


class LocalEngine:
    """See the module. The model is loaded by the decode thread, behind the constructor's return."""

    def __init__(self, settings: Settings, library: Library) -> None:
        self._settings = settings
        self._library = library
        self._status = Status(state="loading", note="Starting", base=settings.base, progress=0.0)
        self._inbox: queue.SimpleQueue[_Row | None] = queue.SimpleQueue()
        self._closed = False
        self._ready_at = 0.0
        self._waiting: list[_Row] = []  # rows whose prompt is not read yet, first come first served
        self._live: list[_Row] = []  # rows of `_batch`, in its order
        self._batch: BatchKV | None = None
        self._thread = threading.Thread(target=self._run, name="tandem-decode", daemon=True)
        self._thread.start()

    # --- Called from any thread -------------------------------------------------------------------

    def status(self) -> Status:
        """See `Engine.status`."""
        return self._status

    def stream(self, requests: Sequence[Request]) -> Generator[Event, None, None]:
        """See `Engine.stream`."""
        outbox: queue.SimpleQueue[Event] = queue.SimpleQueue()
        rows = [_Row(index, request, outbox) for index, request in enumerate(requests)]
        for row in rows:
            self._inbox.put(row)
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

    def _mourn(self, rows: Sequence[_Row], outbox: queue.SimpleQueue[Event]) -> Iterator[Event]:
        """The decode thread is gone: pass on what it left, then end the rows it had not finished."""
        finished = set()
        while not outbox.empty():
            event = outbox.get()
            if isinstance(event, Done):
                finished.add(event.row)
            yield event
        for row in rows:
            if row.index not in finished and not row.cancelled:
                yield Done(row=row.index, reply=row.reply("error", GONE))

    def close(self) -> None:
        """See `Engine.close`."""
        self._closed = True
        self._inbox.put(None)
        self._thread.join()

    # --- The decode thread ------------------------------------------------------------------------

    def _run(self) -> None:
        with torch.inference_mode():
            try:
                self._load()
            except Exception as error:
                self._fail_loading(error)
            while not self._closed:
                self._admit(block=not (self._waiting or self._live))
                self._drop_cancelled()
                if self._waiting:
                    self._read_prompt(self._waiting[0])
                if self._live:
                    self._step()
            for row in [*self._waiting, *self._live]:
                self._end(row, "error", "The engine was closed.")

    def _load(self) -> None:
        loaded = loading.load(self._settings, self._library, self._report)
        self._model = loaded.model
        self._tokenizer = loaded.tokenizer
        self._device = loaded.device
        self._context = loaded.context
        self._ends = loaded.ends
        self._adapters = {status.card.name: status for status in loaded.adapters}
        self._rows = RowLora(self._model)
        self._layers = self._model.config.get_text_config().num_hidden_layers
        self._store = PrefixStore(loaded.prefix_limit)
        forward = inspect.signature(self._model.forward).parameters
        self._last_only = {"logits_to_keep": 1} if "logits_to_keep" in forward else {}
        small = loaded.device.type == "cpu" and loaded.parameters < SMALL_MODEL
        # Set here, since OpenMP keeps the number for each thread that calls it.
        torch.set_num_threads(1 if small else min(torch.get_num_threads(), MOST_THREADS))
        self._ready_at = time.monotonic()
        self._status = Status(
            state="ready",
            note="Ready",
            base=self._settings.base,
            progress=1.0,
            device=loaded.device_name,
            precision=loaded.precision,
            parameters=loaded.parameters,
            context=loaded.context,
            adapters=loaded.adapters,
            prefix_limit=loaded.prefix_limit,
        )

    def _report(self, note: str, progress: float) -> None:
        self._status = Status(state="loading", note=note, base=self._settings.base, progress=progress)

    def _fail_loading(self, error: Exception) -> None:
        if isinstance(error, InputError):
            note = str(error)
        else:
            traceback.print_exc()
            note = f"The model {self._settings.base} could not be loaded: {_one_line(error)}."
        self._status = Status(state="failed", note=note, base=self._settings.base)

    def _admit(self, block: bool) -> None:
        """Take rows from the inbox; wait for the first if there is nothing else to do."""
        while True:
            try:
                row = self._inbox.get(block=block)
            except queue.Empty:
                return
            block = False
            if row is None:
                return
            if self._status.state == "failed":
                self._end(row, "error", self._status.note)
                continue
            try:
                if self._prepare(row):
                    self._waiting.append(row)
            except InputError as error:
                self._end(row, "error", str(error))
            except Exception as error:
                traceback.print_exc()
                self._end(row, "error", f"The prompt could not be read: {_one_line(error)}.")

    def _prepare(self, row: _Row) -> bool:
        """Tokenise and check; False if the row ended already.

        Raises:
            InputError: no such adapter, or the prompt does not fit.
        """
        row.started = max(row.submitted, self._ready_at)
        prompt, sampling = row.request.prompt, row.request.sampling
        if prompt.adapter is not None:
            if prompt.adapter not in self._adapters:
                raise InputError(f"Adapter {prompt.adapter!r} is not loaded: choose another lane.")
            if error := self._adapters[prompt.adapter].error:
                raise InputError(error)
        row.prompt_ids = loading.encode(self._tokenizer, prompt)
        tokens = len(row.prompt_ids)
        if not tokens:
            raise InputError("The prompt is empty: type a message.")
        if tokens >= self._context:
            raise InputError(
                f"The prompt has {tokens} tokens, and the context of {self._context} must hold it and "
                "the answer: use fewer demonstrations, or start a new conversation."
            )
        row.limit = min(sampling.max_new_tokens, self._context - tokens)
        named = (self._tokenizer.convert_tokens_to_ids(token) for token in prompt.stop.tokens)
        row.ends = self._ends | {token for token in named if token is not None}
        row.writer = Writer(self._decode, row.prompt_ids, prompt.stop)
        if row.limit == 0:
            self._end(row, "length")
            return False
        return True

    def _decode(self, ids: Sequence[int]) -> str:
        text: str = self._tokenizer.decode(
            list(ids), skip_special_tokens=True, clean_up_tokenization_spaces=False
        )
        return text

    def _drop_cancelled(self) -> None:
        self._waiting = [row for row in self._waiting if not row.cancelled]
        gone = [row for row in self._live if row.cancelled]
        if gone:
            self._leave(gone)

    def _read_prompt(self, row: _Row) -> None:
        """Read one chunk of a row's prompt; after the last one the row joins the batch."""
        try:
            if row.kv is None:
                row.kv = self._begin(row)
            done = row.kv.used
            size = CHUNK_BESIDE if self._live else CHUNK_ALONE
            chunk = row.prompt_ids[done : done + size]
            logits = self._forward(row.kv, [row.adapter], [chunk])
            if done + len(chunk) < len(row.prompt_ids):
                return
            self._waiting.remove(row)
            if len(row.prompt_ids) - row.cached >= WORTH_KEEPING:
                self._store.put(row.adapter, row.prompt_ids, row.kv.row(0))
            if self._accept(row, next_tokens(logits, [row.state()])[0]):
                self._join(row)
            else:
                self._keep(row, row.kv, 0)
        except Exception as error:
            if row in self._waiting:
                self._waiting.remove(row)
            self._end(row, "error", self._explain(error))
        finally:
            if row not in self._waiting:
                row.kv = None

    def _begin(self, row: _Row) -> BatchKV:
        """A batch of one with the longest stored prefix; at least one token is left to be read."""
        layers, common = self._store.longest(row.adapter, row.prompt_ids)
        row.cached = min(common, len(row.prompt_ids) - 1)
        prefix = [(keys[:, : row.cached], values[:, : row.cached]) for keys, values in layers]
        return BatchKV(self._layers, [prefix] if row.cached else ())

    def _forward(
        self, kv: BatchKV, adapters: Sequence[str | None], tokens: Sequence[Sequence[int]]
    ) -> Tensor:
        """One pass over new tokens, (B, T) ids; returns the last position's logits, (B, V)."""
        new = len(tokens[0])
        self._rows.select(adapters)
        mask = kv.mask(new)
        output = self._model(
            input_ids=torch.tensor(tokens, device=self._device),
            attention_mask=None if mask is None else mask.to(self._device),
            position_ids=kv.positions(new).to(self._device),
            past_key_values=kv,
            use_cache=True,
            **self._last_only,
        )
        kv.advance(new)
        logits: Tensor = output.logits[:, -1]
        return logits

    def _join(self, row: _Row) -> None:
        assert row.kv is not None
        if self._batch is None:
            self._batch = row.kv
        else:
            rows = [self._batch.row(index) for index in range(len(self._live))]
            self._batch = BatchKV(self._layers, [*rows, row.kv.row(0)])
        self._live.append(row)

    def _step(self) -> None:
        """One token more for every live row."""
        assert self._batch is not None
        try:
            logits = self._forward(
                self._batch,
                [row.adapter for row in self._live],
                [row.answer_ids[-1:] for row in self._live],
            )
        except Exception as error:
            # The pass was all rows' together, so none of them can go on.
            reason = self._explain(error)
            for row in self._live:
                self._end(row, "error", reason)
            self._live, self._batch = [], None
            return
        gone = []
        for row, token in zip(self._live, self._choose(logits), strict=True):
            try:
                if isinstance(token, Exception):
                    raise token
                if not self._accept(row, token):
                    gone.append(row)
            except Exception as error:
                self._end(row, "error", self._explain(error))
                gone.append(row)
        if gone:
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
            self._end(row, "stop")
            return False
        text = row.writer.feed(token)
        row.outbox.put(Delta(row=row.index, text=text, reply=row.reply("")))
        if row.writer.stopped:
            self._end(row, "stop")
            return False
        if len(row.answer_ids) >= row.limit:
            self._end(row, "length")
            return False
        return True

    def _leave(self, gone: Sequence[_Row]) -> None:
        """Take rows out of the batch; their keys and values go to the store."""
        assert self._batch is not None
        for row in gone:
            if not row.failed:  # what a failed row computed may hold NaN
                self._keep(row, self._batch, self._live.index(row))
        stay = [index for index, row in enumerate(self._live) if row not in gone]
        self._batch = BatchKV(self._layers, [self._batch.row(index) for index in stay]) if stay else None
        self._live = [self._live[index] for index in stay]

    def _keep(self, row: _Row, kv: BatchKV, index: int) -> None:
        # The last token was chosen but not read, so it has no keys and values yet.
        ids = (row.prompt_ids + row.answer_ids)[: kv.lengths[index]]
        self._store.put(row.adapter, ids, kv.row(index))

    def _end(self, row: _Row, finish: Finish, error: str | None = None) -> None:
        """Emit what was held back, then the row's one `Done`."""
        row.failed = finish == "error"
        if row.writer is not None:
            if rest := row.writer.finish():
                row.outbox.put(Delta(row=row.index, text=rest, reply=row.reply("")))
            finish = row.writer.finish_reason(finish)
        row.outbox.put(Done(row=row.index, reply=row.reply(finish, error)))

    def _explain(self, error: Exception) -> str:
        """A failure of the model, in one sentence for the lane; the traceback goes to the log."""
        if isinstance(error, torch.OutOfMemoryError):
            if torch.cuda.is_available():
                torch.cuda.empty_cache()
            return (
                "The device ran out of memory: use fewer demonstrations, fewer lanes or a lower limit on "
                "new tokens."
            )
        traceback.print_exception(error)
        return f"The model failed on this answer: {_one_line(error)}."


def _one_line(error: Any) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return text.rstrip(".")[:300]
