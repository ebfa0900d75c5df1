"""Row-stacked LoRA: each row of a batch its own adapter, or none, in one forward pass.

PEFT loads and checks the adapters and builds its layers around the base's; the step runs those layers with
a forward of our own: ``base(x) + bmm(bmm(x, A), B)``, with every row's A and B stacked (zeros for a row
whose adapter is not in that layer, and for a base row). Stacks are made when the batch's membership
changes, not at every step. PEFT's own mixed batches register hooks and pick rows in every layer at every
step, which costs about as much as running the lanes one after the other.

On a CPU a step's products for several rows can be taken as ``F.linear(x, W)`` or as ``(W @ x.T).T``. Which
is faster depends on the processor's vector units: see `_transposed_rows`.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
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

Stack = tuple[Tensor, Tensor]
"""A and B, scaling included: (B, in, r) and (B, r, out), or (in, r) and (r, out) when rows share one."""


class RowLora:
    """Runs a model's linear layers with a choice of adapter for each row.

    The layers keep PEFT's class and weights; only their `forward` is replaced, and `remove` gives the
    original back.
    """

    def __init__(self, model: nn.Module) -> None:
        self._layers = [module for module in model.modules() if isinstance(module, LoraLayer)]
        factors = {
            id(factor)
            for layer in self._layers
            for factor in [*layer.lora_A.values(), *layer.lora_B.values()]
        }
        # Exactly nn.Linear: quantised layers are subclasses with a forward of their own. PEFT's own
        # nn.Linear layers for A and B are never called here.
        self._linears = [
            module for module in model.modules() if type(module) is nn.Linear and id(module) not in factors
        ]
        self.rows: tuple[str | None, ...] = ()
        """The adapter of every row, as last selected; None is the base."""
        for layer in self._layers:
            layer._tandem_stack = None
            layer.forward = MethodType(_lora_forward, layer)
        for linear in self._linears:
            linear.forward = MethodType(_linear_forward, linear)  # type: ignore[method-assign]

    def remove(self) -> None:
        """Give every layer its own forward back."""
        for module in [*self._layers, *self._linears]:
            del module.forward

    def select(self, adapters: Sequence[str | None]) -> None:
        """Set the adapter of every row of the next forward passes; None is the base."""
        rows = tuple(adapters)
        if rows == self.rows:
            return
        self.rows = rows
        for layer in self._layers:
            layer._tandem_stack = _stack(layer, rows)


def _stack(layer: Any, rows: Sequence[str | None]) -> Stack | None:
    """The rows' A and B in one layer, or None if none of them has any there."""
    present = {name for name in rows if name is not None and name in layer.lora_A}
    if not present:
        return None
    factors = {name: _factors(layer, name) for name in present}
    first = next(iter(factors.values()))[0]
    if len(set(rows)) == 1:
        return next(iter(factors.values()))
    rank = max(a.shape[1] for a, _ in factors.values())
    stacked_a = first.new_zeros(len(rows), layer.in_features, rank)
    stacked_b = first.new_zeros(len(rows), rank, layer.out_features)
    for index, name in enumerate(rows):
        if name is not None and name in factors:
            a, b = factors[name]
            stacked_a[index, :, : a.shape[1]] = a
            stacked_b[index, : b.shape[0]] = b
    return stacked_a, stacked_b


def _factors(layer: Any, name: str) -> Stack:
    """One adapter's A (in, r) and B (r, out) in one layer, its scaling in B."""
    a = layer.lora_A[name].weight.detach().T
    b = layer.lora_B[name].weight.detach().T * layer.scaling[name]
    return a, b


def _lora_forward(self: Any, x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
    """In place of PEFT's forward: x is (B, T, in), the result (B, T, out)."""
    result: Tensor = self.base_layer(x, *args, **kwargs)
    if self._tandem_stack is None:
        return result
    a, b = self._tandem_stack
    delta = (x.to(a.dtype) @ a) @ b
    return result + delta.to(result.dtype)


def _linear_forward(self: nn.Linear, x: Tensor) -> Tensor:
    """In place of nn.Linear's forward: the same product, in the form that is faster for few rows."""
    rows = x.numel() // x.shape[-1]
    if rows not in _transposed_rows() or self.weight.device.type != "cpu":
        return F.linear(x, self.weight, self.bias)
    result = (self.weight @ x.reshape(rows, -1).T).T
    if self.bias is not None:
        result = result + self.bias
    return result.view(*x.shape[:-1], -1)


@cache
def _transposed_rows() -> range:
    """For how many rows ``(W @ x.T).T`` beats `F.linear` in float32 on this processor.

    Measured on weights of 192x192 to 32000x768, 2 threads. With AVX-512, `F.linear` takes 2 or 3 rows at
    the price of one (2.3 against 6.1 ms for 32000x768) and is slower from 8 rows on (7.4 against 6.2 ms);
    without, it takes about twice as long for two rows as for one, and the transposed form does not.
    """
    return range(8, 17) if torch.backends.cpu.get_cpu_capability() == "AVX512" else range(2, 17)


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
