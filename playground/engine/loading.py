"""Loading a base model and its adapters.

CUDA: 4-bit NF4 with double quantisation, computing in bfloat16 where the card has it, else float16. CPU:
float32, or NF4 where the float32 weights would not fit in memory or the user asks. Never bfloat16 on a CPU:
without AMX its matrix products are over 100 times slower than float32 (0.8 against 116 GFLOP/s measured).
"""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import torch
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    BitsAndBytesConfig,
    PreTrainedModel,
)
from transformers.utils import logging as transformers_logging

from playground.config import Settings
from playground.engine import attention, hub
from playground.engine.adapter_tokenizers import AdapterText, differing_words, read_adapter_text
from playground.engine.adapters import load_adapters
from playground.engine.architecture import refuse_architecture
from playground.engine.hub import Report
from playground.engine.positions import context_length
from playground.engine.tokenizer import eos_token_ids, load_tokenizer
from playground.files import first_line
from playground.library import Library
from playground.types import AdapterCard, AdapterStatus, InputError

PREFIX_SHARE = 0.25
"""Share of the free memory that stored prefixes may take."""
MOST_OF_MEMORY = 0.8
"""Share of the free memory that float32 weights may take before a CPU loads them in 4 bit."""
BYTES_IN_4BIT = 0.75
"""Of a parameter, with the embeddings, which stay as they are, and what quantising takes meanwhile."""
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
    """The base's own class, with PEFT's layers in it if there are adapters."""
    tokenizer: Any
    texts: dict[str, AdapterText]
    """By adapter, its own tokenizer and end tokens; only those that can be used."""
    device: torch.device
    device_name: str
    precision: str
    parameters: int
    context: int
    ends: frozenset[int]
    """Token ids that end any answer."""
    adapters: tuple[AdapterStatus, ...]
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


def load(settings: Settings, library: Library, report: Report) -> Loaded:
    """The base and every adapter of the library.

    An adapter that cannot be used does not stop the others: its status says why.

    Raises:
        InputError: the base cannot be found, or is not a causal language model.
    """
    transformers_logging.disable_progress_bar()
    transformers_logging.set_verbosity_error()
    transformers_logging.set_tqdm_hook(_watched)
    device = _device(settings)
    report(f"Finding {settings.base}", 0.05)
    unusable = hub.fetch_cards(library, report)
    folder = hub.folder(settings.base, report=report)
    config = _config(folder, settings.base)
    tokenizer = load_tokenizer(folder, settings.base)
    parameters = _count_parameters(config)
    small = device.type == "cpu" and parameters < SMALL_MODEL
    # For this thread, which is the one that decodes: OpenMP keeps the number for each thread that calls it.
    torch.set_num_threads(1 if small else min(THREADS, MOST_THREADS))
    quantize = settings.quantize == "4bit" or (settings.quantize == "auto" and _too_large(device, parameters))
    precision, options = _precision(device, quantize)
    note = f"Loading {settings.base} ({_millions(parameters)} parameters, {precision})"
    report(note, 0.2)
    _here.report = lambda share: report(note, 0.2 + 0.4 * share)
    try:
        model = AutoModelForCausalLM.from_pretrained(
            folder, config=config, attn_implementation=_attention(config), **options
        )
    finally:
        _here.report = None
    model.eval()
    probe = tokenizer(PROBE)["input_ids"][: context_length(config, tokenizer)]
    base_logits = probe_logits(model, probe)
    attention.install(model)
    model, adapters = load_adapters(model, library, report)
    adapters, texts = _adapter_texts(adapters, tokenizer, folder)
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
        parameters=parameters,
        context=context_length(config, tokenizer),
        ends=eos_token_ids(model, tokenizer),
        adapters=adapters,
        prefix_limit=int(PREFIX_SHARE * _free_memory(device)),
        probe=probe,
        base_logits=base_logits,
    )


def _adapter_texts(
    statuses: Sequence[AdapterStatus], base: Any, folder: Path
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
    config = _config(hub.folder(settings.base, report=report), settings.base)
    quantize = settings.quantize == "4bit" or (settings.quantize == "auto" and device.type == "cuda")
    full = 4 if device.type == "cpu" else 2
    needed = _count_parameters(config) * (BYTES_IN_4BIT if quantize else full)
    return needed <= MOST_OF_MEMORY * _free_memory(device)


def held(device: torch.device) -> tuple[int, int | None]:
    """Bytes that this process holds in the machine's memory, and on its GPU."""
    on_gpu = torch.cuda.memory_reserved(device) if device.type == "cuda" else None
    return int(psutil.Process().memory_info().rss), on_gpu


def probe_logits(model: Any, probe: Sequence[int]) -> torch.Tensor:
    """A model's logits at every position of a text, (T, V), without any cache."""
    ids = torch.tensor([probe], device=model.device)
    # On a CPU with AVX512-BF16, a 4-bit layer repacks its weights at its first pass, and PEFT's way of
    # reading adapters unpacks them again with a loss: a base that was run once would be another base from
    # then on. Layers in training mode are not repacked.
    quantised = [module for module in model.modules() if type(module).__name__ == "Linear4bit"]
    for module in quantised:
        module.training = True
    try:
        logits: torch.Tensor = model(input_ids=ids, use_cache=False).logits[0]
    finally:
        for module in quantised:
            module.training = False
    return logits


def _device(settings: Settings) -> torch.device:
    available = torch.cuda.is_available()
    if settings.device == "cuda" and not available:
        raise InputError("There is no CUDA device here: use --device cpu, or leave --device out.")
    return torch.device("cuda", 0) if available and settings.device != "cpu" else torch.device("cpu")


def _config(folder: Path, base: str) -> Any:
    if not (folder / "config.json").is_file():
        raise InputError(f"{base} is not a model: {folder} has no config.json.")
    try:
        config = AutoConfig.from_pretrained(folder)
        refuse_architecture(config, base)
        _count_parameters(config)  # which fails for what is no causal language model
    except InputError:
        raise
    except Exception as error:
        raise InputError(
            f"{base} is not a language model that can be loaded here: {first_line(error)}."
        ) from error
    return config


def _attention(config: Any) -> str | None:
    # Gemma 2 caps its attention scores, which only the eager form computes.
    return "eager" if getattr(config, "attn_logit_softcapping", None) else None


def _precision(device: torch.device, quantize: bool) -> tuple[str, dict[str, Any]]:
    """The precision's name, and the options that load a model in it."""
    if device.type == "cuda":
        compute = torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16
        place: Any = "auto"
    else:
        compute, place = torch.float32, {"": "cpu"}
    options = {"dtype": compute, "device_map": place}
    if not quantize:
        return str(compute).removeprefix("torch."), options
    options["quantization_config"] = BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=compute,
    )
    return "4-bit NF4", options


def _count_parameters(config: Any) -> int:
    """Counted on a model without memory, so that it is known before any weight is read."""
    with torch.device("meta"):
        return int(AutoModelForCausalLM.from_config(config).num_parameters())


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
