"""Tests that streamed text equals one decode of all token ids, for many kinds of vocabularies."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
from tokenizers.decoders import Decoder
from transformers import AutoTokenizer

from playground.engine.detokenizer import Decode, Detokenizer
from tests.helpers.paths import POCKET

SPECIAL = "<|end|>"
SPACE = "▁"
BYTES = [f"<0x{byte:02X}>" for byte in range(256)]
TEXTS = [
    "😀" * 5,
    "👨‍👩‍👧‍👦👩🏽‍🚀",
    "🇫🇷🇯🇵🇮🇹🇩🇪",
    "თბილისი არის დედაქალაქი",
    "مرحبا بالعالم",
    "日本語と한국어",
    "naïve café, 10 €\n\n",
    "Hello  world. ",
]


def by_fallback(order: str, *decoding: Decoder) -> Tokenizer:
    """A vocabulary with byte tokens, words after a space, and a token that decoding leaves out."""
    words = [
        "<unk>",
        SPACE,
        f"{SPACE}the",
        f"{SPACE}a",
        "a",
        "b",
        "s",
        ".",
        "ing",
        "é",
        "日本",
        "\n\n",
        "�",
        "",
    ]
    tokens = [*words, *BYTES] if order == "last" else [*BYTES, *words]
    if order == "reversed":
        tokens = [*BYTES[::-1], *words]
    vocab = {token: id for id, token in enumerate(tokens)}
    made = Tokenizer(models.BPE(vocab=vocab, merges=[], unk_token="<unk>", byte_fallback=True))
    made.decoder = decoders.Sequence([*decoding, decoders.ByteFallback(), decoders.Fuse()])
    return made


def llama() -> Tokenizer:
    made = by_fallback("first")
    decoding = [
        decoders.Replace(SPACE, " "),
        decoders.ByteFallback(),
        decoders.Fuse(),
        decoders.Strip(" ", 1, 0),
    ]
    made.decoder = decoders.Sequence(decoding)
    return made


def byte_level() -> Tokenizer:
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    pieces = [
        pre_tokenizers.ByteLevel(add_prefix_space=False).pre_tokenize_str(text)[0][0]
        for text in (" the", " é", "日")
    ]
    # Tokens that end, begin, or both, within a character.
    inside = [pieces[1][:2], pieces[2][:2], pieces[2][1:], pieces[2][2:] + "a", pieces[2][1:] + pieces[2][:1]]
    made = Tokenizer(
        models.BPE(vocab={piece: id for id, piece in enumerate([*alphabet, *pieces, *inside])}, merges=[])
    )
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    return made


def metaspace() -> Tokenizer:
    pieces = ["<unk>", SPACE, f"{SPACE}the", f"{SPACE}a", "a", "b", "ing", ".", "é", "日", f"{SPACE}{SPACE}"]
    made = Tokenizer(models.Unigram([(piece, -1.0) for piece in pieces], 0))
    made.decoder = decoders.Metaspace()
    return made


VOCABULARIES: dict[str, Tokenizer] = {
    "byte fallback": by_fallback("first", decoders.Replace(SPACE, " ")),
    "byte fallback, bytes last": by_fallback("last", decoders.Replace(SPACE, " ")),
    "byte fallback, bytes reversed": by_fallback("reversed", decoders.Replace(SPACE, " ")),
    "byte fallback, first space stripped": llama(),
    "byte level": byte_level(),
    "metaspace": metaspace(),
}
for _made in VOCABULARIES.values():
    _made.add_special_tokens([AddedToken(SPECIAL, special=True)])
VOCABULARIES["pocket"] = AutoTokenizer.from_pretrained(POCKET).backend_tokenizer
EVERY = pytest.mark.parametrize("name", VOCABULARIES)


def decoder(name: str, keep_special: bool = False) -> Decode:
    vocabulary = VOCABULARIES[name]
    return lambda ids: vocabulary.decode(list(ids), skip_special_tokens=not keep_special)


def stream(decode: Decode, prompt: list[int], ids: list[int]) -> list[str]:
    """What each id brought, and what the end did."""
    detokenizer = Detokenizer(decode, prompt)
    return [*map(detokenizer.feed, ids), detokenizer.finish()]


def whole(decode: Decode, prompt: list[int], ids: list[int]) -> str:
    """The slow way: everything decoded at once."""
    return decode([*prompt, *ids])[len(decode(prompt)) :]


def ids_of(name: str) -> st.SearchStrategy[list[int]]:
    """Lists of ids: any of them, bytes more often, and whole characters more often still."""
    vocabulary = VOCABULARIES[name]
    pieces = vocabulary.get_vocab()
    alphabet = {byte: id for id, byte in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}
    spelling = _gpt2_bytes()

    def spelled(text: str) -> list[int]:
        if BYTES[0] in pieces:
            return [pieces[BYTES[byte]] for byte in text.encode()]
        if name == "byte level":
            return [alphabet[spelling[byte]] for byte in text.encode()]
        return vocabulary.encode(text, add_special_tokens=False).ids

    any_id = st.integers(0, vocabulary.get_vocab_size() - 1).map(lambda one: [one])
    texts = st.one_of(st.sampled_from(TEXTS), st.text(max_size=3)).map(spelled)
    encoded = st.sampled_from(TEXTS).map(lambda text: vocabulary.encode(text, add_special_tokens=False).ids)
    choices = [any_id, texts, encoded]
    if name != "metaspace":
        first = pieces.get(BYTES[0], 0)
        choices.append(st.integers(first, first + 255).map(lambda one: [one]))
    return st.lists(st.one_of(choices), max_size=12).map(lambda parts: [id for part in parts for id in part])


def _gpt2_bytes() -> dict[int, str]:
    """The character that byte-level BPE writes for each byte."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printable]
    return {byte: chr(byte) for byte in printable} | {byte: chr(256 + at) for at, byte in enumerate(others)}


