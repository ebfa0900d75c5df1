"""How a judge is named: what a person types, and what people read where judges share a model."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from urllib.parse import urlsplit

from playground.judging.client.completion import hide_login, identify_server
from playground.types import InputError

MOST_JUDGES = 5
_ELSEWHERE = re.compile(r"(?P<model>.*\S)@(?P<server>https?://\S+)\Z", re.IGNORECASE)

_MISTYPED = re.compile(r"@[a-z][a-z0-9+.-]*://|@https?:|\Ahttps?:/|@\Z", re.IGNORECASE)
"""What begins or ends a server's address and is in no model's name; an @ alone is in some."""


def read_judge(text: str) -> tuple[str, str | None]:
    """Model and server of a judge as a person names it: ``MODEL``, or ``MODEL@http://SERVER``.

    Raises:
        InputError: a server is meant, and it or the model is missing, or it is no address.
    """
    text = text.strip()
    found = _ELSEWHERE.match(text)
    if found and "#" not in found["server"]:
        return found["model"].strip(), found["server"]
    if found or _MISTYPED.search(text):
        raise InputError(
            f"The judge {hide_login(text)!r:.120} is mistyped: write MODEL, or MODEL@http://SERVER or "
            "MODEL@https://SERVER, without a # part."
        )
    return text, None


def read_judges(text: str) -> list[tuple[str, str | None]]:
    """Judges as a person lists them, separated by commas; see `read_judge`.

    Raises:
        InputError: there are more than `MOST_JUDGES`, or one is there twice.
    """
    return check_judges([read_judge(part) for part in text.split(",") if part.strip()])


def check_judges(judges: Sequence[tuple[str, str | None]]) -> list[tuple[str, str | None]]:
    """The same judges, each a model and its server's address.

    Raises:
        InputError: there are more than `MOST_JUDGES`, one is there twice, in whatever spelling of its
            address, or an address cannot be read.
    """
    if len(judges) > MOST_JUDGES:
        raise InputError(f"A panel has at most {MOST_JUDGES} judges, not {len(judges)}: leave some out.")
    seen = set()
    for model, server in judges:
        judge = (model, None if server is None else identify_server(server))
        if judge in seen:
            raise InputError(f"The judge {model} is named twice: leave one out.")
        seen.add(judge)
    return list(judges)


def name_judges(judges: Iterable[tuple[str, str | None]]) -> dict[tuple[str, str | None], str]:
    """How each judge is called beside the others: by its model, and by its host where models share a name.

    Args:
        judges: models and their servers' addresses, as in `Verdict`.
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
