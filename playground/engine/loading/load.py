"""Load a base model and its adapters.

On CUDA, weights are loaded in 4-bit NF4 with double quantisation, and computed in bfloat16 if the GPU
supports it, else in float16. On a CPU, they are loaded in float32, or in NF4 if the float32 weights would not
fit in memory or the user requests it. bfloat16 is never used on a CPU: without AMX, its matrix products are
over 100 times slower than those in float32 (0.8 against 116 GFLOP/s measured).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import PreTrainedModel

from playground.config import Settings
from playground.engine import attention, hub
from playground.engine.adapters.load import load_adapters
from playground.engine.adapters.parts import Adapter
from playground.engine.adapters.tokenizers import (
    AdapterText,
    differing_words,
    read_adapter_text,
    read_eos_token_ids,
)
from playground.engine.hub import Report
from playground.engine.loading import gguf_model, progress, quantised
from playground.engine.loading.base import Base, check_numbers, load_weights, open_base
from playground.engine.loading.device import choose_device, choose_options, free_memory
from playground.engine.loading.precision import layer_precisions, summarise
from playground.engine.loading.probe import PROBE, probe_logits
from playground.engine.positions import context_length
from playground.engine.tokenizer import eos_token_ids, load_tokenizer, try_tokenizer
from playground.library import Library
from playground.types import AdapterCard, AdapterStatus, InputError

PREFIX_SHARE = 0.25
"""Share of the free memory that the prefix cache may use."""
THREADS = torch.get_num_threads()
"""Torch's default number of threads on this machine, read before another number is set."""
MOST_THREADS = 16
"""Largest number of threads. Decoding a few rows is bound by memory, so more threads do not speed it up."""
SMALL_MODEL = 20_000_000
"""Number of parameters below which one thread is used. A step is then too short to divide, and on a busy
machine waiting for a second thread made decoding 40 times slower (2.6M parameters, 2 cores, 0.3 against
12.6 s for 60 tokens)."""


Reasons = Mapping[str, str]
"""The reasons for which adapters are not loaded, by name."""


@dataclass
class Loaded:
    """A loaded base model with its tokenizer, adapters and properties."""

    base: str
    """The base's name as the user gave it."""
    model: PreTrainedModel
    """The base model, without adapters."""
    tokenizer: Any
    texts: dict[str, AdapterText]
    """Own tokenizers and EOS token ids of the usable adapters, by name."""
    device: torch.device
    device_name: str
    precision: str
    """Description of the precision of the layers' weights, determined from the weights."""
    layers: tuple[tuple[str, int], ...]
    """Number of layers by precision."""
    warnings: tuple[str, ...]
    """Warnings about the base model, one sentence each."""
    plain: str | None
    """Why rows cannot be decoded as one batch, if that follows from the layers' types; else None."""
    parameters: int
    context: int
    """Context length in tokens."""
    eos_token_ids: frozenset[int]
    """Token ids that end any answer."""
    adapters: tuple[AdapterStatus, ...]
    """Status of every adapter of the library."""
    parts: Mapping[str, Adapter]
    """The usable adapters, by name."""
    prefix_limit: int
    """Size limit of the prefix cache in bytes."""
    probe: list[int]
    """Token ids of the fixed text on which the model and its adapters are checked."""
    base_logits: torch.Tensor
    """The base's logits on the fixed text, (T, V), before any adapter was loaded."""


def load(settings: Settings, library: Library, report: Report, refused: Reasons | None = None) -> Loaded:
    """Load the base model and every adapter of the library.

    An adapter that cannot be used does not stop the others: its status has the reason.

    Args:
        settings: Tandem's settings, with the base's name, device and precision.
        library: the library with the adapters.
        report: called with the progress.
        refused: the reasons, by name, for which adapters are not tried.

    Raises:
        InputError: the base cannot be found or loaded, or is not a causal language model.
        BaseChangedError: an adapter changed the base's weights.
    """
    progress.install_hooks()
    device = choose_device(settings)
    report(f"Finding {settings.base}", 0.05)
    unusable = hub.fetch_cards(library, report)
    base = open_base(settings, report)
    tokenizer = _load_tokenizer(base)
    model = _load_model(settings, base, device, report)
    precision, layers = _describe_precision(settings, base, model), layer_precisions(model)
    context = context_length(base.config, tokenizer)
    probe = tokenizer(PROBE)["input_ids"][:context]
    base_logits = _probe_base(base, model, probe)
    attention.install(model)
    found = load_adapters(model, library, report, settings, refused)
    adapters, texts = _read_adapter_texts(found.statuses, tokenizer, None if base.header else base.folder)
    report("Getting ready", 0.95)
    return Loaded(
        base=settings.base,
        model=model,
        tokenizer=tokenizer,
        texts=texts,
        device=device,
        device_name=torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU",
        precision=precision,
        layers=layers,
        warnings=tuple(base.warnings),
        plain=_find_row_mixing(layers),
        parameters=base.parameters,
        context=context,
        eos_token_ids=eos_token_ids(model, tokenizer),
        adapters=adapters + _refuse_cards(unusable),
        parts=found.adapters,
        prefix_limit=int(PREFIX_SHARE * free_memory(device)),
        probe=probe,
        base_logits=base_logits,
    )


