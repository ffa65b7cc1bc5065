"""TUIDs: bytes, text, and the source of fresh ones."""

from __future__ import annotations

import os
import threading
from itertools import count

import numpy as np
import pytest

from aiorerun.types.tuid import Tuid, TuidSource

EXAMPLE = Tuid(0x18EA9056986876EB, 0x305723030E3002B0)


def pairs(row_ids: np.ndarray) -> list[Tuid]:
    raw = row_ids.tobytes()
    return [Tuid.from_bytes(raw[start : start + 16]) for start in range(0, len(raw), 16)]


def test_bytes_are_big_endian_and_text_mixes_cases() -> None:
    assert EXAMPLE.to_bytes().hex() == "18ea9056986876eb305723030e3002b0"
    assert str(EXAMPLE) == "18EA9056986876EB305723030e3002b0"
    assert str(Tuid(1, 2)) == "00000000000000010000000000000002"
    assert Tuid.from_bytes(EXAMPLE.to_bytes()) == EXAMPLE


@pytest.mark.parametrize("prefix", ["", "chunk_", "row_"])
def test_text_is_read_in_any_case_and_with_a_prefix(prefix: str) -> None:
    for text in (str(EXAMPLE), str(EXAMPLE).lower(), str(EXAMPLE).upper()):
        assert Tuid.parse(prefix + text) == EXAMPLE


@pytest.mark.parametrize("text", ["", "chunk_", "1" * 31, "1" * 33, "g" * 32, "+" + "1" * 31, "\uff11" * 32])
def test_other_text_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="32 hexadecimal digits"):
        Tuid.parse(text)


def test_ids_ascend_on_the_wall_clock() -> None:
    clock = count(100)
    source = TuidSource(clock=lambda: next(clock), wall=lambda: 5_000)
    made = [source.next() for _ in range(5)]
    assert made == sorted(made)
    assert [each.time_ns for each in made] == [5_001, 5_002, 5_003, 5_004, 5_005]
    assert [each.inc - made[0].inc for each in made] == [0, 1, 2, 3, 4]
    assert made[0].inc < 1 << 63


@pytest.mark.parametrize("rows", [0, 1, 2, 1000])
def test_row_ids_carry_the_capture_times_and_consecutive_counters(rows: int) -> None:
    source = TuidSource(clock=lambda: 1_000, wall=lambda: 1_700_000_000_000_000_000)
    before = source.next()
    clock = np.sort(np.random.default_rng(1).integers(0, 10**12, rows))
    row_ids = source.row_ids(clock)
    assert row_ids.shape == (rows, 2)
    assert row_ids.dtype == np.dtype(">u8")
    made = pairs(row_ids)
    assert [each.time_ns for each in made] == [int(each) + source.wall_anchor_ns for each in clock]
    assert [each.inc for each in made] == list(range(before.inc + 1, before.inc + 1 + rows))
    assert source.next().inc == before.inc + rows + 1
    assert made == sorted(made)


def test_row_ids_of_a_strided_view() -> None:
    source = TuidSource(clock=lambda: 0, wall=lambda: 0)
    table = np.arange(12, dtype="<i8").reshape(4, 3)
    assert [each.time_ns for each in pairs(source.row_ids(table[:, 0]))] == [0, 3, 6, 9]


def test_threads_never_get_the_same_counter() -> None:
    source = TuidSource()
    taken: list[list[int]] = [[] for _ in range(4)]
    start = threading.Barrier(4)

    def work(mine: list[int]) -> None:
        start.wait()
        for number in range(3_000):
            first = source.block(1 + number % 3)
            mine.extend(range(first, first + 1 + number % 3))

    threads = [threading.Thread(target=work, args=(mine,)) for mine in taken]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    everything = [each for mine in taken for each in mine]
    assert len(everything) == len(set(everything))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_forked_child_makes_other_ids_even_if_the_lock_was_held() -> None:
    source = TuidSource()
    expected = source.next().inc + 1
    reader, writer = os.pipe()
    with source._lock:
        pid = os.fork()
        if pid == 0:
            os.write(writer, source.next().to_bytes())
            os._exit(0)
    os.waitpid(pid, 0)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        child = Tuid.from_bytes(pipe.read())
    assert abs(child.inc - expected) > 1_000_000
    assert source.next().inc == expected


def test_reseeding_starts_elsewhere() -> None:
    source = TuidSource()
    before = source.next()
    source.reseed()
    after = source.next()
    assert abs(after.inc - before.inc) > 1_000_000
