"""Test adapters at load time: each must change the output of rows that use it, and of no other rows."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import torch
from torch import Tensor

from playground.engine.adapters.load import BaseChangedError
from playground.engine.loading.load import Loaded
from playground.engine.loading.probe import probe_rows
from playground.engine.model import Model
from playground.engine.row_adapters import RowsMixedError
from playground.files import first_line
from playground.types import AdapterStatus

SAME_WEIGHTS_TOLERANCE = {torch.float32: 1e-3, torch.bfloat16: 0.05, torch.float16: 0.02}
"""Maximum difference between the logits of two forward passes with the same weights, in standard deviations
of the logits. Linear algebra libraries do not guarantee the summation order, so the low-order bits can
differ."""
NO_EFFECT_KL = 1e-8
"""KL divergence, in nats per token, below which an adapter counts as having no effect. Rounding alone gives
about 1e-10."""


def is_same(logits: Tensor, base: Tensor, dtype: torch.dtype) -> bool:
    """Return whether logits equal the base model's logits, up to rounding.

    Args:
        logits: the logits to compare, of shape (T, V).
        base: the base model's logits, of shape (T, V).
        dtype: the model's data type, which determines the tolerance.
    """
    # Another row in the batch may have a larger vocabulary, which adds columns.
    logits = logits[:, : base.shape[-1]]
    difference = (logits - base).abs().max()
    return bool(difference <= SAME_WEIGHTS_TOLERANCE[dtype] * base.std())


class AdapterTrial:
    """Trial run of a model's adapters on a fixed test text.

    Each adapter is run in a batch with one base row, that is, a row without an adapter.

    Attributes:
        mixed: reason why rows with different adapters cannot share a batch; None if they can.
    """

    def __init__(self, model: Model, loaded: Loaded) -> None:
        self._model = model
        self._loaded = loaded
        self.mixed: str | None = None

    def check_adapters(self, base_logits: Tensor) -> tuple[AdapterStatus, ...]:
        """Test every adapter, and remove unusable ones from the model.

        Args:
            base_logits: the base model's logits of shape (T, V) on the test text, with all adapters disabled.

        Returns:
            The status of each adapter, updated with its test result.

        Raises:
            BaseChangedError: the base model's logits differ from `base_logits` even after an adapter that
                failed its test was removed.
        """
        statuses = self._loaded.adapters
        if self._is_base(base_logits):
            return tuple(
                status if status.error else self._check_adapter(status, base_logits) for status in statuses
            )
        reason = (
            "Adapters cannot be used here: after loading them, the base model's output differs even with "
            "all adapters disabled."
        )
        for status in statuses:
            if status.error is None:
                self._model.row_adapters.drop(status.card.name)
        return tuple(
            dataclasses.replace(status, error=status.error or reason, serving="") for status in statuses
        )

    def _check_adapter(self, status: AdapterStatus, base_logits: Tensor) -> AdapterStatus:
        """Test one adapter and return its updated status; remove the adapter if the test fails."""
        name = status.card.name
        try:
            logits = self._probe_beside_base(name)
        except Exception as error:
            self._model.row_adapters.drop(name)
            if not self._is_base(self._probe([None])[0]):
                raise BaseChangedError(name) from error
            text = f"Adapter {name!r} cannot be used here: its trial run failed ({first_line(error)})."
            return dataclasses.replace(status, error=text, serving="")
        # Use only the columns of the adapter's own vocabulary: the other columns are -inf.
        kl = mean_kl(logits[:, : self._model.vocabulary(name)], base_logits)
        if not math.isfinite(kl):
            self._model.row_adapters.drop(name)
            text = f"Adapter {name!r} cannot be used here: its output contains NaN or infinite values."
            return dataclasses.replace(status, error=text, serving="")
        if kl < NO_EFFECT_KL:
            nothing = f"Adapter {name!r} has no effect: its output is the same as the base model's."
            warning = f"{status.warning} {nothing}" if status.warning else nothing
            return dataclasses.replace(status, kl=kl, warning=warning)
        return dataclasses.replace(status, kl=kl)

    def _probe_beside_base(self, name: str) -> Tensor:
        """Compute an adapter's logits of shape (T, V) on the test text, in a batch with a base row.

        If batching changes the base row's logits, or a layer mixes the rows of the batch, the adapter is run
        again in a batch by itself, and `mixed` is set to the reason.

        Raises:
            ValueError: while the adapter is loaded, the base row's logits differ even in a batch without
                adapter rows.
        """
        failed: str | None = None
        try:
            rows = self._probe([None, name])
            if self._is_base(rows[0]):
                return rows[1]
            failed = f"base rows have different logits when batched with rows of {name}"
        except RowsMixedError as error:
            failed = str(error)
        logits = self._probe([name])[0]
        if not self._is_base(self._probe([None])[0]):
            raise ValueError("while it is loaded, the base model's own output changes")
        self.mixed = failed
        return logits

    def _probe(self, adapters: Sequence[str | None]) -> Tensor:
        """Run the test text in a batch with one row per adapter, and return the logits of shape (B, T, V)."""
        probe = self._loaded.probe
        self._model.row_adapters.select(adapters, len(probe))
        logits = probe_rows(self._model.hf, probe, len(adapters))
        return self._model.mask_foreign_tokens(logits, adapters)

    def _is_base(self, logits: Tensor) -> bool:
        return is_same(logits, self._loaded.base_logits, self._model.hf.dtype)


def mean_kl(logits: Tensor, base: Tensor) -> float:
    """Return KL(softmax(logits) || softmax(base)) in nats, averaged over positions.

    Both inputs have shape (T, V). If an adapter has its own vocabulary, only the tokens in both vocabularies
    are compared.
    """
    both = min(logits.shape[-1], base.shape[-1])
    logits, base = logits[:, :both], base[:, :both]
    p, q = logits.double().log_softmax(-1), base.double().log_softmax(-1)
    return float((p.exp() * (p - q)).sum(-1).mean())
