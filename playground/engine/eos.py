"""Look up the tokens of stop rules in a vocabulary, and describe how the answers of adapters end."""

from __future__ import annotations

import dataclasses

from playground.engine.model import Model
from playground.engine.tokenizer import Tokenizer
from playground.library import Library
from playground.templates import template_problem
from playground.types import AdapterStatus, InputError, StopRule


def resolve_stop_tokens(tokenizer: Tokenizer, rule: StopRule) -> tuple[StopRule, frozenset[int]]:
    """Look up the tokens of a stop rule.

    Returns:
        The rule, with the tokens that the tokenizer does not have added to its stop sequences, and the ids of
        the other tokens.
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
    """Add the tokens and stop sequences that end an answer of an adapter's chat lane to its status.

    The status gets a warning if the adapter's chat format cannot be read or used.
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
