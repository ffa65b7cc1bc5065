"""Consecutive times: when an array is a run of them, and what becomes of it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from aiorerun.types import time_run as module
from aiorerun.types.time import I64_MAX, I64_MIN
from aiorerun.types.time_run import TimeBytes, TimeRun, run_of
from aiorerun.types.tuid import MANY_IDS

MANY = np.arange(7, 7 + MANY_IDS)


@pytest.mark.parametrize(
    "values",
    [
        MANY,
        np.arange(-5, MANY_IDS),
        np.arange(2 * MANY_IDS)[::2] // 2,
        np.arange(I64_MAX - MANY_IDS, I64_MAX) + 1,
        np.arange(I64_MIN, I64_MIN + MANY_IDS),
        np.stack([MANY, MANY], axis=1)[:, 0],
    ],
)
def test_what_is_a_run(values: Any) -> None:
    run = run_of(values)
    assert run is not None
    assert len(run) == len(values)
    assert run.values().dtype == np.int64
    assert np.array_equal(run.values(), values)


@pytest.mark.parametrize(
    "values",
    [
        MANY[:-1],
        MANY * 2,
        MANY[::-1],
        MANY.astype(np.int32),
        MANY.astype(np.uint64),
        MANY.astype(np.float64),
        MANY.astype(">i8"),
        MANY.astype("M8[ns]"),
        MANY.reshape(2, -1),
        MANY.tolist(),
        np.ma.masked_array(MANY),
        np.zeros(MANY_IDS, np.int64),
        np.arange(I64_MIN - 1, I64_MIN + MANY_IDS),
        range(MANY_IDS - 1),
        range(0, 2 * MANY_IDS, 2),
        range(I64_MIN - 1, 0),
        range(2**63 - MANY_IDS, 2**63 + 1),
        None,
    ],
)
def test_what_is_none(values: Any) -> None:
    assert run_of(values) is None


@pytest.mark.parametrize("place", [1, MANY_IDS - 2, module._BLOCK - 1, module._BLOCK, 2 * module._BLOCK + 3])
def test_a_single_number_out_of_place_is_noticed(place: int) -> None:
    values = np.arange(max(place + 2, MANY_IDS))
    assert run_of(values) is not None
    values[place] += 1
    values[-1] = len(values) - 1
    assert run_of(values) is None or place == len(values) - 1


def test_ranges_are_runs() -> None:
    run = run_of(range(-3, MANY_IDS))
    assert run is not None
    assert (run.first, run.count) == (-3, MANY_IDS + 3)
    last = run_of(range(2**63 - MANY_IDS, 2**63))
    assert last is not None
    assert last.values()[-1] == I64_MAX


def test_its_slices_are_runs() -> None:
    run = TimeRun(5, 10)
    for part in (slice(2, 5), slice(0, 20), slice(4, 2), slice(None)):
        assert run[part].values().tolist() == list(range(5, 15))[part]


def test_bytes_are_made_when_they_are_asked_for() -> None:
    lazy = TimeBytes(TimeRun(-3, 100))
    whole = np.arange(-3, 97).astype("<i8").tobytes()
    assert (len(lazy), lazy[:]) == (800, whole)
    for start, end in ((0, 8), (3, 7), (8, 8), (7, 17), (790, 900), (-5, 800)):
        assert lazy[start:end] == whole[start:end]
