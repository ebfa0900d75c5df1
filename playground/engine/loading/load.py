"""Load a base model and its adapters.

On CUDA, weights are loaded in 4-bit NF4 with double quantisation. Computation uses bfloat16 if the GPU
supports it, otherwise float16. On a CPU, weights are loaded in float32, or in NF4 if the float32 weights
would not fit in memory or the user requests it. bfloat16 is never used on a CPU: without AMX, matrix
multiplication in bfloat16 is over 100 times slower than in float32 (measured: 0.8 vs. 116 GFLOP/s).
"""

from __future__ import annotations

import dataclasses
import threading
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
from playground.engine.tokenizer import eos_token_ids
from playground.library import Library
from playground.tokenizers.load import load_tokenizer, try_tokenizer
from playground.types import AdapterCard, AdapterStatus, InputError
from playground.words import format_large

PREFIX_SHARE = 0.25
"""Maximum size of the prefix cache, as a fraction of free memory."""
THREADS = torch.get_num_threads()
"""PyTorch's default number of threads on this machine, recorded before Tandem changes the number."""
MOST_THREADS = 16
"""Maximum number of threads. Decoding a few rows is memory-bound, so more threads do not speed up
decoding."""
SMALL_MODEL = 20_000_000
"""Number of parameters below which only one thread is used, because decoding steps are too short to
parallelise. On a busy machine, waiting for a second thread made decoding 40 times slower (12.6 s instead of
0.3 s for 60 tokens, with 2.6M parameters on 2 cores)."""


Reasons = Mapping[str, str]
"""Reasons for not loading adapters, keyed by adapter name."""


@dataclass
class Loaded:
    """A loaded base model with its tokenizer, adapters and properties."""

    base: str
    """Name of the base model, as given by the user."""
    model: PreTrainedModel
    """The base model, without adapters."""
    tokenizer: Any
    texts: dict[str, AdapterText]
    """The usable adapters' own tokenizers and EOS token ids, by adapter name."""
    device: torch.device
    device_name: str
    precision: str
    """Description of the precision of the layer weights, determined from the weights themselves."""
    layers: tuple[tuple[str, int], ...]
    """Number of layers of each precision, as returned by `precision.layer_precisions`."""
    warnings: tuple[str, ...]
    """Warnings about the base model, each a full sentence."""
    plain: str | None
    """Reason why this model must decode rows one at a time; None if it can decode them in one batch."""
    parameters: int
    context: int
    """Context length in tokens."""
    eos_token_ids: frozenset[int]
    """Ids of the EOS tokens that apply in every lane."""
    adapters: tuple[AdapterStatus, ...]
    """Status of every adapter in the library."""
    parts: Mapping[str, Adapter]
    """Usable adapters, by name."""
    prefix_limit: int
    """Size limit of the prefix cache, in bytes."""
    probe: list[int]
    """Token ids of the fixed text used to check the model and its adapters."""
    base_logits: torch.Tensor
    """Base model logits of shape (T, V) on the fixed text, computed before any adapter is loaded."""


ONE_AT_A_TIME = threading.Lock()
"""Held while a model is loaded.

Meanwhile, Transformers replaces functions of PyTorch and of its own. Two loads at once would leave
replacements behind, and models loaded later would lack their tied weights.
"""


def load(settings: Settings, library: Library, report: Report, refused: Reasons | None = None) -> Loaded:
    """Load the base model and every adapter in the library.

    If an adapter cannot be used, its status gives the reason, and the other adapters are still loaded.

    Args:
        settings: Tandem's settings, including the base model's name, device and precision.
        library: the library that contains the adapters.
        report: callback for progress reports.
        refused: reasons for skipping adapters, keyed by adapter name.

    Raises:
        InputError: the base model cannot be found or loaded, or is not a causal language model.
        BaseChangedError: an adapter changed the base weights.
    """
    with ONE_AT_A_TIME:
        return _load(settings, library, report, refused)


def _load(settings: Settings, library: Library, report: Report, refused: Reasons | None) -> Loaded:
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
    """Load the base model's tokenizer and check that it works.

    Raises:
        InputError: the tokenizer cannot be used.
    """
    if base.header is None:
        # Raises an error if generation_config.json is unreadable; Transformers would silently ignore it.
        read_eos_token_ids(base.folder)
    tokenizer = load_tokenizer(base.folder, base.name, **base.tokenizer_options)
    try_tokenizer(tokenizer, base.name)
    if base.header is not None and (warning := gguf_model.set_pretokenizer(base.header, tokenizer)):
        base.warnings.append(warning)
    return tokenizer


def _load_model(settings: Settings, base: Base, device: torch.device, report: Report) -> PreTrainedModel:
    """Load the base model's weights. Must be called from the thread that will run the model."""
    small = device.type == "cpu" and base.parameters < SMALL_MODEL
    # OpenMP keeps a separate thread count for each calling thread.
    torch.set_num_threads(1 if small else min(THREADS, MOST_THREADS))
    options = choose_options(settings, base, device)
    note = f"Loading {settings.base} ({format_large(base.parameters)} parameters)"
    report(note, 0.2)
    with progress.report_weights(lambda share: report(note, 0.2 + 0.4 * share)):
        return load_weights(base, options)


def _probe_base(base: Base, model: PreTrainedModel, probe: Sequence[int]) -> torch.Tensor:
    """Compute the base model's logits of shape (T, V) on the fixed text; check them for NaN and infinity."""
    logits = probe_logits(model, probe)
    check_numbers(base.name, model, logits)
    return logits


def _describe_precision(settings: Settings, base: Base, model: Any) -> str:
    """Describe the precision of the weights, adding a warning if a different precision was requested."""
    precision = summarise(model)
    precision = precision if base.header is None else f"{precision} (from GGUF {base.header.precision})"
    if warning := quantised.explain_quantize(settings.quantize, base.method, precision):
        base.warnings.append(warning)
    return precision


def _find_row_mixing(layers: tuple[tuple[str, int], ...]) -> str | None:
    """Return why rows in a batch would affect each other's results, or None if they are independent."""
    if any("int8" in kind for kind, _ in layers):
        return "rounding in its 8-bit layers (LLM.int8) depends on the other rows in the batch"
    return None


def _refuse_cards(unusable: Mapping[str, InputError]) -> tuple[AdapterStatus, ...]:
    """Return a status with an error message for each adapter whose card could not be read."""
    return tuple(
        AdapterStatus(card=AdapterCard(name=name, source="", base_model="", label=name), error=str(error))
        for name, error in unusable.items()
    )


def _read_adapter_texts(
    statuses: Sequence[AdapterStatus], base: Any, folder: Path | None
) -> tuple[tuple[AdapterStatus, ...], dict[str, AdapterText]]:
    """Read the tokenizers and EOS token ids of all usable adapters.

    Args:
        statuses: statuses of the adapters.
        base: tokenizer of the base model.
        folder: folder of the base model; None for a GGUF file.

    Returns:
        The statuses, updated with errors and warnings; and the tokenizers and EOS token ids, keyed by adapter
        name.
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
                        f"The tokenizer of adapter {name!r} splits {word!r} into different tokens than the "
                        "base tokenizer: check that the adapter was made for this base."
                    )
                    status = dataclasses.replace(status, warning=status.warning or warning)
        except InputError as error:
            status = dataclasses.replace(status, error=str(error))
        checked.append(status)
    return tuple(checked), texts
