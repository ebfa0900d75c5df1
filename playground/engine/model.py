"""A loaded model as the decode thread uses it: forward passes over rows, whatever adapter each one uses.

Two ways through the model. The fast path runs all rows as one batch over a shared right-aligned cache with
row-stacked adapters. The plain path runs each row alone with the model's own cache; it is what a model gets
that the fast path does not reproduce. Which one it is, is not looked up in a list of architectures but
tried out when the model is loaded, on a fixed text, and so is every adapter: switched off it must leave the
logits of the base, and switched on it must not.
"""

from __future__ import annotations

import dataclasses
import inspect
import math
from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from transformers import DynamicCache

from playground.engine import trial
from playground.engine.adapters.load import BaseChangedError
from playground.engine.kv import KV, BatchKV, PlainKV, PlainRow
from playground.engine.linear import Linears
from playground.engine.loading import load as loading
from playground.engine.loading.load import Loaded
from playground.engine.rope import Regime, RowRope
from playground.engine.row_adapters import RowAdapters, RowsMixedError
from playground.engine.tokenizer import Tokenizer
from playground.files import first_line
from playground.types import AdapterStatus, InputError, Prompt, Token

ROUNDING = {torch.float32: 1e-3, torch.bfloat16: 0.05, torch.float16: 0.02}
"""How far logits of the same weights may lie apart, in the same unit: the processor's library does not
promise the same order of additions each time, and once in a while the last bits differ."""
NOTHING = 1e-8
"""Nats per token below which an adapter does nothing; rounding alone gives some 1e-10."""


