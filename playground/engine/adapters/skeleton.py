"""Load an adapter into a skeleton of the base model with PEFT, and collect its values for the real model.

PEFT determines how a configuration is applied (which modules, ranks, scalings and tied weights), but PEFT
never touches the model that generates answers. Instead, PEFT builds the adapter's layers on a skeleton: a
model of the same class on the meta device, where weights have shapes but no data. The loaded values are then
collected by module path, checked against the modules of the base model, and applied to the adapter's rows by
`row_adapters`.
"""

from __future__ import annotations

import copy
import inspect
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from peft import (
    IA3Config,
    LoraConfig,
    PeftModel,
    get_peft_model_state_dict,
    set_peft_model_state_dict,
)
from peft.tuners.ia3 import Linear as Ia3Linear
from peft.tuners.lora import Embedding as LoraEmbedding
from peft.tuners.lora import Linear as LoraLinear
from peft.tuners.tuners_utils import BaseTunerLayer
from peft.utils.integrations import dequantize_module_weight
from peft.utils.other import ModulesToSaveWrapper, TrainableTokensWrapper
from torch import Tensor, nn
from transformers import PreTrainedModel

from playground.engine.adapters.config import quote
from playground.engine.adapters.files import Shape
from playground.engine.adapters.parts import (
    Bias,
    EmbeddingLora,
    Ia3,
    Lora,
    Part,
    TokenColumns,
    TokenRows,
    features,
)
from playground.engine.adapters.patterns import check_patterns
from playground.files import first_line
from playground.types import InputError
from playground.words import format_number

INNER = "tandem_adapter"
"""Adapter name passed to PEFT instead of the adapter's name in Tandem. PEFT makes this name part of module
names, in which fewer characters are allowed than in Tandem's adapter names."""
VARIANTS = ("DoraLinearVariant", "DoraEmbeddingVariant")
PREFIX = "base_model.model."


