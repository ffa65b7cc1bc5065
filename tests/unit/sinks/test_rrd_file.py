"""How buffers get into a file: small ones together, large ones as they are, however little fits at once."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import pytest

from aiorerun.sinks import rrd_file
from aiorerun.sinks.rrd_file import write_all

if TYPE_CHECKING:
    from collections.abc import Sequence

SIZES = [0, 1, 700, 4095, 4096, 5000, 20, 200_000, 0, 3, *([900] * 200), 70_000]


def segments() -> list[bytes | memoryview]:
    made = random.Random(5)
    data = [made.randbytes(size) for size in SIZES]
    return [memoryview(each) if position % 2 else each for position, each in enumerate(data)]


@pytest.mark.parametrize("most", [1, 1000, 1 << 30])
def test_everything_arrives_in_order(monkeypatch: pytest.MonkeyPatch, most: int) -> None:
    if most == 1:
        monkeypatch.setattr("tests.unit.sinks.test_rrd_file.SIZES", [0, 1, 700, 4095, 4097, 3])
    given = segments()
    written = bytearray()

    def writev(fd: int, buffers: Sequence[Any]) -> int:
        data = b"".join(buffers)[:most]
        written.extend(data)
        return len(data)

    monkeypatch.setattr(rrd_file, "_writev", writev)
    assert write_all(-1, given) == sum(map(len, given))
    assert written == b"".join(given)


def test_small_buffers_are_joined_and_large_ones_are_not_copied(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[list[Any]] = []

    def writev(fd: int, buffers: Sequence[Any]) -> int:
        calls.append(list(buffers))
        return sum(map(len, buffers))

    monkeypatch.setattr(rrd_file, "_writev", writev)
    large = bytes(100_000)
    write_all(-1, [b"ab", b"c", large, *[bytes(1000)] * 100, b"d"])
    (buffers,) = calls
    assert buffers[0] == b"abc"
    assert buffers[1].obj is large
    assert [len(each) for each in buffers[2:]] == [66_000, 34_001]


@pytest.mark.parametrize("size", [1 << 20, (1 << 20) - 1, (1 << 20) + 1])
def test_no_system_call_gets_more_than_the_kernel_writes_cheaply(
    monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    calls: list[int] = []
    written = bytearray()

    def writev(fd: int, buffers: Sequence[Any]) -> int:
        data = b"".join(buffers)
        calls.append(len(data))
        written.extend(data)
        return len(data)

    monkeypatch.setattr(rrd_file, "_writev", writev)
    given = [b"head", random.Random(7).randbytes(size), b"tail", bytes(300_000)]
    assert write_all(-1, given) == sum(map(len, given))
    assert written == b"".join(given)
    assert max(calls) == rrd_file._MAX_BYTES
    # It is not cut more often than that asks for.
    assert len(calls) == -(-len(written) // rrd_file._MAX_BYTES)


def test_without_anything_nothing_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rrd_file, "_writev", lambda fd, buffers: pytest.fail("called"))
    assert write_all(-1, []) == 0
    assert write_all(-1, [b"", b""]) == 0
