"""Tables on disk: unique, sorted, and no burden on memory."""

from __future__ import annotations

import tracemalloc

from aiorerun.files.disk_table import DiskTable


def test_rows_are_unique_and_sorted() -> None:
    with DiskTable("a", "b", others=("c",)) as table:
        assert table.add(2, b"y", 1)
        assert table.add(1, b"z", 2)
        assert table.add(2, b"x", 3)
        assert not table.add(2, b"y", 4)
        assert list(table.rows()) == [(1, b"z", 2), (2, b"x", 3), (2, b"y", 1)]
        assert list(table.rows("c", "a = ?", (2,))) == [(3,), (1,)]
        assert list(table.distinct("a")) == [1, 2]


def test_large_numbers() -> None:
    with DiskTable("a") as table:
        for number in (-(1 << 63), (1 << 63) - 1, 0):
            table.add(number)
        assert [number for (number,) in table.rows()] == [-(1 << 63), 0, (1 << 63) - 1]


def test_python_holds_little_of_it() -> None:
    tracemalloc.start()
    with DiskTable("id") as table:
        for number in range(50_000):
            table.add(number.to_bytes(16, "big"))
        assert sum(1 for _ in table.rows()) == 50_000
        peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1 << 20
