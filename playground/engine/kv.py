"""The KV cache for a batch of rows, and the prefix cache.

This is the only module that uses Transformers' cache classes. A batch keeps its rows right-aligned in shared
buffers, so that the newest token of every row is in the same column and one forward pass serves all rows. The
columns before a shorter row are padding, which the attention mask hides. All layers keep all positions,
including sliding-window layers. The mask for a sliding window compares column indices. Since rows are
right-aligned, the distance between two columns of a row equals the distance between the two positions, so the
window covers exactly the right positions.

    Dimensions: B rows, L layers, H key/value heads, T positions, D head size
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import OrderedDict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from transformers import PreTrainedConfig
from transformers.cache_utils import Cache, CacheLayerMixin, DynamicCache

SPARE_COLUMNS = 64
"""Number of free columns, reserved for new tokens, in a newly created buffer."""
MOST_GROWTH = 1024
"""Maximum number of columns by which a full buffer grows. Buffers with fewer columns double in size."""

LayerKV = tuple[Tensor, Tensor]
"""Keys and values of one row in one layer, each of shape (H, T, D)."""


@dataclass
class _Columns:
    """The number of columns in use, shared by a batch and its layers.

    The layers hold no reference to the batch itself, because a reference cycle would keep the buffers alive
    until Python's garbage collector runs.
    """

    used: int = 0


class _Layer(CacheLayerMixin):
    """The key and value buffers of one layer, each of shape (B, H, columns, D)."""

    is_sliding = False

    def __init__(self, columns: _Columns) -> None:
        super().__init__()
        self.columns = columns

    def lazy_initialization(self, key_states: Tensor, value_states: Tensor) -> None:
        """Create buffers with room for the first keys and values and `SPARE_COLUMNS` more columns."""
        rows, heads, new, _ = key_states.shape
        columns = new + SPARE_COLUMNS
        self.keys = key_states.new_empty(rows, heads, columns, key_states.shape[-1])
        self.values = value_states.new_empty(rows, heads, columns, value_states.shape[-1])
        self.is_initialized = True

    def update(
        self, key_states: Tensor, value_states: Tensor, *args: object, **kwargs: object
    ) -> tuple[Tensor, Tensor]:
        """Write the new columns of shape (B, H, new, D), and return views of all columns written so far."""
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        assert self.keys is not None
        assert self.values is not None
        used = self.columns.used
        end = used + key_states.shape[-2]
        if end > self.keys.shape[-2]:
            self.keys, self.values = _grow(self.keys, used, end), _grow(self.values, used, end)
        self.keys[:, :, used:end] = key_states
        self.values[:, :, used:end] = value_states
        return self.keys[:, :, :end], self.values[:, :, :end]

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        """Return the number of columns that the mask must cover, and the index of the first column."""
        return self.columns.used + query_length, 0

    def get_seq_length(self) -> int:
        """Return the number of columns in use."""
        return self.columns.used

    def get_max_length(self) -> int:
        """Return -1, which means that the length is unlimited."""
        return -1


def _grow(buffer: Tensor, used: int, needed: int) -> Tensor:
    columns = max(buffer.shape[-2] + min(buffer.shape[-2], MOST_GROWTH), needed + SPARE_COLUMNS)
    larger = buffer.new_empty(*buffer.shape[:2], columns, buffer.shape[-1])
    larger[:, :, :used] = buffer[:, :, :used]
    return larger


class BatchKV(Cache):
    """KV cache of a batch of rows, with the interface of a Transformers cache.

    Usage: call the model with `past_key_values=batch`, `attention_mask=batch.mask(new)` and
    `position_ids=batch.positions(new)`, then `batch.advance(new)`.
    """

    def __init__(self, layers: int, rows: Sequence[Sequence[LayerKV]] = ()) -> None:
        """Create a batch of rows.

        Args:
            layers: number of layers.
            rows: for each row, the keys and values of every layer. If `rows` is empty, the batch has a single
                empty row.
        """
        self._columns = _Columns()
        super().__init__(layers=[_Layer(self._columns) for _ in range(layers)])
        self.lengths = [row[0][0].shape[-2] for row in rows] or [0]
        self.used = max(self.lengths)
        if self.used:
            for number, layer in enumerate(self.layers):
                layer.keys = self._pack([row[number][0] for row in rows])
                layer.values = self._pack([row[number][1] for row in rows])
                layer.is_initialized = True

    @property
    def used(self) -> int:
        """Number of columns in use."""
        return self._columns.used

    @used.setter
    def used(self, columns: int) -> None:
        self._columns.used = columns

    @classmethod
    def from_buffers(cls, buffers: Sequence[LayerKV], length: int) -> BatchKV:
        """Create a one-row batch whose first `length` positions are in `buffers`.

        Each buffer has shape (1, H, columns, D). New positions are written to the remaining columns of the
        same buffers until these are full.
        """
        batch = cls(len(buffers))
        batch.lengths, batch.used = [length], length
        for layer, (keys, values) in zip(batch.layers, buffers, strict=True):
            layer.keys, layer.values, layer.is_initialized = keys, values, True
        return batch

    def _pack(self, parts: Sequence[Tensor]) -> Tensor:
        """Right-align (H, T, D) tensors in a new buffer of shape (B, H, used + `SPARE_COLUMNS`, D)."""
        heads, _, size = parts[0].shape
        buffer = parts[0].new_empty(len(parts), heads, self.used + SPARE_COLUMNS, size)
        for row, part in zip(buffer, parts, strict=True):
            start = self.used - part.shape[1]
            row[:, :start] = 0  # padding has attention weight 0, but 0 * NaN is NaN
            row[:, start : self.used] = part
        return buffer

    def advance(self, new: int) -> None:
        """Record that a forward pass has written `new` columns for every row."""
        self.used += new
        self.lengths = [length + new for length in self.lengths]

    def row(self, index: int) -> list[LayerKV]:
        """Return one row's keys and values as views of the buffers."""
        columns = slice(self.used - self.lengths[index], self.used)
        return [(layer.keys[index, :, columns], layer.values[index, :, columns]) for layer in self.layers]

    def insert(self, other: BatchKV, at: int) -> BatchKV:
        """Return a batch with the single row of `other` inserted at index `at`."""
        rows = [self.row(index) for index in range(len(self.lengths))]
        return BatchKV(len(self.layers), [*rows[:at], other.row(0), *rows[at:]])

    def select(self, indices: Sequence[int]) -> BatchKV:
        """Return a batch with only the rows at `indices`, which must not be empty."""
        return BatchKV(len(self.layers), [self.row(index) for index in indices])

    def buffers(self) -> list[LayerKV]:
        """Return the buffers of a one-row batch, each of shape (1, H, columns, D)."""
        return [(layer.keys, layer.values) for layer in self.layers]

    def mask(self, new: int) -> Tensor | None:
        """Return the attention mask for padding, of shape (B, used + new), or None if there is no padding."""
        if len(set(self.lengths)) == 1:
            return None
        columns = torch.arange(self.used + new)
        starts = torch.tensor([self.used - length for length in self.lengths])
        return columns >= starts[:, None]

    def positions(self, new: int) -> Tensor:
        """Return the position ids of the next `new` tokens in each row, of shape (B, new)."""
        return torch.tensor(self.lengths)[:, None] + torch.arange(new)


