"""Instruction fine-tuning of the pocket base: a LoRA adapter made with PEFT.

Trains on exactly what the adapter's chat template renders, with the loss on replies only (the
reply and the end-of-sequence token after it). The template is plain text; its only control token
besides the opening BOS is EOS, which the base model knows: an adapter on the linear layers could
not teach it new tokens.

    python models/pocket/recipe/ift.py --out adapters/pocket-ift        # the shipped adapter
    python models/pocket/recipe/ift.py --quick --out /tmp/pocket-ift    # a trial, under a minute
"""

from __future__ import annotations

import argparse
import json
import shutil
import time
from pathlib import Path

import torch
from conversations import Message, conversations
from peft import LoraConfig, get_peft_model
from tokenizer import save as save_tokenizer
from torch import Tensor
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedTokenizerBase

POCKET = Path(__file__).resolve().parent.parent
LINEARS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]

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


def main() -> None:
    parser = argparse.ArgumentParser(description="Fine-tune the pocket adapter.")
    parser.add_argument("--base", type=Path, default=POCKET)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=260)
    parser.add_argument("--rows", type=int, default=24)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--quick", action="store_true", help="a few steps only")
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    steps = 15 if options.quick else options.steps

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

    peak = 2e-3
    trained = [p for p in model.parameters() if p.requires_grad]
    optimiser = torch.optim.AdamW(trained, lr=peak, betas=(0.9, 0.95), weight_decay=0.0)
    source = conversations(options.seed)
    average, tokens, start = 0.0, 0, time.time()
    model.train()
    for step in range(1, steps + 1):
        examples = [example(tokenizer, next(source)) for _ in range(options.rows)]
        inputs = batch(examples, tokenizer.pad_token_id)
        loss = model(**inputs).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        for group in optimiser.param_groups:
            group["lr"] = peak * min(1.0, step / 20) * (1 - (step - 1) / steps)
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
