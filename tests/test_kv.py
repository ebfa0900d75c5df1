"""The prefix store and the row-stacked cache, without a model."""

import torch

from playground.engine.kv import BatchKV, PrefixStore

LAYERS, HEADS, SIZE = 2, 3, 4
POSITION_BYTES = LAYERS * 2 * HEADS * SIZE * 4


def kv(ids):
    """Keys and values that tell which ids they are of."""
    line = torch.tensor(ids, dtype=torch.float32)
    one = line[None, :, None].expand(HEADS, -1, SIZE)
    return [(one + layer, -one - layer) for layer in range(LAYERS)]


def test_the_longest_common_prefix_is_found_for_the_same_adapter_only():
    store = PrefixStore(10**6)
    store.put(None, [1, 2, 3, 4], kv([1, 2, 3, 4]))
    store.put("a", [1, 2, 3, 4, 5, 6], kv([1, 2, 3, 4, 5, 6]))
    store.put(None, [1, 2, 9], kv([1, 2, 9]))
    layers, length = store.longest(None, [1, 2, 3, 7, 8])
    assert length == 3
    assert layers[0][0][0, :3, 0].tolist() == [1, 2, 3]
    assert store.longest("b", [1, 2, 3]) == ([], 0)
    assert store.longest(None, [5]) == ([], 0)


def test_an_entry_replaces_what_it_begins_with_and_is_not_kept_beside_what_covers_it():
    store = PrefixStore(10**6)
    store.put(None, [1, 2], kv([1, 2]))
    store.put(None, [1, 2, 3], kv([1, 2, 3]))
    assert (len(store), store.bytes) == (1, 3 * POSITION_BYTES)
    store.put(None, [1], kv([1]))
    assert (len(store), store.bytes) == (1, 3 * POSITION_BYTES)


def test_the_least_recently_used_goes_when_the_bytes_are_spent():
    store = PrefixStore(5 * POSITION_BYTES)
    store.put(None, [1, 1], kv([1, 1]))
    store.put(None, [2, 2], kv([2, 2]))
    store.longest(None, [1, 1])
    store.put(None, [3, 3], kv([3, 3]))
    assert store.longest(None, [2, 2])[1] == 0
    assert store.longest(None, [1, 1])[1] == 2
    assert store.bytes <= store.limit
    store.put(None, list(range(10, 16)), kv(list(range(6))))  # larger than the whole store
    assert store.longest(None, [1, 1])[1] == 2


def test_the_store_keeps_copies():
    store = PrefixStore(10**6)
    layers = kv([1, 2])
    writable = [(keys.clone(), values.clone()) for keys, values in layers]
    store.put(None, [1, 2], writable)
    writable[0][0].zero_()
    assert store.longest(None, [1, 2])[0][0][0][0, 0, 0] == 1


def test_rows_are_right_aligned_padded_and_grow_in_place():
    batch = BatchKV(LAYERS, [kv([1, 2, 3]), kv([7])])
    assert batch.lengths == [3, 1]
    assert batch.mask(1).tolist() == [[True] * 4, [False, False, True, True]]
    assert batch.positions(2).tolist() == [[3, 4], [1, 2]]
    buffer = batch.layers[0].keys
    for step in range(3):
        new = torch.full((2, HEADS, 1, SIZE), float(step))
        for layer in range(LAYERS):
            keys, _ = batch.update(new, new, layer)
            assert keys.shape == (2, HEADS, batch.used + 1, SIZE)
        batch.advance(1)
    assert batch.layers[0].keys is buffer
    assert batch.row(1)[0][0][0, :, 0].tolist() == [7, 0, 1, 2]
    assert batch.row(0, limit=2)[1][0][0, :, 0].tolist() == [2, 3]


def test_a_buffer_that_is_full_doubles_and_keeps_what_it_held():
    batch = BatchKV(LAYERS)
    for start in range(0, 400, 100):
        new = torch.arange(start, start + 100.0)[None, None, :, None].expand(1, HEADS, 100, SIZE)
        for layer in range(LAYERS):
            batch.update(new, new, layer)
        batch.advance(100)
    assert batch.row(0)[1][1][2, :, 3].tolist() == list(range(400))


def test_rows_of_one_length_need_no_mask():
    assert BatchKV(LAYERS, [kv([1, 2]), kv([3, 4])]).mask(1) is None
