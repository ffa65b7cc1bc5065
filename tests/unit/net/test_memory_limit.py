"""Texts that limit memory: every row of the table, and what people get wrong."""

from __future__ import annotations

import pytest

from aiorerun.errors import BadMemoryLimitError
from aiorerun.net.memory_limit import parse_memory_limit, total_ram

RAM = 16_000_000_000
MOST = (1 << 63) - 1

ACCEPTED: list[tuple[str, int | None]] = [
    ("25%", RAM // 4),
    ("99.5%", int(RAM * 0.995)),
    ("0%", 0),
    ("100%", RAM),
    ("+1e1%", RAM // 10),
    (".5%", RAM // 200),
    ("1.5GB", 1_500_000_000),
    ("1e3MB", 1_000_000_000),
    ("10kB", 10_000),
    ("1TB", 10**12),
    ("10KiB", 10 << 10),
    ("1MiB", 1 << 20),
    ("1GiB", 1 << 30),
    ("2TiB", 2 << 40),
    ("1000 B", 1000),
    ("4 GB", 4 * 10**9),
    ("5MB ", 5_000_000),
    ("1 0GB", 10 * 10**9),
    ("+5B", 5),
    ("0", 0),
    (" 0 ", 0),
    ("0B", 0),
    ("-0GB", 0),
    ("1e400GB", MOST),
    ("nanGB", 0),
    ("unlimited", None),
    ("none", None),
    ("max", None),
    ("∞", None),
]

SIZE = "expected e.g. '16GB', got \"{}\""
SHARE = "expected e.g. '50%', got \"{}\""
REFUSED = [
    ("50 %", SHARE),
    ("%", SHARE),
    ("1_0%", SHARE),
    ("200%", "percentage must be between 0 and 100, got 200"),
    ("-1%", "percentage must be between 0 and 100, got -1"),
    ("inf%", "percentage must be between 0 and 100, got inf"),
    ("100", SIZE),
    ("00", SIZE),
    ("10KB", SIZE),
    ("5gb", SIZE),
    ("5b", SIZE),
    ("1_000B", SIZE),
    ("1.5B", SIZE),
    ("1e3B", SIZE),
    ("1PB", SIZE),
    ("", SIZE),
    ("abc", SIZE),
    ("B", SIZE),
    ("GB", SIZE),
    ("Unlimited", SIZE),
    ("9223372036854775808B", SIZE),
    ("-1GB", "memory limit must be non-negative, got -1000000000"),
    ("\N{MINUS SIGN}1GB", "memory limit must be non-negative, got -1000000000"),
    ("-5B", "memory limit must be non-negative, got -5"),
]


@pytest.mark.parametrize(("text", "expected"), ACCEPTED)
def test_check_15_accepted_memory_limits(text: str, expected: int | None) -> None:
    assert parse_memory_limit(text, lambda: RAM) == expected


@pytest.mark.parametrize(("text", "reason"), REFUSED)
def test_check_15_refused_memory_limits(text: str, reason: str) -> None:
    with pytest.raises(BadMemoryLimitError) as caught:
        parse_memory_limit(text, lambda: RAM)
    assert str(caught.value) == "Bad server_memory_limit: " + reason.format(text)
    assert isinstance(caught.value, RuntimeError)


def test_long_texts_are_cut_in_the_error() -> None:
    with pytest.raises(BadMemoryLimitError) as caught:
        parse_memory_limit("9" * 1_000_000 + "B")
    assert len(str(caught.value)) < 300


async def test_the_whole_memory() -> None:
    # Also on an event loop, where nothing may be read from files.
    assert parse_memory_limit("100%") == total_ram()
    assert 64 << 20 < total_ram() < 1 << 62
