"""Copies of arrays: equal to what was given, and nobody else's."""

from __future__ import annotations

import random
from collections import deque
from typing import Any

import numpy as np
import pytest

import aiorerun as rr
from aiorerun.types.pool import Pool, copied, copied_bytes

WHOLE = np.random.default_rng(0).integers(0, 255, (200, 300, 3), np.uint8)


@pytest.mark.parametrize("array", [WHOLE, WHOLE[..., ::-1], WHOLE[10:190, 20:280], WHOLE.transpose(1, 0, 2)])
def test_bytes_come_in_c_order(array: Any) -> None:
    copy = copied_bytes(array)
    assert copy.tobytes() == array.tobytes()
    assert not np.shares_memory(copy, array)
    assert (
        rr.Image(array).buffer
        == rr.Image(bytes=array.tobytes(), width=1, height=1, pixel_format="NV12").buffer
    )


@pytest.mark.parametrize("dtype", ["float32", "float64", "uint16"])
def test_copies_are_cast(dtype: str) -> None:
    for array in (WHOLE, WHOLE[:2, ::2]):
        copy = copied(array, np.dtype(dtype))
        assert copy.dtype == dtype
        assert copy.flags.c_contiguous
        assert np.array_equal(copy, array)


@pytest.mark.parametrize("nbytes", [40_000, 1_200_000, 3_000_000, 5_000_000])
def test_blocks_that_were_made_together_are_used_one_by_one(nbytes: int) -> None:
    pool = Pool()
    views = []
    for number in range(30_000_000 // nbytes):
        block = pool.take(nbytes)
        assert len(block) >= nbytes
        block[:] = number % 251
        # What refers to a part of it only, of another type, keeps it as well.
        views.append(block[8:nbytes:8].view(np.uint8))
        del block
    for number, view in enumerate(views):
        assert (view == number % 251).all()
    assert pool._pooled_bytes <= pool._max_bytes
    pooled = pool._pooled_bytes
    views.clear()
    again = [pool.take(nbytes) for _ in range(30_000_000 // nbytes)]
    assert len({block.__array_interface__["data"][0] for block in again}) == len(again)
    # Only the first ones are looked at, so a few more may have been made.
    assert pool._pooled_bytes - pooled <= 2 * len(again[0])


def held_bytes(pool: Pool) -> int:
    """The memory behind all blocks of a pool."""
    blocks: list[Any] = [block for blocks in pool._blocks.values() for block in blocks]
    slabs = {id(block.base.obj): len(block.base.obj) for block in blocks if block.base is not None}
    return sum(slabs.values()) + sum(len(block) for block in blocks if block.base is None)


def test_all_memory_that_is_held_is_counted() -> None:
    pool, rng = Pool(), random.Random(3)
    in_use: deque[Any] = deque()
    sizes: list[int] = []
    nbytes = 0
    for step in range(3_000):
        if step % 500 == 0:
            sizes = [rng.randint(33_000, 2_000_000) for _ in range(5)]
        block = pool.take(rng.choice(sizes))
        in_use.append(block)
        nbytes += len(block)
        del block
        while nbytes > 12 << 20:
            nbytes -= len(in_use.popleft())
        if step % 10 == 0:
            assert held_bytes(pool) == pool._pooled_bytes <= pool._max_bytes
    # The last sizes have a place in it, so those of others were let go.
    in_use.clear()
    before = held_bytes(pool)
    for size in sizes * 3:
        pool.take(size)
    assert held_bytes(pool) == before


def test_a_block_in_use_is_not_given_again() -> None:
    pool = Pool()
    first = pool.take(100_000)
    view = first[:10]
    del first
    second = pool.take(100_000)
    assert not np.shares_memory(view, second)
    del second, view
    assert pool.take(100_000) is not pool.take(50_000)
