"""What ends an answer: token ids, and the texts of end markers that are no single token."""

from __future__ import annotations

import dataclasses

from playground.engine.model import Model
from playground.engine.tokenizer import Tokenizer
from playground.library import Library
from playground.templates import template_problem
from playground.types import AdapterStatus, InputError, StopRule


def named_ends(tokenizer: Tokenizer, rule: StopRule) -> tuple[StopRule, frozenset[int]]:
    """A rule's end tokens as ids; those that the tokenizer does not have become stop texts of the rule."""
    ids, texts = set(), []
    for text in rule.tokens:
        token = tokenizer.token_id(text)
        if token is not None:
            ids.add(token)
        elif text.strip():
            texts.append(text)
    new = tuple(text for text in dict.fromkeys(texts) if text not in rule.texts)
    return (dataclasses.replace(rule, texts=(*rule.texts, *new)) if new else rule), frozenset(ids)


def with_ends(status: AdapterStatus, model: Model, library: Library) -> AdapterStatus:
    """An adapter's status with what ends an answer of its chat lane; a warning where no prompt can be
    written."""
    if status.error is not None:
        return status
    name = status.card.name
    tokenizer = model.tokenizer(name)
    ends = list(tokenizer.texts(model.ends(name)))
    warning = status.warning
    try:
        format = library.chat_format(name)
    except InputError as error:
        return dataclasses.replace(status, ends=tuple(ends), warning=warning or str(error))
    if format is not None:
        ends += [text for text in (format.eos_token, *format.ends) if text.strip()]
        if problem := template_problem(format):
            warning = " ".join(filter(None, (warning, f"Adapter {name!r}: {problem}")))
    return dataclasses.replace(status, ends=tuple(dict.fromkeys(ends)), warning=warning)
