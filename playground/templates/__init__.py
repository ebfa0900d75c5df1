"""Read and render a tokenizer's chat templates, and find their EOS tokens and stop sequences.

Templates are rendered by Transformers (`transformers.utils.chat_template_utils`), which needs no torch for
this purpose and is imported only when the first prompt is rendered. Templates come from untrusted models, so
they run in Jinja's sandbox, and any exception that they raise is converted to a one-sentence error message.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from playground.files import first_line, read_object, read_text
from playground.templates.time_limit import TimeLimitError, call_within
from playground.types import ChatFormat, InputError, check_characters
from playground.words import format_number, format_time_limit

DEFAULT = "default"
MOST_CHARACTERS = 20_000_000
"""Maximum number of characters in the text rendered by a template, far more than fits in any model's
context."""
MOST_SECONDS = 10.0
"""Time limit for rendering, in seconds. Even a conversation that fills a large context is rendered in a
fraction of a second."""
NOT_IN_TIME = f"it did not finish within {format_time_limit(MOST_SECONDS)}"
GIVEN = (
    "messages",
    "tools",
    "documents",
    "add_generation_prompt",
    # Parameters of the Transformers function; template variables cannot have the same names.
    "conversations",
    "chat_template",
    "continue_final_message",
    "return_assistant_tokens_mask",
)
"""Variables that Transformers passes to every template (besides special tokens) or reserves for itself."""
ANSWER = "SENTINELANSWER"
REASONING = "SENTINELREASONING"
QUESTION = "SENTINELQUESTION"


class TemplateError(InputError):
    """Raised when the chat template cannot render a conversation."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"The chat template cannot render this conversation: {reason}.")
        self.reason = reason


# --- Files ----------------------------------------------------------------------------------------


def read_templates(folder: Path) -> dict[str, str]:
    """Read a tokenizer's chat templates from its files, keyed by name, as Transformers does.

    `chat_template.jinja` (named "default") and `additional_chat_templates/NAME.jinja` replace the templates
    in `tokenizer_config.json`, which are a string or a list of named templates. The legacy
    `chat_template.json` of processors is read if there are no other templates. A list entry without a name is
    called "template-N", where N is the entry's position in the list.

    Raises:
        InputError: a file cannot be read.
    """
    named = {}
    default = folder / "chat_template.jinja"
    if default.is_file():
        named[DEFAULT] = _read_template(default)
    for path in sorted((folder / "additional_chat_templates").glob("*.jinja")):
        named[path.name.removesuffix(".jinja")] = _read_template(path)
    if named:
        return named
    for name in ("tokenizer_config.json", "chat_template.json"):
        path = folder / name
        if path.is_file() and (found := read_object(path).get("chat_template")):
            return _named_templates(found, path)
    return {}


def _read_template(path: Path) -> str:
    # Keep a byte order mark, as Transformers does.
    try:
        with path.open(encoding="utf-8") as file:
            return file.read()
    except (OSError, UnicodeDecodeError):
        read_text(path)  # raises an InputError for the same reason
        raise


def _named_templates(found: Any, path: Path) -> dict[str, str]:
    """Convert the value of a `chat_template` key to a mapping from template names to templates."""
    if isinstance(found, str):
        return {DEFAULT: found}
    if isinstance(found, dict) and all(isinstance(text, str) for text in found.values()):
        return dict(found)
    if not isinstance(found, list):
        raise InputError(f"{path}: chat_template must be a string or a list of named templates.")
    named: dict[str, str] = {}
    for number, entry in enumerate(found, start=1):
        name, text = f"template-{number}", entry
        if isinstance(entry, dict):
            name, text = entry.get("name") or name, entry.get("template")
        if not isinstance(text, str) or not isinstance(name, str):
            raise InputError(f"{path}: entry {number} of chat_template is not a named template.")
        named[name] = text
    return named


def choose_template(templates: Mapping[str, str], name: str | None) -> str:
    """Return the name of the template to use: the requested one, "default", or the only one available.

    Args:
        templates: the templates by name.
        name: the requested name, or None.

    Raises:
        InputError: the requested template does not exist, or no template was requested and there are several
            templates but no default.
    """
    names = ", ".join(sorted(templates))
    if name is not None:
        if name not in templates:
            raise InputError(f"There is no chat template {name!r}: choose one of {names or '(none)'}.")
        return name
    if DEFAULT in templates:
        return DEFAULT
    if len(templates) == 1:
        return next(iter(templates))
    raise InputError(
        f"The tokenizer has several chat templates and no default: set the lane's template to one of {names}."
    )