def _load_tokenizer(base: Base) -> Any:
    """Load the base's tokenizer and check that it works.

    Raises:
        InputError: the tokenizer cannot be used.
    """
    if base.header is None:
        # Raises if generation_config.json is unreadable; Transformers would silently ignore the file.
        read_eos_token_ids(base.folder)
    tokenizer = load_tokenizer(base.folder, base.name, **base.tokenizer_options)
    try_tokenizer(tokenizer, base.name)
    if base.header is not None and (warning := gguf_model.set_pretokenizer(base.header, tokenizer)):
        base.warnings.append(warning)
    return tokenizer


def _load_model(settings: Settings, base: Base, device: torch.device, report: Report) -> PreTrainedModel:
    """Load the base's weights. Must run in the thread that will decode with them."""
    small = device.type == "cpu" and base.parameters < SMALL_MODEL
    # OpenMP keeps a separate number of threads for each calling thread.
    torch.set_num_threads(1 if small else min(THREADS, MOST_THREADS))
    options = choose_options(settings, base, device)
    note = f"Loading {settings.base} ({_format_count(base.parameters)} parameters)"
    report(note, 0.2)
    with progress.report_weights(lambda share: report(note, 0.2 + 0.4 * share)):
        return load_weights(base, options)


def _probe_base(base: Base, model: PreTrainedModel, probe: Sequence[int]) -> torch.Tensor:
    """Compute the base's logits on the fixed text, (T, V), and check them for NaN and infinity."""
    logits = probe_logits(model, probe)
    check_numbers(base.name, model, logits)
    return logits


def _describe_precision(settings: Settings, base: Base, model: Any) -> str:
    """Describe the precision of the weights, and add a warning to the base if another was requested."""
    precision = summarise(model)
    precision = precision if base.header is None else f"{precision} (from GGUF {base.header.precision})"
    if warning := quantised.explain_quantize(settings.quantize, base.method, precision):
        base.warnings.append(warning)
    return precision


def _find_row_mixing(layers: tuple[tuple[str, int], ...]) -> str | None:
    """Return why the layers' types make a row's result depend on the other rows, or None if they do not."""
    if any("int8" in kind for kind, _ in layers):
        return "its 8-bit layers (LLM.int8) round each row by what stands in the rows beside it"
    return None


def _refuse_cards(unusable: Mapping[str, InputError]) -> tuple[AdapterStatus, ...]:
    """Return the statuses of adapters whose cards could not be read."""
    return tuple(
        AdapterStatus(card=AdapterCard(name=name, source="", base_model="", label=name), error=str(error))
        for name, error in unusable.items()
    )


def _read_adapter_texts(
    statuses: Sequence[AdapterStatus], base: Any, folder: Path | None
) -> tuple[tuple[AdapterStatus, ...], dict[str, AdapterText]]:
    """Read the tokenizers and EOS token ids of adapters.

    Args:
        statuses: the adapters' statuses.
        base: the base's tokenizer.
        folder: the base's folder; None for a GGUF file.

    Returns:
        The statuses, with new errors and warnings, and the tokenizers and EOS token ids by adapter.
    """
    texts, checked = {}, []
    for status in statuses:
        name = status.card.name
        try:
            if status.error is None:
                texts[name] = read_adapter_text(name, hub.find_folder(status.card.source), folder)
                own = texts[name].tokenizer
                if own is not None and (word := differing_words(own, base, PROBE)):
                    warning = (
                        f"The tokenizer of adapter {name!r} cuts {word!r} into other tokens than the base's: "
                        "check that the adapter was made for this base."
                    )
                    status = dataclasses.replace(status, warning=status.warning or warning)
        except InputError as error:
            status = dataclasses.replace(status, error=str(error))
        checked.append(status)
    return tuple(checked), texts


def _format_count(parameters: int) -> str:
    return f"{parameters / 1e9:.1f}B" if parameters >= 1e9 else f"{parameters / 1e6:.1f}M"
