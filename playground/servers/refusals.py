"""Find out from an error which parameter or limit of a request a server rejects.

Servers that implement the OpenAI chat API name the rejected parameter in ``param``, in a ``loc`` list, in a
field violation, or only in the message, which can be in any language. Therefore, the whole error body is
searched for the names of the parameters that were sent, structured fields first. The reply's token limit is
inferred from numbers in messages about tokens.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from playground.servers.errors import iterate_leaves, iterate_nodes, iterate_texts
from playground.types.text import fold

LEAST_ROOM = 64
"""Minimum token limit for a reply. A verdict does not fit into fewer tokens."""
MOST_TEXT = 20_000
"""Maximum number of characters of an error message to search."""
REFUSING = (400, 413, 422, 500, 501)
"""HTTP status codes that servers return for rejected parameters."""

_NAMES = {
    "response_format": (
        "response_format responseformat json_schema jsonschema response_schema responseschema guided_json "
        "guided_decoding structured_output structured_outputs grammar json_mode json_object"
    ),
    "max_tokens": (
        "max_tokens max_completion_tokens max_output_tokens maxoutputtokens max_new_tokens maxtokens"
    ),
    "temperature": "temperature",
    "top_p": "top_p topp",
    "seed": "seed random_seed",
    "reasoning_effort": "reasoning_effort reasoningeffort reasoning",
    "n": "n",
}
_STRUCTURED = {alias: name for name, aliases in _NAMES.items() for alias in aliases.split()}
_MENTIONED = {
    name: re.compile(
        "|".join(
            rf"(?<![a-z0-9])(?:{alias.replace('_', '[_ -]?')})(?![a-z0-9])" for alias in aliases.split()
        ),
        re.IGNORECASE,
    )
    for name, aliases in _NAMES.items()
    if name not in ("n", "reasoning_effort")
} | {"reasoning_effort": re.compile(r"reasoning[_ -]?effort", re.IGNORECASE)}
_SYSTEM_WORD = (
    r"(?:system|syst\u00e8me|sistema|\u7cfb\u7edf|\u7cfb\u7d71|\u30b7\u30b9\u30c6\u30e0|\uc2dc\uc2a4\ud15c"
    r"|\u0441\u0438\u0441\u0442\u0435\u043c\w{0,5})"
)
_ROLE_WORD = (
    r"(?:(?:role|rolle|r\u00f4le|rol|ruolo|papel)[sn]?(?![a-z])|\u89d2\u8272|\u5f79\u5272|\u30ed\u30fc\u30eb"
    r"|\uc5ed\ud560|\u0440\u043e\u043b\w{1,3})"
)
_MESSAGE_WORD = (
    r"(?:message|nachricht|mensaje|mensagem|messaggio|prompt|instruction|anweisung|consigne"
    r"|\u6d88\u606f|\u8a0a\u606f|\u4fe1\u606f|\u63d0\u793a|\u6307\u4ee4|\u30e1\u30c3\u30bb\u30fc\u30b8"
    r"|\uba54\uc2dc\uc9c0|\u0441\u043e\u043e\u0431\u0449)"
)
_SYSTEM = re.compile(
    rf"{_SYSTEM_WORD}[\W_]{{0,9}}(?:{_ROLE_WORD}|{_MESSAGE_WORD})"
    rf"|(?<![a-z]){_ROLE_WORD}[\W_]{{0,6}}(?:(?:of|de|del|di|do|von)[\W_]{{1,4}})?{_SYSTEM_WORD}(?![a-z])"
    rf"|{_MESSAGE_WORD}s?[\W_]{{1,4}}(?:(?:de|del|di|do)[\W_]{{1,4}}{_SYSTEM_WORD}|syst\u00e8me)(?![a-z])|"
    r"roles?\W+must\W+alternate|system[\W_]*(?:role|message|prompt|instruction)|role\W{0,4}system\b"
    r"|developer[\W_]+(?:role|message|prompt|instruction)|only\W+user\W+and\W+assistant"
    r"|(?:unexpected|unsupported|invalid|unknown)\W+(?:message\W+)?role|[\"'`]system[\"'`]",
    re.IGNORECASE,
)
_TOKENS = re.compile(
    r"tokens?|context|n_ctx|max[_ ]?(?:output|completion|new)?[_ ]?tokens?|\u4e0a\u4e0b\u6587|\u957f\u5ea6",
    re.IGNORECASE,
)


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """The change to make to a request after the server has rejected it. Exactly one field is set."""

    drop: str | None = None
    """A parameter to omit."""
    fold_system: bool = False
    limit: int | None = None
    """A lower token limit for all replies."""
    room: tuple[int, int] | None = None
    """(context window size, question length) in tokens. The difference is available for the reply."""


def find_refusal(status: int, error: Any, body: Mapping[str, Any], system: bool) -> Refusal | None:
    """Return the change to make to the request after a server error, or None if no change would help.

    Args:
        status: the HTTP status.
        error: the error body, as returned by `read_error`.
        body: the request body, without the model and messages.
        system: whether the request has a system message.
    """
    if status not in REFUSING:
        return None
    named = list(_structured_names(error))
    parameter = next((name for path in named if (name := _parameter(path, body))), None)
    message = fold(" ".join(text for _, text in iterate_texts(error)))[:MOST_TEXT]
    if parameter in (None, "max_tokens") and (
        lower := _lower(status, error, message, body, parameter is not None)
    ):
        return lower
    if parameter is not None:
        return Refusal(drop=parameter)
    if system and (_SYSTEM.search(message) or any("messages" in path and "role" in path for path in named)):
        return Refusal(fold_system=True)
    found = [
        (match.start(), name)
        for name, pattern in _MENTIONED.items()
        if _was_sent(name, body) and (match := pattern.search(message))
    ]
    return Refusal(drop=min(found)[1]) if found else None


def _was_sent(name: str, body: Mapping[str, Any]) -> bool:
    return name in body or (name == "max_tokens" and "max_completion_tokens" in body)


def _structured_names(error: Any) -> Iterator[tuple[str, ...]]:
    """Yield the parameter names in an error's ``param``, ``loc`` and ``field`` entries, split into lowercase
    parts.
    """
    for key, value in iterate_nodes(error):
        if key in ("param", "field", "parameter") and isinstance(value, str):
            yield tuple(part for part in re.split(r"[.\[\]/]+", value.lower()) if part)
        elif key == "loc" and isinstance(value, list):
            yield tuple(str(part).lower() for part in value)
    # Also search all text for ``loc``, because some servers put a list of errors into the message.
    for _, text in iterate_texts(error):
        for found in re.finditer(r"['\"]loc['\"]\s*:\s*[(\[]([^)\]]{1,200})[)\]]", text):
            yield tuple(re.findall(r"[\w-]+", found[1].lower()))


def _parameter(path: tuple[str, ...], body: Mapping[str, Any]) -> str | None:
    return next((name for part in path if (name := _STRUCTURED.get(part)) and _was_sent(name, body)), None)


# --- Limits ---------------------------------------------------------------------------------------

_COUNT = r"[`'\"]?([0-9]{1,3}(?:,[0-9]{3}){1,3}|[0-9]{1,9})"
_CONTEXT = re.compile(
    rf"(?:context[_ ](?:length|window|size)|context|n_ctx)(?:[^0-9.]{{0,60}}?){_COUNT}(?![0-9])"
    rf"|tokens`?\s*\+\s*`?max_new_tokens`? must be <= {_COUNT}",
    re.IGNORECASE,
)
_QUESTION = re.compile(
    rf"{_COUNT}[`'\"]?\s*(?:tokens?\s*)?(?:in the (?:messages|prompt|input)|in your (?:messages|prompt|input)"
    rf"|(?:`?inputs?`?|prompt|text) tokens|tokens? (?:from|of|in) the (?:input|prompt|messages|text))"
    rf"|(?:messages|prompt|input|request) (?:has|contains?|have|resulted in|is|are|of) (?:at least )?"
    rf"{_COUNT}",
    re.IGNORECASE,
)
_REQUESTED = re.compile(
    rf"requested (?:about |a total of )?{_COUNT}|\({_COUNT} tokens requested", re.IGNORECASE
)
_MOST = re.compile(
    r"(?:at most|up to|<=?|no more than|less than or equal to|not exceed"
    r"|(?:maximum|limit|max(?![_ ]?[a-z]{0,10}[_ ]?tokens?))(?:[^0-9.\[(]{0,60}?))"
    rf"\s*{_COUNT}(?![0-9])|>\s*{_COUNT}(?![0-9])|\[\s*[01]\s*,\s*{_COUNT}\s*[\])]",
    re.IGNORECASE,
)
_BELOW = re.compile(rf"{_COUNT}\s*\(exclusive\)|less than {_COUNT}(?![0-9])", re.IGNORECASE)
# Letters of non-Latin scripts can directly precede or follow a number.
_ALONE = re.compile(
    r"(?<![A-Za-z0-9_.,-])([0-9]{1,3}(?:[,.' ][0-9]{3}){1,3}|[0-9]{2,9})(?![A-Za-z0-9_-]|[.,][0-9])"
)
_UNSUPPORTED = re.compile(
    r"unsupported|not (?:supported|permitted|allowed)|unrecogni[sz]ed|unknown|unexpected|extra", re.IGNORECASE
)
_NEAR = 80
"""Number of characters to search for a limit on either side of the parameter's name."""


