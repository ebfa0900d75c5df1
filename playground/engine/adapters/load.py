"""Load and check the adapters in a library without changing the base model.

Every adapter is checked in three steps before it is used: its configuration (`config`), the names and shapes
in its file (`files`), and its values as loaded by PEFT into a skeleton model (`skeleton`). None of these
steps changes the base model. As a safeguard, the checksum of the base weights is compared with its initial
value after each adapter is loaded.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from playground.config import Settings
from playground.engine import hub
from playground.engine.adapters.config import check_config, quote
from playground.engine.adapters.files import MisfitError, map_keys, read_shapes, read_weights
from playground.engine.adapters.parts import Adapter, Part
from playground.engine.adapters.skeleton import PREFIX, Collector, Skeleton
from playground.engine.hub import Report
from playground.files import check_regular, first_line, read_object
from playground.library import Library, same_model
from playground.types import AdapterCard, AdapterStatus, InputError
from playground.words import format_number


class BaseChangedError(Exception):
    """Raised when an adapter has changed the base weights.

    The base model must then be reloaded without that adapter.
    """

    def __init__(self, name: str) -> None:
        super().__init__(
            f"Adapter {name!r} cannot be used here: it changed the base weights, so the base model "
            "was reloaded without it."
        )
        self.name = name


@dataclass
class AdapterSet:
    """The usable adapters of a library, and the status of every adapter in the library."""

    adapters: dict[str, Adapter] = field(default_factory=dict)
    """Usable adapters, by name."""
    statuses: tuple[AdapterStatus, ...] = ()


def load_adapters(
    model: PreTrainedModel,
    library: Library,
    report: Report,
    settings: Settings,
    refused: Mapping[str, str] | None = None,
) -> AdapterSet:
    """Load every adapter in the library for a base model.

    If an adapter cannot be used, its status gives the reason, and the other adapters are still loaded.

    Args:
        model: the base model, without adapters.
        library: the library that contains the adapters.
        report: callback for progress reports.
        settings: Tandem's settings, such as whether pickle files are allowed.
        refused: reasons for skipping adapters, keyed by adapter name.

    Raises:
        BaseChangedError: an adapter changed the base weights.
    """
    found = AdapterSet()
    statuses = []
    before = checksum(model) if library.adapters else 0
    for index, card in enumerate(list(library.adapters.values())):
        report(f"Loading adapter {card.name}", 0.6 + 0.3 * index / len(library.adapters))
        try:
            if refused and card.name in refused:
                raise InputError(refused[card.name])
            adapter = _read_adapter(model, card, settings)
            found.adapters[card.name] = adapter
            statuses.append(
                AdapterStatus(
                    card=card, warning=_describe_warnings(card, adapter, settings), serving=adapter.serving
                )
            )
        except InputError as error:
            statuses.append(AdapterStatus(card=card, error=str(error)))
        if checksum(model) != before:
            raise BaseChangedError(card.name)
    found.statuses = tuple(statuses)
    return found


def _read_adapter(model: PreTrainedModel, card: AdapterCard, settings: Settings) -> Adapter:
    """Load and check one adapter.

    Raises:
        InputError: the adapter cannot be read, does not fit the base model, or cannot be reproduced exactly.
            The message is a complete sentence.
    """
    try:
        return read_adapter_weights(model, hub.find_folder(card.source), settings.allow_pickle)
    except InputError as error:
        text = str(error)
        if text.endswith("."):  # a Hub or file error is already a complete sentence
            raise
        fits = not isinstance(error, MisfitError)
        lead = "cannot be used here" if fits else f"does not fit the base {settings.base}"
        raise InputError(f"Adapter {card.name!r} {lead}: {text}.") from error
    except Exception as error:
        reason = quote(first_line(error), 200)[1:-1]
        raise InputError(f"Adapter {card.name!r} cannot be read: {reason}.") from error


def read_adapter_weights(model: PreTrainedModel, folder: Path, allow_pickle: bool = False) -> Adapter:
    """Load an adapter from its folder for use with a base model, without changing the base model.

    Args:
        model: the base model.
        folder: the adapter's folder.
        allow_pickle: whether to accept weights in a pickle file.

    Raises:
        InputError: the adapter cannot be read, does not fit the base model, or cannot be reproduced exactly.
            The message is a clause; the caller turns it into a sentence.
    """
    check_regular(folder)
    settings = check_config(read_object(folder / "adapter_config.json"))
    shapes = read_shapes(folder, allow_pickle)
    skeleton = Skeleton(model, settings, _find_vocabulary(model, shapes))
    names = map_keys(shapes, skeleton.expected_shapes(), skeleton.own_embeddings(), skeleton.aliases())
    read = read_weights(folder)
    weights = {names.names[key]: value for key, value in read.items() if key in names.names}
    for key, name in names.again.items():
        if not torch.equal(read[key], weights[name]):
            raise InputError(
                f"its file contains two different versions of the weight {name}, one of them named "
                f"{quote(key, 150)}"
            )
    expected = skeleton.expected_shapes()
    skeleton.load({name: value for name, value in weights.items() if name in expected})
    own = _select_embeddings(model, skeleton, {n: value for n, value in weights.items() if n not in expected})
    collector = Collector(skeleton, model, own)
    parts = collector.collect()
    if not parts:
        raise InputError("it does not change any module of this base")
    adapter = Adapter(parts=parts, serving=_describe_changes(settings, collector))
    _count_rows(model, adapter, skeleton)
    if names.mapped:
        adapter.warnings.append(
            f"{len(names.mapped)} of its weights have nonstandard names (such as "
            f"{quote(names.mapped[0], 150)[1:-1]}), which were mapped to the layers of the base"
        )
    return adapter


def _find_vocabulary(model: Any, shapes: Mapping[str, tuple[int, ...]]) -> int | None:
    """Return the adapter's vocabulary size, or None if it equals the base model's vocabulary size."""
    here = model.get_input_embeddings().weight.shape[0]
    width = model.get_input_embeddings().weight.shape[1]
    ends = tuple(
        name
        for module in (model.get_input_embeddings(), model.get_output_embeddings())
        for path, other in model.named_modules()
        if other is module
        for name in (path.rpartition(".")[2],)
    )
    for key, shape in shapes.items():
        parts = key.split(".")
        is_whole = parts[-1] == "weight" and not any(part.startswith(("lora_", "ia3_")) for part in parts)
        is_end = len(shape) == 2 and shape[1] == width and not set(ends).isdisjoint(parts)
        if is_whole and is_end and shape[0] != here:
            return shape[0]
    return None


def _select_embeddings(model: Any, skeleton: Skeleton, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Select the complete embedding and output layer weights that differ from the base, keyed by module path.

    Raises:
        InputError: the base ties its embedding and output layer, but the file has different weights for the
            two layers.
    """
    own = {name.removeprefix(PREFIX).removesuffix(".weight"): value for name, value in weights.items()}
    inside, outside = skeleton.embedding, skeleton.head
    if skeleton.is_tied and own and inside is not None and outside is not None:
        given = list(own.values())
        if len(given) == 2 and not torch.equal(given[0], given[1]):
            raise InputError(
                "its embeddings and its output layer have different weights, but this base ties the two"
            )
        own = {inside: given[0], outside: given[0]}
    kept = {}
    for path, value in own.items():
        real = model.get_submodule(path).weight
        if real.shape != value.shape or not torch.equal(value.to(real.device, real.dtype), real):
            kept[path] = value
    return kept