class Skeleton:
    """A copy of the base model's architecture on the meta device, with one adapter's layers added."""

    def __init__(self, base: PreTrainedModel, settings: Mapping[str, Any], tokens: int | None) -> None:
        """Build the skeleton and add the adapter's layers, without loading any weights.

        Args:
            base: the base model; only its class and configuration are used.
            settings: the adapter's checked configuration.
            tokens: vocabulary size that the adapter was trained with; None if it equals the base model's
                vocabulary size.

        Raises:
            InputError: PEFT rejects the configuration for this base model. The message is a clause; the
                caller turns it into a sentence.
        """
        config = copy.deepcopy(base.config)
        if hasattr(config, "quantization_config"):
            del config.quantization_config
        with torch.device("meta"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model = type(base)(config)
            model.tie_weights()
            if tokens is not None:
                model.resize_token_embeddings(tokens, mean_resizing=False)
            self.embedding = _path_of(model, model.get_input_embeddings())
            self.head = _path_of(model, model.get_output_embeddings())
            self.is_tied = _is_tied(model)
            check_patterns(settings, [name for name, _ in model.named_modules()])
            try:
                values = dict(settings)
                peft_config = (LoraConfig if values.pop("peft_type") == "LORA" else IA3Config)(**values)
                self.peft = PeftModel(model, peft_config, adapter_name=INNER)
            except Exception as error:
                raise InputError(f"PEFT cannot apply the adapter to this base: {_explain(error)}") from error
        self.peft.eval()
        self.model: Any = self.peft.base_model.model

    def expected_shapes(self) -> dict[str, Shape]:
        """Return the names and shapes of the weights that the adapter's file must contain."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            state = get_peft_model_state_dict(self.peft, adapter_name=INNER, save_embedding_layers=False)
        return {name: tuple(value.shape) for name, value in state.items()}

    def own_embeddings(self) -> dict[str, Shape]:
        """Return the names and shapes of the complete embedding and output layer weights.

        The adapter's file contains these weights only if they were saved with the adapter.
        """
        found = {}
        for path in (self.embedding, self.head):
            if path is not None:
                layer = _base_layer(self.model.get_submodule(path))
                found[f"{PREFIX}{path}.weight"] = tuple(layer.weight.shape)
        return found

    def aliases(self) -> dict[str, str]:
        """Map alternative names to main names, for weights that PEFT writes under two names.

        If the output layer is tied to the embeddings, PEFT writes the trained token weights for both layers.
        """
        last = ".token_adapter.trainable_tokens_delta"
        tied = self.is_tied and self.embedding is not None and self.head is not None
        return {f"{PREFIX}{self.head}{last}": f"{PREFIX}{self.embedding}{last}"} if tied else {}

    def load(self, weights: Mapping[str, Tensor]) -> None:
        """Load the adapter's weights into the skeleton with PEFT.

        Args:
            weights: the weights, keyed by the names from `expected_shapes`.

        Raises:
            InputError: PEFT fails or does not load all weights. The message is a clause; the caller turns it
                into a sentence.
        """
        for name, parameter in list(self.peft.named_parameters()):
            if f".{INNER}" in name or name in weights:
                owner, _, last = name.rpartition(".")
                # Weights that PEFT fails to load remain NaN, which is detected below.
                empty = torch.full(parameter.shape, torch.nan, device="cpu")
                self.peft.get_submodule(owner)._parameters[last] = nn.Parameter(empty, requires_grad=False)
        try:
            result = set_peft_model_state_dict(self.peft, dict(weights), INNER)
        except Exception as error:
            raise InputError(f"PEFT cannot load its weights: {_explain(error)}") from error
        # PEFT may report a weight as missing although it has loaded it under the name of a tied weight.
        state = self.peft.state_dict()
        missing = [key for key in result.missing_keys if f".{INNER}" in key and key in state]
        lost = [*result.unexpected_keys, *(key for key in missing if bool(state[key].isnan().any()))]
        if lost:
            raise InputError(f"PEFT did not load its weights {', '.join(lost[:3])}")


def _explain(error: Exception) -> str:
    return quote(first_line(error), 200)[1:-1]


def _path_of(model: nn.Module, module: nn.Module | None) -> str | None:
    return next((path for path, other in model.named_modules() if other is module), None) if module else None


def _is_tied(model: Any) -> bool:
    inside, outside = model.get_input_embeddings(), model.get_output_embeddings()
    return outside is not None and getattr(outside, "weight", None) is inside.weight


def _base_layer(module: Any) -> Any:
    """Return the original module, unwrapped from PEFT's wrappers and tuner layers."""
    while True:
        if isinstance(module, ModulesToSaveWrapper | TrainableTokensWrapper):
            module = module.original_module
        elif isinstance(module, BaseTunerLayer):
            module = module.get_base_layer()
        else:
            return module


# --- Collecting -----------------------------------------------------------------------------------


@dataclass
class Collector:
    """Collector that converts the values loaded by PEFT into one `Part` per base module."""

    skeleton: Skeleton
    base: PreTrainedModel
    own: Mapping[str, Tensor]
    """Complete embedding and output layer weights from the file, keyed by module path."""

    def __post_init__(self) -> None:
        self.parts: dict[str, Part] = {}
        self.saved: list[str] = []
        """Paths of the modules for which the adapter has its own copy."""
        self.tokens: set[int] = set()
        """Ids of the tokens whose embeddings were trained with the adapter."""
        self.ranks: set[int] = set()
        self.is_dora = False

    def collect(self) -> dict[str, Part]:
        """Return one part for each module that the adapter changes, keyed by module path.

        Raises:
            InputError: the changes to a module cannot be reproduced exactly. The message is a clause; the
                caller turns it into a sentence.
        """
        for path, weight in self.own.items():
            self._copy_weight(path, weight)
        # PEFT's wrappers contain its tuner layers, so `named_modules` yields the wrappers first.
        for path, module in self.skeleton.model.named_modules():
            if isinstance(module, ModulesToSaveWrapper):
                self._copy_module(path, module)
            elif isinstance(module, TrainableTokensWrapper):
                self._collect_tokens(path, module)
            elif isinstance(module, BaseTunerLayer) and not _is_inner(path):
                self._collect_tuner(path, module)
        self._collect_biases()
        for path, part in self.parts.items():
            self._check_tensors(path, part)
        return self.parts

    def _part(self, path: str) -> Part:
        return self.parts.setdefault(path, Part())

    def _check_tensors(self, path: str, part: Part) -> None:
        for value in part.tensors():
            if value.is_meta:
                raise InputError(f"its file lacks weights for {path}")
            if not bool(torch.isfinite(value).all()):
                raise InputError(f"its computed values for {path} contain NaN or infinity")

    def _device(self, path: str) -> torch.device:
        module = self.base.get_submodule(path)
        device: torch.device = next((value.device for value in module.parameters()), self.base.device)
        return device

    def _dtype(self, path: str) -> torch.dtype:
        """Return the data type of a base module's weights, or the model's data type if there are none."""
        kinds = [
            value.dtype for value in self.base.get_submodule(path).parameters() if value.is_floating_point()
        ]
        kind: torch.dtype = kinds[0] if kinds else self.base.dtype
        return kind

    # --- Tuner layers ---

    def _collect_tuner(self, path: str, module: Any) -> None:
        if type(module) is LoraLinear:
            self._collect_linear(path, module)
        elif type(module) is LoraEmbedding:
            self._collect_embedding(path, module)
        elif type(module) is Ia3Linear:
            self._collect_ia3(path, module)
        else:
            kind = type(_base_layer(module)).__name__
            raise InputError(f"it adapts layers of type {kind} ({path}), which Tandem does not support")

    def _check_variant(self, path: str, module: Any) -> bool:
        """Return True if a LoRA layer uses DoRA, False if it is plain LoRA.

        Raises:
            InputError: the layer uses any other LoRA variant.
        """
        variant = module.lora_variant.get(INNER)
        if variant is None:
            return False
        name = variant.__name__ if isinstance(variant, type) else type(variant).__name__
        if name not in VARIANTS:
            raise InputError(f"it uses a LoRA variant that Tandem does not support ({name})")
        self.is_dora = True
        return True

    def _real_features(self, path: str, wanted: tuple[int, int]) -> nn.Module:
        """Return the linear layer at a module path, preferring the adapter's own copy over the base layer.

        Args:
            path: the module path.
            wanted: the required numbers of input and output features.

        Raises:
            InputError: the layer has different numbers of features.
        """
        real: nn.Module = self.base.get_submodule(path)
        copied = self.parts[path].copy if path in self.parts else None
        there = features(copied or real)
        if there != wanted:
            raise InputError(f"{path} has shape {there} in this base, but the adapter was made for {wanted}")
        return copied or real

    def _collect_linear(self, path: str, module: Any) -> None:
        a, b = module.lora_A[INNER].weight, module.lora_B[INNER].weight
        real = self._real_features(path, (a.shape[1], b.shape[0]))
        device = self._device(path)
        a, b = (value.detach().to(device, torch.float32) for value in (a, b))
        scaling = float(module.scaling[INNER])
        bias = module.lora_B[INNER].bias
        dora = base_bias = None
        if self._check_variant(path, module):
            magnitude = module.lora_magnitude_vector[INNER].weight.detach().to(device, torch.float32)
            weight = _dequantise(path, real).to(device, torch.float32)
            weight = weight.T if module.fan_in_fan_out else weight
            dora = magnitude / torch.linalg.norm(weight + scaling * (b @ a), dim=1)
            base_bias = getattr(real, "bias", None)
        self.ranks.add(a.shape[0])
        self._part(path).steps.append(
            Lora(
                a=a,
                b=b,
                scaling=scaling,
                bias=None if bias is None else bias.detach().to(device, torch.float32),
                dora=dora,
                base_bias=None if base_bias is None else base_bias.detach(),
            )
        )

    def _collect_embedding(self, path: str, module: Any) -> None:
        a, b = module.lora_embedding_A[INNER], module.lora_embedding_B[INNER]
        real: Any = self._real_embedding(path)
        rows, width = real.weight.shape
        if (a.shape[1], b.shape[0]) != (rows, width):
            raise InputError(
                f"{path} has {format_number(rows)} rows of size {format_number(width)} in this base, but "
                f"the adapter was made for {format_number(a.shape[1])} rows of size "
                f"{format_number(b.shape[0])}"
            )
        device = self._device(path)
        a, b = (value.detach().T.contiguous().to(device, torch.float32) for value in (a, b))
        scaling = float(module.scaling[INNER])
        dora = None
        if self._check_variant(path, module):
            magnitude = module.lora_magnitude_vector[INNER].weight.detach().to(device, torch.float32)
            weight = real.weight.detach().to(torch.float32).T + scaling * (a @ b).T
            dora = magnitude / torch.linalg.norm(weight, dim=1)
        self.ranks.add(a.shape[1])
        self._part(path).steps.append(EmbeddingLora(a, b, scaling, _embed_scale(real), dora))

    def _real_embedding(self, path: str) -> nn.Module:
        copied = self.parts[path].copy if path in self.parts else None
        real: nn.Module = self.base.get_submodule(path)
        return copied or real

    def _collect_ia3(self, path: str, module: Any) -> None:
        vector = module.ia3_l[INNER].detach().flatten()
        there = features(self.base.get_submodule(path))
        if there is None or vector.numel() != there[0 if module.is_feedforward else 1]:
            raise InputError(
                f"{path} has shape {there} in this base, but the adapter was made for {vector.numel()}"
            )
        vector = vector.to(self._device(path), torch.float32)
        if module.is_feedforward:
            self._part(path).input_scale = vector
        else:
            self._part(path).steps.append(Ia3(vector))

    # --- Whole modules, tokens, biases ---

    def _copy_weight(self, path: str, weight: Tensor) -> None:
        """Create the adapter's copy of an embedding or output layer from the weight in its file."""
        layer: Any = copy.deepcopy(_base_layer(self.skeleton.model.get_submodule(path)))
        layer.weight = nn.Parameter(weight, requires_grad=False)
        self._part(path).copy = self._fill_from_base(path, layer)

    def _copy_module(self, path: str, wrapper: Any) -> None:
        module = wrapper.modules_to_save[INNER]
        if any(isinstance(inner, BaseTunerLayer) for inner in module.modules()):
            raise InputError(f"it both replaces {path} and adapts layers inside it")
        # Also count inputs with default values: OPT, for example, passes such an input to its position
        # embeddings.
        inputs = [
            parameter
            for parameter in list(inspect.signature(type(module).forward).parameters.values())[1:]
            if parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
        ]
        if len(inputs) != 1:
            raise InputError(
                f"it replaces {path}, which takes several inputs and therefore cannot be run on individual "
                "rows"
            )
        self._part(path).copy = self._fill_from_base(path, module)
        self.saved.append(path)

    def _fill_from_base(self, path: str, module: nn.Module) -> nn.Module:
        """Move a module to the base model's device and fill in missing buffers from the base model.

        Adapter files do not contain all buffers. For example, they lack Gemma's embedding scale.

        Raises:
            InputError: some of the module's weights are missing from the file.
        """
        real = self.base.get_submodule(path)
        buffers = dict(real.named_buffers())
        device, dtype = self._device(path), self._dtype(path)
        for name, parameter in module.named_parameters():
            owner, _, last = name.rpartition(".")
            if parameter.is_meta:
                raise InputError(f"its file lacks the weight {path}.{name}")
            value = nn.Parameter(parameter.detach().to(device, dtype), requires_grad=False)
            setattr(module.get_submodule(owner), last, value)
        for name, buffer in list(module.named_buffers()):
            if buffer.is_meta:
                owner, _, last = name.rpartition(".")
                if name not in buffers:
                    raise InputError(f"its file lacks the buffer {path}.{name}")
                setattr(module.get_submodule(owner), last, buffers[name])
        return module.eval()

    def _collect_tokens(self, path: str, wrapper: Any) -> None:
        layer = wrapper.token_adapter
        ids = list(layer.token_indices[INNER])
        values = layer.trainable_tokens_delta[INNER].detach()
        real: Any = self._real_embedding(path)
        rows, width = real.weight.shape
        if len(set(ids)) != len(ids) or any(token >= rows for token in ids):
            raise InputError(
                f"it trains a token twice, or a token beyond the {format_number(rows)} rows of {path}"
            )
        if tuple(values.shape) != (len(ids), width):
            raise InputError(f"its token weights for {path} have the wrong shape {list(values.shape)}")
        device = self._device(path)
        index = torch.tensor(ids, device=device)
        values = values.to(device, real.weight.dtype)
        if isinstance(real, nn.Embedding):
            scale = _embed_scale(real)
            if scale is not None:
                values = values * scale.to(values.dtype)
            step: Any = TokenRows(index, values)
        elif isinstance(real, nn.Linear) and real.bias is None:
            step = TokenColumns(index, values)
        else:
            raise InputError(f"it trains tokens of {path}, which is not a plain embedding or output layer")
        self.tokens.update(ids)
        self._part(path).steps.append(step)

    def _collect_biases(self) -> None:
        """Collect the base module biases that were trained because PEFT's setting `bias` was enabled."""
        for name, value in self.skeleton.model.named_parameters():
            if value.is_meta or f".{INNER}" in name:
                continue
            path, _, last = name.replace(".base_layer.", ".").rpartition(".")
            real: Any = self.base.get_submodule(path)
            kind = type(real).__name__
            if last != "bias" or not (features(real) or isinstance(real, nn.LayerNorm)):
                raise InputError(f"it changes {path}.{last} ({kind}), which Tandem does not support")
            if getattr(real, "bias", None) is None or real.bias.shape != value.shape:
                raise InputError(f"it trains a bias of {path}, which has no bias of that shape in this base")
            own = value.detach().to(real.bias.device, torch.float32)
            self._part(path).steps.append(Bias(own - real.bias.detach().to(torch.float32)))


def _is_inner(path: str) -> bool:
    """Return whether a tuner layer is inside one of PEFT's wrappers.

    A wrapper's values are collected together, so the tuner layers inside it are skipped.
    """
    return ".modules_to_save." in f".{path}." or path.endswith("token_adapter")


def _embed_scale(embedding: nn.Module) -> Tensor | None:
    scale = getattr(embedding, "embed_scale", None)
    if scale is None:
        return None
    return scale if isinstance(scale, Tensor) else torch.tensor(float(scale))


def _dequantise(path: str, layer: Any) -> Tensor:
    """Return the weight of a linear layer, dequantised if necessary."""
    try:
        weight: Tensor = dequantize_module_weight(layer)
    except Exception as error:
        raise InputError(
            f"it uses DoRA, which requires the unquantised weights of {path}: {_explain(error)}"
        ) from error
    return weight.detach()
