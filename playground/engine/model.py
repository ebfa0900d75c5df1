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
import threading
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from playground.engine import loading, tokenizer, trial
from playground.engine.kv import KV, BatchKV, PlainKV, PlainRow
from playground.engine.linear import Linears
from playground.engine.loading import Loaded
from playground.engine.lora import RowLora
from playground.types import AdapterStatus, Prompt, Token

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
        # Its settings change from call to call, and it does not stand being used while they do.
        self._tokenizing = threading.Lock()
        self.device = loaded.device
        self.context = loaded.context
        self.ends = loaded.ends
        self._weights = f"{loaded.base} ({loaded.precision})"
        self._lora = RowLora(loaded.model)
        off = self._quicken(loaded)
        self.layers = loaded.model.config.get_text_config().num_hidden_layers
        self._selects = "logits_to_keep" in inspect.signature(loaded.model.forward).parameters
        # Adapters first: the other trial is a decoding pass, after which 4-bit layers on a CPU compute in
        # another way than they did when the base was probed (see `probe_logits`).
        self.adapters = self._attest(loaded, off)
        self.plain = loaded.plain or trial.why_plain(self, loaded.probe)
        """Why the plain path is taken; None on the fast path."""
        self._own_cache = self.plain is not None and trial.own_cache_works(self, loaded.probe)

    # --- Text -------------------------------------------------------------------------------------

    def encode(self, prompt: Prompt) -> list[int]:
        """A prompt's token ids, as the tokenizer itself gives them."""
        with self._tokenizing:
            return tokenizer.encode(self._tokenizer, prompt)

    def tokens(self, prompt: Prompt) -> list[Token]:
        """The same with their pieces and places; from any thread."""
        with self._tokenizing:
            return tokenizer.tokens(self._tokenizer, prompt)

    def decode(self, ids: Sequence[int]) -> str:
        """Token ids as text, control tokens left out."""
        with self._tokenizing:
            text: str = self._tokenizer.decode(
                list(ids), skip_special_tokens=True, clean_up_tokenization_spaces=False
            )
        return text

    def token_id(self, text: str) -> int | None:
        """The id of a control token, or None if the vocabulary has none such."""
        token: int | None = self._tokenizer.convert_tokens_to_ids(text)
        return None if token == self._tokenizer.unk_token_id else token

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
    ) -> Tensor:
        """Read new tokens of every row.

        Args:
            kv: what the rows have read before; grows by the new tokens.
            adapters: B names, None for the base.
            tokens: ids, (B, T).
            every: whether all positions' logits are wanted, or the last one's.

        Returns:
            Logits, (B, V), or with `every` (B, T, V).
        """
        if isinstance(kv, BatchKV):
            self._lora.select(adapters)
            new = len(tokens[0])
            mask = kv.mask(new)
            logits = self.run(
                tokens,
                every,
                past_key_values=kv,
                attention_mask=None if mask is None else mask.to(self.device),
                position_ids=kv.positions(new).to(self.device),
            )
            kv.advance(new)
            return logits
        return torch.cat(
            [
                self._run_plain(row, adapter, ids, every)
                for row, adapter, ids in zip(kv.rows, adapters, tokens, strict=True)
            ]
        )

    def _run_plain(self, row: PlainRow, adapter: str | None, ids: Sequence[int], every: bool) -> Tensor:
        """`forward` for one row alone."""
        self._lora.select([adapter])
        row.ids += ids
        if row.cache is not None:
            return self.run([ids], every, past_key_values=row.cache)
        logits = self.run([row.ids], every, use_cache=False)
        return logits[:, -len(ids) :] if every else logits

    def select(self, adapters: Sequence[str | None]) -> None:
        """Set the adapter of every row of the next passes."""
        self._lora.select(adapters)

    def run(self, tokens: Sequence[Sequence[int]], every: bool, **options: Any) -> Tensor:
        """One pass of the model as it is: logits of the last position, (B, V), or with `every` of all,
        (B, T, V). `options` are the model's own."""
        if self._selects and not every:
            options["logits_to_keep"] = 1  # the other positions' (T, V) products are not even computed
        ids = torch.tensor(tokens, device=self.device)
        logits: Tensor = self.hf(input_ids=ids, **{"use_cache": True, **options}).logits
        return logits if every else logits[:, -1]

    def weights(self) -> tuple[str, ...]:
        """The weights of each row of the last fast pass (of the last row, on the plain path)."""
        return tuple(
            self._weights if name is None else f"{self._weights} + {name}" for name in self._lora.rows
        )

    # --- Trials at load ---------------------------------------------------------------------------

    def _quicken(self, loaded: Loaded) -> Tensor:
        """Give the linear layers their fastest form, if the model does not notice.

        Some (Mamba) read a layer's weight past the layer. Returns the logits of the fixed text, (T, V), with
        the adapters off and the layers as they are from now on.
        """
        linears = Linears(loaded.model, leave=self._lora.factors())
        off = self._probe_logits(None, loaded.probe)
        if self._is_base(off, loaded):
            return off
        linears.remove()
        return self._probe_logits(None, loaded.probe)

    def _is_base(self, logits: Tensor, loaded: Loaded) -> bool:
        """Whether logits on the fixed text are the plain base's, but for rounding."""
        apart = (logits - loaded.base_logits).abs().max()
        return bool(apart <= ROUNDING[self.hf.dtype] * loaded.base_logits.std())

    def _attest(self, loaded: Loaded, off: Tensor) -> tuple[AdapterStatus, ...]:
        """Try every adapter on the fixed text: `off`, its logits without any, must be the base's, and with an
        adapter on they must not."""
        ready = [status for status in loaded.adapters if status.error is None]
        if not ready:
            return loaded.adapters
        if not self._is_base(off, loaded):
            reason = "Adapters cannot be used here: switched off, they still change the base's output."
            return tuple(
                dataclasses.replace(status, error=status.error or reason) for status in loaded.adapters
            )
        tried = []
        for status in loaded.adapters:
            if status.error is None:
                kl = _kl(self._probe_logits(status.card.name, loaded.probe), off)
                warning = None
                if kl < NOTHING:
                    warning = f"Adapter {status.card.name!r} does nothing: its output is the base's."
                status = dataclasses.replace(status, kl=kl, warning=warning)
            tried.append(status)
        return tuple(tried)

    def _probe_logits(self, adapter: str | None, probe: Sequence[int]) -> Tensor:
        self._lora.select([adapter])
        return loading.probe_logits(self.hf, probe)


def _kl(logits: Tensor, base: Tensor) -> float:
    """Mean over positions of KL(softmax(logits) || softmax(base)), in nats; both (T, V)."""
    p, q = logits.double().log_softmax(-1), base.double().log_softmax(-1)
    return float((p.exp() * (p - q)).sum(-1).mean())