@EVERY
@pytest.mark.parametrize("keep_special", [False, True])
def test_a_streamed_text_equals_one_decode_of_all_ids(name: str, keep_special: bool) -> None:
    decode = decoder(name, keep_special)

    @settings(max_examples=100, deadline=None)
    @given(prompt=ids_of(name), ids=ids_of(name))
    @example(prompt=[], ids=[])
    def check(prompt: list[int], ids: list[int]) -> None:
        # A prompt is text that was encoded, so it does not end within a character.
        while prompt and decode(prompt).endswith("\ufffd"):
            prompt.pop()
        pieces = stream(decode, prompt, ids)
        assert "".join(pieces) == whole(decode, prompt, ids)
        for at in range(len(ids)):  # nothing is shown that later tokens change
            assert whole(decode, prompt, ids).startswith("".join(pieces[: at + 1]))
            assert whole(decode, prompt, ids[: at + 1]).startswith("".join(pieces[: at + 1]))

    check()


@EVERY
@pytest.mark.parametrize("text", TEXTS)
def test_no_replacement_character_is_shown_for_text(name: str, text: str) -> None:
    if name == "metaspace":
        text = "a the é日 bing. a"
    ids = VOCABULARIES[name].encode(text, add_special_tokens=False).ids
    pieces = stream(decoder(name), [], ids)
    assert "\ufffd" not in "".join(pieces)
    assert "".join(pieces) == decoder(name)(ids)


def test_a_run_of_bytes_comes_with_the_token_that_ends_it() -> None:
    vocab = VOCABULARIES["byte fallback"].get_vocab()
    ids = [
        vocab["a"],
        vocab["<0x0A>"],
        *(vocab[BYTES[byte]] for byte in "😀😁".encode()),
        vocab[SPACE],
        vocab["b"],
    ]
    pieces = stream(decoder("byte fallback"), [vocab["b"]], ids)
    assert pieces == ["a", *[""] * 9, "\n😀😁 ", "b", ""]


def test_a_byte_level_character_comes_with_its_last_byte() -> None:
    vocab, spelling = VOCABULARIES["byte level"].get_vocab(), _gpt2_bytes()
    ids = [vocab[spelling[byte]] for byte in "a😀é!".encode()]
    assert stream(decoder("byte level"), [], ids) == ["a", "", "", "", "😀", "", "é", "!", ""]


def test_where_the_next_token_is_known_a_run_comes_with_its_last_byte() -> None:
    vocab = VOCABULARIES["byte fallback"].get_vocab()
    detokenizer = Detokenizer(decoder("byte fallback"), [vocab["b"]])
    ids = [vocab["<0x0A>"], vocab["<0xC3>"], vocab["<0xA9>"], vocab["a"]]
    pieces = [detokenizer.feed(id, following) for id, following in zip(ids, [*ids[1:], None], strict=True)]
    assert pieces == ["", "", "\né", "a"]


@pytest.mark.parametrize("name", ["byte fallback", "byte level"])
def test_each_id_is_decoded_a_bounded_number_of_times(name: str) -> None:
    """Linear in the tokens, for any kind: text, control tokens that are left out, or one long run."""
    vocabulary = VOCABULARIES[name]
    vocab = vocabulary.get_vocab()
    text = vocabulary.encode("a the b, a naïve 日本 😀 . " * 30, add_special_tokens=False).ids
    bad = vocab["<0xFF>" if name == "byte fallback" else "\u00ff"]
    for ids in (text * 10, [vocab["a"]] + [vocab[SPECIAL]] * 5000, [bad] * 5000):
        decoded = 0

        def decode(some: Sequence[int]) -> str:
            nonlocal decoded
            decoded += len(some)
            return vocabulary.decode(list(some))

        assert "".join(stream(decode, [vocab["a"]], ids)) == whole(decode, [vocab["a"]], ids)
        assert decoded < 40 * len(ids) + 20_000


def test_a_decoder_that_refuses_unknown_ids_is_served() -> None:
    words = {1: "The", 2: " cat", 3: ".", 4: "\n"}
    assert stream(lambda ids: "".join(words[id] for id in ids), [1], [2, 3, 4]) == [" cat", ".", "\n", ""]


def decode_bytes(ids: Sequence[int]) -> str:
    """A tokenizer whose every token is one byte."""
    return bytes(ids).decode("utf-8", errors="replace")


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=30), st.text(max_size=5))
def test_characters_spread_over_tokens_come_out_whole(text: str, before: str) -> None:
    detokenizer = Detokenizer(decode_bytes, list(before.encode()))
    parts = [detokenizer.feed(byte) for byte in text.encode()]
    assert "".join(parts) + detokenizer.finish() == text
    assert all("\ufffd" not in part for part in parts) or "\ufffd" in text


def test_bytes_that_are_no_character_come_out_marked_and_hold_nothing_back() -> None:
    detokenizer = Detokenizer(decode_bytes, [])
    text = "".join(detokenizer.feed(byte) for byte in b"a\xff\xff\xff\xff\xff b") + detokenizer.finish()
    assert text.startswith("a\ufffd")
    assert text.endswith(" b")


def test_the_first_word_keeps_its_space_after_the_prompt() -> None:
    """A SentencePiece decoder drops the leading space of the first id it is given."""
    words = {1: "The", 2: " cat", 3: " sat"}

    def decode(ids: Sequence[int]) -> str:
        return "".join(words[i] for i in ids).lstrip()

    detokenizer = Detokenizer(decode, [1])
    assert [detokenizer.feed(2), detokenizer.feed(3)] == [" cat", " sat"]
