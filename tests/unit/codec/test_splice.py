"""LZ4 blocks put together of pieces: what comes out is what went in, and no larger than it has to be."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from aiorerun.codec import splice as module
from aiorerun.codec.compression import LZ4, NONE, compress, decompress
from aiorerun.codec.counted import is_lazy
from aiorerun.codec.splice import splice
from aiorerun.types.time_run import TimeBytes, TimeRun
from aiorerun.types.tuid import TuidBytes, TuidRange

if TYPE_CHECKING:
    from collections.abc import Sequence

RANDOM = np.random.default_rng(7)
CODEC = pa.Codec("lz4_raw")


def view(array: Any) -> memoryview:
    data: memoryview = array.reshape(-1).view(np.uint8).data
    return data


def ids(count: int) -> Any:
    return TuidBytes(TuidRange(0x18EB5139FA350C7F, 255, count))


def joined(segments: Sequence[Any]) -> bytes:
    return b"".join(segment[:] if is_lazy(segment) else bytes(segment) for segment in segments)


def kinds(size: int) -> dict[str, Any]:
    return {
        "ids": ids(size // 16),
        "times": view(np.arange(size // 8) * 1000),
        "constant": view(np.zeros(size, np.uint8)),
        "random": view(RANDOM.integers(0, 256, size, np.uint8)),
        "numbers": view(np.arange(size // 4, dtype=np.int32)),
        "small": b"some small bytes",
        "text": b"lorem ipsum dolor sit amet" * (size // 26),
    }


def gains(segment: Any) -> bool:
    return len(CODEC.compress(segment[:65536], asbytes=True)) < 0.98 * len(segment[:65536])


@given(st.lists(st.sampled_from(list(kinds(0))), min_size=1, max_size=6), st.integers(3, 40))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)
def test_what_comes_out_is_what_went_in(monkeypatch: pytest.MonkeyPatch, names: list[str], size: int) -> None:
    monkeypatch.setattr(module, "_BODY", 8 << 10)
    monkeypatch.setattr(module, "_PIECE", 6 << 10)
    monkeypatch.setattr(module, "_WINDOW", 512)
    segments = [b"the head of a message", *(kinds(size << 10)[name] for name in names), bytes(8)]
    whole = joined(segments)
    spliced = splice(segments, gains)
    if spliced is None:
        # Only where nothing came before in the place where it would have to be cut.
        assert "text" in names or sum(len(segment) for segment in segments if len(segment) < 8 << 10) > 0
        return
    pieces, nbytes = spliced
    block = b"".join(pieces)
    assert len(block) == nbytes
    assert bytes(decompress(block, LZ4, len(whole))) == whole


def test_it_compresses_as_well_as_one_go_and_copies_nothing_that_does_not_gain() -> None:
    numbers = RANDOM.standard_normal(1 << 20)
    segments = [b"head", ids(1 << 19), view(np.arange(1 << 20)), view(numbers), bytes(8)]
    whole = joined(segments)
    pieces, nbytes, kind = compress(segments, len(whole))
    assert kind == LZ4
    assert len(pieces) > 10
    assert nbytes < 1.005 * len(CODEC.compress(whole, asbytes=True))
    assert any(np.shares_memory(np.frombuffer(piece, np.uint8), numbers) for piece in pieces)
    assert bytes(decompress(b"".join(pieces), kind, len(whole))) == whole


def test_what_gains_nothing_stays_as_it_is() -> None:
    numbers = view(RANDOM.standard_normal(1 << 20))
    assert compress([b"head", numbers], 4 + len(numbers)) == ([b"head", numbers], 4 + len(numbers), NONE)


@pytest.mark.parametrize("count", [0, 1, 14, 15, 269, 270, 271, 100_000])
def test_literal_lengths(count: int) -> None:
    data = bytes(RANDOM.integers(0, 256, count, np.uint8))
    block = module.literals(count) + data
    assert bytes(CODEC.decompress(block, decompressed_size=count)) == data if count else block == b"\0"


def test_ids_are_made_when_they_are_asked_for() -> None:
    numbers = TuidRange(5, 250, 1000)
    whole = numbers.all().tobytes()
    lazy = TuidBytes(numbers)
    assert (len(numbers), len(lazy), lazy[:]) == (1000, 16_000, whole)
    for start, end in ((0, 16), (3, 7), (16, 16), (15, 33), (15_990, 17_000), (-5, 16_000)):
        assert lazy[start:end] == whole[start:end]


def test_ids_that_gain_too_little_leave_the_message_as_it_is() -> None:
    noise = view(RANDOM.integers(0, 256, 1 << 20, np.uint8))
    segments: list[Any] = [b"head", ids(256), noise]
    pieces, nbytes, kind = compress(segments, 4 + 4096 + len(noise))
    assert (nbytes, kind) == (4 + 4096 + len(noise), NONE)
    assert b"".join(pieces) == joined(segments)


PIECES = st.lists(
    st.sampled_from([b"abc", bytes(40), b"x" * 300, RANDOM.bytes(20), RANDOM.bytes(400)]), max_size=5
)


@given(
    PIECES,
    PIECES,
    st.integers(0, 300),
    st.integers(0, 300),
)
def test_around_a_hole(start: list[bytes], end: list[bytes], hole: int, more: int) -> None:
    first, second = b"".join(start), b"".join(end)
    before, between = module.around(first, hole, second, more)
    middle, last = RANDOM.bytes(hole), RANDOM.bytes(more)
    whole = first + middle + second + last
    if len(whole) < 4:
        return
    # A match of four bytes, which came four bytes before.
    rest = bytes(64)
    block = before + middle + between + last + b"\4\0" + module.literals(len(rest)) + rest
    whole += whole[-4:] + rest
    assert bytes(CODEC.decompress(block, decompressed_size=len(whole))) == whole


@pytest.mark.parametrize("first", [0, -5, (1 << 32) - 500, 1 << 40])
@pytest.mark.parametrize("timelines", [1, 2])
def test_messages_with_ids_and_times(first: int, timelines: int) -> None:
    count = 1000
    values = view(RANDOM.standard_normal(count))
    times: list[Any] = [TimeBytes(TimeRun(first + i, count)) for i in range(timelines)]
    numbers: Any = TuidBytes(TuidRange(0x18EB5139FA350C7F, 5 << 16, count))
    segments = [b"the head of a message" * 20, numbers, *times, values, bytes(8)]
    whole = joined(segments)
    pieces, nbytes, kind = compress(segments, len(whole))
    block = b"".join(pieces)
    assert (len(block), kind) == (nbytes, LZ4)
    assert bytes(decompress(block, kind, len(whole))) == whole
    assert nbytes < 1.01 * len(CODEC.compress(whole, asbytes=True)) + 64


def test_long_messages_share_the_sequences_that_repeat() -> None:
    count = 1 << 20
    segments: list[Any] = [
        b"head" * 50,
        TuidBytes(TuidRange(5, 0, count)),
        TimeBytes(TimeRun(0, count)),
        bytes(80_000),
    ]
    whole = joined(segments)
    pieces, nbytes, kind = compress(segments, len(whole))
    assert bytes(decompress(b"".join(pieces), kind, len(whole))) == whole
    assert sum({id(piece): len(piece) for piece in pieces}.values()) < nbytes / 8


@pytest.mark.parametrize("count", [256, 257, 258, 300, 511, 512, 513, 514, 770, 1000, 65_535, 65_536, 65_537])
@pytest.mark.parametrize("first", [0, 1 << 16, (1 << 40) + (5 << 16), 1])
def test_messages_with_ids(count: int, first: int) -> None:
    numbers: Any = TuidBytes(TuidRange(0x18EB5139FA350C7F, first, count))
    for rest in (view(np.arange(count)), view(RANDOM.standard_normal(count)), b"12345678"):
        segments = [b"the head of a message" * 20, numbers, rest, bytes(8)]
        whole = joined(segments)
        pieces, nbytes, kind = compress(segments, len(whole))
        block = b"".join(pieces)
        assert (len(block), kind) == (nbytes, LZ4)
        assert bytes(decompress(block, kind, len(whole))) == whole
        assert nbytes < 1.01 * len(CODEC.compress(whole, asbytes=True)) + 64
