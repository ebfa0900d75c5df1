"""Find, check and load a base model: its files, configuration and weights."""

from __future__ import annotations

import pickle
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, AutoModelForCausalLM, BitsAndBytesConfig, GgufConfig, PreTrainedModel
from transformers.models.auto.configuration_auto import CONFIG_MAPPING

from playground.config import Settings
from playground.engine import hub
from playground.engine.hub import Report
from playground.engine.hub.weight_files import find_weight_files
from playground.engine.loading import checkpoint, gguf_model, quantised
from playground.engine.loading.architecture import refuse_architecture
from playground.files import check_regular, first_line, read_object
from playground.gguf import GgufFile, read_gguf
from playground.library.sources import find_source
from playground.types import InputError

GGUF_SIZES = {
    "block_count": "num_hidden_layers",
    "embedding_length": "hidden_size",
    "attention.head_count": "num_attention_heads",
    "attention.head_count_kv": "num_key_value_heads",
    "context_length": "max_position_embeddings",
    "vocab_size": "vocab_size",
}


@dataclass
class Base:
    """A base model with local files and a checked configuration, before its weights are read."""

    name: str
    """The name as the user gave it."""
    folder: Path
    config: Any
    parameters: int
    """Number of parameters, counted from the configuration, so that packed weights are counted unpacked."""
    method: str | None = None
    """Quantisation method of the saved weights; see `quantised.find_method`."""
    header: GgufFile | None = None
    """Header of the base's GGUF file; None for a folder."""
    pickled: bool = False
    remote_code: bool = False
    """Whether Python code from the base's folder is run."""
    warnings: list[str] = field(default_factory=list)

    @property
    def tokenizer_options(self) -> dict[str, Any]:
        """Options of `AutoTokenizer.from_pretrained` besides the folder."""
        options: dict[str, Any] = {"trust_remote_code": self.remote_code}
        return options if self.header is None else {**options, "gguf_file": self.header.path.name}


def open_base(settings: Settings, report: Report) -> Base:
    """Find or download a base model and run every check that does not need its weights.

    Args:
        settings: Tandem's settings, with the base's name.
        report: called with the progress of a download.

    Raises:
        InputError: the base cannot be found or served.
    """
    source = find_source(settings.base)
    if source.file is not None:
        path = hub.find_folder(settings.base, report=report) / source.file
        return _open_gguf(settings.base, read_gguf(path))
    remote_code = settings.trust_remote_code and not settings.public
    # Fetch the configuration files first, so that no weights are downloaded for a base that cannot be served.
    folder = hub.find_folder(settings.base, hub.SMALL_FILES, report)
    raw = _read_config(folder, settings.base)
    method = quantised.find_method(raw)
    quantised.check_method(method, settings.base)
    _check_code(raw, settings.base, remote_code)
    folder = hub.find_folder(
        settings.base, report=report, allow_pickle=settings.allow_pickle, remote_code=remote_code
    )
    config, parameters = _load_config(folder, settings.base, remote_code)
    files = checkpoint.check_weights(folder, settings.allow_pickle)
    base = Base(settings.base, folder, config, parameters, method, pickled=files.format == "pickle")
    if remote_code and raw.get("auto_map"):
        base.remote_code = True
        base.warnings.append(
            f"{settings.base} runs Python code of its own repository, as --trust-remote-code allows."
        )
    return base


def _open_gguf(name: str, header: GgufFile) -> Base:
    gguf_model.check_available(header)
    prefix = f"{header.architecture}."
    sizes = {ours: header.metadata.get(prefix + theirs) for theirs, ours in GGUF_SIZES.items()}
    checkpoint.check_config(sizes, str(header.path))
    config = gguf_model.load_config(header, AutoConfig.from_pretrained)
    refuse_architecture(config, name)
    try:
        parameters = count_parameters(config)
    except Exception as error:
        raise InputError(
            f"{name} is not a language model that can be loaded here: {_explain(error)}."
        ) from error
    return Base(name, header.path.parent, config, parameters, header=header)


def _read_config(folder: Path, base: str) -> dict[str, Any]:
    """Read config.json and check that the folder can be that of a base model.

    Raises:
        InputError: the folder is not that of a base model, or an entry of config.json is not plausible.
    """
    check_regular(folder)
    names = [path.name for path in folder.iterdir()]
    if "config.json" not in names:
        if "adapter_config.json" in names or any(name.lower().endswith(".gguf") for name in names):
            find_weight_files(names, read_object, base, allow_pickle=True)
        raise InputError(f"{base} is not a model: {folder} has no config.json.")
    if "adapter_config.json" in names:
        # Transformers would load the base that adapter_config.json names, with the adapter.
        raise InputError(
            f"{base} has an adapter_config.json beside its config.json: give the base in one folder, and the "
            "adapter in another with --adapter."
        )
    raw = read_object(folder / "config.json")
    checkpoint.check_config(raw, f"{base}, config.json")
    return raw


def _check_code(raw: Mapping[str, Any], base: str, remote_code: bool) -> None:
    """Reject a base whose architecture is Python code in its repository, unless such code may run."""
    if raw.get("auto_map") and raw.get("model_type") not in CONFIG_MAPPING and not remote_code:
        raise InputError(
            f"{base} needs Python code of its own repository, which does not run here: read that code, and "
            "start with --trust-remote-code if you trust it."
        )


