"""Row-stacked LoRA: each row of a batch its own adapter, or none, in one forward pass.

PEFT loads and checks the adapters and builds its layers around the base's; the step runs those layers with
a forward of our own. The batch keeps rows of one adapter side by side, and each such run adds its own
``(x A) B`` to its rows of ``base(x)``, from the adapter's own weights; base rows cost nothing. Beyond a few
different adapters in one batch, every row's A and B are stacked (zeros for a base row) for one
``bmm(bmm(x, A), B)``. Which rows are where is worked out when the batch's membership changes, not at every
step. On a 125M-parameter Llama on 2 cores, stacks took 29% of a step of a base and an adapter row, since
each row reads factors of its own from memory. PEFT's own mixed batches register hooks and pick rows in
every layer at every step, which costs about as much as running the lanes one after the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from types import MethodType
from typing import Any

import torch
import torch.nn.functional as F
from peft import PeftType
from peft.tuners.lora import Linear as LoraLinear
from peft.tuners.lora import LoraLayer
from torch import Tensor, nn

try:  # PEFT defines its 4-bit layer only where bitsandbytes can be imported
    from peft.tuners.lora import Linear4bit as LoraLinear4bit
except ImportError:
    LoraLinear4bit = LoraLinear

MOST_RUNS = 4
"""Runs of rows with one adapter up to which each run has its own product; more are stacked for one `bmm`."""


@dataclass
class Run:
    """Neighbouring rows of a batch that share one adapter, in one layer."""

    rows: slice
    a: Tensor
    """(r, in), the adapter's own weight."""
    b: Tensor
    """(out, r), likewise."""
    scaling: float

    def __post_init__(self) -> None:
        rows = self.rows.stop - self.rows.start
        self.down = self.a.T.expand(rows, -1, -1)
        """(rows, in, r): A for `bmm`, without a copy."""
        self.up = self.b.T.expand(rows, -1, -1)
        """(rows, r, out), likewise."""

    def add(self, result: Tensor, x: Tensor) -> None:
        """Add the rows' delta to `result`, (B, T, out), where x is (B, T, in)."""
        x, result = x[self.rows], result[self.rows]
        if not x.dtype == result.dtype == self.a.dtype:
            hidden = F.linear(x.to(self.a.dtype), self.a) * self.scaling
            result += F.linear(hidden, self.b).to(result.dtype)
        elif x.shape[0] == x.shape[1] == 1:
            # Every call counts here: these few microseconds are taken by every layer at every step.
            result[0, 0].addmv_(self.b, torch.mv(self.a, x[0, 0]), alpha=self.scaling)
        else:  # a plain product of 2 to 8 rows takes up to twice as long as `bmm`
            result.baddbmm_(torch.bmm(x, self.down), self.up, alpha=self.scaling)


@dataclass
class Stack:
    """All rows' factors in one layer, zeros for rows without any: (B, in, r) and (B, r, out)."""

    a: Tensor
    b: Tensor
    """The scaling is in it."""


class RowLora:
    """Runs a model's linear layers with a choice of adapter for each row.

    The layers keep PEFT's class and weights; only their `forward` is replaced, and `remove` gives the
    original back.
    """

    def __init__(self, model: nn.Module) -> None:
        self._layers = [module for module in model.modules() if isinstance(module, LoraLayer)]
        self.rows: tuple[str | None, ...] = ()
        """The adapter of every row, as last selected; None is the base."""
        for layer in self._layers:
            layer._tandem_deltas = []
            layer.forward = MethodType(_lora_forward, layer)

    def remove(self) -> None:
        """Give every layer its own forward back."""
        for layer in self._layers:
            del layer.forward

    def factors(self) -> list[nn.Module]:
        """PEFT's own layers for A and B, which are never called here."""
        return [
            factor for layer in self._layers for factor in [*layer.lora_A.values(), *layer.lora_B.values()]
        ]

    def select(self, adapters: Sequence[str | None]) -> None:
        """Set the adapter of every row of the next forward passes; None is the base."""
        rows = tuple(adapters)
        if rows == self.rows:
            return
        self.rows = rows
        for layer in self._layers:
            layer._tandem_deltas = _deltas(layer, rows)


def _deltas(layer: Any, rows: Sequence[str | None]) -> list[Run] | Stack:
    """What one layer adds for the rows: nothing, a few runs, or a stack."""
    runs = []
    start = 0
    for name, members in groupby(rows):
        stop = start + len(list(members))
        if name is not None and name in layer.lora_A:
            a, b = layer.lora_A[name].weight.detach(), layer.lora_B[name].weight.detach()
            runs.append(Run(slice(start, stop), a, b, layer.scaling[name]))
        start = stop
    return runs if len(runs) <= MOST_RUNS else _stack(layer, runs, len(rows))


def _stack(layer: Any, runs: Sequence[Run], rows: int) -> Stack:
    rank = max(run.a.shape[0] for run in runs)
    a = runs[0].a.new_zeros(rows, layer.in_features, rank)
    b = runs[0].b.new_zeros(rows, rank, layer.out_features)
    for run in runs:
        a[run.rows, :, : run.a.shape[0]] = run.a.T
        b[run.rows, : run.b.shape[1]] = run.b.T * run.scaling
    return Stack(a, b)


def _lora_forward(self: Any, x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
    """In place of PEFT's forward: x is (B, T, in), the result (B, T, out)."""
    result: Tensor = self.base_layer(x, *args, **kwargs)
    deltas = self._tandem_deltas
    if isinstance(deltas, Stack):
        return result + ((x.to(deltas.a.dtype) @ deltas.a) @ deltas.b).to(result.dtype)
    for run in deltas:
        run.add(result, x)
    return result


def refused_config(config: Any) -> str | None:
    """Why the row-stacked step cannot serve an adapter with this PEFT configuration exactly, or None."""
    if config.peft_type != PeftType.LORA:
        return f"it is of type {getattr(config.peft_type, 'value', config.peft_type)}, not LoRA"
    if config.modules_to_save:
        return f"it replaces whole modules ({', '.join(config.modules_to_save)})"
    if config.bias != "none":
        return f"it trains biases (bias={config.bias!r})"
    if config.lora_bias:
        return "its LoRA layers have biases"
    if getattr(config, "trainable_token_indices", None):
        return "it trains embeddings of single tokens"
    return None


def refused_layers(model: nn.Module, name: str) -> str | None:
    """The same, from the layers that PEFT made for a loaded adapter."""
    for module in model.modules():
        if not isinstance(module, LoraLayer):
            continue
        if name in module.lora_variant:
            return f"it is a variant of LoRA ({type(module.lora_variant[name]).__name__})"
        if name in module.lora_embedding_A:
            return "it adapts embeddings"
        if name in module.lora_A and not isinstance(module, LoraLinear | LoraLinear4bit):
            return f"it adapts layers of type {type(module.get_base_layer()).__name__}"
    return None
