"""Jinja's sandbox with a size limit on the result of each operation in a chat template.

A time limit cannot interrupt a single long operation in C, such as padding a string to 10**9 characters.
Therefore, operators, filters and methods whose results can be much larger than their arguments first estimate
the size of the result and raise an error if the estimate exceeds the limit. Loops need no such check: they
run as Python code and can be interrupted.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from jinja2 import nodes
from jinja2.compiler import CodeGenerator, Frame
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import Namespace

from playground.words import format_number

LIMIT = 20_000_000
"""Maximum number of characters in a string. A complete rendered prompt has the same limit
(`templates.MOST_CHARACTERS`)."""
ITEM = 20
"""Number of characters added to a size estimate for each list item or dictionary entry."""
MOST_BITS = 1_000_000
"""Maximum number of bits in an integer."""
MOST_PRECISION = 1_000
"""Maximum number of digits to which a number can be rounded."""

Cost = Callable[..., int]
"""Function that takes an operation's arguments and estimates the size of the result in characters."""


class TooLargeError(OverflowError):
    """Raised when the result of an operation would exceed the size limit."""

    def __init__(self) -> None:
        super().__init__(
            f"one of its operations would build a value of more than {format_number(LIMIT)} characters"
        )


def check(size: int) -> None:
    """Check an estimated size against the size limit.

    Raises:
        TooLargeError: the size exceeds the limit.
    """
    if size > LIMIT:
        raise TooLargeError


def measure(*values: Any) -> int:
    """Estimate the total size of possibly nested values, in characters.

    An object that occurs twice is counted twice.

    Raises:
        TooLargeError: the size exceeds the limit.
    """
    size, waiting = 0, list(values)
    while waiting:
        value = waiting.pop()
        if isinstance(value, str | bytes):
            size += len(value)
        elif isinstance(value, Mapping):
            size += ITEM * len(value)
            waiting += [*value.keys(), *value.values()]
        elif isinstance(value, list | tuple | set | frozenset):
            size += ITEM * len(value)
            waiting += value
        elif isinstance(value, Namespace):
            waiting += vars(value).values()
        elif isinstance(value, int):
            size += value.bit_length() // 3
        if size > LIMIT:
            raise TooLargeError
    return size


def _count(values: Iterator[Any]) -> Iterator[Any]:
    """Yield the items of an iterator, and raise TooLargeError once their total size exceeds the limit."""
    size = 0
    for value in values:
        size += ITEM + measure(value)
        check(size)
        yield value


def join(parts: Iterable[Any]) -> str:
    """Join strings, unless the result would exceed the size limit.

    Raises:
        TooLargeError: the result would exceed the limit.
    """
    texts, size = [], 0
    for part in parts:
        size += len(part)
        check(size)
        texts.append(part)
    return "".join(texts)


# --- Estimates ------------------------------------------------------------------------------------


def _integer(value: Any) -> int:
    """Return an integer argument's absolute value, an upper bound for a width or count; 0 for other types."""
    return abs(value) if isinstance(value, int) else 0


def _width(text: Any, width: Any = 0, *others: Any, **named: Any) -> int:
    return measure(text) + sum(_integer(each) for each in (width, *others, *named.values()))


def _indent(text: Any, width: Any = 4, *others: Any, **named: Any) -> int:
    text = str(text) if measure(text) else ""
    unit = len(width) if isinstance(width, str) else _integer(width)
    return len(text) + (1 + len(text.splitlines())) * unit


def _replace(text: Any, old: Any, new: Any, count: Any = None, **named: Any) -> int:
    before, old, new = (str(each) if measure(each) else "" for each in (text, old, new))
    return len(before) + before.count(old) * len(new)


def _wordwrap(
    text: Any, width: Any = 79, break_long_words: Any = True, wrapstring: Any = None, *others: Any
) -> int:
    text = str(text) if measure(text) else ""
    lines = len(text.splitlines()) + 2 * len(text) // max(1, _integer(width))
    return len(text) + lines * measure(wrapstring)


def _urlize(
    text: Any, trim: Any = None, nofollow: Any = False, target: Any = None, rel: Any = None, *others: Any
) -> int:
    text = str(text) if measure(text) else ""
    return 6 * len(text) + (1 + len(text.split())) * (50 + measure(target, rel))


def _join(values: Any, separator: Any = "", *others: Any, **named: Any) -> int:
    count = len(values) if hasattr(values, "__len__") else 0
    return measure(values) + count * measure(separator)


