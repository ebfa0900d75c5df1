"""A loaded model as the decode thread uses it: forward passes over rows, whatever adapter each one uses.

Two ways through the model. The fast path runs all rows as one batch over a shared right-aligned cache with
row-stacked adapters. The plain path runs each row alone with the model's own cache; it is what a model gets
that the fast path does not reproduce. Which one it is, is not looked up in a list of architectures but
tried out when the model is loaded, on a fixed text, and so is every adapter: switched off it must leave the
logits of the base, and switched on it must not.
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
    """Forward passes, tokenisation, and what was found out about both at load."""

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
        """A prompt's token ids, as the tokenizer of its adapter gives them."""
        return self.tokenizer(prompt.adapter).encode(prompt)

    def tokens(self, prompt: Prompt) -> list[Token]:
        """The same with their pieces and places; from any thread."""
        return self.tokenizer(prompt.adapter).tokens(prompt)

    def eos_token_ids(self, adapter: str | None) -> frozenset[int]:
        """Ids that end any answer of a row: those of the base, and for an adapter also its own."""
        if adapter is None:
            return self._eos_token_ids
        own = self._own_tokenizers.get(adapter)
        eos = {own.hf.eos_token_id} - {None} if own else set()
        return self._eos_token_ids | self._own_eos_token_ids.get(adapter, frozenset()) | eos

    # --- Rows -------------------------------------------------------------------------------------

    def begin(self) -> KV:
        """Keys and values of one row that has read nothing."""
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
        """Read new tokens of every row.

        Args:
            kv: what the rows have read before; grows by the new tokens.
            adapters: B names, None for the base.
            tokens: ids, (B, T).
            every: whether all positions' logits are wanted, or the last one's.
            whole: length of each row's whole prompt where this is a part of it, since scaled positions may
                depend on it; without it, what is read ends with these tokens.

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
        """What a text's keys depend on besides its tokens and adapter; equal lengths have equal ones, and in
        most models all have."""
        return self.rope.regime(length)

    def must_prefill_again(self, length: int) -> bool:
        """Whether a text is read again from its start before its token number `length`, because the model
        then has other positions for all of it."""
        return self.rope.must_prefill_again(length)

    def token_limit(self, adapter: str | None) -> int:
        """Rows of the embedding that a row with this adapter reads from; ids are below it."""
        own = self.row_adapters.embedding_rows(adapter)
        return int(self.hf.get_input_embeddings().weight.shape[0]) if own is None else own

    def vocabulary(self, adapter: str | None) -> int:
        """Tokens that a row with this adapter has logits for; further columns belong to other rows."""
        own = self.row_adapters.vocabulary(adapter)
        return self._vocabulary if own is None else own

    def select(self, adapters: Sequence[str | None]) -> None:
        """Set the adapter of every row of the next passes."""
        self.row_adapters.select(adapters)

    def run(self, tokens: Sequence[Sequence[int]], every: bool, **options: Any) -> Tensor:
        """One pass of the model as it is: logits of the last position, (B, V), or with `every` of all,
        (B, T, V). `options` are the model's own."""
        if self._selects and not every:
            options["logits_to_keep"] = 1  # the other positions' (T, V) products are not even computed
        ids = torch.tensor(tokens, device=self.device)
        logits: Tensor = self.hf(input_ids=ids, **{"use_cache": True, **options}).logits
        return self.mask_foreign_tokens(logits if every else logits[:, -1], self.row_adapters.rows)

    def mask_foreign_tokens(self, logits: Tensor, adapters: Sequence[str | None]) -> Tensor:
        """Logits, (B, ..., V), in which tokens of other rows' vocabularies cannot be chosen.

        A model may squeeze its logits after the output layer (Gemma 2), so their -inf has to be set here.
        """
        if logits.shape[-1] == self._vocabulary and not self._has_own_vocabularies:
            return logits
        for row, adapter in enumerate(adapters):
            logits[row, ..., self.vocabulary(adapter) :] = -torch.inf
        return logits

    def weights_labels(self) -> tuple[str, ...]:
        """The weights of each row of the last fast pass (of the last row, on the plain path)."""
        return tuple(
            self._weights_label if name is None else f"{self._weights_label} + {name}"
            for name in self.row_adapters.rows
        )
