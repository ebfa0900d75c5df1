"""The batch of rows being decoded: each step is one forward pass that produces the next token of every row.

Rows join the batch once their prompt is prefilled, and leave it when they finish, fail or are cancelled. When
a row leaves, its KV cache is stored in the prefix cache, unless the row failed. A failure in one row does not
affect the others.
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
    """The rows being decoded and their KV cache."""

    def __init__(self, model: Model, store: PrefixStore) -> None:
        self._model = model
        self._store = store
        self.rows: list[AnswerJob] = []
        self.kv: KV | None = None
        """KV cache of `rows`, in the same order; None if there are no rows."""

    def start(self, row: AnswerJob, kv: KV, logits: Tensor) -> None:
        """Choose a prefilled row's first token and add the row to the batch; see `jobs.Decoder`."""
        row.weights = self._model.weights_labels()[0]
        if not row.accept(next_tokens(logits, [row.sampling_row()])[0]):
            self._store_row(row, kv, 0)
            return
        # Keep rows with the same adapter adjacent, base rows first; see `row_adapters`.
        at = bisect_right([live.adapter or "" for live in self.rows], row.adapter or "")
        # The two caches have the same class because `Model.plain` applies to all rows; mypy cannot infer
        # this.
        self.kv = kv if self.kv is None else self.kv.insert(kv, at)  # type: ignore[arg-type]
        row.kv = None
        self.rows.insert(at, row)

    def step(self) -> None:
        """Run one decoding step, which produces the next token of every row."""
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
        """Remove rows cancelled by their callers."""
        self._remove([row for row in self.rows if row.cancelled])

    def remove_outgrown(self) -> list[AnswerJob]:
        """Remove and return the rows that must be prefilled again before decoding continues.

        This applies to rows that have reached a length at which the model encodes all positions differently.
        """
        if not self._model.rope or self._model.plain:  # the plain code path handles such rows itself
            return []
        outgrown = [row for row in self.rows if self._model.must_prefill_again(len(row.prefill_ids))]
        self._remove(outgrown)
        for row in outgrown:
            row.regime = self._model.regime(len(row.prefill_ids))
        return outgrown

    def clear(self) -> list[AnswerJob]:
        """Remove and return all rows without storing their KV cache in the prefix cache."""
        rows, self.rows, self.kv = self.rows, [], None
        return rows

    def _choose_tokens(self, logits: Tensor) -> Sequence[int | Exception]:
        """Return, for each row, the next token or the exception raised while choosing the token."""
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
        """Handle a failed forward pass: fail the longest row if memory ran out, otherwise all rows."""
        gone = list(self.rows)
        if isinstance(error, torch.OutOfMemoryError):
            longest = max(range(len(self.rows)), key=kv.lengths.__getitem__)
            gone = [self.rows[longest]]
        reason = explain_failure(error)
        for row in gone:
            row.fail(reason)
        self._remove(gone)

    def _remove(self, gone: Sequence[AnswerJob]) -> None:
        """Remove rows from the batch.

        The KV cache of a removed row is stored in the prefix cache, unless the row failed.
        """
        if self.kv is None or not gone:
            return
        for row in gone:
            if not row.failed:  # the keys and values of a failed row may contain NaN
                self._store_row(row, self.kv, self.rows.index(row))
        stay = [index for index, row in enumerate(self.rows) if row not in gone]
        self.kv = self.kv.select(stay) if stay else None
        self.rows = [self.rows[index] for index in stay]

    def _store_row(self, row: AnswerJob, kv: KV, index: int) -> None:
        # The last token has no keys and values: it was chosen but not yet passed through the model.
        ids = (row.ids + row.answer_ids)[: kv.lengths[index]]
        if self._model.regime(len(ids)) == row.regime:  # otherwise the row's keys mix RoPE regimes
            self._store.put(row.owner, ids, kv, index)
