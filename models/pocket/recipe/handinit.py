"""Starting weights that can already copy: one previous-token head and one induction head, set by
hand.

In-context learning rests on *induction*: "A B ... A" is followed by "B". Large models find that
circuit by themselves; a model this small does not within ten million tokens. So two heads start
with it (and training may change them as it likes). It is plain Llama arithmetic:

* The residual stream (d = 192) is divided at the start: dimension 0 is the same constant for every
  token, 1..127 hold the token's identity (random), 128..191 are nearly empty.
* Layer 0, head 0, looks at the token just before: query and key come from the constant alone, so
  the score depends on the distance only; the rotary phases are set so that distance 1 scores best.
  It writes a code of that token's identity into dimensions 128 and up.
* Layer 1, head 0, compares the current token's code with those written notes, in the slowest
  rotary pairs, which hardly turn within the context. It finds the places whose previous token
  equals the current one, and copies the identity of the token that stands there into the stream:
  the guess for the next token.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from transformers import LlamaForCausalLM

HIDDEN = 192
HEAD_SIZE = 64
ROPE_THETA = 5e5

IDENTITY = slice(1, 128)
WIDTH = IDENTITY.stop - IDENTITY.start
NOTES = 128  # first dimension of the notes about the previous token
EMBEDDING_STD = 0.3
CONSTANT = 1.5
FIRST_SLOW_PAIR = 20  # with theta 5e5 and head size 64, pairs 20..31 turn less than 1.2 rad in 4096 positions
FAST_PAIRS = 10  # pairs 0..9 tell neighbouring positions apart
PREVIOUS_SCORE = 7.0  # attention logit each fast pair adds at distance 1
MATCH_SCORE = 30.0  # attention logit of an equal token in the induction head
COPY_STRENGTH = 4.0  # how much stronger the copied identity is than the token's own
FINAL_GAIN = 0.2  # gain of the last norm: embeddings of this size would otherwise give huge logits


def orthogonal_rows(rows: int, columns: int, generator: torch.Generator) -> Tensor:
    """A (rows, columns) matrix whose rows are orthonormal."""
    q, _ = torch.linalg.qr(torch.randn(columns, rows, generator=generator))
    return q.T.contiguous()


@torch.no_grad()
def initialise(model: LlamaForCausalLM, seed: int, heads: bool = True) -> None:
    """Set all weights of `model` (hidden size 192, head size 64) in place.

    Without `heads`, the two heads stay as random as all others: to see what they are worth.
    """
    generator = torch.Generator().manual_seed(seed)
    size, half = HEAD_SIZE, HEAD_SIZE // 2

    for name, weight in model.named_parameters():
        if name.endswith("norm.weight"):
            weight.fill_(1.0)
        elif name.endswith(("o_proj.weight", "down_proj.weight")):
            weight.normal_(0.0, 0.01, generator=generator)  # each block starts almost silent
        else:
            weight.normal_(0.0, 0.5 / math.sqrt(weight.shape[1]), generator=generator)
    model.model.norm.weight.fill_(FINAL_GAIN)

    table = model.lm_head.weight  # tied: also the input embeddings
    table.normal_(0.0, 0.02, generator=generator)
    identity = torch.randn(table.shape[0], WIDTH, generator=generator)
    # Equal lengths: after the norm the constant is then the same for every token, and so is
    # the previous-token head's score.
    identity *= math.sqrt(WIDTH) / identity.norm(dim=1, keepdim=True)
    table[:, IDENTITY] = EMBEDDING_STD * identity
    table[:, 0] = CONSTANT
    if not heads:
        return

    codes = 2 * (half - FIRST_SLOW_PAIR)
    code = orthogonal_rows(codes, WIDTH, generator)
    notes = slice(NOTES, NOTES + codes)
    energy = WIDTH * EMBEDDING_STD**2 + CONSTANT**2
    rms = math.sqrt(energy / HIDDEN)

    # The previous-token head.
    head = model.model.layers[0].self_attn
    for projection in (head.q_proj, head.k_proj, head.v_proj):
        projection.weight[:size] = 0.0
    head.o_proj.weight[:, :size] = 0.0
    pair = torch.arange(FAST_PAIRS)
    turn = ROPE_THETA ** (-pair / half)  # radians a position
    gain = math.sqrt(PREVIOUS_SCORE * math.sqrt(size)) * rms / CONSTANT
    head.q_proj.weight[pair, 0] = gain * torch.cos(turn)
    head.q_proj.weight[pair + half, 0] = -gain * torch.sin(turn)
    head.k_proj.weight[pair, 0] = gain
    head.v_proj.weight[:codes, IDENTITY] = code
    head.o_proj.weight[notes, :codes] = rms * torch.eye(codes)

    # The induction head.
    head = model.model.layers[1].self_attn
    rms = math.sqrt((energy + codes * EMBEDDING_STD**2) / HIDDEN)
    for projection in (head.q_proj, head.k_proj, head.v_proj):
        projection.weight[:size] = 0.0
    head.o_proj.weight[:, :size] = 0.0
    slow = torch.cat([torch.arange(FIRST_SLOW_PAIR, half), torch.arange(FIRST_SLOW_PAIR, half) + half])
    own = codes * (EMBEDDING_STD / rms) ** 2  # squared length of a code as the head sees it
    gain = math.sqrt(MATCH_SCORE * math.sqrt(size) / own)
    head.q_proj.weight[slow, IDENTITY] = gain * code
    head.k_proj.weight[slow, notes] = gain * torch.eye(codes)
    copied = orthogonal_rows(size, WIDTH, generator)
    head.v_proj.weight[:size, IDENTITY] = copied
    head.o_proj.weight[IDENTITY, :size] = COPY_STRENGTH * rms * copied.T
