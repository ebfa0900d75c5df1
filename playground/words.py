"""Format text and numbers for the page, messages and the command line.

Every count, size, duration and price that a person reads is formatted here, so that all places write numbers
in the same way.
"""

from __future__ import annotations


def shorten(text: str, most: int = 32) -> str:
    """Collapse text to one line, and truncate it to at most `most` characters."""
    line = " ".join(text.split())
    return line if len(line) <= most else line[: most - 1] + "…"


def format_number(number: float) -> str:
    """Format a whole number with commas between groups of three digits, as in 4,096."""
    return f"{number:,.0f}"


def count_things(count: int, thing: str, things: str = "") -> str:
    """Format a count with its noun, as in "1 call" or "2 calls".

    Args:
        count: the number.
        thing: the singular noun.
        things: the plural noun; `thing` followed by "s" by default.
    """
    return f"{format_number(count)} {thing if count == 1 else things or thing + 's'}"


def format_bytes(count: float) -> str:
    """Format a byte count with two or three significant digits, as in 412 MB or 2.1 GB."""
    return _scale(count, (" bytes", " kB", " MB", " GB", " TB"))


def format_large(number: float) -> str:
    """Format a large number with up to three digits and a suffix, as in 2.6M or 7.2B."""
    return _scale(number, ("", "k", "M", "B", "T"))


def _scale(value: float, units: tuple[str, ...]) -> str:
    """Format a number in the largest unit that fits. Each unit is a thousand times the one before it."""
    power = 0
    while value >= 999.5 and power < len(units) - 1:
        value, power = value / 1000, power + 1
    return f"{value:,.{1 if power and value < 99.5 else 0}f}{units[power]}"


def format_setting(name: str, value: float) -> str:
    """Format the value of a decoding parameter. A seed is an identifier, so its digits are not grouped."""
    if name == "seed":
        return str(int(value))
    return format_number(value) if isinstance(value, int) else f"{value:g}"


def format_seconds(seconds: float) -> str:
    """Format a measured duration, with two decimals below 10 s, one below 100 s, and none above."""
    digits = 2 if seconds < 9.995 else 1 if seconds < 99.95 else 0
    return f"{seconds:,.{digits}f} s"


def format_byte_limit(count: int) -> str:
    """Format a limit on a size, which is a round number of megabytes, as in 2 MB."""
    return f"{count / 1e6:,g} MB"


def format_time_limit(seconds: float) -> str:
    """Format a time limit in seconds, as in 10 s or 0.5 s."""
    return f"{seconds:,g} s"


def format_rate(per_second: float) -> str:
    """Format a speed in tokens per second, with one decimal below 100."""
    return f"{per_second:,.{1 if per_second < 99.95 else 0}f} tokens/s"


def format_price(amount: float, currency: str) -> str:
    """Format an amount of money with four decimals, because one judgment costs a fraction of a cent."""
    return f"{amount:,.4f} {currency}"