def _lower(status: int, error: Any, message: str, body: Mapping[str, Any], named: bool) -> Refusal | None:
    """Return a change that makes the request comply with the token limit reported in a server's error.

    Return None if the error is not about tokens or does not indicate a limit.

    Args:
        status: the HTTP status code, which can also occur in the message and is not a token limit.
        error: the error body.
        message: all text in the error body.
        body: the request body.
        named: whether a structured field of the error names the token-limit parameter.
    """
    current = body.get("max_tokens") or body.get("max_completion_tokens")
    if not isinstance(current, int) or not (named or _TOKENS.search(message)):
        return None
    fields = {key: value for key, value in iterate_leaves(error) if isinstance(value, int)}
    context = _whole(fields.get("n_ctx")) or _first(_CONTEXT, message)
    question = _whole(fields.get("n_prompt_tokens")) or _first(_QUESTION, message)
    requested = _first(_REQUESTED, message)
    if context and not question and requested and requested > context:
        question = requested - current if requested > current else requested
    if context and question:
        return Refusal(room=(context, question))
    bounds = [value for key, value in fields.items() if key in ("le", "maximum")]
    bounds += [value - 1 for key, value in fields.items() if key == "lt"]
    bounds += [count - 1 for count in _all(_BELOW, message)]
    bounds = [bound for bound in bounds if 0 < bound < current] or _below(_all(_MOST, message), current)
    if not bounds and re.search(rf"(?<![0-9]){current}(?![0-9])", message):
        # The message repeats the requested limit, so any smaller number is the server's limit.
        bounds = _below(_all(_ALONE, message), current)
    if not bounds and not _UNSUPPORTED.search(message):
        codes = {status, *(value for key, value in fields.items() if key in ("code", "status"))}
        near = _below(_near(message, named), current)
        bounds = [bound for bound in near if bound >= LEAST_ROOM and bound not in codes]
    if bounds:
        return Refusal(limit=max(bounds))
    return Refusal(limit=current // 2) if context and current >= 2 * LEAST_ROOM else None


def _near(message: str, named: bool) -> list[int]:
    """Extract the numbers near the token-limit parameter's name in an error message, which may be in any
    language.

    If the parameter is named only in a structured field of the error, return every number in the message.
    """
    names = list(_MENTIONED["max_tokens"].finditer(message))
    if not names and not named:
        return []
    found = [
        one
        for one in _ALONE.finditer(message)
        if not names
        or any(one.start() - name.end() < _NEAR and name.start() - one.end() < _NEAR for name in names)
    ]
    return [_count(one[1]) for one in found]


def _count(text: str) -> int:
    return int(re.sub(r"[^0-9]", "", text))


def _below(counts: list[int], current: int) -> list[int]:
    return [count for count in counts if 1 < count < current]


def _whole(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else None


def _all(pattern: re.Pattern[str], text: str) -> list[int]:
    found = [next(group for group in one.groups() if group) for one in pattern.finditer(text)]
    return [_count(text) for text in found]


def _first(pattern: re.Pattern[str], text: str) -> int | None:
    return next(iter(_all(pattern, text)), None)
