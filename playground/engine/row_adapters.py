"""Row-stacked adapters: in a single forward pass, each row of the batch uses its own adapter, or none.

Every module modified by an adapter gets a new `forward`. The new `forward` runs the original one and then,
for each run of adjacent rows with the same adapter, adds the adapter's delta to these rows. Base rows have no
overhead, and modules not modified by any loaded adapter keep their `forward`. Usually the delta is a plain
LoRA, ``(x A) B``, computed with the adapter's A and B matrices. If a batch has more than a few different
adapters, the A and B of all rows (zeros for base rows) are stacked for one ``bmm(bmm(x, A), B)``. Runs are
determined when the rows of the batch change, not at every step. Stacking is slower for few adapters, since
each row reads its own factors from memory: with one base row and one adapter row on a 125M-parameter Llama on
2 cores, stacking took 29% of the step time. PEFT's own mixed batches register hooks and select rows in every
layer at every step, which costs about as much as running the lanes one after the other.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from playground.engine.adapters.parts import Adapter, Part

MOST_RUNS = 4
"""Maximum number of runs (adjacent rows with the same adapter) computed separately. If there are more, all
rows are stacked for one `bmm`."""


class RowsMixedError(RuntimeError):
    """Raised when a module's input does not keep the rows of the batch separate."""


@dataclass
class Run:
    """Adjacent rows of a batch that use the same plain LoRA adapter, in one layer."""

    rows: slice
    a: Tensor
    """LoRA A matrix, shape (r, in)."""
    b: Tensor
    """LoRA B matrix, shape (out, r)."""
    scaling: float

    def __post_init__(self) -> None:
        rows = self.rows.stop - self.rows.start
        self.down = self.a.T.expand(rows, -1, -1)
        """The A matrix, transposed and expanded to shape (rows, in, r) for `bmm` without copying."""
        self.up = self.b.T.expand(rows, -1, -1)
        """The B matrix, transposed and expanded to shape (rows, r, out) for `bmm` without copying."""

    def add(self, result: Tensor, x: Tensor) -> None:
        """Add the LoRA delta of these rows to `result` in place.

        The input `x` has shape (B, T, in), and `result` has shape (B, T, out).
        """
        x, result = x[self.rows], result[self.rows]
        if not x.dtype == result.dtype == self.a.dtype:
            hidden = F.linear(x.to(self.a.dtype), self.a) * self.scaling
            result += F.linear(hidden, self.b).to(result.dtype)
        elif x.shape[0] == x.shape[1] == 1:
            # Use as few calls as possible: their overhead of microseconds adds up over all layers and steps.
            result[0, 0].addmv_(self.b, torch.mv(self.a, x[0, 0]), alpha=self.scaling)
        else:  # `bmm`: a plain matrix multiplication of 2 to 8 rows takes up to twice as long
            result.baddbmm_(torch.bmm(x, self.down), self.up, alpha=self.scaling)


@dataclass
class Stack:
    """The LoRA A and B matrices of all rows in one layer. Rows without a LoRA adapter have zeros."""

    a: Tensor
    """LoRA A matrices of all rows, shape (B, in, r)."""
    b: Tensor
    """LoRA B matrices of all rows, multiplied by each adapter's scaling, shape (B, r, out)."""

    def add(self, result: Tensor, x: Tensor) -> None:
        """Add the LoRA deltas of all rows to `result`, in place; see `Run.add`."""
        result += ((x.to(self.a.dtype) @ self.a) @ self.b).to(result.dtype)


@dataclass
class Pass:
    """Properties of the current forward pass, shared by all modified modules."""

    tokens: int | None = None
    """Number of tokens in each row; None if unknown."""


@dataclass
class PartRun:
    """Adjacent rows with the same adapter, in a module where the adapter is not a plain LoRA."""

    rows: slice
    part: Part


