"""Parse judge names entered by users, and build unambiguous display names for judges."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from urllib.parse import urlsplit

from playground.servers.address import hide_login, identify_server
from playground.types import InputError

MOST_JUDGES = 5
_ELSEWHERE = re.compile(r"(?P<model>.*\S)@(?P<server>https?://\S+)\Z", re.IGNORECASE)

_MISTYPED = re.compile(r"@[a-z][a-z0-9+.-]*://|@https?:|\Ahttps?:/|@\Z", re.IGNORECASE)
"""Matches fragments of a malformed ``MODEL@SERVER``, such as ``@https:`` or a trailing ``@``.

No model name contains such a fragment, although some contain a plain @.
"""


def read_judge(text: str) -> tuple[str, str | None]:
    """Parse ``MODEL`` or ``MODEL@http://SERVER`` as entered by a user. Return (model, server or None).

    Raises:
        InputError: the text includes a server address, but the address or the model name is missing or
            malformed.
    """
    text = text.strip()
    found = _ELSEWHERE.match(text)
    if found and "#" not in found["server"]:
        return found["model"].strip(), found["server"]
    if found or _MISTYPED.search(text):
        raise InputError(
            f"Invalid judge {hide_login(text)!r:.120}: write MODEL, MODEL@http://SERVER or "
            "MODEL@https://SERVER, without a # fragment."
        )
    return text, None


def read_judges(text: str) -> list[tuple[str, str | None]]:
    """Parse a comma-separated list of judges, each in the form that `read_judge` accepts.

    Raises:
        InputError: there are more than `MOST_JUDGES` judges, or a judge is listed twice.
    """
    return check_judges([read_judge(part) for part in text.split(",") if part.strip()])


def check_judges(judges: Sequence[tuple[str, str | None]]) -> list[tuple[str, str | None]]:
    """Validate the judges for a panel, given as (model, server) pairs, and return the pairs.

    Raises:
        InputError: there are more than `MOST_JUDGES` judges, a judge is listed twice (even with a different
            spelling of the address), or an address cannot be parsed.
    """
    if len(judges) > MOST_JUDGES:
        raise InputError(f"A panel can have at most {MOST_JUDGES} judges, not {len(judges)}: remove some.")
    seen = set()
    for model, server in judges:
        judge = (model, None if server is None else identify_server(server))
        if judge in seen:
            raise InputError(f"The judge {model} is listed twice: remove one of them.")
        seen.add(judge)
    return list(judges)


def name_judges(judges: Iterable[tuple[str, str | None]]) -> dict[tuple[str, str | None], str]:
    """Return each judge's display name: the model name, plus the server's host if several judges share the
    model name.

    If several judges share both the model name and the host, the full server address is added instead of the
    host.

    Args:
        judges: (model, server address) pairs, as in `Verdict`.
    """
    distinct = dict.fromkeys(judges)
    by_host = {
        each: each[0] if each[1] is None else f"{each[0]} at {urlsplit(each[1]).netloc}" for each in distinct
    }
    models = Counter(model for model, _ in distinct)
    hosts = Counter(by_host.values())
    return {
        (model, server): model
        if models[model] == 1
        else by_host[model, server]
        if hosts[by_host[model, server]] == 1
        else f"{model} at {server}"
        for model, server in distinct
    }
