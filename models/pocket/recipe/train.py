"""Train the pocket base model from scratch on the made corpus.

A Llama of 2.6 million parameters; two copying heads start by hand (see handinit.py), all else is
random. The schedule counts steps, so the same seeds and step counts give the same run on the same
machine and versions. Most steps see rows of 512 tokens; the last ones rows of 2048, with longer
pages, so that long prompts work.

Watch two figures in the log, not the loss alone: `copy`, the share of right guesses in the second
half of a repeated row of random tokens (near 0 means: no in-context learning), and `logit`, a
bound on the attention logits (hundreds mean saturated heads).

    python models/pocket/recipe/train.py --compile --out models/pocket   # the shipped weights
    python models/pocket/recipe/train.py --quick --out /tmp/pocket       # a trial, under a minute
"""

from __future__ import annotations

import argparse
import random
import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from corpus import documents
from handinit import HEAD_SIZE, HIDDEN, ROPE_THETA, initialise
from tokenizer import SPECIAL
from tokenizer import save as save_tokenizer
from torch import Tensor
from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerBase

POCKET = Path(__file__).resolve().parent.parent
CONTEXT = 2048
DRILL_SHARE = 0.1


@dataclass(frozen=True)
class Stage:
    """A run of steps with rows of one shape.

    `scales` are the page lengths mixed in it; `rate` is the share of the full learning rate at its
    start and end, a straight line between.
    """

    steps: int
    rows: int
    length: int
    scales: tuple[float, ...]
    rate: tuple[float, float]


FULL = (
    Stage(1200, 8, 512, (1.0, 1.0, 1.5), (1.0, 1.0)),
    Stage(250, 8, 512, (1.0, 1.0, 1.5), (1.0, 0.6)),
    Stage(350, 2, 2048, (1.0, 2.0, 4.0), (0.6, 0.02)),
)
QUICK = (
    Stage(30, 8, 256, (1.0,), (1.0, 1.0)),
    Stage(4, 1, 1024, (2.0,), (1.0, 0.5)),
)
WARM_UP = 40  # steps after every start, the optimisers being fresh


def new_model(tokenizer: PreTrainedTokenizerBase, seed: int) -> LlamaForCausalLM:
    """A fresh model with the hand-set heads."""
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=HIDDEN,
        intermediate_size=512,
        num_hidden_layers=4,
        num_attention_heads=3,
        num_key_value_heads=3,
        head_dim=HEAD_SIZE,
        max_position_embeddings=CONTEXT,
        rope_parameters={"rope_type": "default", "rope_theta": ROPE_THETA},
        tie_word_embeddings=True,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    model = LlamaForCausalLM(config)
    initialise(model, seed)
    return model