def _items(values: Any, count: Any = 0, *others: Any, **named: Any) -> int:
    return ITEM * _integer(count)


def _round(value: Any, precision: Any = 0, *others: Any, **named: Any) -> int:
    return LIMIT + 1 if _integer(precision) > MOST_PRECISION else 0


def _tojson(value: Any, *others: Any, **named: Any) -> int:
    given = [*others, *named.values()]
    unit = sum(_integer(each) for each in given) + measure(given)
    deep = 0
    level = [value]
    while level and deep < 1_000:
        level = [below for each in level for below in _below(each)][:10_000]
        deep += 1
    return measure(value) * 6 + (1 + measure(value) // ITEM) * (unit if unit > 1 else 0) * (deep + 1)


def _below(value: Any) -> Iterable[Any]:
    if isinstance(value, Mapping):
        return value.values()
    return value if isinstance(value, list | tuple) else ()


def _as_text(value: Any, *others: Any, **named: Any) -> int:
    return measure(value, others, named)


def _lipsum(n: Any = 5, html: Any = True, min: Any = 20, max: Any = 100) -> int:
    return 12 * _integer(n) * (1 + _integer(min) + _integer(max))


_NUMBER = re.compile(r"\d+")


def _percent(format: Any, *others: Any, **named: Any) -> int:
    """Estimate the size of a string formatted with "%" from its field widths and argument sizes."""
    if not isinstance(format, str | bytes):
        return measure(format, others, named)
    text = format if isinstance(format, str) else format.decode("latin-1")
    widths = sum(int(number[:20]) for number in _NUMBER.findall(text))
    if "*" in text:
        widths += text.count("*") * sum(_integer(each) for each in _flat(others))
    return len(text) + widths + text.count("%") * measure(others, named)


def _braces(format: str, *others: Any, **named: Any) -> int:
    """Estimate the size of the result of `str.format` from its field widths and argument sizes."""
    widths = sum(int(number[:20]) for number in _NUMBER.findall(format))
    if re.search(r"\{[^{}]*\{", format):  # a field whose width is an argument
        widths += format.count("{") * sum(_integer(each) for each in _flat([*others, *named.values()]))
    return len(format) + widths + format.count("{") * measure(others, named)


def _flat(values: Iterable[Any]) -> Iterator[Any]:
    for value in values:
        below = list(_below(value))
        yield from below or [value]


def _translate(text: Any, table: Any) -> int:
    longest = max((measure(each) for each in _below(table)), default=0)
    return len(text) * max(1, longest)


def _times(left: Any, right: Any) -> int:
    for one, other in ((left, right), (right, left)):
        if isinstance(one, int) and isinstance(other, str | bytes):
            return len(other) * max(0, one)
        if isinstance(one, int) and isinstance(other, list | tuple):
            return ITEM * len(other) * max(0, one)
    return _bits(_length(left) + _length(right))


def _plus(left: Any, right: Any) -> int:
    return _length_of(left) + _length_of(right)


def _power(left: Any, right: Any) -> int:
    if isinstance(left, int) and isinstance(right, int):
        return _bits(_length(left) * abs(right))
    return 0


def _modulo(left: Any, right: Any) -> int:
    return _percent(left, right) if isinstance(left, str | bytes) else 0


def _length(value: Any) -> int:
    """Return the bit length of an integer, or 0 for any other value."""
    return value.bit_length() if isinstance(value, int) else 0


def _length_of(value: Any) -> int:
    if isinstance(value, str | bytes):
        return len(value)
    return ITEM * len(value) if isinstance(value, list | tuple) else 0


def _bits(bits: int) -> int:
    return LIMIT + 1 if bits > MOST_BITS else 0


OPERATORS: dict[str, Cost] = {"*": _times, "+": _plus, "**": _power, "%": _modulo}
FILTERS: dict[str, Cost] = {
    **dict.fromkeys(
        (
            "capitalize",
            "e",
            "escape",
            "forceescape",
            "lower",
            "pprint",
            "safe",
            "string",
            "striptags",
            "sum",
            "title",
            "trim",
            "truncate",
            "upper",
            "urlencode",
            "wordcount",
            "xmlattr",
        ),
        _as_text,
    ),
    "batch": _items,
    "center": _width,
    "format": _percent,
    "indent": _indent,
    "join": _join,
    "replace": _replace,
    "round": _round,
    "slice": _items,
    "tojson": _tojson,
    "urlize": _urlize,
    "wordwrap": _wordwrap,
}
"""Cost functions for Jinja and Transformers filters whose results can be larger than their arguments."""
METHODS: dict[str, Cost] = {
    **dict.fromkeys(("center", "ljust", "rjust", "zfill"), _width),
    "expandtabs": lambda text, size=8: len(text) + text.count("\t") * _integer(size),
    "format": _braces,
    "format_map": _braces,
    "join": lambda separator, values: _join(values, separator),
    "replace": _replace,
    "translate": _translate,
}
"""Cost functions for string methods whose results can be larger than their arguments."""


def _is_text(value: Any) -> bool:
    return isinstance(value, str | bytes)


# --- Environment ----------------------------------------------------------------------------------


def _bound(function: Callable[..., Any], cost: Cost | None, skipped: int = 0) -> Callable[..., Any]:
    """Wrap a filter or global function to limit the size of its result, including a returned iterator.

    Args:
        function: the filter or global function.
        cost: function that estimates the size of the result; None if the result is never larger than the
            arguments.
        skipped: number of arguments that Jinja passes before the filter's own arguments, for example the
            context.
    """

    @functools.wraps(function)  # keeps the attributes that Jinja uses to mark functions
    def limited_filter(*given: Any, **named: Any) -> Any:
        values = list(given)
        if cost is not None:
            if len(values) > skipped and hasattr(values[skipped], "__next__"):
                values[skipped] = list(_count(values[skipped]))
            check(_estimate(cost, *values[skipped:], **named))
        result = function(*values, **named)
        return _count(result) if hasattr(result, "__next__") else result

    return limited_filter


def _estimate(cost: Cost, *given: Any, **named: Any) -> int:
    try:
        return cost(*given, **named)
    except TypeError:  # the operation does not accept these arguments and will raise its own error
        return 0


class BoundedCode(CodeGenerator):
    """Jinja's code generator, modified so that the `~` operator calls the environment's `concatenate`."""

    def visit_Concat(self, node: nodes.Concat, frame: Frame) -> None:  # noqa: N802
        """Generate code for a `~` operator."""
        self.write("environment.concatenate((")
        for each in node.nodes:
            self.visit(each, frame)
            self.write(", ")
        self.write("))")


class BoundedEnvironment(ImmutableSandboxedEnvironment):
    """Jinja's sandbox with limits on the size of values."""

    code_generator_class = BoundedCode
    intercepted_binops = frozenset(OPERATORS)
    concat = staticmethod(join)

    def __init__(self, *given: Any, **named: Any) -> None:
        """Create the environment. It takes the same arguments as Jinja's `Environment`."""
        super().__init__(*given, **named)
        self.finalize = _finalize
        self._is_bounded = False

    def from_string(self, *given: Any, **named: Any) -> Any:
        """Compile a template. The first call also wraps all filters and `lipsum` with size limits."""
        if not self._is_bounded:
            self._is_bounded = True
            for name, function in self.filters.items():
                skipped = 1 if hasattr(function, "jinja_pass_arg") else 0
                self.filters[name] = _bound(function, FILTERS.get(name), skipped)
            lipsum: Any = self.globals["lipsum"]
            self.globals["lipsum"] = _bound(lipsum, _lipsum)
        return super().from_string(*given, **named)

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """Evaluate a binary operator, or raise TooLargeError if the result would be too large."""
        check(OPERATORS[operator](left, right))
        return super().call_binop(context, operator, left, right)

    def concatenate(self, values: Iterable[Any]) -> str:
        """Concatenate the operands of the `~` operator, after converting them to strings."""
        return join(str(_finalize(value)) for value in values)

    def call(__self, __context: Context, __obj: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: N805
        """Execute a call, rejecting string and number methods whose result would exceed the size limit."""
        # Jinja wraps `str.format`; the original method is the wrapper's `__wrapped__`.
        method = getattr(__obj, "__wrapped__", __obj)
        owner = getattr(method, "__self__", None)
        name = getattr(method, "__name__", "")
        if _is_text(owner) and name in METHODS:
            if name == "join" and args and hasattr(args[0], "__next__"):
                args = (list(_count(args[0])), *args[1:])
            check(_estimate(METHODS[name], owner, *args, **kwargs))
        elif isinstance(owner, int | float):
            check(sum(_integer(each) for each in (*args, *kwargs.values())))
        return super().call(__context, __obj, *args, **kwargs)


def _finalize(value: Any) -> Any:
    """Check the size of a value that will be converted to text, and return the value unchanged."""
    if not isinstance(value, str):
        measure(value)
    return value