@dataclass
class PlainRow:
    """One row on the plain code path: its token ids so far and the model's own Transformers cache, if used.

    Without a cache, the model processes the whole text again at every step. This is slow, but exact for any
    model.
    """

    ids: list[int]
    cache: Cache | None


class PlainKV:
    """The rows on the plain code path, used in place of a `BatchKV`.

    The plain code path is for models whose state cannot be stored as keys and values in a `BatchKV`. It runs
    rows one after another and does not use the prefix cache.
    """

    def __init__(self, rows: Sequence[PlainRow]) -> None:
        self.rows = list(rows)

    @classmethod
    def begin(cls, config: PreTrainedConfig, cached: bool) -> PlainKV:
        """Create a batch of one empty row.

        Args:
            config: the model's configuration.
            cached: whether the row uses the model's own cache.
        """
        return cls([PlainRow(ids=[], cache=DynamicCache(config=config) if cached else None)])

    @property
    def lengths(self) -> list[int]:
        """Number of token ids in each row so far, as in `BatchKV.lengths`."""
        return [len(row.ids) for row in self.rows]

    def insert(self, other: PlainKV, at: int) -> PlainKV:
        """Return a batch with the single row of `other` inserted at index `at`, as `BatchKV.insert` does."""
        return PlainKV([*self.rows[:at], *other.rows, *self.rows[at:]])

    def select(self, indices: Sequence[int]) -> PlainKV:
        """Return a batch with the rows at `indices`, as `BatchKV.select` does."""
        return PlainKV([self.rows[index] for index in indices])


KV = BatchKV | PlainKV


@dataclass
class Entry:
    """An entry in the prefix cache: the keys and values of one sequence of token ids."""

    ids: np.ndarray
    buffers: list[LayerKV]
    """Keys and values of each layer, of shape (1, H, columns, D). The first `len(ids)` columns belong to the
    entry."""
    appendable: bool
    """Whether the buffers' columns after the entry are free. If so, the first batch that continues the whole
    entry writes its new columns there, which does not change the entry. Every other batch copies the
    entry."""

    @property
    def bytes(self) -> int:
        """Size of the buffers in bytes, including free columns."""
        return sum(_count_bytes(keys) + _count_bytes(values) for keys, values in self.buffers)

    def begin(self, length: int) -> BatchKV:
        """Create a one-row batch from the entry's first `length` positions.

        The positions are copied unless the batch continues the whole entry and the entry is `appendable`.
        """
        if length == len(self.ids) and self.appendable:
            self.appendable = False
            return BatchKV.from_buffers(self.buffers, length)
        row = [(keys[0, :, :length], values[0, :, :length]) for keys, values in self.buffers]
        return BatchKV(len(self.buffers), [row])


