"""Train the pocket base model from scratch on the made corpus.

A Llama of 2.6 million parameters; two copying heads start by hand (see handinit.py), all else is
random. The schedule counts steps, and the rows of a step are drawn from its number alone, so the
same seed gives the same run on the same machine and versions, also when it is broken off and
resumed from its last checkpoint. Most steps see rows of 512 tokens; the last ones rows of 1024 to
4096, with longer pages, so that long prompts work.

With `--refine`, the finished weights in `--out` are trained further, on the pages of consequences.py;
every second step works on the weights as 4-bit NF4 will hold them (nf4.py).

Watch two figures in the log, not the loss alone: `copy`, the share of right guesses in the second
half of a repeated row of random tokens (near 0 means: no in-context learning), and `logit`, a
bound on the attention logits (hundreds mean saturated heads).

    python models/pocket/recipe/train.py --compile --out models/pocket --checkpoint /tmp/pocket-run
    python models/pocket/recipe/train.py --compile --out models/pocket --checkpoint /tmp/pocket-run --resume
    python models/pocket/recipe/train.py --compile --out models/pocket --checkpoint /tmp/refine --refine
    python models/pocket/recipe/train.py --quick --out /tmp/pocket       # a trial, under a minute
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import random
import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from consequences import ConsequentWriter, HeedingWriter, SettledWriter, UnsureWriter
from corpus import Writer
from handinit import HEAD_SIZE, HIDDEN, ROPE_THETA, initialise
from nf4 import Rounded
from tokenizer import CONTEXT, SPECIAL
from tokenizer import save as save_tokenizer
from torch import Tensor
from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerBase

POCKET = Path(__file__).resolve().parent.parent
DRILL_SHARE = 0.1
AHEAD = 16  # batches made ahead by the other process
LOSS_ROWS = 512  # tokens whose logits are held at once: few enough to stay in the cache
CHECKPOINT = "checkpoint.pt"


@dataclass(frozen=True)
class Stage:
    """A run of steps with rows of one shape.

    `scales` are the page lengths mixed in it; `doubt` is the share of pages whose author may be
    unreliable; `rate` is the share of the full learning rate at its start and end, a straight line
    between; `writer` draws the documents.
    """

    steps: int
    rows: int
    length: int
    scales: tuple[float, ...]
    doubt: float
    rate: tuple[float, float]
    writer: type[Writer] = Writer


# First answers are nearly always true: before the model can answer at all, it cannot learn to tell
# whether an answer belongs to its question.
FULL = (
    Stage(2200, 8, 512, (1.0, 1.0, 1.5), 0.15, (0.85, 0.85)),
    Stage(1180, 16, 512, (1.0, 1.0, 1.5), 1.0, (1.0, 0.4)),
    Stage(80, 8, 1024, (1.0, 2.0, 3.0), 1.0, (0.4, 0.25)),
    Stage(50, 4, 2048, (1.0, 2.0, 4.0), 1.0, (0.25, 0.12)),
    Stage(35, 2, 4096, (1.0, 2.0, 4.0, 8.0), 1.0, (0.12, 0.01)),
)
QUICK = (
    Stage(24, 8, 256, (1.0,), 0.15, (1.0, 1.0)),
    Stage(4, 1, 1024, (2.0,), 1.0, (1.0, 0.5)),
)
REFINE = (
    Stage(360, 8, 512, (1.0, 1.0, 1.5), 1.0, (0.65, 0.376), ConsequentWriter),
    Stage(180, 8, 512, (1.0, 1.0, 1.5), 1.0, (0.6, 0.43), HeedingWriter),
    Stage(240, 8, 512, (1.0, 1.0, 1.5), 1.0, (0.6, 0.44), UnsureWriter),
    Stage(260, 8, 512, (1.0, 1.0, 1.5), 1.0, (0.44, 0.12), SettledWriter),
    Stage(20, 8, 1024, (1.0, 2.0, 3.0), 1.0, (0.12, 0.06), SettledWriter),
    Stage(14, 4, 2048, (1.0, 2.0, 4.0), 1.0, (0.06, 0.03), SettledWriter),
    Stage(10, 2, 4096, (1.0, 2.0, 4.0, 8.0), 1.0, (0.03, 0.003), SettledWriter),
)
QUICK_REFINE = (Stage(6, 8, 256, (1.0,), 1.0, (0.5, 0.1), ConsequentWriter),)
WARM_UP = 40  # steps
MUON_RATE, ADAM_RATE = 3e-3, 1.2e-3


def new_model(tokenizer: PreTrainedTokenizerBase, seed: int, heads: bool = True) -> LlamaForCausalLM:
    """A fresh model, with the hand-set heads or without."""
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
    initialise(model, seed, heads)
    return model


def row(tokenizer: PreTrainedTokenizerBase, stage: Stage, seed: str) -> tuple[list[int], ...]:
    """`length` token ids, labels and weights: documents one after the other, each between BOS and EOS.

    Some rows are drills instead: random tokens, then the same again to the end, with no loss on the
    first time. They keep the copying heads general; without them, rare tokens drift together and
    cannot be copied.
    """
    rng = random.Random(seed)
    ids: list[int] = []
    if rng.random() < DRILL_SHARE:
        segment = rng.choices(range(len(SPECIAL), len(tokenizer)), k=rng.randint(16, stage.length // 3))
        ids = [tokenizer.bos_token_id, *segment * (stage.length // len(segment) + 1)][: stage.length]
        first = len(segment) + 2
        return ids, [-100] * first + ids[first:], [1] * stage.length
    writer = stage.writer(seed, rng.choice(stage.scales), stage.doubt)
    weights: list[int] = []
    while len(ids) < stage.length:
        text = writer.document()
        pieces = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
        starts = (start + text[start:end].startswith(" ") for start, end in pieces.offset_mapping)
        ids += [tokenizer.bos_token_id, *pieces.input_ids, tokenizer.eos_token_id]
        weights += [1, *(writer.heavy.get(start, 1) for start in starts), 1]
    return ids[: stage.length], ids[: stage.length], weights[: stage.length]


def batch(tokenizer: PreTrainedTokenizerBase, stages: tuple[Stage, ...], seed: str, step: int) -> np.ndarray:
    """The (3, rows, length) ids, labels and weights of a step, counted from 0 through all stages."""
    stage, _ = place(stages, step)
    made = [row(tokenizer, stage, f"{seed}/{step}/{number}") for number in range(stage.rows)]
    return np.array(made, dtype=np.int16).swapaxes(0, 1)


def place(stages: tuple[Stage, ...], step: int) -> tuple[Stage, float]:
    """The stage that a step falls in, and how far through it (0 to 1) the step is."""
    for stage in stages:
        if step < stage.steps:
            return stage, step / stage.steps
        step -= stage.steps
    raise ValueError(f"no stage holds step {step} beyond the last")


def produce(
    queue: multiprocessing.Queue, tokenizer: Path, stages: tuple[Stage, ...], seed: str, step: int
) -> None:
    """Put the batches from `step` on into the queue."""
    pieces = AutoTokenizer.from_pretrained(tokenizer)
    for number in range(step, sum(stage.steps for stage in stages)):
        queue.put(batch(pieces, stages, seed, number))


def batches(
    tokenizer: Path, stages: tuple[Stage, ...], seed: str, step: int
) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Batches from `step` on, made ahead in another process."""
    context = multiprocessing.get_context("spawn")
    queue = context.Queue(AHEAD)
    context.Process(target=produce, args=(queue, tokenizer, stages, seed, step), daemon=True).start()
    while True:
        ids, labels, weights = torch.from_numpy(queue.get()).long()
        yield ids, labels, weights


