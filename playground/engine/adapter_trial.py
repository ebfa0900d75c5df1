"""Check every adapter at load: it must change the output, and must not affect rows of the base."""

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
"""Largest difference between logits of the same weights, in standard deviations of the logits. The matrix
library does not guarantee the order of additions, so the last bits can differ between passes."""
NO_EFFECT_KL = 1e-8
"""KL divergence in nats per token below which an adapter has no effect; rounding alone gives about 1e-10."""


def is_same(logits: Tensor, base: Tensor, dtype: torch.dtype) -> bool:
    """Whether logits equal the base's, up to rounding.

    Args:
        logits: (T, V).
        base: the base's logits, (T, V).
        dtype: the model's data type, which determines the tolerance.
    """
    # Another row of the batch may have a larger vocabulary, which adds columns.
    logits = logits[:, : base.shape[-1]]
    difference = (logits - base).abs().max()
    return bool(difference <= SAME_WEIGHTS_TOLERANCE[dtype] * base.std())


class AdapterTrial:
    """Runs every adapter of a model on the fixed text, in one batch with a row of the base.

    Attributes:
        mixed: why rows of different adapters cannot be in one batch; None if they can.
    """

    def __init__(self, model: Model, loaded: Loaded) -> None:
        self._model = model
        self._loaded = loaded
        self.mixed: str | None = None

    def check_adapters(self, base_logits: Tensor) -> tuple[AdapterStatus, ...]:
        """Try every adapter, and remove those that cannot be used from the model.

        Args:
            base_logits: the base's logits on the fixed text, (T, V), with all adapters switched off.

        Returns:
            The adapters' statuses, with the results of the trial.

        Raises:
            BaseChangedError: the base's logits still differ after an adapter was removed.
        """
        statuses = self._loaded.adapters
        if self._is_base(base_logits):
            return tuple(
                status if status.error else self._check_adapter(status, base_logits) for status in statuses
            )
        reason = "Adapters cannot be used here: without one, the base's output is not what it was."
        for status in statuses:
            if status.error is None:
                self._model.row_adapters.drop(status.card.name)
        return tuple(
            dataclasses.replace(status, error=status.error or reason, serving="") for status in statuses
        )

    def _check_adapter(self, status: AdapterStatus, base_logits: Tensor) -> AdapterStatus:
        """Try one adapter, remove it if it fails, and return its status with the result."""
        name = status.card.name
        try:
            logits = self._probe_beside_base(name)
        except Exception as error:
            self._model.row_adapters.drop(name)
            if not self._is_base(self._probe([None])[0]):
                raise BaseChangedError(name) from error
            text = f"Adapter {name!r} cannot be used here: its trial run failed ({first_line(error)})."
            return dataclasses.replace(status, error=text, serving="")
        # Only columns of the adapter's own vocabulary; those of other rows' tokens are -inf.
        kl = mean_kl(logits[:, : self._model.vocabulary(name)], base_logits)
        if not math.isfinite(kl):
            self._model.row_adapters.drop(name)
            text = f"Adapter {name!r} cannot be used here: its output is not a number."
            return dataclasses.replace(status, error=text, serving="")
        if kl < NO_EFFECT_KL:
            nothing = f"Adapter {name!r} does nothing: its output is the base's."
            warning = f"{status.warning} {nothing}" if status.warning else nothing
            return dataclasses.replace(status, kl=kl, warning=warning)
        return dataclasses.replace(status, kl=kl)

    def _probe_beside_base(self, name: str) -> Tensor:
        """Return an adapter's logits on the fixed text, (T, V), from a batch with a row of the base.

        The base's row must keep its logits. If the adapter's layers do not keep rows apart, the logits are
        computed from a batch with only the adapter's row, and `mixed` is set to the reason.

        Raises:
            ValueError: with the adapter loaded, even a batch with only the base's row has other logits.
        """
        failed: str | None = None
        try:
            rows = self._probe([None, name])
            if self._is_base(rows[0]):
                return rows[1]
            failed = f"beside rows of {name}, rows of the base have other logits"
        except RowsMixedError as error:
            failed = str(error)
        logits = self._probe([name])[0]
        if not self._is_base(self._probe([None])[0]):
            raise ValueError("with it, the base's own output is not what it was")
        self.mixed = failed
        return logits

    def _probe(self, adapters: Sequence[str | None]) -> Tensor:
        """Return the logits of rows with these adapters on the fixed text, (B, T, V)."""
        probe = self._loaded.probe
        self._model.row_adapters.select(adapters, len(probe))
        logits = probe_rows(self._model.hf, probe, len(adapters))
        return self._model.mask_foreign_tokens(logits, adapters)

    def _is_base(self, logits: Tensor) -> bool:
        return is_same(logits, self._loaded.base_logits, self._model.hf.dtype)


def mean_kl(logits: Tensor, base: Tensor) -> float:
    """Return the mean over positions of KL(softmax(logits) || softmax(base)), in nats; both are (T, V).

    If an adapter has its own vocabulary, only the tokens that both have are used.
    """
    both = min(logits.shape[-1], base.shape[-1])
    logits, base = logits[:, :both], base[:, :both]
    p, q = logits.double().log_softmax(-1), base.double().log_softmax(-1)
    return float((p.exp() * (p - q)).sum(-1).mean())
