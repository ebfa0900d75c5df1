"""Reject models that are not causal language models, based on their configuration, before loading weights.

Transformers can load many models with a causal head even if the checkpoint contains no weights for the head.
For classifiers and embedding models, the head would therefore be initialised randomly. Encoders cannot
generate text token by token, because they attend to later tokens.
"""

from __future__ import annotations

from typing import Any

from transformers.models.auto.modeling_auto import (
    MODEL_FOR_CAUSAL_LM_MAPPING_NAMES,
    MODEL_FOR_MASKED_LM_MAPPING_NAMES,
)

from playground.types import InputError

HEADS = {
    "ForSequenceClassification": "has a classification head",
    "ForTokenClassification": "has a token classification head",
    "ForQuestionAnswering": "has a head for extractive question answering",
    "ForMultipleChoice": "has a multiple-choice head",
    "ForMaskedLM": "fills in masked tokens instead of continuing text",
    "ForPreTraining": "fills in masked tokens instead of continuing text",
    "ForNextSentencePrediction": "has a classification head",
    "ForImageClassification": "classifies images",
    "ForAudioClassification": "classifies audio",
    "ForSpeechSeq2Seq": "transcribes speech",
    "ForCTC": "transcribes speech",
    "ForRewardModel": "has a reward head that scores answers",
    "RewardModel": "has a reward head that scores answers",
}
"""Class name suffixes of models that are not causal language models, mapped to reasons that are shown in
error messages."""
HEADLESS = "Model"
WITH_HEAD = ("LMHeadModel", "DoubleHeadsModel")
DECODER_TYPES = {"reformer", "cpmant"}
"""Model types that are decoders by default, although Transformers also has masked language models of these
types."""
OWN_WAYS = {
    "xlm": "generates text with a mask token that only its own `generate` inserts",
    "xlnet": "generates text with a permutation mask that only its own `generate` builds",
    "flaubert": "generates text with a mask token that only its own `generate` inserts",
}


def refuse_architecture(config: Any, base: str) -> None:
    """Check that a configuration describes a causal language model.

    Args:
        config: the model's Transformers configuration.
        base: the model's name, as given by the user.

    Raises:
        InputError: the model is not a causal language model; the message gives the reason.
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
        return f"is an encoder-decoder model{shown}"
    if kind in OWN_WAYS:
        return f"{OWN_WAYS[kind]}{shown}"
    heads = [reason for name in names if (reason := _explain_head(name, config))]
    if heads and len(heads) == len(names):
        return f"{heads[0]}{shown}"
    if _is_encoder(config, kind, names):
        return f"is an encoder with bidirectional attention{shown}"
    if kind not in MODEL_FOR_CAUSAL_LM_MAPPING_NAMES and not getattr(config, "auto_map", None):
        return f"has model type {kind or 'unknown'}, which has no causal language model class{shown}"
    return None


def _explain_head(name: str, config: Any) -> str | None:
    """Return why a class is not a causal language model, judging by its name; None if it is one."""
    for ending, reason in HEADS.items():
        if name.endswith(ending):
            return reason
    headless = name.endswith(HEADLESS) and not name.endswith(WITH_HEAD)
    tied = getattr(config.get_text_config(), "tie_word_embeddings", False)
    if headless and not tied:
        return "was saved without a language modelling head"
    return None


def _is_encoder(config: Any, kind: str, names: list[str]) -> bool:
    if kind not in MODEL_FOR_MASKED_LM_MAPPING_NAMES or kind in DECODER_TYPES:
        return False
    # Decoder-only classes such as BartForCausalLM set `is_decoder` themselves; BertLMHeadModel does not.
    return not getattr(config, "is_decoder", False)
