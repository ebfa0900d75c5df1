"""Find, check and load the files, configuration and weights of a base model."""

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
    """A base model with local files and a validated configuration, before its weights are loaded."""

    name: str
    """Name of the base model, as given by the user."""
    folder: Path
    config: Any
    parameters: int
    """Number of parameters according to the configuration. Weights packed together by quantisation are
    counted individually."""
    method: str | None = None
    """Quantisation method of the saved weights, from `quantised.find_method`."""
    header: GgufFile | None = None
    """Header of the GGUF file; None if the base model is not a GGUF file."""
    pickled: bool = False
    remote_code: bool = False
    """Whether to run the Python code in the base model's folder."""
    warnings: list[str] = field(default_factory=list)

    @property
    def tokenizer_options(self) -> dict[str, Any]:
        """Keyword arguments for `AutoTokenizer.from_pretrained`."""
        options: dict[str, Any] = {"trust_remote_code": self.remote_code}
        return options if self.header is None else {**options, "gguf_file": self.header.path.name}


def open_base(settings: Settings, report: Report) -> Base:
    """Find or download a base model and run all checks that do not need its weights.

    Args:
        settings: Tandem's settings, including the name of the base model.
        report: callback for download progress.

    Raises:
        InputError: the base model cannot be found, or is not supported.
    """
    source = find_source(settings.base)
    if source.file is not None:
        path = hub.find_folder(settings.base, report=report) / source.file
        return _open_gguf(settings.base, read_gguf(path))
    remote_code = settings.trust_remote_code and not settings.public
    # Download the configuration files first, so that no weights are downloaded for an unsupported model.
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
            f"{settings.base} runs Python code from its repository, as allowed by --trust-remote-code."
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
        raise InputError(f"{name} cannot be loaded as a language model: {_explain(error)}.") from error
    return Base(name, header.path.parent, config, parameters, header=header)


def _read_config(folder: Path, base: str) -> dict[str, Any]:
    """Read config.json and check that the folder appears to contain a base model.

    Raises:
        InputError: the folder does not contain a base model, or an entry in config.json has an implausible
            value.
    """
    check_regular(folder)
    names = [path.name for path in folder.iterdir()]
    if "config.json" not in names:
        if "adapter_config.json" in names or any(name.lower().endswith(".gguf") for name in names):
            find_weight_files(names, read_object, base, allow_pickle=True)
        raise InputError(f"{base} is not a model: {folder} has no config.json.")
    if "adapter_config.json" in names:
        # Transformers would load the base named in adapter_config.json, with the adapter applied.
        raise InputError(
            f"{base} has both a config.json and an adapter_config.json: put the base model and the adapter "
            "in separate folders, and specify the adapter's folder with --adapter."
        )
    raw = read_object(folder / "config.json")
    checkpoint.check_config(raw, f"{base}, config.json")
    return raw


def _check_code(raw: Mapping[str, Any], base: str, remote_code: bool) -> None:
    """Reject a base model that needs Python code from its repository, unless running that code is allowed."""
    if raw.get("auto_map") and raw.get("model_type") not in CONFIG_MAPPING and not remote_code:
        raise InputError(
            f"{base} needs Python code from its repository, which Tandem does not run by default: review "
            "that code, and start with --trust-remote-code if you trust it."
        )


def _load_config(folder: Path, base: str, remote_code: bool) -> tuple[Any, int]:
    """Load a configuration and count the parameters of the model that it describes."""
    try:
        config = AutoConfig.from_pretrained(folder, trust_remote_code=remote_code)
        refuse_architecture(config, base)
        # Counting the parameters raises an exception if the model is not a causal language model.
        return config, count_parameters(config, remote_code)
    except InputError:
        raise
    except Exception as error:
        raise InputError(f"{base} cannot be loaded as a language model: {_explain(error)}.") from error


def count_parameters(config: Any, remote_code: bool = False) -> int:
    """Count a model's parameters from its configuration, by creating the model on the meta device."""
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config, trust_remote_code=remote_code)
        return int(model.num_parameters())


def _explain(error: Exception) -> str:
    if isinstance(error, KeyError) and " " not in str(error):
        return f"{error} is unknown"
    lines = str(error).strip().splitlines()
    # Validation errors have the field on the first line and the reason on the second.
    if len(lines) > 1 and lines[0].rstrip().endswith(":"):
        return f"{lines[0].strip()} {lines[1].strip().rstrip('.')}"[:300]
    return first_line(error)


# --- Weights --------------------------------------------------------------------------------------


