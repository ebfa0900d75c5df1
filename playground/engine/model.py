"""The model used by the decode thread: forward passes over rows with any mix of adapters.

The model can run on either of two code paths. The fast path runs all rows as one batch, with a shared
right-aligned cache and row-stacked adapters. The plain path runs each row separately with the model's own
cache. The plain path is used if the fast path does not reproduce the model's logits. The choice does not
depend on a list of architectures: both code paths are tested on a fixed text when the model is loaded. The
adapters are tested as well: each adapter must leave the base logits unchanged when disabled and change them
when enabled (see `open_model`).
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from transformers import DynamicCache

from playground.engine.kv import KV, BatchKV, PlainKV, PlainRow
from playground.engine.loading.load import Loaded
from playground.engine.rope import Regime, RowRope
from playground.engine.row_adapters import RowAdapters
from playground.engine.tokenizer import Tokenizer
from playground.types import AdapterStatus, Prompt, Token


class Model:
    """Forward passes and tokenisation for a loaded model.

    The function `open_model` tests the model and sets the code path.
    """

    def __init__(self, loaded: Loaded) -> None:
        self.hf = loaded.model
        self._tokenizer = loaded.tokenizer
        self._base_tokenizer = Tokenizer(loaded.tokenizer)
        self._own_tokenizers = {
            name: Tokenizer(text.tokenizer)
            for name, text in loaded.texts.items()
            if text.tokenizer is not None
        }
        self.device = loaded.device
        self.context = loaded.context
        self._eos_token_ids = loaded.eos_token_ids
        self._own_eos_token_ids = {name: text.eos_token_ids for name, text in loaded.texts.items()}
        self._weights_label = f"{loaded.base} ({loaded.precision})"
        self._vocabulary = int(loaded.base_logits.shape[-1])
        self.row_adapters = RowAdapters(loaded.model, loaded.parts)
        self._has_own_vocabularies = any(parts.logits is not None for parts in loaded.parts.values())
        self.layers = loaded.model.config.get_text_config().num_hidden_layers
        self.rope = RowRope(loaded.model)
        """Per-row rotary positions for models whose RoPE frequencies depend on the length of the text; falsy
        for all other models."""
        self._selects = "logits_to_keep" in inspect.signature(loaded.model.forward).parameters
        self.adapters: tuple[AdapterStatus, ...] = loaded.adapters
        self.plain: str | None = loaded.plain
        """Reason for using the plain code path; None if the fast code path is used."""
        self.has_own_cache = False
        """Whether rows on the plain code path use the model's own Transformers cache."""

    # --- Text -------------------------------------------------------------------------------------

    def tokenizer(self, adapter: str | None) -> Tokenizer:
        """Return an adapter's own tokenizer, or the base model's tokenizer if the adapter has none."""
        return (
            self._base_tokenizer
            if adapter is None
            else self._own_tokenizers.get(adapter, self._base_tokenizer)
        )

    def encode(self, prompt: Prompt) -> list[int]:
        """Return a prompt's token ids, using its adapter's tokenizer."""
        return self.tokenizer(prompt.adapter).encode(prompt)

    def tokens(self, prompt: Prompt) -> list[Token]:
        """Return a prompt's tokens, each with its vocabulary piece and its position in the text.

        Thread-safe.
        """
        return self.tokenizer(prompt.adapter).tokens(prompt)

    def eos_token_ids(self, adapter: str | None) -> frozenset[int]:
        """Return the EOS token ids for an adapter's rows: those of the base model and of the adapter."""
        if adapter is None:
            return self._eos_token_ids
        own = self._own_tokenizers.get(adapter)
        eos = {own.hf.eos_token_id} - {None} if own else set()
        return self._eos_token_ids | self._own_eos_token_ids.get(adapter, frozenset()) | eos

    # --- Rows -------------------------------------------------------------------------------------

    def begin(self) -> KV:
        """Create an empty KV cache for one row."""
        if self.plain:
            return PlainKV.begin(self.hf.config, cached=self.has_own_cache)
        return BatchKV(self.layers)

    def forward(
        self,
        kv: KV,
        adapters: Sequence[str | None],
        tokens: Sequence[Sequence[int]],
        every: bool = False,
        whole: Sequence[int] | None = None,
    ) -> Tensor:
        """Run one forward pass over the new tokens of every row.

        Args:
            kv: KV cache of the rows so far; the keys and values of the new tokens are appended to it.
            adapters: the adapter name of each of the B rows; None for the base model.
            tokens: new token ids of shape (B, T).
            every: whether to return the logits at all new positions instead of only at the last position.
            whole: total length of each row's prompt; None if no more of the prompt follows after these
                tokens. Required if the tokens are a chunk of a prompt and the model's positions depend on the
                prompt's length.

        Returns:
            Logits of shape (B, V), or (B, T, V) if `every` is True.
        """
        if isinstance(kv, BatchKV):
            new = len(tokens[0])
            self.row_adapters.select(adapters, new)
            mask = kv.mask(new)
            lengths = whole or [length + new for length in kv.lengths]
            with self.rope.use_lengths(lengths) if self.rope else nullcontext():
                logits = self.run(
                    tokens,
                    every,
                    past_key_values=kv,
                    attention_mask=None if mask is None else mask.to(self.device),
                    position_ids=kv.positions(new).to(self.device),
                )
            kv.advance(new)
            return logits
        alone = [
            self._run_plain(row, adapter, ids, every)
            for row, adapter, ids in zip(kv.rows, adapters, tokens, strict=True)
        ]
        most = max(logits.shape[-1] for logits in alone)
        return torch.cat([F.pad(logits, (0, most - logits.shape[-1]), value=-torch.inf) for logits in alone])

    def _run_plain(self, row: PlainRow, adapter: str | None, ids: Sequence[int], every: bool) -> Tensor:
        """Run `forward` for one row on the plain code path."""
        self.row_adapters.select([adapter])
        read = len(row.ids)
        row.ids += ids
        if row.cache is not None:
            if read and self.must_prefill_again(len(row.ids)):
                row.cache, ids = DynamicCache(config=self.hf.config), row.ids
            return self.run([ids], every, past_key_values=row.cache)
        logits = self.run([row.ids], every, use_cache=False)
        return logits[:, -len(ids) :] if every else logits

    def regime(self, length: int) -> Regime:
        """Return the RoPE regime for text of this length, or () if RoPE frequencies are constant."""
        return self.rope.regime(length)

    def must_prefill_again(self, length: int) -> bool:
        """Return whether text must be prefilled again before decoding continues at token number `length`.

        Text must be prefilled again if the model encodes all positions differently from that length on.
        """
        return self.rope.must_prefill_again(length)

    def token_limit(self, adapter: str | None) -> int:
        """Return the number of embedding rows available to an adapter.

        Every token id must be less than this number.
        """
        own = self.row_adapters.embedding_rows(adapter)
        return int(self.hf.get_input_embeddings().weight.shape[0]) if own is None else own

    def vocabulary(self, adapter: str | None) -> int:
        """Return the vocabulary size for a row with this adapter. Other rows may have larger vocabularies."""
        own = self.row_adapters.vocabulary(adapter)
        return self._vocabulary if own is None else own

    def select(self, adapters: Sequence[str | None]) -> None:
        """Set each row's adapter for the next forward passes."""
        self.row_adapters.select(adapters)

    def run(self, tokens: Sequence[Sequence[int]], every: bool, **options: Any) -> Tensor:
        """Run one forward pass of the Transformers model.

        Args:
            tokens: token ids of shape (B, T).
            every: whether to return the logits at all positions instead of only at the last position.
            **options: keyword arguments for the model's `forward`.

        Returns:
            Logits of shape (B, V) at the last position, or of shape (B, T, V) at all positions if `every` is
            True.
        """
        if self._selects and not every:
            options["logits_to_keep"] = 1  # do not compute the output layer at the other positions
        ids = torch.tensor(tokens, device=self.device)
        logits: Tensor = self.hf(input_ids=ids, **{"use_cache": True, **options}).logits
        return self.mask_foreign_tokens(logits if every else logits[:, -1], self.row_adapters.rows)

    def mask_foreign_tokens(self, logits: Tensor, adapters: Sequence[str | None]) -> Tensor:
        """Set the logits of tokens outside each row's vocabulary to -inf in place, and return the logits.

        The logits have shape (B, ..., V). They are masked after the forward pass because some models, such as
        Gemma 2, apply soft-capping after the output layer, which would turn -inf into a finite value.
        """
        if logits.shape[-1] == self._vocabulary and not self._has_own_vocabularies:
            return logits
        for row, adapter in enumerate(adapters):
            logits[row, ..., self.vocabulary(adapter) :] = -torch.inf
        return logits

    def weights_labels(self) -> tuple[str, ...]:
        """Return, for each row of the last forward pass, a label of the weights that the row used.

        A label names the base model, its precision and the adapter. On the plain code path, which runs one
        row at a time, only the label of the row run last is returned.
        """
        return tuple(
            self._weights_label if name is None else f"{self._weights_label} + {name}"
            for name in self.row_adapters.rows
        )
