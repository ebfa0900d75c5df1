"""Tests for the pocket model's training recipe, run in quick mode from tokenizer to adapters."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer

from tests.helpers.paths import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]
MAKE = ROOT / "models/pocket/recipe/make.sh"
ADAPTERS = ["pocket-ift", "pocket-ift-3", "pocket-ift-10", "pocket-ift-50", "pocket-ift-500"]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The folder that everything was made in, and what was printed meanwhile."""
    out = tmp_path_factory.mktemp("pocket")
    run = subprocess.run(
        ["sh", str(MAKE), "--quick", "--out", str(out)],
        env={**os.environ, "PYTHON": sys.executable},
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    return out, run.stdout


def test_the_loss_falls(made: tuple[Path, str]) -> None:
    found = re.findall(r"step (\d+)/(\d+) tokens \S+ loss (\d+\.\d+)", made[1])
    runs: dict[str, list[float]] = {}
    for _step, steps, loss in found[: len(found) - len(ADAPTERS)]:
        runs.setdefault(steps, []).append(float(loss))
    (first, last), (_, refined) = runs.values()  # after one step and after all, of training and of refining
    # Of 4 096 pieces, a model that knows nothing loses 8.3; one that can copy, less on rows that repeat.
    assert 5.0 < first < 9.0
    assert last < first
    assert refined < last


def test_the_files_load_and_have_the_right_shapes(made: tuple[Path, str]) -> None:
    folder = made[0] / "models/pocket"
    base = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    assert base.config.max_position_embeddings == 4096
    card = (ROOT / "models/pocket/README.md").read_text(encoding="utf-8")
    assert f"{sum(p.numel() for p in base.parameters()):,} parameters" in card
    assert f"{base.config.num_hidden_layers} layers, width {base.config.hidden_size}" in card
    assert f"| vocabulary | {base.config.vocab_size:,} " in card
    ids = AutoTokenizer.from_pretrained(folder)("The capital of Italy is", return_tensors="pt").input_ids
    before = base(ids).logits
    for name in ADAPTERS:
        adapted = PeftModel.from_pretrained(
            AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32), made[0] / "adapters" / name
        )
        assert not torch.allclose(adapted(ids).logits, before), f"{name} changes nothing"


@pytest.mark.parametrize(
    "text", ["one\n\ntwo  three\n```\n", "# Query:\n```\nHello\n```\n", "naïve 日本 😀 2026"]
)
def test_the_tokenizer_gives_texts_back(made: tuple[Path, str], text: str) -> None:
    tokenizer = AutoTokenizer.from_pretrained(made[0] / "models/pocket")
    assert tokenizer.decode(tokenizer.encode(text, add_special_tokens=False)) == text
