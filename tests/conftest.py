"""Shared fixtures: a tiny random model with two adapters, running apps, and browser users."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Browser

    from tests.helpers.browsing import App, Person, StartApp

os.environ.setdefault("HF_HUB_OFFLINE", "1")  # tests must not access the network
if "PYTEST_XDIST_WORKER" in os.environ:
    # Test workers and their child processes share the cores, so more threads would only compete.
    os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest

from playground.config import prepare_environment
from tests.helpers.paths import POCKET
from tests.helpers.tiny import Tiny

prepare_environment()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run slow and browser tests first, so that short tests keep all workers busy at the end."""
    items.sort(key=lambda item: not (item.get_closest_marker("browser") or item.get_closest_marker("slow")))


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Tiny:
    """Create a random 3-layer Llama with the pocket model's tokenizer, a 256-token context and two adapters.

    The adapters have different ranks and scaling factors. "wide" is applied to all linear layers, "thin" only
    to the query and value projections.
    """
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

    folder = tmp_path_factory.mktemp("tiny")
    base = folder / "tiny-llama"
    tokenizer = AutoTokenizer.from_pretrained(POCKET)
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=3,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=256,
        initializer_range=0.2,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    LlamaForCausalLM(config).save_pretrained(base)
    tokenizer.save_pretrained(base)
    recipes = {
        "wide": LoraConfig(r=8, lora_alpha=16, target_modules="all-linear", init_lora_weights=False),
        "thin": LoraConfig(r=3, lora_alpha=7, target_modules=["q_proj", "v_proj"], init_lora_weights=False),
    }
    adapters = {}
    for name, recipe in recipes.items():
        model = get_peft_model(LlamaForCausalLM.from_pretrained(base), recipe)
        adapters[name] = folder / name
        model.save_pretrained(adapters[name])
        (adapters[name] / "adapter.toml").write_text(
            f'base_model = "{base}"\nchat_format = "chatml"\n', encoding="utf-8"
        )
    return Tiny(base=base, adapters=adapters)


@pytest.fixture(scope="session")
def tiny_engine(tiny: Tiny) -> Iterator[object]:
    """Create a local engine that serves the tiny model."""
    from playground.config import Settings
    from playground.engine import open_own_engine
    from playground.library import Library

    sources = {name: str(path) for name, path in tiny.adapters.items()}
    engine = open_own_engine(
        Settings(base=str(tiny.base), device="cpu"), Library.open(str(tiny.base), sources)
    )
    yield engine
    engine.close()


@pytest.fixture(scope="session")
def tiny_zero_gpu_engine(tiny: Tiny) -> Iterator[object]:
    """Create an engine for ZeroGPU that serves the tiny model, without a Space: its GPU is the CPU."""
    from playground.config import Settings
    from playground.engine.zero_gpu import ZeroGpuEngine
    from playground.library import Library

    sources = {name: str(path) for name, path in tiny.adapters.items()}
    settings = Settings(base=str(tiny.base), adapters=tuple(sources.items()), device="cpu")
    engine = ZeroGpuEngine(settings, Library.open(str(tiny.base), sources))
    yield engine
    engine.close()


@pytest.fixture(scope="session")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    from tests.helpers.browsing import App

    with App(tmp_path_factory.mktemp("app") / "data") as app:
        yield app


@pytest.fixture(scope="session")
def public_app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    from tests.helpers.browsing import App

    with App(tmp_path_factory.mktemp("public") / "data", "--public") as app:
        yield app


@pytest.fixture
def start_app() -> Iterator[StartApp]:
    """Return a function that starts apps. They are stopped after the test, even if it fails."""
    from tests.helpers.browsing import App

    with ExitStack() as apps:
        yield lambda *arguments: apps.enter_context(App(*arguments))


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    from playwright.sync_api import sync_playwright

    from tests.helpers.browsing import ARGS, chromium

    os.environ["NO_PROXY"] = "127.0.0.1,localhost"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(playwright), args=ARGS)
        yield browser
        browser.close()


@pytest.fixture
def person(app: App, browser: Browser) -> Iterator[Person]:
    from tests.helpers.browsing import Person

    person = Person(browser, app.url)
    yield person
    person.close()
