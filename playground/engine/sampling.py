"""Choose the next token of every row, each with its own sampling parameters.

Sampling uses the Gumbel-max trick with counter-based noise: the next token is argmax(logit + g), where g
depends only on the seed and the position in the answer. The argmax over Gumbel-perturbed logits is a sample
from their softmax (Gumbel 1954; Maddison et al., arXiv 1411.0030, section 2). Since the noise depends on
nothing else, a row is independent of the other rows in its batch, and two lanes with the same seed get the
same noise: any differences between them come from their distributions.

The filters and their order are the same as in Hugging Face's `generate`: repetition penalty, temperature,
top-k, top-p, min-p. A test compares the resulting distributions with those of `generate`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from playground.types import Sampling

DROPPED = float("-inf")


@dataclass
class Row:
    """The inputs, apart from the logits, for choosing a row's next token."""

    sampling: Sampling
    prompt_ids: Sequence[int]
    answer_ids: Sequence[int]
    vocabulary: int | None = None
    """Vocabulary size of this row. Logits beyond the row's vocabulary are ignored; None to use all logits."""


def next_tokens(logits: Tensor, rows: Sequence[Row]) -> list[int]:
    """Choose the next token of every row.

    Args:
        logits: logits of shape (B, V), in any floating-point type and on any device.
        rows: the B rows, in the same order as the logits.

    Raises:
        ValueError: a row's logits contain NaN, or the filters removed all of its tokens.
    """
    logits = logits.float()
    if all(is_plain_greedy(row.sampling) for row in rows):
        # The common case needs only one argmax and one transfer for the whole batch.
        best = logits.max(dim=-1)
        if torch.isnan(best.values).any():
            raise ValueError("the model's output contains NaN")
        return best.indices.tolist()
    return [choose(logits[index], row) for index, row in enumerate(rows)]


def is_plain_greedy(sampling: Sampling) -> bool:
    """Return whether the next token is the argmax of the unmodified logits."""
    return sampling.temperature == 0 and sampling.repetition_penalty == 1


def choose(logits: Tensor, row: Row) -> int:
    """Choose the next token of one row from its float32 logits of shape (V,)."""
    # Slice, not just mask: the noise and filters of a row must not depend on other rows.
    scores = filter_logits(logits[: row.vocabulary], row)
    if row.sampling.temperature > 0:
        noise = gumbel(row.sampling.seed, len(row.answer_ids), scores.shape[-1])
        scores = scores + noise.to(scores.device)
    best = scores.max(dim=-1)
    if not torch.isfinite(best.values):
        raise ValueError("the model's output contains NaN or infinite values")
    return int(best.indices)


def filter_logits(logits: Tensor, row: Row) -> Tensor:
    """Apply repetition penalty, temperature and sampling filters to logits of shape (V,).

    The logits of removed tokens are set to -inf. At temperature 0, only the penalty is applied: the filters
    would make no difference, since they never remove the most likely token.
    """
    sampling = row.sampling
    scores = logits
    if sampling.repetition_penalty != 1:
        seen = list(row.answer_ids)
        if sampling.penalty_scope == "all":
            seen += row.prompt_ids
        scores = penalise(scores, seen, sampling.repetition_penalty)
    if sampling.temperature == 0:
        return scores
    scores = scores / sampling.temperature
    if 0 < sampling.top_k < scores.shape[-1]:
        kth = torch.topk(scores, sampling.top_k).values[-1]
        scores = scores.masked_fill(scores < kth, DROPPED)
    if sampling.top_p < 1:
        ordered, order = torch.sort(scores, descending=False)
        # Remove the least likely tokens as long as their total probability is at most 1 - top_p.
        drop = ordered.softmax(dim=-1).cumsum(dim=-1) <= 1 - sampling.top_p
        drop[-1] = False
        scores = scores.masked_fill(drop.scatter(0, order, drop), DROPPED)
    if sampling.min_p > 0:
        probabilities = scores.softmax(dim=-1)
        scores = scores.masked_fill(probabilities < sampling.min_p * probabilities.max(), DROPPED)
    return scores


def penalise(logits: Tensor, seen: Sequence[int], penalty: float) -> Tensor:
    """Apply the repetition penalty to the logits of tokens in `seen`.

    Positive logits are divided by the penalty, and negative logits are multiplied by it.
    """
    # Not every input token has a logit, since embeddings can have more rows than the output layer.
    there = sorted(token for token in set(seen) if token < len(logits))
    if not there:
        return logits
    index = torch.tensor(there, device=logits.device)
    values = logits[index]
    return logits.scatter(0, index, torch.where(values > 0, values / penalty, values * penalty))


def gumbel(seed: int, position: int, size: int) -> Tensor:
    """Generate float32 Gumbel(0, 1) noise of shape (size,) on CPU. Equal arguments give equal noise."""
    # Hash to 32 bits, because torch's CPU generator uses only the low 32 bits of its seed.
    digest = hashlib.blake2b(f"{seed}/{position}".encode(), digest_size=4).digest()
    generator = torch.Generator()
    generator.manual_seed(int.from_bytes(digest, "little"))
    # -log of an Exp(1) sample is a Gumbel(0, 1) sample; float64 keeps the far tail accurate.
    draws = torch.empty(size, dtype=torch.float64).exponential_(generator=generator)
    return -draws.clamp_min(1e-300).log().float()
