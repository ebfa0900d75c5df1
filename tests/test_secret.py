"""Tests that a judge server's API key is redacted in every encoding that a server might return."""

from __future__ import annotations

import base64
import html
import json
import random
import string
import time
from collections.abc import Callable
from urllib.parse import quote

import pytest

from playground.secret import HIDDEN, Secret

CHARACTERS = string.ascii_letters + string.digits + "/+=\"&<>'%\\-_.:?#"


def spread(key: str, rng: random.Random) -> str:
    """The key with white space at some places."""
    return "".join(each + rng.choice(["", "", " ", "\n", "\t  "]) for each in key[:-1]) + key[-1]


FORMS: dict[str, Callable[[str, random.Random], str]] = {
    "plain": lambda key, rng: key,
    "upper case": lambda key, rng: key.upper(),
    "split": spread,
    "percent": lambda key, rng: quote(key, safe=""),
    "percent, slashes kept": lambda key, rng: quote(key),
    "percent, all": lambda key, rng: "".join(f"%{ord(each):02x}" for each in key),
    "percent twice": lambda key, rng: quote(quote(key, safe=""), safe=""),
    "HTML": lambda key, rng: html.escape(key),
    "HTML, numbers": lambda key, rng: "".join(f"&#{ord(each)};" for each in key),
    "HTML, hexadecimal": lambda key, rng: "".join(f"&#x{ord(each):X};" for each in key),
    "JSON": lambda key, rng: json.dumps(key)[1:-1],
    "JSON, slashes": lambda key, rng: json.dumps(key)[1:-1].replace("/", "\\/"),
    "JSON, all": lambda key, rng: "".join(f"\\u{ord(each):04x}" for each in key),
    "JSON, some": lambda key, rng: "".join(
        f"\\u{ord(each):04X}" if rng.random() < 0.3 else json.dumps(each)[1:-1] for each in key
    ),
    "JSON of HTML": lambda key, rng: json.dumps(html.escape(key))[1:-1].replace("&", "\\u0026"),
    "JSON of a split key": lambda key, rng: json.dumps(spread(key, rng))[1:-1],
    "HTML of percent": lambda key, rng: html.escape(quote(key)),
    "repr": lambda key, rng: repr(key)[1:-1],
    "base64": lambda key, rng: base64.b64encode(key.encode()).decode(),
    "base64 of addresses": lambda key, rng: base64.urlsafe_b64encode(key.encode()).decode().rstrip("="),
    "base64, percent": lambda key, rng: quote(base64.b64encode(key.encode()).decode(), safe=""),
    "base64 in lines": lambda key, rng: base64.encodebytes(key.encode()).decode().strip(),
}


@pytest.mark.parametrize("form", FORMS)
def test_a_key_is_hidden_in_every_form(form: str) -> None:
    rng = random.Random(form)
    for _ in range(40):
        key = "".join(rng.choices(CHARACTERS, k=rng.randint(8, 80)))
        key = rng.choice(["sk-", ""]) + key
        shown = f"Incorrect key: {FORMS[form](key, rng)} [see docs]"
        assert Secret(key).scrub(shown) == f"Incorrect key: {HIDDEN} [see docs]", key


def test_a_key_within_a_longer_text_in_base64_is_hidden_but_for_its_neighbours() -> None:
    key = "sk-proj-ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    for before in ("", "a", "ab", "abc"):
        said = Secret(key).scrub(base64.b64encode(f"{before}{key} tail".encode()).decode())
        assert HIDDEN in said
        assert len(said) < 24


def test_other_texts_stay_as_they_are() -> None:
    key = Secret("no/ne+12")
    for text in ("no\nne", "100%25 &amp; \\n \\u0041", "", "%", "\\", "&#", "\\u12", "\ud800 &#1114112;"):
        assert key.scrub(text) == text
    assert Secret("none").scrub("There is no need.") == "There is no need."
    assert Secret("abc").scrub("abc") == "abc"


def test_two_occurrences_are_hidden_apart() -> None:
    assert Secret("sk-12345").scrub("sk-12345sk-12345, sk%2D12345") == "(key)(key), (key)"


@pytest.mark.parametrize("piece", ["%2525", "&amp;amp;", "\\\\\\\\", "%25&amp;\\\\", "s ", "sssss-", "c2st"])
def test_a_long_reply_is_searched_in_time(piece: str) -> None:
    key = Secret("sssss-" * 12 + "k")
    started = time.perf_counter()
    key.scrub(piece * (200_000 // len(piece)))
    assert time.perf_counter() - started < 5


def test_a_key_matches_only_itself() -> None:
    secret = Secret("the-whole-key")
    assert secret.matches("the-whole-key")
    for other in ("", "the-whole-ke", "the-whole-key ", "THE-WHOLE-KEY", "\ud800"):
        assert not secret.matches(other)
