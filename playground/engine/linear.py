"""A model's plain linear layers on a CPU, as they are fastest for the few rows of a decoding step.

A step multiplies every weight with one vector a row, so it takes as long as it takes to read the weights,
if the mathematics library lets it. Which form does depends on the processor (float32, 2 threads, weights of
768x768 to 32000x768, in ms for 32000x768):

                                    1 row   2     4     16
    Intel, AVX-512  F.linear          2.5   2.5   5.0   8.6
                    (W @ x.T).T       6.1   6.1   6.1   6.2
                    packed            3.8     -   4.0     -
    AMD, AVX2       F.linear          9.1  17.7  24.0  30.0
                    (W @ x.T).T       9.4   7.5   7.4  15.5
                    oneDNN            4.9   7.8  10.0  12.8
                    packed            5.3   4.3   7.0  11.8

`F.linear` is MKL's product, which is slow on processors that are not Intel's. There, large weights are packed
for oneDNN, which takes up to four rows in the time of one and long prompts as fast as MKL does. The packed
weights take the place of the others, so that they cost no memory; only a weight that something else reads as
well, such as an output layer tied to the embeddings, stays as it is. Small weights stay too: for 192x192 a
call of oneDNN takes 42 us, and 22 us in the other forms.
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
"""A layer and x, (..., in), to the layer's output, (..., out)."""

LARGE = 1_000_000
"""Numbers in a weight from which on oneDNN's longer calls pay."""
FEW = (3, 12)
"""Rows for which every product here takes its form for few rows, on one processor or another."""
PACKED_FOR = 4
"""Rows that the packed form is chosen for; it serves any number."""


class Linears:
    """Gives linear layers the forward that is fastest here; `remove` gives the original back."""

    def __init__(self, model: nn.Module, leave: Iterable[nn.Module] = ()) -> None:
        """Args: the model, and layers of it that are not to be touched."""
        left = {id(layer) for layer in leave}
        uses = Counter(
            id(weight) for module in model.modules() for weight in module._parameters.values()
        )  # a tied weight is there once for each layer that has it
        self._packed: list[tuple[nn.Linear, Tensor]] = []
        self._layers: list[nn.Linear] = []
        for layer in model.modules():
            # Exactly nn.Linear: quantised layers are subclasses with a forward of their own.
            if type(layer) is not nn.Linear or id(layer) in left or not _is_float32_on_cpu(layer.weight):
                continue
            product: Product
            if intel_with_avx512():
                product = _multiply_by_mkl
            elif layer.weight.numel() < LARGE or not torch.backends.mkldnn.is_available():
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
        """Whether the model can use the products for few rows, whose result lies in memory column by column.

        Models that read it as complex numbers (Llama 4, DeepSeek-V2) cannot.

        Args:
            run: a pass of the model over so many tokens.
        """
        if len(self._layers) < 2:  # the output layer's result is not read by any other
            return True
        try:
            for tokens in FEW:
                run(tokens)
        except RuntimeError:
            return False
        return True

    def remove(self) -> None:
        """Give every layer its own weights and forward back."""
        for layer, packed in self._packed:
            layer.weight.data = packed.to_dense()
        for layer in self._layers:
            del layer.forward


def _is_float32_on_cpu(weight: Tensor) -> bool:
    return weight.device.type == "cpu" and weight.dtype == torch.float32


def _multiply_by_mkl(layer: nn.Linear, x: Tensor) -> Tensor:
    """MKL with AVX-512: up to 3 rows at the price of one; from 8 to 16 the other way round is faster."""
    if 8 <= x.numel() // x.shape[-1] <= 16:
        return _multiply_transposed(layer, x)
    return F.linear(x, layer.weight, layer.bias)


def _multiply_small(layer: nn.Linear, x: Tensor) -> Tensor:
    """A small weight where MKL is slow."""
    if 2 <= x.numel() // x.shape[-1] <= 16:
        return _multiply_transposed(layer, x)
    return F.linear(x, layer.weight, layer.bias)


def _multiply_large(layer: nn.Linear, x: Tensor) -> Tensor:
    """A large weight that cannot be packed where MKL is slow."""
    if 2 <= x.numel() // x.shape[-1] <= 4:
        return _multiply_transposed(layer, x)
    return torch.ops.mkldnn._linear_pointwise(x, layer.weight, layer.bias, "none", [], "")


def _multiply_transposed(layer: nn.Linear, x: Tensor) -> Tensor:
    result = (layer.weight @ x.reshape(-1, x.shape[-1]).T).T
    if layer.bias is not None:
        result = result + layer.bias
    return result.view(*x.shape[:-1], -1)


def _pack(layer: nn.Linear) -> Tensor:
    """Put the weight into oneDNN's own order, and let go of it in the usual one."""
    packed: Tensor = torch.ops.mkldnn._reorder_linear_weight(layer.weight.detach(), PACKED_FOR)
    # The parameter keeps its shape. Whoever reads it all the same gets NaN and not something wrong.
    layer.weight.data = torch.full((), torch.nan).expand(layer.weight.shape)
    return packed


def _multiply_packed(packed: Tensor, layer: nn.Linear, x: Tensor) -> Tensor:
    return torch.ops.mkldnn._linear_pointwise(x, packed, layer.bias, "none", [], "")


def _copy_from_file(model: nn.Module) -> None:
    """Copy what is not packed out of the weights file, which would stay mapped as a whole for it."""
    for parameter in model.parameters():
        if parameter.device.type == "cpu" and parameter.stride() != (0,) * parameter.dim():
            parameter.data = parameter.data.clone()


@cache
def intel_with_avx512() -> bool:
    """Whether MKL is at its best here."""
    if torch.backends.cpu.get_cpu_capability() != "AVX512":
        return False
    try:
        return "GenuineIntel" in Path("/proc/cpuinfo").read_text()
    except OSError:
        return "Intel" in platform.processor()
