"""Check an adapter's `adapter_config.json` for settings that Tandem cannot reproduce exactly.

PEFT acts on a configuration as soon as it creates the adapter's layers: some initialisations rewrite the base
weights, and others replace layers of the base model. The file is therefore read as plain JSON, and every
setting is checked here before it is passed to PEFT. Newer versions of PEFT also write settings that the
adapter does not use, so a setting not listed here is accepted if its value is empty and rejected otherwise.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from playground.types import InputError

Check = Callable[[Any], bool]


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and "\0" not in value


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value <= 65536


def _is_index(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _is_switch(value: Any) -> bool:
    return isinstance(value, bool)


def _is_share(value: Any) -> bool:
    return _is_number(value) and 0 <= value <= 1


def _optional(check: Check) -> Check:
    return lambda value: value is None or check(value)


def _list_of(check: Check) -> Check:
    return lambda value: isinstance(value, list) and all(check(entry) for entry in value)


def _either(*checks: Check) -> Check:
    return lambda value: any(check(value) for check in checks)


def _table_of(check: Check) -> Check:
    return lambda value: (
        isinstance(value, dict) and all(_is_text(key) and check(entry) for key, entry in value.items())
    )


def _one_of(*values: Any) -> Check:
    # Compare types as well: 1 == True in Python, but PEFT compares some settings with `is`.
    return lambda value: any(type(value) is type(one) and value == one for one in values)


def _anything(value: Any) -> bool:
    return True


MODULES = _optional(_either(_is_text, _list_of(_is_text)))
COMMON: dict[str, Check] = {
    "peft_type": _one_of("LORA", "IA3"),
    "task_type": _one_of(None, "CAUSAL_LM"),
    "base_model_name_or_path": _optional(_is_text),
    "revision": _optional(_is_text),
    "peft_version": _optional(_is_text),
    "inference_mode": _optional(_is_switch),
    "auto_mapping": _optional(_table_of(_anything)),
    "target_modules": MODULES,
    "exclude_modules": MODULES,
    "fan_in_fan_out": _is_switch,
    "modules_to_save": _optional(_list_of(_is_text)),
}
LORA: dict[str, Check] = {
    **COMMON,
    "r": _is_count,
    "lora_alpha": _is_number,
    "lora_dropout": _is_share,
    "bias": _one_of("none", "all", "lora_only"),
    "use_rslora": _is_switch,
    "use_dora": _is_switch,
    "lora_bias": _is_switch,
    # These values only determine how a new adapter's factors are initialised, and do not change the base
    # weights. The factors in the file replace the initial factors.
    "init_lora_weights": _one_of(True, False, "gaussian", "orthogonal", "eva"),
    "layers_to_transform": _optional(_either(_is_index, _list_of(_is_index))),
    "layers_pattern": MODULES,
    "rank_pattern": _optional(_table_of(_is_count)),
    "alpha_pattern": _optional(_table_of(_is_number)),
    "trainable_token_indices": _optional(_either(_list_of(_is_index), _table_of(_list_of(_is_index)))),
}
IA3: dict[str, Check] = {
    **COMMON,
    "feedforward_modules": MODULES,
    "init_ia3_weights": _is_switch,
}
UNUSED = {
    "eva_config",
    "corda_config",
    "lora_ga_config",
    "loftq_config",
    "megatron_core",
    "qalora_group_size",
    "runtime_config",
}
"""Settings that PEFT reads only if another setting enables them. Tandem checks the enabling setting and does
not pass the settings listed here to PEFT."""
CHANGES_BASE = ("pissa", "olora", "corda", "loftq", "lora_ga", "mica")
CONVERT = (
    "save it as a plain LoRA with PEFT's save_pretrained(..., path_initial_model_for_weight_conversion=...)"
)


def check_config(data: Mapping[str, Any]) -> dict[str, Any]:
    """Check the settings in `adapter_config.json` and select those to pass to PEFT.

    Args:
        data: the JSON object read from the file.

    Returns:
        Settings that leave the base model unchanged and can be reproduced exactly.

    Raises:
        InputError: a setting would change the base model or cannot be reproduced exactly. The message is a
            clause ("it uses ..."), which the caller turns into a complete sentence.
    """
    kind = data.get("peft_type")
    if kind not in ("LORA", "IA3"):
        raise InputError(f"its type is {quote(kind)}, not LORA or IA3")
    known = LORA if kind == "LORA" else IA3
    kept = {}
    for key, value in data.items():
        if key in UNUSED:
            continue
        if key not in known:
            if value is None or value is False or value in ([], {}, ""):
                continue
            raise InputError(f"it uses {_quote_key(key)} = {quote(value)}, which Tandem does not support")
        if not known[key](value):
            raise InputError(_explain_refusal(key, value))
        kept[key] = value
    if not kept.get("target_modules") and not kept.get("trainable_token_indices"):
        kept.pop("target_modules", None)
    kept["inference_mode"] = True
    if kind == "LORA":
        kept["init_lora_weights"] = False
    else:
        kept["init_ia3_weights"] = False
    return kept


def _explain_refusal(key: str, value: Any) -> str:
    if key == "init_lora_weights" and isinstance(value, str):
        if value.lower().startswith(CHANGES_BASE):
            return f"it uses {key} = {quote(value)}, which requires modified base weights: {CONVERT}"
        return f"it uses {key} = {quote(value)}, which Tandem does not support"
    if key == "task_type":
        return f"it was trained for the task {quote(value)}, not for CAUSAL_LM"
    return f"its setting {key} = {quote(value)} is not a valid value in PEFT"


def _quote_key(key: str) -> str:
    """Format a setting's name for an error message, in quotation marks unless it is a short identifier."""
    return key if key.isidentifier() and len(key) <= 60 else quote(key)


def quote(value: Any, most: int = 60) -> str:
    """Format a value for an error message as one line, truncated to `most` characters.

    Strings are enclosed in quotation marks.
    """
    text = " ".join(str(value).split()) if isinstance(value, str) else repr(value)
    text = "".join(letter if letter.isprintable() else "?" for letter in text)
    text = text if len(text) <= most else f"{text[:most]}..."
    return f"'{text}'" if isinstance(value, str) else text
