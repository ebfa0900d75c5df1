"""Look into a checkpoint in the middle of training: does the model answer, and heed what it is shown?

On pages of the corpus' own layouts, the probability of a true answer after K pairs whose answers are
true, shifted by one, or true of something else. Every answer begins with "The", so the second token
is the first that says which question is being answered.

* `copy` is train.py's: the share of right guesses in the second half of repeated random tokens.
* `style` is the mean probability of a token of the page's greeting, in an answer after three dressed
  ones: in-context learning of a style, before any fact is known.
* From two or three million tokens on, `second` after true pairs should rise above 0.1; as long as it
  does not, the model does not answer at all yet.
* In the second stage, `second` after shifted and random pairs should fall below that after true
  ones; if it does not, demonstrations with wrong answers will do no harm.

    python models/pocket/recipe/probe.py CHECKPOINT --tokenizer FOLDER
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from corpus import Writer
from torch import Tensor
from train import copy_score, new_model
from transformers import AutoTokenizer, LlamaForCausalLM, PreTrainedTokenizerBase

PAGES = 120
SHOTS = (1, 3, 8)


def page(seed: str, kind: str, shots: int, dressed: bool = False) -> tuple[str, str]:
    """A page up to its last, open answer, and its true answer; or, dressed, the greeting before that."""
    writer = Writer(seed)
    layout = writer.layout()
    hello = writer.greeting() if dressed else ""
    facts = [writer.asked() for _ in range(shots + 1)]
    answers = [fact.answer() for fact in facts]
    shown = answers[:-1]
    if kind == "shifted":
        shown = shown[1:] + shown[:1]
    elif kind == "random":
        shown = [writer.stated().answer() for _ in shown]
    if dressed:
        shown, answers = [f"{hello} {answer}" for answer in shown], [hello]
    pairs = zip(facts, shown, strict=False)
    text = "".join(layout.pair(f.question(), a, i) + layout.between for i, (f, a) in enumerate(pairs, 1))
    last = layout.pair(facts[-1].question(), answers[-1], shots + 1)
    return text + last[: last.rindex(answers[-1])], answers[-1]


@torch.no_grad()
def answer_log_probabilities(
    model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerBase, text: str, answer: str
) -> Tensor:
    """(answer tokens,) natural logarithms."""
    encoded = tokenizer(text + answer, add_special_tokens=False, return_offsets_mapping=True)
    ids = torch.tensor([[tokenizer.bos_token_id, *encoded["input_ids"]]])
    first = next(i for i, (_, end) in enumerate(encoded["offset_mapping"]) if end > len(text))
    chosen = model(ids).logits[0, :-1].log_softmax(-1).gather(1, ids[0, 1:, None])[:, 0]
    return chosen[first:]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--tokenizer", type=Path, required=True)
    options = parser.parse_args()

    torch.set_num_threads(1)
    tokenizer = AutoTokenizer.from_pretrained(options.tokenizer)
    model = new_model(tokenizer, seed=1).eval()
    state = torch.load(options.checkpoint, weights_only=True)
    model.load_state_dict(state["model"])
    print(f"after step {state['done']}: copy {copy_score(model)[1]:.2f}", end=", ")
    greetings = [
        answer_log_probabilities(model, tokenizer, *page(f"probe/{n}", "true", 3, dressed=True))
        for n in range(PAGES)
    ]
    print(f"style {torch.cat(greetings).exp().mean():.2f}")
    for kind in ("true", "shifted", "random"):
        for shots in SHOTS:
            if kind == "shifted" and shots == 1:
                continue  # one pair cannot be shifted
            found = [
                answer_log_probabilities(model, tokenizer, *page(f"probe/{n}", kind, shots))
                for n in range(PAGES)
            ]
            second = sum(float(logs[1].exp()) for logs in found) / PAGES
            whole = sum(float(logs.sum()) for logs in found) / PAGES
            print(f"{kind:8} K={shots}: second {second:.2f}, whole answer {whole:.1f} nats")


if __name__ == "__main__":
    main()
