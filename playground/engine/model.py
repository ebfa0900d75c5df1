"""A loaded model as the decode thread uses it: forward passes over rows, whatever adapter each one uses.

Two ways through the model. The fast path runs all rows as one batch over a shared right-aligned cache with
row-stacked adapters. The plain path runs each row alone with the model's own cache; it is what a model gets
that the fast path does not reproduce. Which one it is, is not looked up in a list of architectures but
tried out when the model is loaded, on a fixed text, and so is every adapter: switched off it must leave the
logits of the base, and switched on it must not (see `open_model`).
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
    """Forward passes and tokenisation of a loaded model; `open_model` sets what its trials found."""

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
        """False where no position depends on a text's length, as in most models."""
        self._selects = "logits_to_keep" in inspect.signature(loaded.model.forward).parameters
        self.adapters: tuple[AdapterStatus, ...] = loaded.adapters
        self.plain: str | None = loaded.plain
        """Why the plain path is taken; None on the fast path."""
        self.has_own_cache = False
        """Whether rows on the plain path have a cache of the model's own making."""

    # --- Text -------------------------------------------------------------------------------------

    def tokenizer(self, adapter: str | None) -> Tokenizer:
        """The tokenizer of a row: the adapter's own, if it brings one that differs from the base's."""
        return (
            self._base_tokenizer
            if adapter is None
            else self._own_tokenizers.get(adapter, self._base_tokenizer)
        )

    def encode(self, prompt: Prompt) -> list[int]:
        """Return a prompt's token ids, from the tokenizer of its adapter."""
        return self.tokenizer(prompt.adapter).encode(prompt)

    def tokens(self, prompt: Prompt) -> list[Token]:
        """Return a prompt's tokens with their pieces and places; may be called from any thread."""
        return self.tokenizer(prompt.adapter).tokens(prompt)

    def eos_token_ids(self, adapter: str | None) -> frozenset[int]:
        """Return the ids that end any answer of a row: the base's, and for an adapter also its own."""
        if adapter is None:
            return self._eos_token_ids
        own = self._own_tokenizers.get(adapter)
        eos = {own.hf.eos_token_id} - {None} if own else set()
        return self._eos_token_ids | self._own_eos_token_ids.get(adapter, frozenset()) | eos

    # --- Rows -------------------------------------------------------------------------------------

    def begin(self) -> KV:
        """Make the keys and values of one empty row."""
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
        """Pass new tokens of every row through the model.

        Args:
            kv: keys and values of the rows' tokens so far; grows by the new tokens.
            adapters: B names, None for the base.
            tokens: ids, (B, T).
            every: whether to return the logits of all positions, or of the last one.
            whole: length of each row's whole prompt where these tokens are a chunk of it, since scaled
                positions may depend on it; without it, the prompt ends with these tokens.

        Returns:
            Logits, (B, V), or with `every` (B, T, V).
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
        """`forward` for one row alone."""
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
        """Return what a text's keys depend on besides tokens and adapter; () in most models."""
        return self.rope.regime(length)

    def must_prefill_again(self, length: int) -> bool:
        """Whether a text must be prefilled again before its token number `length`.

        That is so where the model then has other positions for the whole text.
        """
        return self.rope.must_prefill_again(length)

    def token_limit(self, adapter: str | None) -> int:
        """Number of rows of the embedding that this adapter uses; token ids must be below it."""
        own = self.row_adapters.embedding_rows(adapter)
        return int(self.hf.get_input_embeddings().weight.shape[0]) if own is None else own

    def vocabulary(self, adapter: str | None) -> int:
        """Number of tokens that a row with this adapter has logits for; further columns are of other rows."""
        own = self.row_adapters.vocabulary(adapter)
        return self._vocabulary if own is None else own

    def select(self, adapters: Sequence[str | None]) -> None:
        """Set the adapter of every row of the next passes."""
        self.row_adapters.select(adapters)

    def run(self, tokens: Sequence[Sequence[int]], every: bool, **options: Any) -> Tensor:
        """Run one pass of the model as it is.

        Args:
            tokens: ids, (B, T).
            every: whether to return the logits of all positions.
            options: the model's own.

        Returns:
            Logits of the last position, (B, V), or with `every` of all, (B, T, V).
        """
        if self._selects and not every:
            options["logits_to_keep"] = 1  # the other positions' (T, V) products are not even computed
        ids = torch.tensor(tokens, device=self.device)
        logits: Tensor = self.hf(input_ids=ids, **{"use_cache": True, **options}).logits
        return self.mask_foreign_tokens(logits if every else logits[:, -1], self.row_adapters.rows)

    def mask_foreign_tokens(self, logits: Tensor, adapters: Sequence[str | None]) -> Tensor:
        """Set the logits, (B, ..., V), of tokens of other rows' vocabularies to -inf, and return them.

        A model may squeeze its logits after the output layer (Gemma 2), so their -inf has to be set here.
        """
        if logits.shape[-1] == self._vocabulary and not self._has_own_vocabularies:
            return logits
        for row, adapter in enumerate(adapters):
            logits[row, ..., self.vocabulary(adapter) :] = -torch.inf
        return logits

    def weights_labels(self) -> tuple[str, ...]:
        """Name the weights of each row of the last pass (of its last row, on the plain path)."""
        return tuple(
            self._weights_label if name is None else f"{self._weights_label} + {name}"
            for name in self.row_adapters.rows
        )
