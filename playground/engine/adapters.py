"""The adapters of a library, read, checked and put on the base."""

from __future__ import annotations

import warnings
from typing import Any

from transformers import PreTrainedModel

from playground.engine import hub, lora
from playground.engine.hub import Report
from playground.files import first_line
from playground.library import Library
from playground.types import AdapterCard, AdapterStatus, InputError


def load_adapters(
    model: PreTrainedModel, library: Library, report: Report
) -> tuple[PreTrainedModel, tuple[AdapterStatus, ...]]:
    """Put every adapter of the library on the model; see `load`."""
    statuses = []
    peft_model: Any = None
    for index, card in enumerate(list(library.adapters.values())):
        report(f"Loading adapter {card.name}", 0.6 + 0.3 * index / len(library.adapters))
        reason = None
        try:
            config = _adapter_config(card)
            if peft_model is None:
                peft_model = _first_adapter(model, card, config)
            _load_adapter(peft_model, card)
        except InputError as error:
            reason = str(error)
            if peft_model is not None and card.name in peft_model.peft_config:
                peft_model.delete_adapter(card.name)
        statuses.append(AdapterStatus(card=card, error=reason))
    if peft_model is not None:
        peft_model.eval()
        model = peft_model.base_model.model
    return model, tuple(statuses)


def _adapter_config(card: AdapterCard) -> Any:
    """PEFT's configuration of an adapter.

    Raises:
        InputError: it cannot be read, or is of a kind that the row-stacked step cannot serve exactly. This
            is found out before the base is touched, since some kinds leave marks on it.
    """
    from peft import PeftConfig

    try:
        config = PeftConfig.from_pretrained(str(hub.folder(card.source)))
    except InputError:
        raise
    except Exception as error:
        raise InputError(f"Adapter {card.name!r} cannot be read: {first_line(error)}.") from error
    if reason := lora.refused_config(config):
        raise InputError(f"Adapter {card.name!r} cannot be used here: {reason}.")
    return config


def _first_adapter(model: PreTrainedModel, card: AdapterCard, config: Any) -> Any:
    """PEFT's model around the base, with the layers of `card` in it but not their weights.

    Raises:
        InputError: the adapter names layers that the base does not have.
    """
    from peft import PeftModel

    try:
        return PeftModel(model, config, adapter_name=card.name)
    except Exception as error:
        raise _misfit(card, model, error) from error


def _load_adapter(peft_model: Any, card: AdapterCard) -> None:
    """Load one adapter's weights.

    Raises:
        InputError: it does not fit the base, or the row-stacked step cannot serve it exactly.
    """
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            peft_model.load_adapter(str(hub.folder(card.source)), adapter_name=card.name)
    except Exception as error:
        raise _misfit(card, peft_model, error) from error
    missing = any("missing adapter keys" in str(warning.message) for warning in caught)
    reason = "its file lacks weights that its configuration names" if missing else None
    reason = reason or lora.refused_layers(peft_model, card.name)
    if reason:
        raise InputError(f"Adapter {card.name!r} cannot be used here: {reason}.")


def _misfit(card: AdapterCard, model: Any, error: Exception) -> InputError:
    return InputError(
        f"Adapter {card.name!r} does not fit the base {model.name_or_path}: {first_line(error)}."
    )