class PrefixStore:
    """The prefix cache: a size-limited LRU cache of keys and values, keyed by owner and token ids.

    For the same tokens, the base model and each adapter compute different keys and values. If positions are
    scaled by the sequence length, the keys also differ between sequences of different lengths. The owner of
    an entry is therefore an adapter (or None for the base model) together with a RoPE regime (see `rope`). An
    entry can be used for any prefix of its ids, so entries that are prefixes of other entries are not kept.

    Each owner's entries are also kept sorted by token ids, so that the entry that shares the longest prefix
    with a sequence is next to the sequence's insertion point. Without this order, each sequence had to be
    compared with every entry, which took a third of the decode thread's time with several thousand entries.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.bytes = 0
        self._entries: OrderedDict[tuple[Hashable, bytes], Entry] = OrderedDict()
        self._ordered: dict[Hashable, list[bytes]] = {}

    def __len__(self) -> int:
        return len(self._entries)

    def find_longest(self, owner: Hashable, ids: Sequence[int]) -> tuple[Entry | None, int]:
        """Return the entry that shares the longest prefix with `ids`, and the length of that prefix."""
        wanted = _sortable_ids(ids)
        common, best = max(
            ((common_prefix(self._entries[key].ids, wanted), key) for key in self._neighbours(owner, wanted)),
            default=(0, None),
            key=lambda found: found[0],
        )
        if best is None or not common:
            return None, 0
        self._entries.move_to_end(best)
        return self._entries[best], common

    def put(self, owner: Hashable, ids: Sequence[int], kv: KV, index: int = 0, ended: bool = True) -> None:
        """Store a row's keys and values in the prefix cache.

        Example, showing an owner's entries as sorted lists of ids::

            before          put          after
            [1 2 3] [5 6]   [1 2]        [1 2 3] [5 6]            [1 2 3] covers [1 2]
            [1 2 3] [5 6]   [1 2 3 4]    [1 2 3 4] [5 6]          [1 2 3 4] covers [1 2 3]
            [1 2 3] [5 6]   [1 2 4]      [1 2 3] [1 2 4] [5 6]    neither covers the other

        It is enough to compare `ids` with its two neighbours in the sorted order, because any list that sorts
        between [1 2] and [1 2 3], or between [1 2 3] and [1 2 3 4], also starts with the shorter list.

        Args:
            owner: the owner of the keys and values, which is part of the cache key.
            ids: the row's token ids, one for each position.
            kv: the batch that contains the row. The buffers of a one-row batch are stored without copying; a
                row of a larger batch is copied.
            index: index of the row in the batch.
            ended: whether a one-row batch is complete, so that the columns after its last position stay free.
        """
        wanted = _sortable_ids(ids)
        if isinstance(kv, PlainKV) or not len(wanted):
            return
        # No entry is a prefix of another, so only the entry directly before `wanted` can be its prefix.
        for key in self._neighbours(owner, wanted):
            stored = self._entries[key]
            common = common_prefix(stored.ids, wanted)
            if common == len(wanted):  # the stored entry covers the new entry
                self._entries.move_to_end(key)
                return
            if common == len(stored.ids):  # the new entry covers the stored entry
                self._drop(key)
        if len(kv.lengths) == 1:
            entry = Entry(wanted, kv.buffers(), appendable=ended)
        else:
            entry = Entry(wanted, kv.select([index]).buffers(), appendable=True)
        if entry.bytes > self.limit:
            return
        key = (owner, wanted.tobytes())
        self._entries[key] = entry
        insort(self._ordered.setdefault(owner, []), key[1])
        self.bytes += entry.bytes
        while self.bytes > self.limit:
            self._drop(next(iter(self._entries)))

    def _neighbours(self, owner: Hashable, wanted: np.ndarray) -> list[tuple[Hashable, bytes]]:
        """Return the cache keys of the owner's entries that sort directly before and after `wanted`."""
        ordered = self._ordered.get(owner, [])
        at = bisect_left(ordered, wanted.tobytes())
        return [(owner, each) for each in ordered[max(0, at - 1) : at + 1]]

    def _drop(self, key: tuple[Hashable, bytes]) -> None:
        self.bytes -= self._entries.pop(key).bytes
        owner, ids = key
        ordered = self._ordered[owner]
        del ordered[bisect_left(ordered, ids)]
        if not ordered:
            del self._ordered[owner]


def _sortable_ids(ids: Sequence[int]) -> np.ndarray:
    """Convert ids to big-endian integers, so that their bytes sort in the same order as the ids."""
    return np.asarray(ids, dtype=">u4")


def common_prefix(one: Sequence[int] | np.ndarray, other: Sequence[int] | np.ndarray) -> int:
    """Return the length of the longest common prefix of two lists of ids."""
    length = min(len(one), len(other))
    differ = np.flatnonzero(np.asarray(one[:length]) != np.asarray(other[:length]))
    return int(differ[0]) if len(differ) else length


def _count_bytes(tensor: Tensor) -> int:
    return tensor.numel() * tensor.element_size()
