"""Tests for the HTML of the preset list, including escaping of names."""

from __future__ import annotations

import dataclasses
import re
from typing import Any

import pytest

from playground.library.presets import Cached, Offer, Preset, PresetAdapter
from playground.memory import Room
from playground.types import Sampling
from playground.ui.html.presets import describe_decoding, describe_setup, render_presets

EVIL = "<img src=x onerror=alert(1)>\"'&"
PRESET = Preset(
    name="one",
    label="One",
    description="It is one.",
    base="a/b",
    parameters=1_000_000_000,
    licence="MIT",
    demos="general-3",
    sampling=Sampling(repetition_penalty=1.15),
)
OFFER = Offer(preset=PRESET, room=Room(size=100_000_000_000), cached=Cached(state="absent"))


def offer(
    *, room: int = 100_000_000_000, cached: Cached | None = None, token: bool = False, **changes: Any
) -> Offer:
    preset = dataclasses.replace(PRESET, **changes)
    return Offer(
        preset=preset, room=Room(size=room), cached=cached or Cached(state="absent"), has_token=token
    )


def text(html: str) -> str:
    return re.sub(r"\s+", " ", re.sub("<[^>]*>", " ", html))


def button(html: str) -> tuple[str, bool]:
    """The words on the one button, and whether it can be pressed."""
    (found,) = re.findall(r"<button([^>]*)>(.*?)</button>", html)
    return found[1], "aria-disabled" not in found[0]


def test_what_a_preset_is_and_needs() -> None:
    html = render_presets([OFFER], None, None)
    assert button(html) == ("Load", True)
    for words in (
        "One a/b",
        "It is one.",
        "1.0B parameters",
        "4.0 GB in float32, 750 MB in 4 bit",
        "MIT",
        "Setup: demonstrations general-3, greedy, repetition penalty 1.15",
        "not downloaded",
    ):
        assert words in text(html)
    assert "<a " not in html  # nothing to accept
    assert "a/b + c/d" in text(
        render_presets([offer(adapters=(PresetAdapter(name="c", source="c/d"),))], None, None)
    )


def test_what_is_here_already() -> None:
    html = render_presets([offer(cached=Cached(state="partial", size=123_000_000))], None, None)
    assert button(html) == ("Resume", True)
    assert "123 MB downloaded" in text(html)
    html = render_presets([offer(cached=Cached(state="complete", size=5))], None, None)
    assert button(html) == ("Load", True)
    assert "on this machine" in text(html)


def test_what_runs_and_what_is_being_loaded() -> None:
    assert button(render_presets([OFFER], "one", None)) == ("Set up", True)
    assert button(render_presets([OFFER], None, "one")) == ("Loading\u2026", False)
    assert button(render_presets([OFFER], "one", "")) == ("Set up", False)
    assert button(render_presets([OFFER], None, "other")) == ("Load", False)


def test_what_is_too_large() -> None:
    html = render_presets([offer(room=2_000_000_000)], None, None)
    assert button(html) == ("Load", True)
    assert "Fits in this machine's memory in 4 bit, but not in float32." in text(html)
    assert "<s>4.0 GB in float32</s>" in html
    html = render_presets([offer(room=500_000_000)], None, None)
    assert button(html) == ("Load", False)
    needs = "Too large for this machine: even in 4 bit it needs 750 MB, and at most 400 MB can be used."
    assert needs in text(html)
    # The reason is what a screen reader says of the button.
    (note,) = re.findall(r'aria-describedby="([^"]*)"', html)
    assert needs in text(html.split(f'<div id="{note}">')[1])


@pytest.mark.parametrize(("gate", "said"), [("yes", "Gated"), ("maybe", "May be gated")])
def test_a_gate_is_reported_before_the_click(gate: str, said: str) -> None:
    html = render_presets([offer(gate=gate, base="a/b@v1")], None, None)
    assert f"{said}: accept its terms at huggingface.co/a/b , then restart Tandem with HF_TOKEN set" in text(
        html
    )
    assert 'href="https://huggingface.co/a/b" target="_blank" rel="noopener noreferrer"' in html
    assert "using the account of the token in HF_TOKEN" in render_presets(
        [offer(gate=gate, token=True)], None, None
    )
    assert "HF_TOKEN" not in render_presets([offer(gate=gate, cached=Cached(state="complete"))], None, None)


def test_names_are_only_text() -> None:
    html = render_presets(
        [
            offer(
                name=EVIL,
                label=EVIL,
                description=EVIL,
                base=EVIL,
                licence=EVIL,
                demos=EVIL,
                gate="yes",
                adapters=(PresetAdapter(name=EVIL, source=EVIL),),
            )
        ],
        EVIL,
        EVIL,
        [EVIL],
    )
    assert "<img" not in html
    assert 'onerror=alert(1)>"' not in html


def test_problems_are_listed() -> None:
    assert "models/presets.toml, line 3" in render_presets([], None, None, ["models/presets.toml, line 3"])


def test_decoding_in_words() -> None:
    sampling = Sampling(temperature=0.7, top_p=0.9, top_k=40, min_p=0.05)
    preset = dataclasses.replace(PRESET, sampling=sampling, demos=None)
    assert describe_decoding(preset) == "temperature 0.7, top-p 0.9, top-k 40, min-p 0.05"
    assert describe_setup(preset) == describe_decoding(preset)
    assert describe_decoding(dataclasses.replace(preset, sampling=Sampling())) == "greedy"
