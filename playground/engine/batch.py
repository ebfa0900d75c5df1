"""The rows that decode: one forward pass a step gives each of them its next token.

Rows join after their prompt is prefilled, and leave when they end, fail or are cancelled; their keys and
values then go to the prefix store. A failure in one row ends that row alone.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

import torch
from torch import Tensor

from playground.engine.failures import explain_failure
from playground.engine.jobs import AnswerJob
from playground.engine.kv import KV, PrefixStore
from playground.engine.model import Model
from playground.engine.sampling import next_tokens


class Batch:
    """The live rows and their shared keys and values."""

    def __init__(self, model: Model, store: PrefixStore) -> None:
        self._model = model
        self._store = store
        self.rows: list[AnswerJob] = []
        self.kv: KV | None = None
        """Keys and values of `rows`, in their order; None without rows."""

    def start(self, row: AnswerJob, kv: KV, logits: Tensor) -> None:
        """See `jobs.Decoder.start`."""
        row.weights = self._model.weights_labels()[0]
        if not row.accept(next_tokens(logits, [row.sampling_row()])[0]):
            self._store_row(row, kv, 0)
            return
        # Rows of one adapter stay side by side, the base's first: see `row_adapters`.
        at = bisect_right([live.adapter or "" for live in self.rows], row.adapter or "")
        # mypy cannot know that both are of one kind, which `Model.plain` decides once for all rows.
        self.kv = kv if self.kv is None else self.kv.insert(kv, at)  # type: ignore[arg-type]
        row.kv = None
        self.rows.insert(at, row)

    def step(self) -> None:
        """Decode one more token of every row."""
        if self.kv is None:
            return
        try:
            logits = self._model.forward(
                self.kv, [row.adapter for row in self.rows], [row.answer_ids[-1:] for row in self.rows]
            )
        except Exception as error:
            self._fail_step(self.kv, error)
            return
        gone = []
        for row, token in zip(self.rows, self._choose_tokens(logits), strict=True):
            try:
                if isinstance(token, Exception):
                    raise token
                if not row.accept(token):
                    gone.append(row)
            except Exception as error:
                row.fail(explain_failure(error))
                gone.append(row)
        self._remove(gone)

    def drop_cancelled(self) -> None:
        """Take out the rows whose callers have left."""
        self._remove([row for row in self.rows if row.cancelled])

    def remove_outgrown(self) -> list[AnswerJob]:
        """Take out the rows whose positions change for all of their text; they must be prefilled again."""
        if not self._model.rope or self._model.plain:  # the plain path prefills again by itself
            return []
        outgrown = [row for row in self.rows if self._model.must_prefill_again(len(row.prefill_ids))]
        self._remove(outgrown)
        for row in outgrown:
            row.regime = self._model.regime(len(row.prefill_ids))
        return outgrown

    def clear(self) -> list[AnswerJob]:
        """Drop all rows without storing anything, and return them."""
        rows, self.rows, self.kv = self.rows, [], None
        return rows

    def _choose_tokens(self, logits: Tensor) -> Sequence[int | Exception]:
        """The next token of every row, or the exception that this row alone raised."""
        states = [row.sampling_row() for row in self.rows]
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

    def _fail_step(self, kv: KV, error: Exception) -> None:
        """End rows after a failed pass: the longest one if memory ran out, else all."""
        gone = list(self.rows)
        if isinstance(error, torch.OutOfMemoryError):
            longest = max(range(len(self.rows)), key=kv.lengths.__getitem__)
            gone = [self.rows[longest]]
        reason = explain_failure(error)
        for row in gone:
            row.fail(reason)
        self._remove(gone)

    def _remove(self, gone: Sequence[AnswerJob]) -> None:
        """Take rows out of the batch, and store their keys and values."""
        if self.kv is None or not gone:
            return
        for row in gone:
            if not row.failed:  # the keys and values of a failed row may hold NaN
                self._store_row(row, self.kv, self.rows.index(row))
        stay = [index for index, row in enumerate(self.rows) if row not in gone]
        self.kv = self.kv.select(stay) if stay else None
        self.rows = [self.rows[index] for index in stay]

    def _store_row(self, row: AnswerJob, kv: KV, index: int) -> None:
        # The last token was chosen but not passed through the model, so it has no keys and values yet.
        ids = (row.ids + row.answer_ids)[: kv.lengths[index]]
        if self._model.regime(len(ids)) == row.regime:  # else its keys are of several regimes
            self._store.put(row.owner, ids, kv, index)
