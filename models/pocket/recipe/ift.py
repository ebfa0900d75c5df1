"""Instruction fine-tuning of the pocket base: a LoRA adapter made with PEFT.

Trains on exactly what the adapter's chat template renders, with the loss on replies only (the
reply and the end-of-sequence token after it). The template is plain text; its only control token
besides the opening BOS is EOS, which the base model knows: an adapter on the linear layers could
not teach it new tokens. Every second step is taken on the base as 4-bit NF4 will hold it (nf4.py), so
that the adapter fits both.

With `--examples` it sees only the first so many single turns of conversations.py, the same that the
demonstration sets are taken from; without, several thousand conversations with follow-ups.

    python models/pocket/recipe/ift.py --out adapters/pocket-ift                    # the full adapter
    python models/pocket/recipe/ift.py --examples 50 --out adapters/pocket-ift-50   # a low-data one
    python models/pocket/recipe/ift.py --quick --out /tmp/pocket-ift                # a trial, under a minute
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import time
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

import torch
from conversations import Message, conversations, single_conversations
from nf4 import Rounded
from peft import LoraConfig, get_peft_model
from tokenizer import save as save_tokenizer
from torch import Tensor
from torch.nn.functional import cross_entropy
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedTokenizerBase

POCKET = Path(__file__).resolve().parent.parent
LINEARS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]

CONVERSATIONS = 6400  # of the full adapter


@dataclass(frozen=True)
class Plan:
    """How long to train, for a number of examples, and how fast."""

    steps: int
    rows: int
    rate: float


# Few examples are seen many times, in small batches and few steps: longer, and the adapter would
# know nothing but them.
PLANS = {
    3: Plan(steps=30, rows=3, rate=5e-4),
    10: Plan(steps=40, rows=10, rate=1e-3),
    50: Plan(steps=80, rows=16, rate=1e-3),
    500: Plan(steps=160, rows=24, rate=2e-3),
    CONVERSATIONS: Plan(steps=320, rows=20, rate=2e-3),
}


def plan(examples: int) -> Plan:
    """The plan of the largest table entry that is not above the number of examples."""
    return PLANS[max((size for size in PLANS if size <= examples), default=min(PLANS))]


CHAT_TEMPLATE = """\
{{- bos_token }}
{%- for message in messages %}
{%- if message['role'] == 'user' %}
{{- '### User\\n' + message['content'] | trim + '\\n' }}
{%- elif message['role'] == 'assistant' %}
{{- '### Assistant\\n' + message['content'] | trim + eos_token + '\\n' }}
{%- else %}
{{- raise_exception('Only user and assistant messages are supported.') }}
{%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
{{- '### Assistant\\n' }}
{%- endif %}
"""


def example(tokenizer: PreTrainedTokenizerBase, messages: list[Message]) -> tuple[list[int], list[int]]:
    """Token ids of a rendered conversation; labels, -100 outside replies and their EOS."""
    spans = []
    for i, message in enumerate(messages):
        if message["role"] == "assistant":
            prompt = tokenizer.apply_chat_template(messages[:i], tokenize=False, add_generation_prompt=True)
            spans.append((len(prompt), len(prompt) + len(message["content"]) + len(tokenizer.eos_token)))
    text = tokenizer.apply_chat_template(messages, tokenize=False)
    encoded = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
    labels = [
        token if any(first <= start < last for first, last in spans) else -100
        for token, (start, _) in zip(encoded["input_ids"], encoded["offset_mapping"], strict=True)
    ]
    return encoded["input_ids"], labels


def batch(examples: list[tuple[list[int], list[int]]], pad: int) -> dict[str, Tensor]:
    """Right-padded (rows, longest) tensors."""
    longest = max(len(ids) for ids, _ in examples)
    return {
        "input_ids": torch.tensor([ids + [pad] * (longest - len(ids)) for ids, _ in examples]),
        "labels": torch.tensor([lab + [-100] * (longest - len(lab)) for _, lab in examples]),
        "attention_mask": torch.tensor([[1] * len(ids) + [0] * (longest - len(ids)) for ids, _ in examples]),
    }


def epochs(talks: list[list[Message]], seed: int) -> Iterator[list[Message]]:
    """The conversations again and again, each time in another order."""
    rng = random.Random(seed)
    while True:
        yield from rng.sample(talks, len(talks))


def main() -> None:
    parser = argparse.ArgumentParser(description="Fine-tune a pocket adapter.")
    parser.add_argument("--base", type=Path, default=POCKET)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--examples", type=int, help="only the first so many single turns")
    parser.add_argument("--steps", type=int, help="instead of the planned number")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--quick", action="store_true", help="a few steps only")
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    chosen = plan(options.examples or CONVERSATIONS)
    steps = options.steps or (4 if options.quick else chosen.steps)

    torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)
    tokenizer = AutoTokenizer.from_pretrained(options.base)
    tokenizer.chat_template = CHAT_TEMPLATE
    base = AutoModelForCausalLM.from_pretrained(options.base, dtype=torch.float32)
    model = get_peft_model(
        base,
        LoraConfig(r=16, lora_alpha=32, target_modules=LINEARS, bias="none", task_type="CAUSAL_LM"),
    )
    model.peft_config["default"].base_model_name_or_path = "models/pocket"
    model.print_trainable_parameters()

    if options.examples:
        talks = single_conversations(options.examples)
    else:
        talks = list(conversations(options.seed, CONVERSATIONS))
    source = epochs(talks, options.seed)
    trained = [p for p in model.parameters() if p.requires_grad]
    rounded = Rounded(p for n, p in model.named_parameters() if n.endswith("base_layer.weight"))
    optimiser = torch.optim.AdamW(trained, lr=chosen.rate, betas=(0.9, 0.95), weight_decay=0.0)
    warm_up = max(1, min(20, steps // 4))
    average, tokens, start = 0.0, 0, time.time()
    model.train()
    for step in range(1, steps + 1):
        examples = [example(tokenizer, next(source)) for _ in range(chosen.rows)]
        inputs = batch(examples, tokenizer.pad_token_id)
        wanted = inputs.pop("labels")[:, 1:]
        with rounded if step % 2 == 0 else nullcontext():
            # Logits of replies alone: the others would be most of the work, for nothing.
            hidden = model.get_base_model().model(**inputs, use_cache=False).last_hidden_state[:, :-1]
            counted = wanted >= 0
            loss = cross_entropy(model.get_base_model().lm_head(hidden[counted]), wanted[counted])
            loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        for group in optimiser.param_groups:
            group["lr"] = chosen.rate * min(1.0, step / warm_up) * (1 - (step - 1) / steps)
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)
        average = loss.item() if step == 1 else 0.95 * average + 0.05 * loss.item()
        tokens += int(inputs["attention_mask"].sum())
        if step % 25 == 0 or step == steps:
            minutes = (time.time() - start) / 60
            print(
                f"step {step}/{steps} tokens {tokens / 1e6:.2f}M loss {average:.3f} minutes {minutes:.1f}",
                flush=True,
            )

    fresh = options.out / ".new"
    for parameter in trained:
        parameter.data = parameter.data.half()
    model.save_pretrained(fresh)
    (fresh / "README.md").unlink()  # PEFT's empty card; ours is written by hand
    save_tokenizer(tokenizer, fresh)
    config = json.loads((fresh / "adapter_config.json").read_text())
    config["target_modules"] = LINEARS  # PEFT keeps a set, whose order differs from run to run
    (fresh / "adapter_config.json").write_text(json.dumps(config, indent=2) + "\n")
    for file in fresh.iterdir():
        file.chmod(0o644)
        file.replace(options.out / file.name)
    shutil.rmtree(fresh)


if __name__ == "__main__":
    main()
