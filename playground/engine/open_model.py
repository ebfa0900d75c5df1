"""Prepare a loaded model for decoding: speed up linear layers, try the adapters, choose a path.

Nothing is looked up in a list of architectures. Each step runs the model on a fixed text, and is undone or
skipped if it changes the logits.
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
    """Prepare a loaded base and its adapters for decoding.

    Raises:
        InputError: the model cannot be served exactly.
        BaseChangedError: an adapter changes the base even when it is switched off.
    """
    base_logits = _speed_up_linears(loaded)
    model = Model(loaded)
    # Try the adapters first: the path trial decodes, after which 4-bit layers on a CPU compute in another way
    # than when the base's logits were computed (see `probe_rows`).
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
    """Replace the linear layers by their fastest form, if this does not change the logits.

    It can change them: some models (Mamba) read a layer's weight without calling the layer.

    Returns:
        The base's logits on the fixed text, (T, V), with the final form of the layers.
    """
    linears = Linears(loaded.model)
    if linears.fit(lambda tokens: probe_logits(loaded.model, loaded.probe[:tokens])):
        logits = probe_logits(loaded.model, loaded.probe)
        if is_same(logits, loaded.base_logits, loaded.model.dtype):
            return logits
    linears.remove()
    return probe_logits(loaded.model, loaded.probe)


def _is_own_cache_exact(model: Model, loaded: Loaded) -> bool:
    """Whether the plain path with the model's own cache gives the same logits as `generate`."""
    agrees = path_trial.matches_generate(model, loaded.probe, model.begin)
    if agrees is not False and path_trial.own_cache_works(model, loaded.probe):
        return True
    # Layers whose rounding depends on the other tokens of a pass (LLM.int8) give other logits in one pass
    # over the whole text, which is not how `generate` processes a text.
    return bool(agrees) and path_trial.own_cache_keeps_rows_apart(model, loaded.probe)


def _check_without_cache(model: Model, loaded: Loaded) -> None:
    """Check that the plain path without a cache is exact.

    Raises:
        InputError: the plain path is not exact, so the model cannot be served.
    """
    reason = None
    if model.rope and not model.rope.prefills_again:
        reason = "its positions change with the length of a text, and its own cache could not be used"
    elif not path_trial.is_stateless(model, loaded.probe):
        reason = "its output for a text depends on the text that it read before"
    elif path_trial.matches_generate(model, loaded.probe, model.begin) is False:
        reason = "its output differs from that of its own `generate`"
    if reason:
        raise InputError(f"{loaded.base} cannot be served exactly: {reason}; choose another base.")
