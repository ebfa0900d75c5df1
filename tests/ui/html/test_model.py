"""Tests for the HTML of the model panel, including escaping of names."""

from __future__ import annotations

from typing import Any

import pytest

from playground.model_switch import Progress
from playground.types import AdapterCard, AdapterStatus, Status
from playground.ui.html import model as html_model
from playground.words import format_bytes

EVIL = "<img src=x onerror=alert(1)>\"'&"


def card(name: str = "x", **rest: Any) -> AdapterCard:
    return AdapterCard(**{"name": name, "source": "", "base_model": "", "label": name, **rest})


def status(**rest: Any) -> Status:
    return Status(**{"state": "ready", "note": "Ready", "base": "models/pocket", **rest})


def test_what_runs_and_what_it_takes() -> None:
    html = html_model.render_model(
        status(
            parameters=7_240_000_000,
            precision="4-bit NF4",
            device="Some GPU",
            context=32_768,
            memory=412_300_000,
            device_memory=5_100_000_000,
            prefix_limit=2_000_000_000,
            prefix_bytes=25_000_000,
        ),
        {},
        [],
    )
    for text in (
        "7.2B",
        "4-bit NF4",
        "Some GPU",
        "32,768 tokens",
        "412 MB of RAM, 5.1 GB of GPU memory",
        "25.0 MB (limit 2.0 GB)",
        'title="25,000,000 bytes"',
        "all lanes together",
        "None for this base.",
    ):
        assert text in html


def test_what_is_not_known_is_left_out() -> None:
    html = html_model.render_model(status(plain="it is unusual"), {}, [])
    assert "one lane at a time because it is unusual" in html
    for name in ("Memory", "Context", "Precision", "Prompt cache"):
        assert name not in html


def test_layers_warnings_and_ends_of_the_base() -> None:
    html = html_model.render_model(
        status(
            layers=(("4-bit NF4", 210), ("float32", 61)),
            warnings=("Its tokenizer has no end.", "It is large."),
            ends=("<|im_end|>", "\n\n", "</s>"),
        ),
        {},
        [],
    )
    assert "<dt>Layers</dt><dd>210 in 4-bit NF4, 61 in float32</dd>" in html
    assert '<p class="notice warning">Its tokenizer has no end.</p>' in html
    assert html.count("notice warning") == 2
    assert "<code>&lt;|im_end|&gt;</code> <code>\\n\\n</code> <code>&lt;/s&gt;</code>" in html
    bare = html_model.render_model(status(), {}, [])
    for words in ("Layers", "Answers end at", "warning"):
        assert words not in bare


def test_how_an_adapter_is_served_and_what_ends_it() -> None:
    adapters = (
        AdapterStatus(
            card=card("good"),
            kl=1.0,
            serving="DoRA, row by row",
            ends=("<|end|>", "\n"),
            warning="Other base.",
        ),
        AdapterStatus(card=card("bad"), error="It does not fit."),
    )
    html = html_model.render_model(status(adapters=adapters), {}, [])
    assert "<span class='more'>DoRA, row by row</span>" in html
    assert "Answers end at <code>&lt;|end|&gt;</code> <code>\\n</code>" in html
    assert "<span class='bad'>Other base.</span>" in html
    assert html.count("Answers end at") == 1


def test_adapters_with_what_the_trial_said() -> None:
    adapters = (
        AdapterStatus(card=card("good"), kl=1.25),
        AdapterStatus(card=card("half"), kl=0.625),
        AdapterStatus(card=card("idle"), kl=2e-9, warning="It does nothing."),
        AdapterStatus(card=card("bad"), error="It does not fit."),
    )
    html = html_model.render_model(
        status(adapters=adapters), {"other": card("other", base_model="far/away")}, ["A file."]
    )
    assert "KL 1.250 nats per token" in html
    assert "KL 2.0e-09 nats per token" in html
    assert 'style="width:100%"' in html
    assert 'style="width:50%"' in html
    for text in ("It does nothing.", "It does not fit.", "far/away", "A file."):
        assert text in html


@pytest.mark.parametrize("state", ["ready", "loading", "failed"])
def test_names_are_only_text(state: str) -> None:
    html = html_model.render_model(
        status(
            state=state,
            base=EVIL,
            note=EVIL,
            device=EVIL,
            precision=EVIL,
            layers=((EVIL, 3),),
            warnings=(EVIL,),
            ends=(EVIL,),
            adapters=(
                AdapterStatus(card=card("x", label=EVIL), error=EVIL, warning=EVIL),
                AdapterStatus(card=card("y", label=EVIL), serving=EVIL, ends=(EVIL,), warning=EVIL),
            ),
        ),
        {EVIL: card(EVIL, base_model=EVIL)},
        [EVIL],
    )
    html += "".join(
        html_model.render_progress(Progress(state=s, note=EVIL, share=0.5))
        for s in ("loading", "failed", "done")
    )
    assert "<img" not in html
    assert "&lt;img src=x onerror=alert(1)&gt;&quot;&#x27;&amp;" in html


def test_progress() -> None:
    assert html_model.render_progress(Progress()) == ""
    assert 'value="0.250"' in html_model.render_progress(Progress(state="loading", note="Half", share=0.25))
    assert "<progress" in html_model.render_progress(Progress(state="stopping", note="Stopping"))
    assert 'role="alert"' in html_model.render_progress(Progress(state="failed", note="No."))
    assert "<progress" not in html_model.render_progress(Progress(state="cancelled", note="Cancelled"))


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 bytes"),
        (999, "999 bytes"),
        (1000, "1.0 kB"),
        (123_456, "123 kB"),
        (99_960_000, "100 MB"),
        (5.1e9, "5.1 GB"),
        (2e13, "20.0 TB"),
    ],
)
def test_sizes(count: float, text: str) -> None:
    assert format_bytes(int(count)) == text
