"""Unit tests for the prefix store and the row-stacked KV cache."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Sequence

import torch
from hypothesis import given
from hypothesis import strategies as st

from playground.engine.kv import BatchKV, Entry, LayerKV, PrefixStore, common_prefix

LAYERS, HEADS, SIZE = 2, 3, 4
# Few different ids, also such as have a second byte, so that many lists begin alike.
IDS = st.lists(st.sampled_from([1, 2, 255, 256, 258, 70000]), min_size=1, max_size=6)


def kv(ids: Sequence[int]) -> list[LayerKV]:
    """Keys and values that tell which ids they are of."""
    line = torch.tensor(ids, dtype=torch.float32)
    one = line[None, :, None].expand(HEADS, -1, SIZE)
    return [(one + layer, -one - layer) for layer in range(LAYERS)]


def batch(ids: Sequence[int]) -> BatchKV:
    """A batch of that one row."""
    return BatchKV(LAYERS, [kv(ids)])


def read(entry: Entry | None, length: int) -> list[int]:
    """The ids whose first keys an entry gives to a row that begins with it."""
    assert entry is not None
    return keys_of(entry.begin(length))


def keys_of(batch: BatchKV, index: int = 0) -> list[int]:
    """The ids whose first keys one row of a batch has."""
    ids: list[int] = batch.row(index)[0][0][0, :, 0].tolist()
    return ids


def write(row: BatchKV, value: int) -> None:
    """One position more for a batch of one row."""
    new = torch.full((1, HEADS, 1, SIZE), float(value))
    for layer in range(LAYERS):
        row.update(new, new, layer)
    row.advance(1)


def test_the_longest_common_prefix_is_found_for_the_same_adapter_only() -> None:
    store = PrefixStore(10**6)
    for adapter, ids in ((None, [1, 2, 3, 4]), ("a", [1, 2, 3, 4, 5, 6]), (None, [1, 2, 9])):
        store.put(adapter, ids, batch(ids))
    entry, length = store.find_longest(None, [1, 2, 3, 7, 8])
    assert length == 3
    assert read(entry, length) == [1, 2, 3]
    assert store.find_longest("b", [1, 2, 3]) == (None, 0)
    assert store.find_longest(None, [5]) == (None, 0)


def test_an_entry_replaces_what_it_begins_with_and_is_not_kept_beside_what_covers_it() -> None:
    store = PrefixStore(10**6)
    for ids in ([1, 2], [1, 2, 3], [1]):
        store.put(None, ids, batch(ids))
    assert len(store) == 1
    entry, length = store.find_longest(None, [1, 2, 3, 4])
    assert entry is not None
    assert (read(entry, length), store.bytes) == ([1, 2, 3], entry.bytes)


@given(
    st.lists(st.tuples(st.sampled_from(["put", "find"]), st.sampled_from([None, "a"]), IDS), max_size=30),
    st.integers(1, 12),
)
def test_the_ordered_search_finds_what_comparing_with_every_entry_finds(
    acts: list[tuple[str, str | None, list[int]]], most: int
) -> None:
    size = sum(keys.nbytes + values.nbytes for keys, values in batch([1]).buffers())
    store = PrefixStore(most * size + most * size // 2)
    for act, owner, ids in acts:
        every = [entry.ids for (of, _), entry in store._entries.items() if of == owner]
        longest = max((common_prefix(each, ids) for each in every), default=0)
        if act == "find":
            entry, length = store.find_longest(owner, ids)
            assert length == longest
            assert (entry is None) == (length == 0)
            assert entry is None or read(entry, length) == ids[:length]
            continue
        covered = longest == len(ids)
        prefixes = sum(common_prefix(each, ids) == len(each) < len(ids) for each in every)
        before = len(store)
        store.put(owner, ids, batch(ids))
        assert store.find_longest(owner, ids)[1] == len(ids)
        if covered:
            assert len(store) == before
        else:
            assert prefixes <= 1
            assert len(store) <= before + 1 - prefixes
        assert sorted(key for keys in store._ordered.values() for key in keys) == sorted(
            ids for _, ids in store._entries
        )
        assert store.bytes == sum(entry.bytes for entry in store._entries.values()) <= store.limit


def test_the_least_recently_used_goes_when_the_bytes_are_spent() -> None:
    one = sum(keys.nbytes + values.nbytes for keys, values in batch([1, 1]).buffers())
    store = PrefixStore(2 * one + one // 2)
    store.put(None, [1, 1], batch([1, 1]))
    store.put(None, [2, 2], batch([2, 2]))
    store.find_longest(None, [1, 1])
    store.put(None, [3, 3], batch([3, 3]))
    assert store.find_longest(None, [2, 2])[1] == 0
    assert store.find_longest(None, [1, 1])[1] == 2
    assert store.bytes == 2 * one
    larger = list(range(10, 500))  # than the whole store
    store.put(None, larger, batch(larger))
    assert store.find_longest(None, [1, 1])[1] == 2


def test_a_row_continues_in_the_buffers_it_begins_with_and_changes_nothing_of_the_entry() -> None:
    store = PrefixStore(10**6)
    store.put(None, [1, 2, 3], batch([1, 2, 3]))
    entry, length = store.find_longest(None, [1, 2, 3, 4])
    assert entry is not None
    first = entry.begin(length)
    assert first.layers[0].keys is entry.buffers[0][0]
    # Only one may write behind the entry: the second row gets a copy.
    second = entry.begin(length)
    assert second.layers[0].keys is not entry.buffers[0][0]
    write(first, 7)
    write(second, 8)
    assert keys_of(first) == [1, 2, 3, 7]
    assert keys_of(second) == [1, 2, 3, 8]
    assert read(entry, 3) == [1, 2, 3]
    assert read(entry, 2) == [1, 2]


def test_a_row_that_is_still_being_written_is_stored_without_its_future() -> None:
    store = PrefixStore(10**6)
    row = batch([1, 2])
    store.put(None, [1, 2], row, ended=False)
    write(row, 3)
    entry, length = store.find_longest(None, [1, 2, 9])
    assert entry is not None
    other = entry.begin(length)
    write(other, 9)
    assert keys_of(row) == [1, 2, 3]
    assert keys_of(other) == [1, 2, 9]
    store.put(None, [1, 2, 3], row)
    assert len(store) == 1


def test_a_row_of_a_larger_batch_is_copied() -> None:
    store = PrefixStore(10**6)
    both = BatchKV(LAYERS, [kv([1, 2, 3]), kv([7])])
    store.put(None, [7], both, index=1)
    both.layers[0].keys.zero_()
    entry, length = store.find_longest(None, [7, 8])
    assert read(entry, length) == [7]


def test_rows_are_right_aligned_padded_and_grow_in_place() -> None:
    batch = BatchKV(LAYERS, [kv([1, 2, 3]), kv([7])])
    assert batch.lengths == [3, 1]
    mask = batch.mask(1)
    assert mask is not None
    assert mask.tolist() == [[True] * 4, [False, False, True, True]]
    assert batch.positions(2).tolist() == [[3, 4], [1, 2]]
    buffer = batch.layers[0].keys
    for step in range(3):
        new = torch.full((2, HEADS, 1, SIZE), float(step))
        for layer in range(LAYERS):
            keys, _ = batch.update(new, new, layer)
            assert keys.shape == (2, HEADS, batch.used + 1, SIZE)
        batch.advance(1)
    assert batch.layers[0].keys is buffer
    assert keys_of(batch, 1) == [7, 0, 1, 2]
    assert batch.row(0)[1][0][0, :2, 0].tolist() == [2, 3]


def test_a_buffer_that_is_full_grows_and_keeps_what_it_held() -> None:
    batch = BatchKV(LAYERS)
    for start in range(0, 400, 100):
        new = torch.arange(start, start + 100.0)[None, None, :, None].expand(1, HEADS, 100, SIZE)
        for layer in range(LAYERS):
            batch.update(new, new, layer)
        batch.advance(100)
    assert batch.row(0)[1][1][2, :, 3].tolist() == list(range(400))


def test_rows_of_one_length_need_no_mask() -> None:
    assert BatchKV(LAYERS, [kv([1, 2]), kv([3, 4])]).mask(1) is None


def test_a_batch_without_references_is_freed_at_once() -> None:
    """Not only when Python next looks for circles of objects: its buffers are most of the memory."""
    gc.disable()
    try:
        batch = BatchKV(2, [[(torch.zeros(2, 5, 4), torch.zeros(2, 5, 4))] * 2])
        buffer = weakref.ref(batch.layers[0].keys)
        batch = batch.insert(BatchKV(2, [[(torch.zeros(2, 3, 4), torch.zeros(2, 3, 4))] * 2]), at=1)
        assert buffer() is None
    finally:
        gc.enable()
