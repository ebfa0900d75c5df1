"""Determine the actual precision of a loaded model's weights from its modules."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from torch import Tensor, nn


def layer_precisions(model: Any) -> tuple[tuple[str, int], ...]:
    """Count a model's layers by precision, with the most frequent precision first.

    A layer is a module with a weight of two or more dimensions. Tied weights are counted once.

    Args:
        model: the base model without adapters, since adapter modules would count as layers.
    """
    return tuple(Counter(kind for _, kind in _layers(model)).most_common())


def summarise(model: Any) -> str:
    """Describe the precision of a model, for example "4-bit NF4" or "mixed: 4-bit NF4 (20 layers) and ...".

    Quantisation does not affect the embeddings and the output layer, so these are ignored unless the model
    has no other layers.
    """
    layers = list(_layers(model))
    ends = {id(module) for module in (model.get_input_embeddings(), model.get_output_embeddings())}
    inner = [
        kind for module, kind in layers if id(module) not in ends and not isinstance(module, nn.Embedding)
    ]
    counts = Counter(inner or [kind for _, kind in layers]).most_common()
    if len(counts) == 1:
        return counts[0][0]
    parts = [f"{kind} ({count} layer{'s' if count > 1 else ''})" for kind, count in counts]
    return f"mixed: {', '.join(parts[:-1])} and {parts[-1]}"


def count_parameters(model: Any) -> int:
    """Count the parameters of a model.

    Tied weights are counted once. Weights that are packed together by quantisation are counted individually.
    """
    seen: set[int] = set()
    count = 0
    for module in model.modules():
        packed = _packed_size(module)
        count += packed
        for name, parameter in module._parameters.items():
            if parameter is None or id(parameter) in seen:
                continue
            seen.add(id(parameter))
            state = getattr(parameter, "quant_state", None)
            if state is not None:
                count += state.shape.numel()
            elif not (packed and name in ("qweight", "qzeros", "scales", "g_idx")):
                count += parameter.numel()
    return count


def _layers(model: Any) -> Iterator[tuple[nn.Module, str]]:
    seen: set[int] = set()
    for module in model.modules():
        if _packed_size(module):
            yield module, _packed_name(module, model.config)
            continue
        weights = [
            parameter
            for parameter in module._parameters.values()
            if parameter is not None and (parameter.dim() > 1 or hasattr(parameter, "quant_state"))
        ]
        fresh = [weight for weight in weights if id(weight) not in seen]
        seen.update(id(weight) for weight in fresh)
        if fresh:
            yield module, _name(module, fresh[0])


def _name(module: nn.Module, weight: Tensor) -> str:
    """Describe the precision of a single weight."""
    state = getattr(weight, "quant_state", None)
    if state is not None:
        return f"4-bit {str(state.quant_type).upper()}"
    if type(module).__name__ == "Linear8bitLt":
        return "8-bit (LLM.int8)"
    return str(weight.dtype).removeprefix("torch.")


def _packed_size(module: nn.Module) -> int:
    """Return the number of weights packed in a GPTQ or AWQ layer; 0 for other layers."""
    if not isinstance(getattr(module, "qweight", None), Tensor):
        return 0
    inputs, outputs = (getattr(module, name, 0) for name in ("in_features", "out_features"))
    return int(inputs * outputs)


def _packed_name(module: nn.Module, config: Any) -> str:
    stored: Any = getattr(config, "quantization_config", None) or {}
    if not isinstance(stored, dict):
        stored = stored.to_dict()
    method = str(getattr(stored.get("quant_method"), "value", stored.get("quant_method", "packed")))
    bits = (
        getattr(module, "bits", None)
        or getattr(module, "w_bit", None)
        or stored.get("bits")
        or stored.get("w_bit")
    )
    return f"{bits}-bit {method.upper()}" if bits else method.upper()
