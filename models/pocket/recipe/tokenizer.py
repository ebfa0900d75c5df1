"""Train the pocket tokenizer and export it so that `AutoTokenizer.from_pretrained("models/pocket")`
loads it.

A SentencePiece BPE of 4096 pieces. Text must survive encode and decode exactly, because prompts
are compared byte for byte and stops are looked for at fences: so identity normalisation, no dummy
prefix, no whitespace removal, bytes for unknown characters, one token a digit. A newline and a
fence are symbols of their own; otherwise a newline would be a byte token and a fence would be cut
differently by what stands around it.

`tokenizer.json` holds the same pieces for the fast tokenizer; the script checks that both cut
alike.

    python models/pocket/recipe/tokenizer.py
"""

from __future__ import annotations

import argparse
import io
import json
from pathlib import Path

import sentencepiece
from corpus import documents, tokenizer_text
from tokenizers import AddedToken, Tokenizer, decoders, normalizers, processors
from tokenizers.models import BPE
from transformers import PreTrainedTokenizerBase, PreTrainedTokenizerFast

POCKET = Path(__file__).resolve().parent.parent
VOCABULARY = 4096
CONTEXT = 4096  # tokens the model is trained for
SPECIAL = ("<unk>", "<s>", "</s>", "<pad>")
SYMBOLS = ("\n", "```")
SPACE = "\u2581"  # SentencePiece writes a space as this character


def train(seed: int, count: int) -> sentencepiece.SentencePieceProcessor:
    """Learn the pieces from `count` documents and the boosted names."""
    model = io.BytesIO()
    # SentencePiece takes one line at a time; the newline itself is a symbol and needs no training.
    lines = (line for text in tokenizer_text(seed, count) for line in text.split("\n") if line.strip())
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=lines,
        model_writer=model,
        model_type="bpe",
        vocab_size=VOCABULARY,
        character_coverage=1.0,
        normalization_rule_name="identity",
        add_dummy_prefix=False,
        remove_extra_whitespaces=False,
        byte_fallback=True,
        split_digits=True,
        user_defined_symbols=list(SYMBOLS),
        unk_id=0,
        bos_id=1,
        eos_id=2,
        pad_id=3,
        pad_piece="<pad>",
        num_threads=1,
        minloglevel=2,
    )
    return sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())


def fast_tokenizer(pieces: sentencepiece.SentencePieceProcessor) -> PreTrainedTokenizerFast:
    """The same pieces as a `tokenizers` BPE: merges are rebuilt from the order of the pieces."""
    names = [pieces.id_to_piece(i) for i in range(pieces.get_piece_size())]
    vocabulary = {name: i for i, name in enumerate(names)}
    plain = [
        i
        for i in range(len(names))
        if not (pieces.is_control(i) or pieces.is_unknown(i) or pieces.is_byte(i)) and names[i] not in SYMBOLS
    ]
    mergeable = {names[i] for i in plain}
    merges = [
        (left, right, pieces.get_score(i))
        for i in plain
        for cut in range(1, len(names[i]))
        if (left := names[i][:cut]) in mergeable and (right := names[i][cut:]) in mergeable
    ]
    # A stable sort: the piece learnt first merges first; ties keep the shorter left part first.
    merges.sort(key=lambda merge: -merge[2])

    tokenizer = Tokenizer(
        BPE(
            vocabulary,
            [(left, right) for left, right, _ in merges],
            unk_token="<unk>",
            fuse_unk=True,
            byte_fallback=True,
        )
    )
    tokenizer.normalizer = normalizers.Replace(" ", SPACE)
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace(SPACE, " "), decoders.ByteFallback(), decoders.Fuse()]
    )
    tokenizer.add_special_tokens([AddedToken(name, normalized=False) for name in SPECIAL])
    tokenizer.add_tokens([AddedToken(name, normalized=False) for name in SYMBOLS])
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A",
        pair="<s> $A <s> $B",
        special_tokens=[("<s>", vocabulary["<s>"])],
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token="<s>",
        eos_token="</s>",
        unk_token="<unk>",
        pad_token="<pad>",
        model_max_length=CONTEXT,
        padding_side="left",
        clean_up_tokenization_spaces=False,
    )


def save(tokenizer: PreTrainedTokenizerBase, folder: Path) -> None:
    """`save_pretrained`, without what only says where the tokenizer was loaded from."""
    tokenizer.save_pretrained(folder)
    file = folder / "tokenizer_config.json"
    config = json.loads(file.read_text())
    for name in ("is_local", "local_files_only"):
        config.pop(name, None)
    config["tokenizer_class"] = "PreTrainedTokenizerFast"  # a name every release of the library has
    file.write_text(json.dumps(config, indent=2) + "\n")


def check(pieces: sentencepiece.SentencePieceProcessor, fast: PreTrainedTokenizerFast, count: int) -> None:
    """Both tokenizers must cut alike, and every text must come back unchanged."""
    source = documents(seed=99)
    texts = [next(source) for _ in range(count)]
    texts += ["a  b\t\n\n   c", "```\n# Query:\n```\n", "naïve café 😀 日本", " 2026 ", "", "\n"]
    for text in texts:
        ids = fast.encode(text, add_special_tokens=False)
        if ids != pieces.encode(text):
            raise SystemExit(f"the two tokenizers disagree on {text!r}")
        if fast.decode(ids) != text:
            raise SystemExit(f"no round trip for {text!r}")
    tokens = sum(len(pieces.encode(text)) for text in texts)
    print(f"{count} documents: {sum(map(len, texts)) / tokens:.2f} characters a token")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=11)
    parser.add_argument("--documents", type=int, default=12000)
    parser.add_argument("--out", type=Path, default=POCKET)
    options = parser.parse_args()

    pieces = train(options.seed, options.documents)
    fast = fast_tokenizer(pieces)
    check(pieces, fast, 2000)
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "tokenizer.model").write_bytes(pieces.serialized_model_proto())
    save(fast, options.out)
    print(f"{len(fast)} pieces -> {options.out}")


if __name__ == "__main__":
    main()
