"""Speed up the linear layers of a CPU model for the small number of rows in a decoding step.

A step multiplies every weight matrix by one vector per row, so it takes at least the time needed to read the
weights. Which implementation comes closest to this bound depends on the CPU. Weights from 768x768 to
32000x768 were measured in float32 with 2 threads; these are the times for 32000x768, in ms:

                                    1 row   2     4     16
    Intel, AVX-512  F.linear          2.5   2.5   5.0   8.6
                    (W @ x.T).T       6.1   6.1   6.1   6.2
                    packed            3.8     -   4.0     -
    AMD, AVX2       F.linear          9.1  17.7  24.0  30.0
                    (W @ x.T).T       9.4   7.5   7.4  15.5
                    oneDNN            4.9   7.8  10.0  12.8
                    packed            5.3   4.3   7.0  11.8

`F.linear` uses MKL, which is slow on non-Intel CPUs. On such CPUs, large weights are packed for oneDNN.
oneDNN computes up to four rows in the time of one, and is as fast as MKL on long prompts. Packed weights
replace the original weights, so no additional memory is needed. A weight that is also used elsewhere, such as
an output layer tied to the embeddings, is not packed. Small weights are not packed either: for 192x192, a
oneDNN call takes 42 us, compared with 22 us for the alternatives.
"""

from __future__ import annotations

import platform
from collections import Counter
from collections.abc import Callable, Iterable
from functools import cache, partial
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Product = Callable[[nn.Linear, Tensor], Tensor]
"""A function that computes a layer's output of shape (..., out) from its input of shape (..., in)."""

LARGE = 1_000_000
"""Minimum number of elements in a weight matrix for which oneDNN is faster despite its call overhead."""
FEW = (3, 12)
"""Numbers of tokens in the trial forward passes. Together, these passes cover every implementation's code
paths for small batches."""
PACKED_FOR = 4
"""Number of rows for which packed weights are optimised. Packed weights also work with any other number of
rows."""


class Linears:
    """Faster `forward` implementations for a model's linear layers; `remove` restores the originals."""

    def __init__(self, model: nn.Module, leave: Iterable[nn.Module] = ()) -> None:
        """
        Args:
            model: the model.
            leave: linear layers to leave unchanged.
        """
        left = {id(layer) for layer in leave}
        uses = Counter(
            id(weight) for module in model.modules() for weight in module._parameters.values()
        )  # a tied weight is counted once for each module that uses it
        self._packed: list[tuple[nn.Linear, Tensor]] = []
        self._layers: list[nn.Linear] = []
        for layer in model.modules():
            # Not `isinstance`: quantised layers are subclasses with their own forward.
            if type(layer) is not nn.Linear or id(layer) in left or not _is_float32_on_cpu(layer.weight):
                continue
            product: Product
            if intel_with_avx512():
                product = _multiply_by_mkl
            elif layer.weight.numel() < LARGE or not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
                product = _multiply_small
            elif uses[id(layer.weight)] > 1:
                product = _multiply_large
            else:
                packed = _pack(layer)
                self._packed.append((layer, packed))
                product = partial(_multiply_packed, packed)
            layer.forward = partial(product, layer)  # type: ignore[method-assign]
            self._layers.append(layer)
        if self._packed:
            _copy_from_file(model)

    def fit(self, run: Callable[[int], object]) -> bool:
        """Return whether the model works with the column-major outputs that the faster layers produce.

        Models that view a layer's output as complex numbers (Llama 4, DeepSeek-V2) fail in the trial passes,
        in which case the result is False.

        Args:
            run: function that runs a forward pass of the model over the given number of tokens.
        """
        if len(self._layers) < 2:  # only the output layer, whose result is not the input of another layer
            return True
        try:
            for tokens in FEW:
                run(tokens)
        except RuntimeError:
            return False
        return True

    def remove(self) -> None:
        """Restore the original weights and `forward` of every layer."""
        for layer, packed in self._packed:
            layer.weight.data = packed.to_dense()
        for layer in self._layers:
            del layer.forward


def _is_float32_on_cpu(weight: Tensor) -> bool:
    return weight.device.type == "cpu" and weight.dtype == torch.float32


def _multiply_by_mkl(layer: nn.Linear, x: Tensor) -> Tensor:
    """Multiply by a weight matrix using MKL on Intel CPUs with AVX-512.

    Multiplying 2 or 3 rows takes as long as multiplying one. For 8 to 16 rows, the transposed product is
    faster.
    """
    if 8 <= x.numel() // x.shape[-1] <= 16:
        return _multiply_transposed(layer, x)
    return F.linear(x, layer.weight, layer.bias)


def _multiply_small(layer: nn.Linear, x: Tensor) -> Tensor:
    """Multiply by a small weight matrix on CPUs where MKL is slow."""
    if 2 <= x.numel() // x.shape[-1] <= 16:
        return _multiply_transposed(layer, x)
    return F.linear(x, layer.weight, layer.bias)


def _multiply_large(layer: nn.Linear, x: Tensor) -> Tensor:
    """Multiply by a large weight matrix that cannot be packed, on CPUs where MKL is slow."""
    if 2 <= x.numel() // x.shape[-1] <= 4:
        return _multiply_transposed(layer, x)
    product: Tensor = torch.ops.mkldnn._linear_pointwise(x, layer.weight, layer.bias, "none", [], "")
    return product


def _multiply_transposed(layer: nn.Linear, x: Tensor) -> Tensor:
    result = (layer.weight @ x.reshape(-1, x.shape[-1]).T).T
    if layer.bias is not None:
        result = result + layer.bias
    return result.view(*x.shape[:-1], -1)


def _pack(layer: nn.Linear) -> Tensor:
    """Return a layer's weight in the packed format of oneDNN, and free the original weight."""
    packed: Tensor = torch.ops.mkldnn._reorder_linear_weight(layer.weight.detach(), PACKED_FOR)
    # The parameter keeps its shape, but code that still reads it gets NaN instead of wrong numbers.
    layer.weight.data = torch.full((), torch.nan).expand(layer.weight.shape)
    return packed


def _multiply_packed(packed: Tensor, layer: nn.Linear, x: Tensor) -> Tensor:
    product: Tensor = torch.ops.mkldnn._linear_pointwise(x, packed, layer.bias, "none", [], "")
    return product


def _copy_from_file(model: nn.Module) -> None:
    """Copy all unpacked weights to new memory, so that the memory-mapped weights file can be released."""
    for parameter in model.parameters():
        if parameter.device.type == "cpu" and parameter.stride() != (0,) * parameter.dim():
            parameter.data = parameter.data.clone()


@cache
def intel_with_avx512() -> bool:
    """Return whether this machine has an Intel CPU with AVX-512, where MKL is fastest."""
    if torch.backends.cpu.get_cpu_capability() != "AVX512":
        return False
    try:
        return "GenuineIntel" in Path("/proc/cpuinfo").read_text()
    except OSError:
        return "Intel" in platform.processor()
