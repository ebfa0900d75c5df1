"""Local Hub server with the repositories of test presets: a random 17 MB base model and an adapter."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.helpers.hub_server import HubServer, hub_server

BASE, ADAPTER, GATED = "some/random-llama", "some/random-llama-sft", "some/closed-llama"
MARK = 6_000_000
"""Number of bytes of the weights after which `Valve` pauses the download."""
WEIGHTS = "model.safetensors"

PRESETS = f"""
[[presets]]
name = "random"
label = "Random Llama"
description = "A random model for tests."
base = "{BASE}"
parameters = 4_720_000
licence = "MIT"
demos = "pocket-8"
decoding = "repetition_penalty=1.15"
[[presets.adapters]]
name = "random-sft"
source = "{ADAPTER}"

[[presets]]
name = "closed"
label = "Closed Llama"
description = "A gated model for tests."
base = "{GATED}"
parameters = 4_720_000
licence = "MIT"
gate = "yes"

[[presets]]
name = "huge"
label = "Huge"
description = "A model that fits on no machine."
base = "some/huge"
parameters = 9_000_000_000_000_000
licence = "MIT"
"""


def make_models(folder: Path, tokenizer: Path) -> None:
    """Save the base model and the adapter in subfolders of a folder.

    Args:
        tokenizer: folder that contains the tokenizer files.
    """
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

    words = AutoTokenizer.from_pretrained(tokenizer)
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(words),
        hidden_size=512,
        intermediate_size=64,
        num_hidden_layers=1,
        num_attention_heads=8,
        num_key_value_heads=1,
        max_position_embeddings=2048,
        initializer_range=0.2,
        bos_token_id=words.bos_token_id,
        eos_token_id=words.eos_token_id,
        pad_token_id=words.pad_token_id,
    )
    LlamaForCausalLM(config).save_pretrained(folder / "base")
    words.save_pretrained(folder / "base")
    lora = LoraConfig(r=2, target_modules=["q_proj"], init_lora_weights=False)
    model = get_peft_model(LlamaForCausalLM.from_pretrained(folder / "base"), lora)
    model.peft_config["default"].base_model_name_or_path = BASE
    model.save_pretrained(folder / "adapter")
    (folder / "adapter" / "adapter.toml").write_text('chat_format = "chatml"\n', encoding="utf-8")


class Valve:
    """Pauses the download of a server's weights after `MARK` bytes, until `open` is called."""

    def __init__(self, hub: HubServer) -> None:
        self._hub, self._open = hub, threading.Event()
        self.reached = threading.Event()
        hub.pause = 0.001  # so that files are sent in pieces

    def __call__(self, path: str) -> None:
        if path == WEIGHTS and self._hub.sent.get(path, 0) >= MARK and not self._open.is_set():
            self.reached.set()
            self._open.wait(120)

    def open(self) -> None:
        """Resume paused downloads and stop pausing new ones."""
        self._open.set()


@contextmanager
def preset_hub(models: Path) -> Iterator[HubServer]:
    """Start a Hub server with the repositories used in `PRESETS`."""
    with hub_server() as hub:
        hub.add(BASE, models / "base")
        hub.add(ADAPTER, models / "adapter")
        hub.add(GATED, models / "base", gated=True)
        yield hub
