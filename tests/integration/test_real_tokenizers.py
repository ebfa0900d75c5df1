"""Tests that streaming with Mistral's tokenizers (from mistral-common) equals one decode of all token ids."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
import sentencepiece
from transformers import LlamaTokenizer

from playground.engine.text import Detokenizer
from tests.integration.real_model import PACKAGES

SCRAPS = (
    "The rest is silence. ",
    "Ça va ?\n",
    "ქართული ენა ",
    "العربية ",
    "日本語テキスト",
    "हिन्दी ",
    "👩‍👩‍👧‍👦",
    "🇫🇷🇯🇵🇮🇹",
    "👍🏽",
    "x = {'a': [1, 2]}\n\t",
    "∑∂√ ",
    "   ",
    "\u200b",
    "\U0001d518 ",
    "ไทย",
)


def files() -> list[Path]:
    return sorted((PACKAGES / "mistral_common" / "data").glob("*.model*"))


def test_the_package_carries_sentencepiece_models() -> None:
    assert len(files()) >= 5


@pytest.mark.parametrize("path", files(), ids=lambda path: path.name)
def test_a_stream_of_random_text_is_one_decode(path: Path, tmp_path: Path) -> None:
    processor = sentencepiece.SentencePieceProcessor(model_file=str(path))
    generator = random.Random(0)
    for _ in range(60):
        text = "".join(generator.choices(SCRAPS, k=generator.randint(1, 12)))
        ids = processor.encode(text)
        if generator.random() < 0.3:  # bytes that never become a character
            ids += [processor.piece_to_id(f"<0x{generator.randrange(128, 256):02X}>") for _ in range(3)]
        feed = Detokenizer(lambda part: processor.decode(list(part)), [])
        shown = "".join(feed.feed(token) for token in ids)
        assert "\ufffd" not in shown or "\ufffd" in processor.decode(ids)
        assert shown + feed.finish() == processor.decode(ids), text


@pytest.mark.parametrize("path", files()[:1], ids=lambda path: path.name)
def test_a_folder_with_a_sentencepiece_model_alone_is_a_tokenizer(path: Path, tmp_path: Path) -> None:
    (tmp_path / "tokenizer.model").write_bytes(path.read_bytes())
    tokenizer = LlamaTokenizer.from_pretrained(tmp_path)
    processor = sentencepiece.SentencePieceProcessor(model_file=str(path))
    for text in SCRAPS:
        assert (
            tokenizer.decode(tokenizer(text, add_special_tokens=False)["input_ids"]).strip() == text.strip()
        )
    assert tokenizer.vocab_size == processor.vocab_size()