def _count_rows(model: Any, adapter: Adapter, skeleton: Skeleton) -> None:
    """Record the vocabulary sizes of the adapter's own embeddings and output layer.

    A warning is added if the embeddings cover more tokens than the output layer.

    Raises:
        InputError: the output layer has a larger vocabulary than the embeddings.
    """
    inside, outside = (adapter.parts.get(path or "") for path in (skeleton.embedding, skeleton.head))
    adapter.embedding_rows = _count_copy_rows(inside)
    adapter.logits = _count_copy_rows(outside)
    known = adapter.embedding_rows or int(model.get_input_embeddings().weight.shape[0])
    written = adapter.logits or int(model.get_output_embeddings().weight.shape[0])
    if adapter.embedding_rows is not None and adapter.embedding_rows > written:
        adapter.warnings.append(
            f"it has embeddings for {format_number(adapter.embedding_rows)} tokens, but an output layer "
            f"for only {format_number(written)}: the remaining tokens can be read but never generated"
        )
    if adapter.logits is not None and adapter.logits > known:
        raise InputError(
            f"its output layer covers {format_number(adapter.logits)} tokens, but there are embeddings for "
            f"only {format_number(known)}: save the adapter with its embeddings "
            "(save_embedding_layers=True)"
        )


def _count_copy_rows(part: Part | None) -> int | None:
    """Return the number of rows in the weight of the adapter's module copy, or None if there is no copy."""
    if part is None or part.copy is None:
        return None
    weight: Any = part.copy.weight
    return int(weight.shape[0])


