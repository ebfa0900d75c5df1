"""Look up stop tokens in a vocabulary, and list an adapter's EOS tokens and stop sequences."""

from __future__ import annotations

import dataclasses

from playground.engine.model import Model
from playground.engine.tokenizer import Tokenizer
from playground.library import Library
from playground.templates import template_problem
from playground.types import AdapterStatus, InputError, StopRule


def resolve_stop_tokens(tokenizer: Tokenizer, rule: StopRule) -> tuple[StopRule, frozenset[int]]:
    """Convert the tokens of a stop rule to token ids.

    Returns:
        The rule and the ids of its tokens. Tokens missing from the vocabulary are added to the rule's stop
        sequences instead.
    """
    ids, texts = set(), []
    for text in rule.tokens:
        token = tokenizer.token_id(text)
        if token is not None:
            ids.add(token)
        elif text.strip():
            texts.append(text)
    new = tuple(text for text in dict.fromkeys(texts) if text not in rule.texts)
    return (dataclasses.replace(rule, texts=(*rule.texts, *new)) if new else rule), frozenset(ids)


def describe_stops(status: AdapterStatus, model: Model, library: Library) -> AdapterStatus:
    """Return an adapter's status, updated with the EOS tokens and stop sequences of its chat lane.

    A warning is added if the adapter's chat format cannot be read or used. If the status has an error, it is
    returned unchanged.
    """
    if status.error is not None:
        return status
    name = status.card.name
    tokenizer = model.tokenizer(name)
    stops = list(tokenizer.texts(model.eos_token_ids(name)))
    warning = status.warning
    try:
        format = library.chat_format(name)
    except InputError as error:
        return dataclasses.replace(status, ends=tuple(stops), warning=warning or str(error))
    if format is not None:
        stops += [text for text in (format.eos_token, *format.ends) if text.strip()]
        if problem := template_problem(format):
            warning = " ".join(filter(None, (warning, f"Adapter {name!r}: {problem}")))
    return dataclasses.replace(status, ends=tuple(dict.fromkeys(stops)), warning=warning)