# --- Rendering ------------------------------------------------------------------------------------


def render(
    format: ChatFormat,
    messages: Sequence[Mapping[str, str]],
    generation_prompt: bool = True,
    variables: Mapping[str, Any] | None = None,
) -> str:
    """Render a conversation with a chat template, like `tokenizer.apply_chat_template`.

    Args:
        format: the template and its special tokens.
        messages: the messages, each with "role" and "content".
        generation_prompt: whether to append the start of an assistant turn.
        variables: additional variables for the template.

    Raises:
        TemplateError: the template cannot render this conversation. The message gives the reason.
        InputError: the template cannot render any conversation; `format.problem` gives the reason.
    """
    if format.problem:
        raise InputError(format.problem)
    render_jinja_template = _chat_template_utils().render_jinja_template
    values = {**format.token_variables, **(variables or {})}
    try:
        texts, _ = call_within(
            MOST_SECONDS,
            lambda: render_jinja_template(
                conversations=[[dict(message) for message in messages]],
                chat_template=format.template,
                add_generation_prompt=generation_prompt,
                **values,
            ),
        )
        text = str(texts[0])
    # Templates are untrusted code, so any exception that they raise counts as a template error.
    except Exception as error:
        raise TemplateError(_reason(error)) from error
    if len(text) > MOST_CHARACTERS:
        raise TemplateError(
            f"the rendered text has {format_number(len(text))} characters, but the limit is "
            f"{format_number(MOST_CHARACTERS)}"
        )
    return check_characters(text, "The chat template's text")


@lru_cache(maxsize=1)
def _chat_template_utils() -> Any:
    """Import the Transformers module that renders templates, and make it use `BoundedEnvironment`."""
    from transformers.utils import chat_template_utils

    from playground.templates.sandbox import BoundedEnvironment

    utils: Any = chat_template_utils
    # The module does not accept an environment as an argument: it uses the class of this name to compile
    # templates.
    utils.ImmutableSandboxedEnvironment = BoundedEnvironment
    utils._compile_jinja_template.cache_clear()
    return utils


def needs_system(
    format: ChatFormat, messages: Sequence[Mapping[str, str]], variables: Mapping[str, Any] | None = None
) -> bool:
    """Return whether a template that rejects a conversation accepts it once a system message is added."""
    try:
        render(format, [{"role": "system", "content": "Hi"}, *messages], variables=variables)
    except InputError:
        return False
    return True


def without_system(reason: str) -> str:
    """Return the error message for a template that requires a system message."""
    return f'The chat template requires a system message ({reason}): add one to the lane, as in system="...".'


def template_problem(format: ChatFormat) -> str:
    """Return the reason why a template cannot render even a single message, or "" if it can."""
    return _problem(replace(format, ends=()))


@lru_cache(maxsize=64)
def _problem(format: ChatFormat) -> str:
    messages = _messages([("user", "Hi")])
    try:
        render(format, messages)
    except TemplateError as error:
        if error.reason != NOT_IN_TIME and needs_system(format, messages):
            return without_system(error.reason)
        return str(error)
    except InputError as error:
        return str(error)
    return ""


def _reason(error: Exception) -> str:
    if isinstance(error, TimeLimitError):
        return NOT_IN_TIME
    if isinstance(error, RecursionError):
        return "it calls itself endlessly"
    if isinstance(error, MemoryError):
        return "it ran out of memory"
    reason = " ".join(first_line(error).split()).rstrip(".!")
    return reason.encode("utf-8", "replace").decode("utf-8")


@lru_cache(maxsize=64)
def template_variables(format: ChatFormat) -> tuple[str, ...]:
    """Return the sorted names of the template variables that a lane can set.

    Raises:
        InputError: the text is not a valid Jinja template.
    """
    from jinja2 import meta

    try:
        environment = _chat_template_utils()._compile_jinja_template(format.template).environment
        names = meta.find_undeclared_variables(environment.parse(format.template))
    except Exception as error:  # a template is untrusted code
        raise InputError(f"The chat template cannot be read: {_reason(error)}.") from error
    # A lane cannot set variables passed by Transformers or defined by Jinja inside macros.
    inner = {"caller", "varargs", "kwargs", "self", "super", "loop"}
    return tuple(sorted(names - {*environment.globals, *format.token_variables, *GIVEN, *inner}))