def load_weights(base: Base, options: Mapping[str, Any]) -> PreTrainedModel:
    """Load the weights of a base model and check that all of them were loaded.

    Args:
        base: the base model, from `open_base`.
        options: options for `from_pretrained`, such as dtype and device_map.

    Raises:
        InputError: weights are missing, unused or have unexpected shapes, so the loaded model would be partly
            random or differ from the saved model. The message names the first three of these weights.
    """
    options = {
        "config": base.config,
        "trust_remote_code": base.remote_code,
        "use_safetensors": not base.pickled,
        "weights_only": True,
        **options,
        "output_loading_info": True,
        "ignore_mismatched_sizes": True,  # listed in the loading report, which `_check_report` checks
    }
    if base.header is not None:
        options |= {"gguf_file": base.header.path.name, "quantization_config": GgufConfig(dequantize=True)}
        del options["use_safetensors"]
    try:
        model, info = AutoModelForCausalLM.from_pretrained(base.folder, **options)
    except pickle.UnpicklingError as error:
        raise InputError(
            f"{base.name} has a pickled weights file with objects other than weights, which Tandem does not "
            "load: use a copy in safetensors format."
        ) from error
    except NotImplementedError as error:
        raise InputError(f"{base.name} cannot be loaded here: {first_line(error)}.") from error
    except (AttributeError, EOFError, OSError, RuntimeError, TypeError, ValueError) as error:
        if not base.pickled:
            raise
        raise InputError(
            f"{base.name} has a pickled weights file that is damaged or is not a dictionary of weights: "
            "download it again, or use a copy in safetensors format."
        ) from error
    _check_report(base, model, info)
    if base.header is not None:
        gguf_model.check_tensors(base.header, model)
        model.generation_config.eos_token_id = gguf_model.eos_token_ids(base.header) or None
    model.eval()
    return model


def nf4(compute: torch.dtype) -> BitsAndBytesConfig:
    """Return the configuration for quantising weights to 4-bit NF4 while loading them."""
    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=compute,
    )


def _check_report(base: Base, model: Any, info: Mapping[str, Any]) -> None:
    """Check Transformers' loading report for missing, unused and mismatched weights.

    Transformers initialises missing weights randomly and lists them only in its loading report, `info`.

    Raises:
        InputError: as for `load_weights`.
    """
    where = str(base.header.path) if base.header else base.name
    if missing := sorted(info["missing_keys"]):
        found = sorted(info["unexpected_keys"])
        hint = f"; it has {_list_first(found)} instead" if found else ""
        raise InputError(
            f"{where} lacks {len(missing)} of the model's weights ({_list_first(missing)}){hint}. Its files "
            "and its configuration do not belong to the same model."
        )
    if mismatched := sorted(info["mismatched_keys"], key=str):
        name, has, wants = mismatched[0]
        raise InputError(
            f"{where}: the shapes of {len(mismatched)} weights do not match its configuration ({name}: "
            f"{list(has)}, not {list(wants)}), so its files and its configuration do not belong to the same "
            "model."
        )
    left = sorted(info["unexpected_keys"])
    if ours := [name for name in left if _belongs(name, model)]:
        raise InputError(
            f"{where} has {len(ours)} weights that its configuration does not use ({_list_first(ours)}), so "
            "the result would be a different model: correct its config.json."
        )
    if left:
        base.warnings.append(
            f"{len(left)} weights in the base model's files are not used ({_list_first(left)})."
        )


def _belongs(name: str, model: Any) -> bool:
    """Return whether an unused weight seems to belong to the model, for example to an extra layer."""
    pattern = re.sub(r"\d+", "#", name)
    own = [re.sub(r"\d+", "#", key) for key, _ in model.named_parameters()]
    endings = {key.rsplit(".", 1)[0] for key in own}
    return pattern in own or (name.endswith(".bias") and pattern.rsplit(".", 1)[0] in endings)


def _list_first(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")


def check_numbers(base: str, model: Any, logits: torch.Tensor) -> None:
    """Check that a model's logits on a fixed text and its input embeddings contain no NaN or infinity.

    Args:
        base: name of the base model.
        model: the base model, without adapters.
        logits: the model's logits on the fixed text.

    Raises:
        InputError: a logit or an embedding is NaN or infinite.
    """
    rows = model.get_input_embeddings().weight
    if bool(logits.isfinite().all()) and bool(rows.isfinite().all()):
        return
    held = str(logits.dtype).removeprefix("torch.")
    cause = "" if held == "float32" else f", or too large for {held}"
    raise InputError(
        f"{base} outputs NaN or infinity for a test text: its weights are damaged{cause}; "
        "download it again, or use another copy."
    )