class Model:
    """Forward passes, tokenisation, and what was found out about both at load."""

    def __init__(self, loaded: Loaded) -> None:
        self.hf = loaded.model
        self._tokenizer = loaded.tokenizer
        self._base_text = Tokenizer(loaded.tokenizer)
        self._own_tokenizers = {
            name: Tokenizer(text.tokenizer)
            for name, text in loaded.texts.items()
            if text.tokenizer is not None
        }
        self.device = loaded.device
        self.context = loaded.context
        self._ends = loaded.ends
        self._own_ends = {name: text.ends for name, text in loaded.texts.items()}
        self._weights = f"{loaded.base} ({loaded.precision})"
        self._vocabulary = int(loaded.base_logits.shape[-1])
        off = self._quicken(loaded)
        self._adapters = RowAdapters(loaded.model, loaded.parts)
        self._has_own_vocabularies = any(parts.logits is not None for parts in loaded.parts.values())
        self._mixed: str | None = None
        """Why rows of different adapters cannot be one batch; None if they can."""
        self.layers = loaded.model.config.get_text_config().num_hidden_layers
        self.rope = RowRope(loaded.model)
        """False where no position depends on a text's length, as in most models."""
        self._selects = "logits_to_keep" in inspect.signature(loaded.model.forward).parameters
        # Adapters first: the other trial is a decoding pass, after which 4-bit layers on a CPU compute in
        # another way than they did when the base was probed (see `probe_logits`).
        self.adapters = self._attest(loaded, off)
        self.plain = loaded.plain or self._mixed or trial.why_plain(self, loaded.probe)
        """Why the plain path is taken; None on the fast path."""
        self._own_cache = False
        if self.plain is not None:
            self._choose_cache(loaded)

    # --- Text -------------------------------------------------------------------------------------

    def tokenizer(self, adapter: str | None) -> Tokenizer:
        """The tokenizer of a row: the adapter's own, if it brings one that differs from the base's."""
        return self._base_text if adapter is None else self._own_tokenizers.get(adapter, self._base_text)

    def encode(self, prompt: Prompt) -> list[int]:
        """A prompt's token ids, as the tokenizer of its adapter gives them."""
        return self.tokenizer(prompt.adapter).encode(prompt)

    def tokens(self, prompt: Prompt) -> list[Token]:
        """The same with their pieces and places; from any thread."""
        return self.tokenizer(prompt.adapter).tokens(prompt)

    def ends(self, adapter: str | None) -> frozenset[int]:
        """Ids that end any answer of a row: those of the base, and for an adapter also its own."""
        if adapter is None:
            return self._ends
        own = self._own_tokenizers.get(adapter)
        eos = {own.hf.eos_token_id} - {None} if own else set()
        return self._ends | self._own_ends.get(adapter, frozenset()) | eos

    # --- Rows -------------------------------------------------------------------------------------

    def begin(self) -> KV:
        """Keys and values of one row that has read nothing."""
        if self.plain:
            return PlainKV.begin(self.hf.config, cached=self._own_cache)
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
            self._adapters.select(adapters, new)
            mask = kv.mask(new)
            lengths = whole or [length + new for length in kv.lengths]
            with self.rope.rows(lengths) if self.rope else nullcontext():
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
        self._adapters.select([adapter])
        read = len(row.ids)
        row.ids += ids
        if row.cache is not None:
            if read and self.must_reread(len(row.ids)):
                row.cache, ids = DynamicCache(config=self.hf.config), row.ids
            return self.run([ids], every, past_key_values=row.cache)
        logits = self.run([row.ids], every, use_cache=False)
        return logits[:, -len(ids) :] if every else logits

    def regime(self, length: int) -> Regime:
        """What a text's keys depend on besides its tokens and adapter; equal lengths have equal ones, and in
        most models all have."""
        return self.rope.regime(length)

    def must_reread(self, length: int) -> bool:
        """Whether a text is read again from its start before its token number `length`, because the model
        then has other positions for all of it."""
        return self.rope.must_reread(length)

    def token_limit(self, adapter: str | None) -> int:
        """Rows of the embedding that a row with this adapter reads from; ids are below it."""
        own = self._adapters.embedding_rows(adapter)
        return int(self.hf.get_input_embeddings().weight.shape[0]) if own is None else own

    def vocabulary(self, adapter: str | None) -> int:
        """Tokens that a row with this adapter has logits for; further columns belong to other rows."""
        own = self._adapters.logits(adapter)
        return self._vocabulary if own is None else own

    def select(self, adapters: Sequence[str | None]) -> None:
        """Set the adapter of every row of the next passes."""
        self._adapters.select(adapters)

    def run(self, tokens: Sequence[Sequence[int]], every: bool, **options: Any) -> Tensor:
        """One pass of the model as it is: logits of the last position, (B, V), or with `every` of all,
        (B, T, V). `options` are the model's own."""
        if self._selects and not every:
            options["logits_to_keep"] = 1  # the other positions' (T, V) products are not even computed
        ids = torch.tensor(tokens, device=self.device)
        logits: Tensor = self.hf(input_ids=ids, **{"use_cache": True, **options}).logits
        return self._without_foreign(logits if every else logits[:, -1], self._adapters.rows)

    def _without_foreign(self, logits: Tensor, adapters: Sequence[str | None]) -> Tensor:
        """Logits, (B, ..., V), in which tokens of other rows' vocabularies cannot be chosen.

        A model may squeeze its logits after the output layer (Gemma 2), so their -inf has to be set here.
        """
        if logits.shape[-1] == self._vocabulary and not self._has_own_vocabularies:
            return logits
        for row, adapter in enumerate(adapters):
            logits[row, ..., self.vocabulary(adapter) :] = -torch.inf
        return logits

    def weights(self) -> tuple[str, ...]:
        """The weights of each row of the last fast pass (of the last row, on the plain path)."""
        return tuple(
            self._weights if name is None else f"{self._weights} + {name}" for name in self._adapters.rows
        )

    # --- Trials at load ---------------------------------------------------------------------------

    def _quicken(self, loaded: Loaded) -> Tensor:
        """Give the linear layers their fastest form, if the model does not notice.

        Some (Mamba) read a layer's weight past the layer. Returns the logits of the fixed text, (T, V), with
        the adapters off and the layers as they are from now on.
        """
        linears = Linears(loaded.model)
        if linears.fit(lambda tokens: loading.probe_logits(self.hf, loaded.probe[:tokens])):
            off = loading.probe_logits(self.hf, loaded.probe)
            if self._is_base(off, loaded):
                return off
        linears.remove()
        return loading.probe_logits(self.hf, loaded.probe)

    def _choose_cache(self, loaded: Loaded) -> None:
        """Take the model's own cache on the plain path if that gives what `generate` gives, else none.

        Raises:
            InputError: neither does, so the model cannot be served exactly.
        """
        self._own_cache = True
        agrees = trial.writes_as_generate(self, loaded.probe, self.begin)
        if agrees is not False and trial.own_cache_works(self, loaded.probe):
            return
        # Layers that round a token by the tokens beside it (LLM.int8) give other logits in one pass over
        # everything, which is not how `generate` reads a text.
        if agrees and trial.own_cache_keeps_rows_apart(self, loaded.probe):
            return
        self._own_cache = False
        reason = None
        if self.rope and not self.rope.rereads:
            reason = "its positions change with the length of a text, and its own cache could not be used"
        elif not trial.forgets(self, loaded.probe):
            reason = "its output for a text depends on the text that it read before"
        elif trial.writes_as_generate(self, loaded.probe, self.begin) is False:
            reason = "its output differs from that of its own `generate`"
        if reason:
            raise InputError(f"{loaded.base} cannot be served exactly: {reason}; choose another base.")

    def _is_base(self, logits: Tensor, loaded: Loaded) -> bool:
        """Whether logits on the fixed text are the plain base's, but for rounding."""
        logits = logits[:, : self._vocabulary]  # a row beside it may have had more tokens
        apart = (logits - loaded.base_logits).abs().max()
        return bool(apart <= ROUNDING[self.hf.dtype] * loaded.base_logits.std())

    def _attest(self, loaded: Loaded, off: Tensor) -> tuple[AdapterStatus, ...]:
        """Try every adapter on the fixed text, beside a row of the base: that row's logits must be `off`,
        those of the base without any adapter.

        Raises:
            BaseChangedError: with an adapter taken off again, the base's logits are still others.
        """
        if not self._is_base(off, loaded):
            reason = "Adapters cannot be used here: without one, the base's output is not what it was."
            for status in loaded.adapters:
                if status.error is None:
                    self._adapters.drop(status.card.name)
            return tuple(
                dataclasses.replace(status, error=status.error or reason, serving="")
                for status in loaded.adapters
            )
        return tuple(status if status.error else self._try(status, loaded, off) for status in loaded.adapters)

    def _try(self, status: AdapterStatus, loaded: Loaded, off: Tensor) -> AdapterStatus:
        """One adapter's status after the trial; it is taken off if it did not stand it."""
        name = status.card.name
        try:
            on = self._probe_beside(name, loaded)
        except Exception as error:
            self._adapters.drop(name)
            if not self._is_base(self._probe([None], loaded)[0], loaded):
                raise BaseChangedError(name) from error
            text = f"Adapter {name!r} cannot be used here: its trial run failed ({first_line(error)})."
            return dataclasses.replace(status, error=text, serving="")
        # Of its own tokens: those that only other rows have are -inf in it.
        kl = _kl(on[:, : self.vocabulary(name)], off)
        if not math.isfinite(kl):
            self._adapters.drop(name)
            text = f"Adapter {name!r} cannot be used here: its output is not a number."
            return dataclasses.replace(status, error=text, serving="")
        if kl < NOTHING:
            nothing = f"Adapter {name!r} does nothing: its output is the base's."
            warning = f"{status.warning} {nothing}" if status.warning else nothing
            return dataclasses.replace(status, kl=kl, warning=warning)
        return dataclasses.replace(status, kl=kl)

    def _probe_beside(self, name: str, loaded: Loaded) -> Tensor:
        """An adapter's logits on the fixed text, (T, V), from a row beside one of the base, whose logits must
        be the base's; where its layers do not keep rows apart, from a row alone.

        Raises:
            ValueError: the base's row has other logits with the adapter beside it.
        """
        failed: str | None = None
        try:
            base, on = self._probe([None, name], loaded)
            if self._is_base(base, loaded):
                return on
            failed = f"beside rows of {name}, rows of the base have other logits"
        except RowsMixedError as error:
            failed = str(error)
        on = self._probe([name], loaded)[0]
        if not self._is_base(self._probe([None], loaded)[0], loaded):
            raise ValueError("with it, the base's own output is not what it was")
        self._mixed = failed
        return on

    def _probe(self, adapters: Sequence[str | None], loaded: Loaded) -> Tensor:
        """Logits of rows with these adapters on the fixed text, (B, T, V)."""
        self._adapters.select(adapters, len(loaded.probe))
        return self._without_foreign(loading.probe_rows(self.hf, loaded.probe, len(adapters)), adapters)


def _kl(logits: Tensor, base: Tensor) -> float:
    """Mean over positions of KL(softmax(logits) || softmax(base)), in nats; both (T, V). Where an adapter has
    a vocabulary of its own, over the tokens that both have."""
    both = min(logits.shape[-1], base.shape[-1])
    logits, base = logits[:, :both], base[:, :both]
    p, q = logits.double().log_softmax(-1), base.double().log_softmax(-1)
    return float((p.exp() * (p - q)).sum(-1).mean())