# --- End markers ----------------------------------------------------------------------------------


def find_ends(format: ChatFormat, added_tokens: Iterable[str] = ()) -> tuple[str, ...]:
    """Find the EOS tokens and stop sequences that a template writes after an assistant message.

    Two conversations are rendered with a sentinel as the assistant's text. The first conversation ends with
    the assistant message; the second continues with a user message. The text after the sentinel shows how the
    template ends a message. The result is ("<|im_end|>",) for ChatML, and ("\\n### User",) for a template
    that only writes ``### User`` lines between turns.

    Args:
        format: the template and its special tokens.
        added_tokens: the tokens added to the tokenizer's vocabulary, special or not.

    Returns:
        EOS tokens and stop sequences, none of them blank. Empty if the template can render neither
        conversation.
    """
    problem = template_problem(format)
    if NOT_IN_TIME in problem:
        return ()
    # Add a system message if the template needs one; it does not affect the text after an answer.
    opening = [("system", "Hi")] if problem else []
    tokens = sorted((token for token in added_tokens if token.strip()), key=len, reverse=True)
    tokens += [text for name, text in format.token_variables.items() if text.strip() and name != "unk_token"]
    turns = [*opening, ("user", "Hi"), ("assistant", ANSWER)]
    last = _after_answer(format, turns)
    inner = _after_answer(format, [*turns, ("user", QUESTION)])
    if inner is not None:
        inner = inner.partition(QUESTION)[0]
    found = []
    for text, other in ((last, inner), (inner, last)):
        end = _end(text or "", other or "", tokens)
        if end and not (text is inner and _ends_reasoning(format, end)):
            found.append(end)
    return tuple(dict.fromkeys(found))


def _after_answer(format: ChatFormat, turns: Sequence[tuple[str, str]]) -> str | None:
    try:
        text = render(format, _messages(turns), generation_prompt=False)
    except InputError:
        return None
    _, found, after = text.rpartition(ANSWER)
    return after if found else None


def _messages(turns: Sequence[tuple[str, str]]) -> list[dict[str, str]]:
    return [{"role": role, "content": text} for role, text in turns]


def _end(text: str, other: str, tokens: Sequence[str]) -> str:
    """Return the EOS token or stop sequence with which the text after an answer begins.

    Args:
        text: the text that a template writes after the answer in one of two rendered conversations.
        other: the text that the template writes after the answer in the other conversation.
        tokens: special and added tokens, longest first.
    """
    bare = text.lstrip()
    for token in tokens:
        if bare.startswith(token.strip()):
            return token.strip()
    if not bare:
        return ""
    if tag := _TAG.match(bare):
        marker = tag[0]
    else:
        # The stop sequence may be followed by the next turn in one conversation but not in the other.
        marker = other.strip() if _begins_with(bare, other.strip()) else bare
        marker = marker.splitlines()[0].strip()
    if len(marker) < 2:
        return ""
    return f"\n{marker}" if "\n" in text[: len(text) - len(bare)] else marker


_TAG = re.compile(r"<\|[^<>\n]*?\|>|</?[^<>\s]+>")
"""Matches a stop sequence in the form of a tag, for example ``<|im_end|>`` or ``</s>``."""


def _begins_with(text: str, start: str) -> bool:
    """Return whether `text` starts with `start` and the next character is not a letter or digit."""
    return bool(start) and text.startswith(start) and not text[len(start) : len(start) + 1].isalnum()


def _ends_reasoning(format: ChatFormat, end: str) -> bool:
    """Return whether a stop sequence also appears at the end of the reasoning.

    A stop sequence that appears there cannot be used to detect the end of the answer.
    """
    message = {"role": "assistant", "content": ANSWER, "reasoning_content": REASONING, "thinking": REASONING}
    try:
        text = render(format, [{"role": "user", "content": "Hi"}, message], generation_prompt=False)
    except InputError:
        return False
    before, _, _ = text.partition(ANSWER)
    _, found, between = before.partition(REASONING)
    return bool(found) and end.strip() in between
