"""Loading a base model and its adapters.

CUDA: 4-bit NF4 with double quantisation, computing in bfloat16 where the card has it, else float16. CPU:
float32, or NF4 where the float32 weights would not fit in memory or the user asks. Never bfloat16 on a CPU:
without AMX its matrix products are over 100 times slower than float32 (0.8 against 116 GFLOP/s measured).
"""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import torch
from transformers import AutoModelForCausalLM as AutoModelForCausalLM
from transformers import PreTrainedModel, modeling_gguf_pytorch_utils
from transformers.utils import logging as transformers_logging

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
from playground.engine.loading import gguf_model, quantised
from playground.engine.loading.base import Base, check_numbers, load_weights, nf4, open_base
from playground.engine.loading.precision import layer_precisions, summarise
from playground.engine.positions import context_length
from playground.engine.tokenizer import eos_token_ids, load_tokenizer, try_tokenizer
from playground.library import Library
from playground.memory import BYTES_IN_4BIT, MOST_OF_MEMORY
from playground.types import AdapterCard, AdapterStatus, InputError

PREFIX_SHARE = 0.25
"""Share of the free memory that stored prefixes may take."""
THREADS = torch.get_num_threads()
"""What torch found fit for this machine, before anybody set another number."""
MOST_THREADS = 16
"""Decoding a few rows is bound by memory, which more threads than this do not speed up."""
SMALL_MODEL = 20_000_000
"""Parameters below which one thread is used: a step is too short to share, and on a busy machine waiting
for a second thread made one 40 times slower (2.6M parameters, 2 cores, 0.3 against 12.6 s for 60 tokens)."""


@dataclass
class Loaded:
    """A model that is ready, and what is known of it."""

    base: str
    """Its name, as given."""
    model: PreTrainedModel
    """The base, which no adapter has touched."""
    tokenizer: Any
    texts: dict[str, AdapterText]
    """By adapter, its own tokenizer and end tokens; only those that can be used."""
    device: torch.device
    device_name: str
    precision: str
    """How the weights of its layers are held, read from them."""
    layers: tuple[tuple[str, int], ...]
    """How many layers are held in each precision."""
    warnings: tuple[str, ...]
    """What is unusual about it though it can be used, one sentence each."""
    plain: str | None
    """Why its rows cannot be decoded as one batch, as far as its weights say; None if they say nothing."""
    parameters: int
    context: int
    eos_token_ids: frozenset[int]
    """Token ids that end any answer."""
    adapters: tuple[AdapterStatus, ...]
    parts: Mapping[str, Adapter]
    """What each adapter that can be used changes, by its name."""
    prefix_limit: int
    probe: list[int]
    """Token ids of the fixed text that the model and its adapters are tried on."""
    base_logits: torch.Tensor
    """The base's logits on it, (T, V), from before any adapter was there."""


PROBE = (
    "A tandem is a bicycle for two. The rider in front steers and changes gear, the one behind adds as much "
    "power as they can, and both turn the pedals at the same time. What do you think: is it faster than two "
    "bicycles?"
)
"""Long enough that a step's special products for few rows (see `lora`) are not used on it."""