def _load_config(folder: Path, base: str, remote_code: bool) -> tuple[Any, int]:
    """Load the configuration and count the parameters of the model that it describes."""
    try:
        config = AutoConfig.from_pretrained(folder, trust_remote_code=remote_code)
        refuse_architecture(config, base)
        # Counting raises an exception for a model that is not a causal language model.
        return config, count_parameters(config, remote_code)
    except InputError:
        raise
    except Exception as error:
        raise InputError(
            f"{base} is not a language model that can be loaded here: {_explain(error)}."
        ) from error


def count_parameters(config: Any, remote_code: bool = False) -> int:
    """Count a model's parameters from its configuration, with a model on the meta device."""
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config, trust_remote_code=remote_code)
        return int(model.num_parameters())


def _explain(error: Exception) -> str:
    if isinstance(error, KeyError) and " " not in str(error):
        return f"{error} is not known"
    lines = str(error).strip().splitlines()
    # A validation error has the field in its first line and the reason in the second.
    if len(lines) > 1 and lines[0].rstrip().endswith(":"):
        return f"{lines[0].strip()} {lines[1].strip().rstrip('.')}"[:300]
    return first_line(error)


# --- Weights --------------------------------------------------------------------------------------


def load_weights(base: Base, options: Mapping[str, Any]) -> PreTrainedModel:
    """Load a base's weights and check that all of them were loaded.

    Args:
        base: the base, from `open_base`.
        options: options of `from_pretrained`, such as dtype and device_map.

    Raises:
        InputError: weights are missing, unused or of other shapes, so that part of the model would be random
            or the result another model; the message names the first three.
    """
    options = {
        "config": base.config,
        "trust_remote_code": base.remote_code,
        "use_safetensors": not base.pickled,
        "weights_only": True,
        **options,
        "output_loading_info": True,
        "ignore_mismatched_sizes": True,  # the loading report lists them, and `_check_report` rejects them
    }
    if base.header is not None:
        options |= {"gguf_file": base.header.path.name, "quantization_config": GgufConfig(dequantize=True)}
        del options["use_safetensors"]
    try:
        model, info = AutoModelForCausalLM.from_pretrained(base.folder, **options)
    except pickle.UnpicklingError as error:
        raise InputError(
            f"{base.name} has a pickled weights file that holds more than weights, and is not read: use a "
            "copy in safetensors."
        ) from error
    except NotImplementedError as error:
        raise InputError(f"{base.name} cannot be loaded here: {first_line(error)}.") from error
    except (AttributeError, EOFError, OSError, RuntimeError, TypeError, ValueError) as error:
        if not base.pickled:
            raise
        raise InputError(
            f"{base.name} has a pickled weights file that is damaged, or that holds no table of weights: "
            "download it again, or use a copy in safetensors."
        ) from error
    _check_report(base, model, info)
    if base.header is not None:
        gguf_model.check_tensors(base.header, model)
        model.generation_config.eos_token_id = gguf_model.eos_token_ids(base.header) or None
    model.eval()
    return model


def nf4(compute: torch.dtype) -> BitsAndBytesConfig:
    """Return the configuration that quantises weights to 4-bit NF4 while they are loaded."""
    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=compute,
    )


def _check_report(base: Base, model: Any, info: Mapping[str, Any]) -> None:
    """Check Transformers' report of a load for missing, unused and mismatched weights.

    Transformers initialises missing weights at random and reports them only in `info`.

    Raises:
        InputError: as `load_weights`.
    """
    where = str(base.header.path) if base.header else base.name
    if missing := sorted(info["missing_keys"]):
        found = sorted(info["unexpected_keys"])
        hint = f"; it has {_list_first(found)} instead" if found else ""
        raise InputError(
            f"{where} lacks {len(missing)} of the model's weights ({_list_first(missing)}){hint}: its files "
            "and its configuration are not of one model."
        )
    if mismatched := sorted(info["mismatched_keys"], key=str):
        name, has, wants = mismatched[0]
        raise InputError(
            f"{where}: {len(mismatched)} weights are of other shapes than its configuration says ({name}: "
            f"{list(has)}, not {list(wants)}): its files and its configuration are not of one model."
        )
    left = sorted(info["unexpected_keys"])
    if ours := [name for name in left if _belongs(name, model)]:
        raise InputError(
            f"{where} has {len(ours)} weights that its configuration leaves out ({_list_first(ours)}): the "
            "model would be another one; correct its config.json."
        )
    if left:
        base.warnings.append(f"{len(left)} weights of the base's files are not used ({_list_first(left)}).")


def _belongs(name: str, model: Any) -> bool:
    """Whether an unused weight resembles a weight of the model: one of a further layer, or a bias."""
    pattern = re.sub(r"\d+", "#", name)
    own = [re.sub(r"\d+", "#", key) for key, _ in model.named_parameters()]
    endings = {key.rsplit(".", 1)[0] for key in own}
    return pattern in own or (name.endswith(".bias") and pattern.rsplit(".", 1)[0] in endings)


def _list_first(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")


def check_numbers(base: str, model: Any, logits: torch.Tensor) -> None:
    """Check that a model's logits on a fixed text and its input embeddings have no NaN or infinity.

    Args:
        base: the base's name.
        model: the base model, without adapters.
        logits: the logits of the fixed text.

    Raises:
        InputError: a logit or an embedding is NaN or infinite.
    """
    rows = model.get_input_embeddings().weight
    if bool(logits.isfinite().all()) and bool(rows.isfinite().all()):
        return
    held = str(logits.dtype).removeprefix("torch.")
    cause = "" if held == "float32" else f", or too large for {held}"
    raise InputError(
        f"{base} does not compute numbers (NaN or infinity on a test text): its weights are damaged{cause}; "
        "download it again, or use another copy."
    )