class Site:
    """A base model module that is modified by at least one adapter."""

    def __init__(self, module: nn.Module, parts: dict[str, Part], current: Pass) -> None:
        self.module = module
        self.current = current
        self.parts = parts
        self.original = module.forward
        self._own_forward = vars(module).get("forward")
        self.loras = {name: lora for name, part in parts.items() if (lora := part.plain_lora())}
        self.count = 1
        """Number of rows in the batch."""
        self.plain: list[Run | Stack] = []
        self.others: list[PartRun] = []
        module.forward = functools.partial(_forward, self)

    def remove(self) -> None:
        """Restore the module's own `forward`."""
        del self.module.forward
        if self._own_forward is not None:
            self.module.forward = self._own_forward

    def select(self, rows: Sequence[str | None]) -> None:
        """Set the adapter of every row for the next forward passes."""
        self.count = len(rows)
        plain: list[Run] = []
        self.others = []
        start = 0
        for name, members in groupby(rows):
            stop = start + len(list(members))
            if name in self.loras:
                lora = self.loras[name]
                plain.append(Run(slice(start, stop), lora.a, lora.b, lora.scaling))
            elif name in self.parts:
                self.others.append(PartRun(slice(start, stop), self.parts[name]))
            start = stop
        self.plain = list(plain) if len(plain) <= MOST_RUNS else [_stack(plain, len(rows))]

    def run(self, x: Tensor, args: Any, kwargs: Any) -> Tensor:
        """Compute the module's output for all kinds of adapters and input shapes."""
        if self.others and (args or kwargs):
            raise ValueError(f"{type(self.module).__name__} takes more than one input")
        x, shape = self._split_rows(x)
        result = self._run_base(x, shape, args, kwargs)
        for run in self.others:
            own = self._run_own(run, result, x)
            if own.shape[1:] == result.shape[1:]:
                result[run.rows] = own
            else:
                result = _merge_logits(result, own, run.rows)
        for plain in self.plain:
            plain.add(result, x)
        return result if shape is None else result.reshape(*shape, *result.shape[2:])

    def _split_rows(self, x: Tensor) -> tuple[Tensor, Any]:
        """Reshape the input so that its first dimension indexes the rows of the batch.

        Returns:
            The reshaped input, and the leading dimensions to restore in the output. The dimensions are None
            if the input was not reshaped.

        Raises:
            RowsMixedError: the input does not keep the rows of the batch separate.
        """
        tokens = not x.is_floating_point()
        if x.shape[0] == self.count and (x.dim() == 3 or (tokens and x.dim() == 2)):
            return x, None
        if tokens and x.dim() == 2 and x.shape[0] == 1:  # position ids shared by all rows
            return x.expand(self.count, -1), None
        shape = x.shape if tokens else x.shape[:-1]
        count = math.prod(shape)
        apart = x.dim() > 3 and shape[0] == self.count  # for example (B, heads, T, in)
        if self.current.tokens is not None and not apart:
            # The count must match exactly, because an expert's share of the tokens may happen to be a
            # multiple of the number of rows.
            apart = count == self.count * self.current.tokens
        elif not apart:
            apart = count % self.count == 0
        if self.count > 1 and not apart:
            raise RowsMixedError(f"{type(self.module).__name__} gets the tokens of all rows in one sequence")
        return (x.reshape(self.count, -1) if tokens else x.reshape(self.count, -1, x.shape[-1])), shape

    def _run_base(self, x: Tensor, shape: Any, args: Any, kwargs: Any) -> Tensor:
        """Compute the output, of shape (B, T, ...), to which the adapters are then applied.

        This is the base module's output. The exception is a batch in which all rows use one adapter that has
        its own copy of the module: the copy then computes the output. In other batches, the values for rows
        with a copy are meaningless and must be replaced.
        """
        copies = [run for run in self.others if run.part.copy is not None]
        if len(copies) == 1 and copies[0].rows == slice(0, self.count):
            assert copies[0].part.copy is not None
            result: Tensor = copies[0].part.copy(x)
            return result
        given = x
        if copies and not x.is_floating_point():
            given = x.clone()
            for run in copies:  # these rows may contain ids for which the base model has no embedding
                given[run.rows] = 0
        if any(run.part.input_scale is not None for run in self.others):
            given = x.clone()
            for run in self.others:
                if run.part.input_scale is not None:
                    given[run.rows] = (x[run.rows] * run.part.input_scale).to(x.dtype)
        if shape is not None:
            given = given.reshape(*shape, *given.shape[2:])
        result = self.original(given, *args, **kwargs)
        if not isinstance(result, Tensor):
            raise RowsMixedError(f"{type(self.module).__name__} returns more than one tensor")
        return result if shape is None else result.reshape(*x.shape[:2], *result.shape[len(shape) :])

    def _run_own(self, run: PartRun, result: Tensor, x: Tensor) -> Tensor:
        """Compute the module's output for the rows of one run, with the run's adapter applied."""
        rows = x[run.rows]
        copy = run.part.copy
        whole = run.rows == slice(0, self.count)
        own: Tensor = result[run.rows] if copy is None or whole else copy(rows)
        for step in run.part.steps:
            own = step.apply(own, rows)
        if not isinstance(own, Tensor):
            raise ValueError(f"{type(self.module).__name__} returns more than one tensor")
        return own