def batches(tokenizer: PreTrainedTokenizerBase, stage: Stage, seed: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Endless (rows, length) token ids and labels.

    Every row starts with a document; every document with BOS. Some rows are drills instead: random
    tokens, then the same again to the end, with no loss on the first time. They keep the copying
    heads general; without them, rare tokens drift together and cannot be copied.
    """
    rng = random.Random(seed)
    sources = [documents(seed + 1000 * i, scale) for i, scale in enumerate(stage.scales)]
    turn = 0
    while True:
        rows, labels = [], []
        for _ in range(stage.rows):
            if rng.random() < DRILL_SHARE:
                segment = rng.choices(range(len(SPECIAL), len(tokenizer)), k=rng.randint(16, 160))
                drill = [tokenizer.bos_token_id, *segment * (stage.length // len(segment) + 1)]
                rows.append(drill[: stage.length])
                first = len(segment) + 2
                labels.append([-100] * first + rows[-1][first:])
                continue
            row: list[int] = []
            while len(row) < stage.length:
                turn += 1
                ids = tokenizer.encode(next(sources[turn % len(sources)]), add_special_tokens=False)
                row += [tokenizer.bos_token_id, *ids, tokenizer.eos_token_id]
            rows.append(row[: stage.length])
            labels.append(rows[-1])
        yield torch.tensor(rows), torch.tensor(labels)


def orthogonalise(stack: Tensor) -> Tensor:
    """Newton-Schulz: the nearest (semi-)orthogonal matrices of a (N, rows, columns) stack."""
    wide = stack.shape[1] <= stack.shape[2]
    x = stack if wide else stack.mT
    x = x / (x.norm(dim=(1, 2), keepdim=True) + 1e-7)
    for _ in range(5):
        square = x @ x.mT
        x = 3.4445 * x + (-4.7750 * square + 2.0315 * square @ square) @ x
    return x if wide else x.mT


class Muon(torch.optim.Optimizer):
    """Momentum whose update is orthogonalised, all matrices of one shape at once.

    The update is scaled so that its root mean square is 0.2 in any shape, as AdamW's would be.
    In float32: torch.optim.Muon works in bfloat16, which is very slow on most CPUs.
    """

    def __init__(self, parameters: Iterable[Tensor], lr: float, momentum: float, weight_decay: float):
        by_shape: dict[tuple[int, ...], list[Tensor]] = {}
        for parameter in parameters:
            by_shape.setdefault(tuple(parameter.shape), []).append(parameter)
        groups = [{"params": group} for group in by_shape.values()]
        super().__init__(groups, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        for group in self.param_groups:
            gradients = torch.stack([p.grad for p in group["params"]])
            momentum = group.setdefault("buffer", torch.zeros_like(gradients))
            momentum.lerp_(gradients, 1 - group["momentum"])
            update = orthogonalise(gradients.lerp(momentum, group["momentum"]))
            update *= 0.2 * max(update.shape[1:]) ** 0.5
            for parameter, change in zip(group["params"], update, strict=True):
                parameter.mul_(1 - group["lr"] * group["weight_decay"])
                parameter.sub_(change, alpha=group["lr"])


@torch.no_grad()
def copy_score(model: LlamaForCausalLM, length: int = 64, rows: int = 8) -> tuple[float, float]:
    """Share of right next-token guesses in the first and second copy of random rows."""
    generator = torch.Generator().manual_seed(0)
    once = torch.randint(300, model.config.vocab_size, (rows, length), generator=generator)
    twice = torch.cat([once, once], dim=1)
    right = (model(twice).logits[:, :-1].argmax(-1) == twice[:, 1:]).float()
    return right[:, : length - 1].mean().item(), right[:, length:].mean().item()


@torch.no_grad()
def largest_logit(model: LlamaForCausalLM, ids: Tensor) -> float:
    """An upper bound on any attention logit: the largest |query| |key| / sqrt(head size)."""
    found = 0.0
    norms: dict[str, Tensor] = {}

    def keep(name: str) -> Callable[..., None]:
        def hook(_module: object, _inputs: object, output: Tensor) -> None:
            norms[name] = output.unflatten(-1, (-1, HEAD_SIZE)).norm(dim=-1).amax(dim=(0, 1))

        return hook

    for layer in model.model.layers:
        hooks = [
            layer.self_attn.q_proj.register_forward_hook(keep("query")),
            layer.self_attn.k_proj.register_forward_hook(keep("key")),
        ]
        model(ids)
        for hook in hooks:
            hook.remove()
        found = max(found, (norms["query"] * norms["key"]).max().item() / HEAD_SIZE**0.5)
    return found


def save(model: LlamaForCausalLM, out: Path, tokenizer: PreTrainedTokenizerBase | None) -> None:
    """Write the model in float16; files replace the old ones only when complete."""
    fresh = out / ".new"
    copy = LlamaForCausalLM(model.config)
    copy.load_state_dict(model.state_dict())
    copy.generation_config.do_sample = False
    copy.half().save_pretrained(fresh)
    if tokenizer is not None:
        save_tokenizer(tokenizer, fresh)
    for file in fresh.iterdir():
        file.chmod(0o644)
        file.replace(out / file.name)
    shutil.rmtree(fresh)


def main() -> None:
    parser = argparse.ArgumentParser(description="Train the pocket base model.")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--tokenizer", type=Path, default=POCKET)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--quick", action="store_true", help="a few steps only")
    parser.add_argument("--stages", type=int, nargs="+", help="only these, counted from 1")
    parser.add_argument("--start", type=Path, help="weights to go on from; optimisers are fresh")
    parser.add_argument("--compile", action="store_true", help="torch.compile; needs a C++ compiler")
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()

    torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)
    tokenizer = AutoTokenizer.from_pretrained(options.tokenizer)
    if options.start:
        model = LlamaForCausalLM.from_pretrained(options.start, dtype=torch.float32)
    else:
        model = new_model(tokenizer, options.seed)
    body = torch.compile(model.model, dynamic=False) if options.compile else model.model
    options.out.mkdir(parents=True, exist_ok=True)
    print(f"{sum(p.numel() for p in model.parameters()):,} parameters; copy {copy_score(model)}")

    matrices = [p for n, p in model.named_parameters() if p.ndim == 2 and "embed" not in n]
    rest = [p for n, p in model.named_parameters() if p.ndim == 1 or "embed" in n]
    optimisers: list[tuple[torch.optim.Optimizer, float]] = [
        (Muon(matrices, 0.0025, momentum=0.95, weight_decay=0.1), 0.0025),
        (torch.optim.AdamW(rest, 1e-3, betas=(0.9, 0.95), weight_decay=0.0), 1e-3),
    ]

    stages = dict(enumerate(QUICK if options.quick else FULL))
    if options.stages:
        stages = {number - 1: stages[number - 1] for number in options.stages}
    steps = sum(stage.steps for stage in stages.values())
    step, tokens, average, start = 0, 0, 0.0, time.time()
    for number, stage in stages.items():
        source = batches(tokenizer, stage, options.seed + 100_000 * number)
        for position in range(stage.steps):
            ids, labels = next(source)
            hidden = body(input_ids=ids[:, :-1], use_cache=False).last_hidden_state
            logits = F.linear(hidden.flatten(0, 1), model.lm_head.weight)
            loss = F.cross_entropy(logits, labels[:, 1:].flatten())
            loss.backward()
            torch.nn.utils.clip_grad_norm_(rest, 1.0)
            first, last = stage.rate
            rate = first + (last - first) * position / stage.steps
            rate *= min(1.0, (step + 1) / WARM_UP)
            for optimiser, peak in optimisers:
                for group in optimiser.param_groups:
                    group["lr"] = peak * rate
                optimiser.step()
                optimiser.zero_grad(set_to_none=True)
            step += 1
            tokens += ids.numel()
            average = loss.item() if step == 1 else 0.97 * average + 0.03 * loss.item()
            if step % 50 == 0 or step == steps:
                once, again = copy_score(model)
                bound = largest_logit(model, ids[:1, :256])
                print(
                    f"step {step}/{steps} tokens {tokens / 1e6:.2f}M loss {average:.3f} "
                    f"copy {again:.2f} (first {once:.2f}) logit {bound:.0f} "
                    f"minutes {(time.time() - start) / 60:.1f}",
                    flush=True,
                )
    save(model, options.out, tokenizer if options.out.resolve() != POCKET else None)


if __name__ == "__main__":
    main()
