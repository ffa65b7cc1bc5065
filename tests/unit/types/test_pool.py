"""Copies of arrays: equal to what was given, and nobody else's."""

from __future__ import annotations

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


def test_a_block_in_use_is_not_given_again() -> None:
    pool = Pool()
    first = pool.take(100_000)
    view = first[:10]
    del first
    second = pool.take(100_000)
    assert not np.shares_memory(view, second)
    del second, view
    assert pool.take(100_000) is not pool.take(50_000)
