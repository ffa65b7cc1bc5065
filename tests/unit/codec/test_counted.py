"""LZ4 sequences of ids and times that count up: they say what they stand for, wherever bytes carry over."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, strategies as st

from aiorerun.codec.counted import ids_sequences, is_lazy, times_sequences
from aiorerun.codec.splice import literals
from aiorerun.types.time_run import TimeBytes, TimeRun
from aiorerun.types.tuid import TuidBytes, TuidRange

CODEC = pa.Codec("lz4_raw")
TIME = 0x18EB5139FA350C7F
END = bytes(range(64))
"""What follows, as a block must end with literal bytes."""


def check_ids(first: int, count: int) -> int:
    ids = TuidRange(TIME, first, count)
    sequences = ids_sequences(ids)
    assert sequences is not None
    parts, left = sequences
    whole = b"some head" + ids.all().tobytes() + END
    rest = left + END
    before = CODEC.compress(b"some head" + ids.packed(0), asbytes=True)
    block = before + b"".join(parts) + literals(len(rest)) + rest
    assert bytes(CODEC.decompress(block, decompressed_size=len(whole))) == whole
    return len(block)


@pytest.mark.parametrize(
    "first", [0, 1 << 16, 255 << 16, (1 << 24) - (1 << 16), (1 << 32) - (1 << 16), 5 << 40]
)
@pytest.mark.parametrize(
    "count", [2, 3, 255, 256, 257, 258, 65_534, 65_535, 65_536, 65_537, 65_538, 131_072, 131_073, 200_000]
)
def test_ids(first: int, count: int) -> None:
    assert check_ids(first, count) < 4.02 * count + 128


@given(st.integers(0, (1 << 47) - 10).map(lambda high: high << 16), st.integers(2, 70_000))
def test_ids_of_any_kind(first: int, count: int) -> None:
    check_ids(first, count)


@pytest.mark.parametrize(("first", "count"), [(1, 100), (65_535, 100), (0, 1), (0, 0)])
def test_ids_that_are_not_compressed_this_way(first: int, count: int) -> None:
    assert ids_sequences(TuidRange(TIME, first, count)) is None


def check_times(first: int, count: int, before: bytes) -> None:
    run = TimeRun(first, count)
    parts = times_sequences(run, before)
    # Where more than four bytes change at once, a match would be too short.
    rounds = (first + count - 1 >> 32) - (first >> 32)
    assert (parts is None) == (rounds > 0)
    if parts is None:
        return
    whole = before + np.arange(count, dtype=np.int64).__add__(first).astype("<i8").tobytes() + END
    block = b"".join(parts) + literals(len(END)) + END
    assert bytes(CODEC.decompress(block, decompressed_size=len(whole))) == whole
    assert len(block) < 4.02 * count + 128


@pytest.mark.parametrize(
    "first", [0, -1, -300, -70_000, 250, 65_530, (1 << 24) - 3, (1 << 32) + 5, (1 << 32) - 5, -(1 << 40)]
)
@pytest.mark.parametrize("count", [2, 3, 255, 256, 1000, 65_536, 140_000])
@pytest.mark.parametrize("before", [b"", b"ab"])
def test_times(first: int, count: int, before: bytes) -> None:
    check_times(first, count, before)


@given(st.integers(-(1 << 63) + 1, (1 << 63) - 70_001), st.integers(2, 70_000))
def test_times_of_any_kind(first: int, count: int) -> None:
    check_times(first, count, b"x")


@pytest.mark.parametrize("shift", [0, 1, 2, 5, 999, 1000, 5000, -1, -2, -3, -300, -999, -1000])
@pytest.mark.parametrize("first", [0, 250, 65_000, (1 << 32) - 1500])
def test_times_that_came_before_are_not_written_again(first: int, shift: int) -> None:
    count = 1000
    runs = [TimeRun(first, count), TimeRun(first + 10**7, count), TimeRun(first + shift, count)]
    parts: list[bytes] = []
    for position, run in enumerate(runs):
        more = times_sequences(run, b"", runs[:position])
        if more is None:
            # Where more than four bytes change at once, a match would be too short.
            assert any(run.first >> 32 != run.first + count - 1 >> 32 for run in runs)
            return
        parts += more
    whole = b"".join(run.values().tobytes() for run in runs) + END
    block = b"".join(parts) + literals(len(END)) + END
    assert bytes(CODEC.decompress(block, decompressed_size=len(whole))) == whole
    assert len(block) < 4.02 * (2 * count + min(abs(shift), count)) + 200


def test_times_that_came_too_long_before_are_written_again() -> None:
    count = 10_000
    run = TimeRun(5, count)
    assert times_sequences(run, b"", [run]) == times_sequences(run)


def test_the_last_times_there_are() -> None:
    check_times((1 << 63) - 1000, 1000, b"")


@pytest.mark.parametrize("count", [0, 1])
def test_too_few_times(count: int) -> None:
    assert times_sequences(TimeRun(5, count)) is None


def test_what_is_lazy() -> None:
    assert is_lazy(TuidBytes(TuidRange(TIME, 0, 5)))
    assert is_lazy(TimeBytes(TimeRun(0, 5)))
    assert not is_lazy(b"abc")