def load(
    settings: Settings, library: Library, report: Report, refused: Mapping[str, str] | None = None
) -> Loaded:
    """The base and every adapter of the library.

    An adapter that cannot be used does not stop the others: its status says why.

    Args:
        settings: which base, how.
        library: its adapters.
        report: told how far it is.
        refused: adapters that are not tried, and why.

    Raises:
        InputError: the base cannot be found, or is not a causal language model.
        BaseChangedError: an adapter changed the base's weights.
    """
    transformers_logging.disable_progress_bar()
    transformers_logging.set_verbosity_error()
    transformers_logging.set_tqdm_hook(_watched)
    modeling_gguf_pytorch_utils.tqdm = _watch
    device = _device(settings)
    report(f"Finding {settings.base}", 0.05)
    unusable = hub.fetch_cards(library, report)
    base = open_base(settings, report)
    if base.header is None:
        read_eos_token_ids(base.folder)  # Transformers would pass over a file that it cannot read
    tokenizer = load_tokenizer(base.folder, settings.base, **base.tokenizer_options)
    try_tokenizer(tokenizer, settings.base)
    if base.header is not None and (warning := gguf_model.set_pretokenizer(base.header, tokenizer)):
        base.warnings.append(warning)
    small = device.type == "cpu" and base.parameters < SMALL_MODEL
    # For this thread, which is the one that decodes: OpenMP keeps the number for each thread that calls it.
    torch.set_num_threads(1 if small else min(THREADS, MOST_THREADS))
    options = _options(settings, base, device)
    note = f"Loading {settings.base} ({_millions(base.parameters)} parameters)"
    report(note, 0.2)
    _here.report = lambda share: report(note, 0.2 + 0.4 * share)
    try:
        model = load_weights(base, options)
    finally:
        _here.report = None
    precision, layers = _label(base, model), layer_precisions(model)
    if warning := quantised.quantize_warning(settings.quantize, base.method, precision):
        base.warnings.append(warning)
    probe = tokenizer(PROBE)["input_ids"][: context_length(base.config, tokenizer)]
    base_logits = probe_logits(model, probe)
    check_numbers(settings.base, model, base_logits)
    attention.install(model)
    found = load_adapters(model, library, report, settings, refused)
    adapters, texts = _adapter_texts(found.statuses, tokenizer, None if base.header else base.folder)
    adapters += tuple(
        AdapterStatus(card=AdapterCard(name=name, source="", base_model="", label=name), error=str(error))
        for name, error in unusable.items()
    )
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
        plain=_why_plain(layers),
        parameters=base.parameters,
        context=context_length(base.config, tokenizer),
        eos_token_ids=eos_token_ids(model, tokenizer),
        adapters=adapters,
        parts=found.adapters,
        prefix_limit=int(PREFIX_SHARE * _free_memory(device)),
        probe=probe,
        base_logits=base_logits,
    )


def _adapter_texts(
    statuses: Sequence[AdapterStatus], base: Any, folder: Path | None
) -> tuple[tuple[AdapterStatus, ...], dict[str, AdapterText]]:
    """The tokenizers and end tokens that adapters bring, and each adapter's status with what was found."""
    texts, checked = {}, []
    for status in statuses:
        name = status.card.name
        try:
            if status.error is None:
                texts[name] = read_adapter_text(name, hub.folder(status.card.source), folder)
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


_here = threading.local()
"""What this thread is loading: `report`, told the share of the weights that are read."""


def _watched(factory: Callable[..., Any], args: tuple[Any, ...], options: dict[str, Any]) -> Any:
    """What Transformers makes in place of a progress bar: one that tells whoever loads in this thread."""
    report = getattr(_here, "report", None)
    if report is None or not args:
        return factory(*args, **options)
    return _Watched(args[0], report)


def _watch(items: Any, **options: Any) -> Any:
    """The same in place of the GGUF loader's own bar, which takes no hook."""
    return _watched(lambda items, **options: items, (items,), options)


class _Watched:
    def __init__(self, items: Any, report: Callable[[float], None]) -> None:
        self._items, self._report = items, report

    def __iter__(self) -> Iterator[Any]:
        items = list(self._items)
        for number, item in enumerate(items):
            self._report(number / len(items))
            yield item

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *args, **options: None


def fits_beside(settings: Settings, report: Report) -> bool:
    """Whether a model can be loaded while what is in memory stays there, in the precision that it would
    have alone. What is not here is downloaded first.

    Raises:
        InputError: as `load`.
    """
    device = _device(settings)
    base = open_base(settings, report)
    if base.header is None:
        read_eos_token_ids(base.folder)  # Transformers would pass over a file that it cannot read
    return _bytes_needed(settings, base, device) <= MOST_OF_MEMORY * _free_memory(device)


def _bytes_needed(settings: Settings, base: Base, device: torch.device) -> float:
    """Bytes that a base's weights take once they are loaded."""
    if base.method is not None:
        return sum(path.stat().st_size for path in base.folder.glob("*.safetensors"))
    four_bit = settings.quantize == "4bit" or (settings.quantize == "auto" and device.type == "cuda")
    full = 4 if device.type == "cpu" else 2
    return base.parameters * (BYTES_IN_4BIT if four_bit and base.header is None else full)