def _describe_changes(settings: Mapping[str, Any], found: Collector) -> str:
    """Describe an adapter's changes, e.g. "LoRA, rank 16, on q_proj, v_proj; its own lm_head"."""
    layers = sorted({path.rpartition(".")[2] for path, part in found.parts.items() if _tunes(part)})
    on = ", ".join(layers[:8]) + (f" and {len(layers) - 8} more" if len(layers) > 8 else "")
    if settings["peft_type"] == "IA3":
        texts = [f"IA3, on {on}"] if layers else ["IA3"]
    else:
        ranks = sorted(found.ranks)
        rank = f"rank {ranks[0]}" if len(ranks) == 1 else f"rank {ranks[0]} to {ranks[-1]}" if ranks else ""
        texts = [", ".join(text for text in ("DoRA" if found.is_dora else "LoRA", rank) if text)]
        texts[0] += f", on {on}" if layers and ranks else ""
    whole = sorted({path.rpartition(".")[2] for path in (*found.own, *found.saved)})
    if whole:
        texts.append(f"its own {', '.join(whole)}")
    if found.tokens:
        texts.append(f"its own embeddings for {format_number(len(found.tokens))} tokens")
    if settings.get("lora_bias") or any(
        type(step).__name__ == "Bias" for part in found.parts.values() for step in part.steps
    ):
        texts.append("its own biases")
    return "; ".join(texts)


def _tunes(part: Any) -> bool:
    kinds = {type(step).__name__ for step in part.steps}
    return part.input_scale is not None or bool(kinds & {"Lora", "EmbeddingLora", "Ia3"})


def _describe_warnings(card: AdapterCard, adapter: Adapter, settings: Settings) -> str | None:
    """Format a usable adapter's warnings as one string; None if there are no warnings.

    A warning is added if the adapter's card does not name the loaded base model.
    """
    warnings = [f"Adapter {card.name!r}: {text}." for text in adapter.warnings]
    if not settings.same_base and not same_model(card.base_model, settings.base):
        named = f"was made for {quote(card.base_model, 150)}" if card.base_model else "does not name its base"
        warnings.insert(
            0,
            f"Adapter {card.name!r} {named} but runs on {settings.base!r}, whose layers it fits: use "
            "--same-base if both are the same model.",
        )
    return " ".join(warnings) or None


# --- Base weights ---------------------------------------------------------------------------------

CHUNK = 1 << 16
"""Number of tensor elements per chunk in a checksum. Each chunk's sum is weighted by the chunk's position, so
that swapped chunks change the checksum."""


def checksum(model: nn.Module) -> int:
    """Compute a checksum of a model's weights and buffers.

    The computation takes little longer than reading the tensors from memory.
    """
    total = 0
    for name, tensor in [*model.named_parameters(), *model.named_buffers()]:
        if tensor.is_meta or not tensor.numel():
            continue
        total = hash((total, name, tuple(tensor.shape), _sum_bits(tensor.detach())))
    return total


def _sum_bits(tensor: Tensor) -> int:
    """Reinterpret a tensor's elements as integers and sum them, weighting each chunk by its position."""
    bits = tensor.contiguous().reshape(-1)
    kind = {8: torch.int64, 4: torch.int32, 2: torch.int16, 1: torch.uint8}.get(bits.element_size())
    bits = bits.view(kind) if kind is not None else bits.to(torch.int64)
    whole = bits.numel() // CHUNK * CHUNK
    sums = bits[:whole].view(-1, CHUNK).sum(1, dtype=torch.int64)
    sums = torch.cat([sums, bits[whole:].sum(dtype=torch.int64)[None]])
    places = torch.arange(1, len(sums) + 1, device=sums.device)
    return int((sums * places).sum())
