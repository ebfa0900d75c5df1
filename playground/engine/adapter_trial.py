"""Trial of every adapter at load: it must change the output, and leave the base's rows beside it alone."""

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
"""How far logits of the same weights may differ, in standard deviations of the logits. The processor's
library does not promise the same order of additions each time, so the last bits can differ."""
NO_EFFECT_KL = 1e-8
"""Nats per token below which an adapter does nothing; rounding alone gives about 1e-10."""


def is_same(logits: Tensor, base: Tensor, dtype: torch.dtype) -> bool:
    """Whether logits equal the base's, both (T, V), but for rounding in `dtype`, the model's."""
    logits = logits[:, : base.shape[-1]]  # a row beside it may have had more tokens
    difference = (logits - base).abs().max()
    return bool(difference <= SAME_WEIGHTS_TOLERANCE[dtype] * base.std())


class AdapterTrial:
    """Runs every adapter of a model on the fixed text, beside a row of the base.

    Attributes:
        mixed: why rows of different adapters cannot be one batch; None if they can.
    """

    def __init__(self, model: Model, loaded: Loaded) -> None:
        self._model = model
        self._loaded = loaded
        self.mixed: str | None = None

    def check_adapters(self, base_logits: Tensor) -> tuple[AdapterStatus, ...]:
        """Try every adapter; those that cannot be used are taken off.

        Args:
            base_logits: the base's logits on the fixed text, (T, V), with all adapters switched off.

        Returns:
            The adapters' statuses, with the result of the trial.

        Raises:
            BaseChangedError: with an adapter taken off again, the base's logits are still different.
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
        """One adapter's status after its trial; it is taken off if it failed."""
        name = status.card.name
        try:
            logits = self._probe_beside_base(name)
        except Exception as error:
            self._model.row_adapters.drop(name)
            if not self._is_base(self._probe([None])[0]):
                raise BaseChangedError(name) from error
            text = f"Adapter {name!r} cannot be used here: its trial run failed ({first_line(error)})."
            return dataclasses.replace(status, error=text, serving="")
        # Of its own tokens: those that only other rows have are -inf in it.
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
        """An adapter's logits on the fixed text, (T, V), from a row beside one of the base.

        The base's row must keep its logits. Where the adapter's layers do not keep rows apart, the logits
        are from a row alone, and `mixed` says why.

        Raises:
            ValueError: the base's row alone has other logits with the adapter loaded.
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
        """Logits of rows with these adapters on the fixed text, (B, T, V)."""
        probe = self._loaded.probe
        self._model.row_adapters.select(adapters, len(probe))
        logits = probe_rows(self._model.hf, probe, len(adapters))
        return self._model.mask_foreign_tokens(logits, adapters)

    def _is_base(self, logits: Tensor) -> bool:
        return is_same(logits, self._loaded.base_logits, self._model.hf.dtype)


def mean_kl(logits: Tensor, base: Tensor) -> float:
    """Mean over positions of KL(softmax(logits) || softmax(base)), in nats; both (T, V).

    Where an adapter has a vocabulary of its own, over the tokens that both have.
    """
    both = min(logits.shape[-1], base.shape[-1])
    logits, base = logits[:, :both], base[:, :both]
    p, q = logits.double().log_softmax(-1), base.double().log_softmax(-1)
    return float((p.exp() * (p - q)).sum(-1).mean())
