"""Reject models that are not causal language models, by their configuration, before weights are read.

Transformers loads many models with a causal head that their checkpoint lacks. The causal head of a classifier
or an embedding model is then initialised at random, and an encoder attends to tokens that are not generated
yet.
"""

from __future__ import annotations

from typing import Any

from transformers.models.auto.modeling_auto import (
    MODEL_FOR_CAUSAL_LM_MAPPING_NAMES,
    MODEL_FOR_MASKED_LM_MAPPING_NAMES,
)

from playground.types import InputError

HEADS = {
    "ForSequenceClassification": "has a classifier's head",
    "ForTokenClassification": "has a classifier's head for tokens",
    "ForQuestionAnswering": "has a head that marks answers in a text",
    "ForMultipleChoice": "has a head that chooses between answers",
    "ForMaskedLM": "fills in masked tokens and does not continue a text",
    "ForPreTraining": "fills in masked tokens and does not continue a text",
    "ForNextSentencePrediction": "has a classifier's head",
    "ForImageClassification": "classifies images",
    "ForAudioClassification": "classifies sound",
    "ForSpeechSeq2Seq": "reads speech",
    "ForCTC": "reads speech",
    "ForRewardModel": "has a head that scores answers",
    "RewardModel": "has a head that scores answers",
}
"""Class name endings of models that are not causal language models, with the error message's predicate."""
HEADLESS = "Model"
WITH_HEAD = ("LMHeadModel", "DoubleHeadsModel")
DECODER_TYPES = {"reformer", "cpmant"}
"""Model types that also have a masked language model, but are decoders by default."""
OWN_WAYS = {
    "xlm": "writes through a mask token that its own `generate` inserts",
    "xlnet": "writes through a permutation that its own `generate` makes",
    "flaubert": "writes through a mask token that its own `generate` inserts",
}


def refuse_architecture(config: Any, base: str) -> None:
    """Check that a configuration is that of a causal language model.

    Args:
        config: Transformers' configuration of the model.
        base: the model's name as the user gave it.

    Raises:
        InputError: the model is of another kind, which the message names.
    """
    if reason := _explain(config):
        raise InputError(
            f"{base} cannot be used as a base: it {reason}; choose a causal (decoder-only) language model."
        )


def _explain(config: Any) -> str | None:
    names = [str(name) for name in getattr(config, "architectures", None) or ()]
    shown = f" ({', '.join(names)})" if names else ""
    kind = str(getattr(config, "model_type", "") or "")
    if getattr(config, "is_encoder_decoder", False):
        return f"is an encoder-decoder{shown}"
    if kind in OWN_WAYS:
        return f"{OWN_WAYS[kind]}{shown}"
    heads = [reason for name in names if (reason := _explain_head(name, config))]
    if heads and len(heads) == len(names):
        return f"{heads[0]}{shown}"
    if _is_encoder(config, kind, names):
        return f"is an encoder, which reads in both directions{shown}"
    if kind not in MODEL_FOR_CAUSAL_LM_MAPPING_NAMES and not getattr(config, "auto_map", None):
        return f"is of type {kind or 'unknown'}, which has no causal language model here{shown}"
    return None


def _explain_head(name: str, config: Any) -> str | None:
    """Return why a class name is not that of a causal language model, or None if it is."""
    for ending, reason in HEADS.items():
        if name.endswith(ending):
            return reason
    headless = name.endswith(HEADLESS) and not name.endswith(WITH_HEAD)
    tied = getattr(config.get_text_config(), "tie_word_embeddings", False)
    if headless and not tied:
        return "was saved without a head that writes tokens"
    return None


def _is_encoder(config: Any, kind: str, names: list[str]) -> bool:
    if kind not in MODEL_FOR_MASKED_LM_MAPPING_NAMES or kind in DECODER_TYPES:
        return False
    # Decoder-only classes such as BartForCausalLM set `is_decoder` themselves; BertLMHeadModel does not.
    return not getattr(config, "is_decoder", False)