class LinearCrossEntropy(torch.autograd.Function):
    """Mean cross-entropy of `hidden @ weight.T`, a few rows at a time, gradients made on the way.

    `counts` is how much each target counts in the mean.

    The logits of a whole batch would be 130 MB, written and read many times over.
    """

    @staticmethod
    def forward(ctx, hidden: Tensor, weight: Tensor, targets: Tensor, counts: Tensor) -> Tensor:  # type: ignore[override]
        counted = torch.where(targets >= 0, counts, 0)
        scale = 1 / counted.sum()
        to_hidden, to_weight = torch.empty_like(hidden), torch.zeros_like(weight)
        loss = hidden.new_zeros(())
        for start in range(0, len(targets), LOSS_ROWS):
            part = slice(start, start + LOSS_ROWS)
            target = targets[part].clamp_min(0)[:, None]
            share = (hidden[part] @ weight.T).softmax(-1)
            picked = share.gather(1, target)
            loss -= (picked.clamp_min(1e-30).log() * counted[part, None]).sum()
            share.scatter_(1, target, picked - 1)
            share *= counted[part, None] * scale
            torch.mm(share, weight, out=to_hidden[part])
            to_weight.addmm_(share.T, hidden[part])
        ctx.save_for_backward(to_hidden, to_weight)
        return loss * scale

    @staticmethod
    def backward(ctx, gradient: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        to_hidden, to_weight = ctx.saved_tensors
        return gradient * to_hidden, gradient * to_weight, None, None


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
            state = self.state[group["params"][0]]  # one buffer for all matrices of the shape
            momentum = state.setdefault("momentum", torch.zeros_like(gradients))
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


def save_checkpoint(folder: Path, state: dict[str, object]) -> None:
    """Replace the checkpoint only when the new one is complete."""
    folder.mkdir(parents=True, exist_ok=True)
    torch.save(state, folder / "new.pt")
    (folder / "new.pt").replace(folder / CHECKPOINT)


def main() -> None:
    parser = argparse.ArgumentParser(description="Train the pocket base model.")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--tokenizer", type=Path, default=POCKET)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--refine", action="store_true", help="train the weights in --out further")
    parser.add_argument("--random-heads", action="store_true", help="no hand-set heads: an ablation")
    parser.add_argument("--quick", action="store_true", help="a few steps only")
    parser.add_argument("--compile", action="store_true", help="torch.compile; needs a C++ compiler")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--checkpoint", type=Path, help="folder for checkpoints")
    parser.add_argument("--every", type=int, default=100, help="steps between checkpoints")
    parser.add_argument("--resume", action="store_true", help="go on from the checkpoint, if there is one")
    parser.add_argument("--stop", type=int, help="break off after this step, to try --resume")
    options = parser.parse_args()
    if options.resume and not options.checkpoint:
        parser.error("--resume needs --checkpoint")

    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)
    tokenizer = AutoTokenizer.from_pretrained(options.tokenizer)
    if options.refine:
        model = LlamaForCausalLM.from_pretrained(options.out, dtype=torch.float32)
    else:
        model = new_model(tokenizer, options.seed, not options.random_heads)
    body = torch.compile(model.model, dynamic=False) if options.compile else model.model
    options.out.mkdir(parents=True, exist_ok=True)
    print(f"{sum(p.numel() for p in model.parameters()):,} parameters; copy {copy_score(model)}", flush=True)

    matrices = [p for n, p in model.named_parameters() if p.ndim == 2 and "embed" not in n]
    rest = [p for n, p in model.named_parameters() if p.ndim == 1 or "embed" in n]
    optimisers: list[tuple[torch.optim.Optimizer, float]] = [
        (Muon(matrices, MUON_RATE, momentum=0.95, weight_decay=0.1), MUON_RATE),
        (torch.optim.AdamW(rest, ADAM_RATE, betas=(0.9, 0.95), weight_decay=0.0), ADAM_RATE),
    ]

    if options.refine:
        stages, rows_of = QUICK_REFINE if options.quick else REFINE, f"{options.seed}/refine"
    else:
        stages, rows_of = QUICK if options.quick else FULL, str(options.seed)
    steps = sum(stage.steps for stage in stages)
    done, tokens, average, seconds = 0, 0, 0.0, 0.0
    if options.resume and (options.checkpoint / CHECKPOINT).exists():
        state = torch.load(options.checkpoint / CHECKPOINT, weights_only=True)
        model.load_state_dict(state["model"])
        for (optimiser, _), saved in zip(optimisers, state["optimisers"], strict=True):
            optimiser.load_state_dict(saved)
        done, tokens, average, seconds = (state[n] for n in ("done", "tokens", "average", "seconds"))
        print(f"resumed after step {done}", flush=True)

    start = time.time() - seconds
    source = batches(options.tokenizer, stages, rows_of, done)
    rounded = Rounded(matrices)
    for step in range(done, min(steps, options.stop or steps)):
        ids, labels, weights = next(source)
        with rounded if options.refine and step % 2 else nullcontext():
            hidden = body(input_ids=ids[:, :-1], use_cache=False).last_hidden_state
            logits_of = model.lm_head.weight
            wanted, counts = labels[:, 1:].flatten(), weights[:, 1:].flatten()
            loss = LinearCrossEntropy.apply(hidden.flatten(0, 1), logits_of, wanted, counts)
            loss.backward()
        torch.nn.utils.clip_grad_norm_(rest, 1.0)
        stage, through = place(stages, step)
        first, last = stage.rate
        rate = (first + (last - first) * through) * min(1.0, (step + 1) / WARM_UP)
        for optimiser, peak in optimisers:
            for group in optimiser.param_groups:
                group["lr"] = peak * rate
            optimiser.step()
            optimiser.zero_grad(set_to_none=True)
        done = step + 1
        tokens += ids.numel()
        average = loss.item() if done == 1 else 0.97 * average + 0.03 * loss.item()
        seconds = time.time() - start
        if done == 1 or done % 50 == 0 or done == steps:
            once, again = copy_score(model)
            bound = largest_logit(model, ids[:1, :256])
            print(
                f"step {done}/{steps} tokens {tokens / 1e6:.2f}M loss {average:.3f} "
                f"copy {again:.2f} (first {once:.2f}) logit {bound:.0f} minutes {seconds / 60:.1f}",
                flush=True,
            )
        if options.checkpoint and (done % options.every == 0 or done in (steps, options.stop)):
            state = {"model": model.state_dict(), "optimisers": [o.state_dict() for o, _ in optimisers]}
            state |= {"done": done, "tokens": tokens, "average": average, "seconds": seconds}
            save_checkpoint(options.checkpoint, state)
    if done == steps:
        same = options.out.resolve() == options.tokenizer.resolve()
        save(model, options.out, None if same else tokenizer)


if __name__ == "__main__":
    main()