def _forward(site: Site, x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
    """Replacement for a module's `forward`.

    Maps `x` of shape (B, T, in) to an output of shape (B, T, out).
    """
    if site.others or (site.plain and (x.dim() != 3 or x.shape[0] != site.count)):
        return site.run(x, args, kwargs)
    result: Tensor = site.original(x, *args, **kwargs)
    for run in site.plain:
        run.add(result, x)
    return result


def _merge_logits(result: Tensor, own: Tensor, rows: slice) -> Tensor:
    """Merge the logits of rows with different vocabularies.

    In each row, the logits of tokens outside the row's vocabulary are set to -inf.
    """
    most = max(result.shape[-1], own.shape[-1])
    joined = result.new_full((*result.shape[:-1], most), -torch.inf)
    joined[..., : result.shape[-1]] = result
    joined[rows] = -torch.inf
    joined[rows, ..., : own.shape[-1]] = own
    return joined


def _stack(runs: Sequence[Run], rows: int) -> Stack:
    rank = max(run.a.shape[0] for run in runs)
    a = runs[0].a.new_zeros(rows, runs[0].a.shape[1], rank)
    b = runs[0].b.new_zeros(rows, rank, runs[0].b.shape[0])
    for run in runs:
        a[run.rows, :, : run.a.shape[0]] = run.a.T
        b[run.rows, : run.b.shape[1]] = run.b.T * run.scaling
    return Stack(a, b)


class RowAdapters:
    """The loaded adapters of a model, applied separately to each row of a batch.

    Creating an instance replaces the `forward` of every module modified by an adapter; `remove` restores the
    originals.
    """

    def __init__(self, model: nn.Module, adapters: Mapping[str, Adapter]) -> None:
        self._model = model
        self._adapters = dict(adapters)
        self.rows: tuple[str | None, ...] = ()
        """The adapter last selected for each row; None means the base model."""
        self._sites: list[Site] = []
        self._pass = Pass()
        self._install()

    def _install(self) -> None:
        parts: dict[str, dict[str, Part]] = {}
        for name, adapter in self._adapters.items():
            for path, part in adapter.parts.items():
                parts.setdefault(path, {})[name] = part
        self._sites = [
            Site(self._model.get_submodule(path), there, self._pass) for path, there in parts.items()
        ]
        self.rows = ()

    def remove(self) -> None:
        """Restore the original `forward` of every module."""
        for site in self._sites:
            site.remove()
        self._sites = []

    def drop(self, name: str) -> None:
        """Remove one adapter, and restore modules that no other adapter modifies."""
        self.remove()
        del self._adapters[name]
        self._install()

    def select(self, adapters: Sequence[str | None], tokens: int | None = None) -> None:
        """Set the adapters for the next forward passes.

        Args:
            adapters: the adapter for each row; None for the base model.
            tokens: number of tokens in each row, used to check that a module's input contains the tokens of
                all rows; None if unknown.
        """
        self._pass.tokens = tokens
        rows = tuple(adapters)
        if rows == self.rows:
            return
        self.rows = rows
        for site in self._sites:
            site.select(rows)

    def embedding_rows(self, name: str | None) -> int | None:
        """Return the number of rows in an adapter's own embedding matrix, or None if it has none."""
        return self._adapters[name].embedding_rows if name in self._adapters else None

    def vocabulary(self, name: str | None) -> int | None:
        """Return the vocabulary size of an adapter's own output layer, or None if it has none."""
        return self._adapters[name].logits if name in self._adapters else None