def measure_memory(device: torch.device) -> tuple[int, int | None]:
    """Bytes that this process holds in the machine's memory, and on its GPU."""
    on_gpu = torch.cuda.memory_reserved(device) if device.type == "cuda" else None
    return int(psutil.Process().memory_info().rss), on_gpu


def probe_logits(model: Any, probe: Sequence[int]) -> torch.Tensor:
    """A model's logits at every position of a text, (T, V), without any cache."""
    return probe_rows(model, probe, 1)[0]


def probe_rows(model: Any, probe: Sequence[int], rows: int) -> torch.Tensor:
    """The same for a text that is in every row of a batch, (B, T, V)."""
    ids = torch.tensor([list(probe)] * rows, device=model.device)
    # On a CPU with AVX512-BF16, a 4-bit layer repacks its weights at its first pass, and a DoRA adapter,
    # which needs them as numbers, would get others. Layers in training mode are not repacked.
    quantised = [module for module in model.modules() if type(module).__name__ == "Linear4bit"]
    for module in quantised:
        module.training = True
    try:
        logits: torch.Tensor = model(input_ids=ids, use_cache=False).logits
    finally:
        for module in quantised:
            module.training = False
    return logits


def _device(settings: Settings) -> torch.device:
    available = torch.cuda.is_available()
    if settings.device == "cuda" and not available:
        raise InputError("There is no CUDA device here: use --device cpu, or leave --device out.")
    return torch.device("cuda", 0) if available and settings.device != "cpu" else torch.device("cpu")


def _attention(config: Any) -> str | None:
    # Gemma 2 caps its attention scores, which only the eager form computes.
    return "eager" if getattr(config, "attn_logit_softcapping", None) else None


def compute_type(device: torch.device) -> torch.dtype:
    """The type of numbers that a device multiplies weights fastest in, of those that are exact enough."""
    if device.type != "cuda":
        return torch.float32
    return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16


def _options(settings: Settings, base: Base, device: torch.device) -> dict[str, Any]:
    """The options that load a base's weights in the precision that was asked for, as far as it can be had.

    Raises:
        InputError: it cannot be loaded in it.
    """
    compute = compute_type(device)
    place: Any = "auto" if device.type == "cuda" else {"": "cpu"}
    options = {"dtype": compute, "device_map": place, "attn_implementation": _attention(base.config)}
    if base.header is not None:
        if settings.quantize == "4bit":
            raise InputError(
                f"{settings.base} is a GGUF file, which is served de-quantised: leave --quantize out, or "
                "give the model's folder or Hub id for 4 bit."
            )
        return options
    if base.method is not None:
        if warning := quantised.set_compute(base.config, compute):
            base.warnings.append(warning)
        quantised.check_quantiser(base.config, place, settings.base)
        return options
    if settings.quantize == "4bit" or (settings.quantize == "auto" and _too_large(device, base.parameters)):
        options["quantization_config"] = nf4(compute)
    return options


def _label(base: Base, model: Any) -> str:
    held = summarise(model)
    return held if base.header is None else f"{held} (from GGUF {base.header.precision})"


def _why_plain(layers: tuple[tuple[str, int], ...]) -> str | None:
    if any("int8" in kind for kind, _ in layers):
        return "its 8-bit layers (LLM.int8) round each row by what stands in the rows beside it"
    return None


def _too_large(device: torch.device, parameters: int) -> bool:
    """Whether "auto" takes 4 bit: always on CUDA, on a CPU if float32 would not fit."""
    if device.type == "cuda":
        return True
    return 4 * parameters > MOST_OF_MEMORY * _free_memory(device)


def _free_memory(device: torch.device) -> int:
    """Bytes that can still be taken."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    return int(psutil.virtual_memory().available)


def _millions(parameters: int) -> str:
    return f"{parameters / 1e9:.1f}B" if parameters >= 1e9 else f"{parameters / 1e6:.1f}M"
