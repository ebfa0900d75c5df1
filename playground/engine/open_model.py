"""Prepare a loaded model for decoding: speed up its linear layers, test the adapters, and choose a code path.

No step depends on a list of architectures. Each step runs the model on a fixed test text. If a step changes
the base model's logits, the step is undone or skipped.
"""

from __future__ import annotations

from torch import Tensor

from playground.engine import path_trial
from playground.engine.adapter_trial import AdapterTrial, is_same
from playground.engine.linear import Linears
from playground.engine.loading.load import Loaded
from playground.engine.loading.probe import probe_logits
from playground.engine.model import Model
from playground.types import InputError


def open_model(loaded: Loaded) -> Model:
    """Prepare a loaded base model and its adapters for decoding.

    Raises:
        InputError: neither code path reproduces the model's output exactly.
        BaseChangedError: an adapter changes the base model's output even when it is disabled.
    """
    base_logits = _speed_up_linears(loaded)
    model = Model(loaded)
    # Test the adapters before the path trial. The path trial runs decoding steps, after which 4-bit layers on
    # CPU no longer reproduce the base logits (see `probe_rows`).
    trial = AdapterTrial(model, loaded)
    model.adapters = trial.check_adapters(base_logits)
    model.plain = loaded.plain or trial.mixed or path_trial.find_mismatch(model, loaded.probe)
    if model.plain is not None:
        model.has_own_cache = True
        model.has_own_cache = _is_own_cache_exact(model, loaded)
        if not model.has_own_cache:
            _check_without_cache(model, loaded)
    return model


def _speed_up_linears(loaded: Loaded) -> Tensor:
    """Replace the linear layers with faster implementations, unless this changes the logits.

    The logits change if the model's code reads a layer's weight without calling the layer, as in Mamba.

    Returns:
        The base model's logits of shape (T, V) on the test text, computed with the final implementation of
        the layers.
    """
    linears = Linears(loaded.model)
    if linears.fit(lambda tokens: probe_logits(loaded.model, loaded.probe[:tokens])):
        logits = probe_logits(loaded.model, loaded.probe)
        if is_same(logits, loaded.base_logits, loaded.model.dtype):
            return logits
    linears.remove()
    return probe_logits(loaded.model, loaded.probe)


def _is_own_cache_exact(model: Model, loaded: Loaded) -> bool:
    """Return whether the plain code path with the model's own cache reproduces the logits of `generate`."""
    agrees = path_trial.matches_generate(model, loaded.probe, model.begin)
    if agrees is not False and path_trial.own_cache_works(model, loaded.probe):
        return True
    # In LLM.int8 layers, rounding depends on the other tokens in the forward pass. The logits therefore
    # differ when the whole text is processed in one pass, but `generate` never processes text that way.
    return bool(agrees) and path_trial.own_cache_keeps_rows_apart(model, loaded.probe)


def _check_without_cache(model: Model, loaded: Loaded) -> None:
    """Check that the plain code path without a cache reproduces the model's output exactly.

    Raises:
        InputError: the plain code path does not reproduce the output, so the model cannot be served.
    """
    reason = None
    if model.rope and not model.rope.prefills_again:
        reason = "its positions depend on the length of the text, and its own cache cannot be used"
    elif not path_trial.is_stateless(model, loaded.probe):
        reason = "its output for a text depends on previously processed text"
    elif path_trial.matches_generate(model, loaded.probe, model.begin) is False:
        reason = "its output differs from that of its own `generate`"
    if reason:
        raise InputError(f"{loaded.base} cannot be served exactly: {reason}; choose another base.")
