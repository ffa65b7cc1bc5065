"""Texts that limit memory, such as ``25%``, ``1.5GB`` or ``unlimited``."""

from __future__ import annotations

import math
import os
import re
import sys
from typing import TYPE_CHECKING, Final

from aiorerun.config import check_text
from aiorerun.errors import BadMemoryLimitError

if TYPE_CHECKING:
    from collections.abc import Callable

_UNLIMITED: Final = frozenset({"unlimited", "none", "max", "∞"})
_MOST: Final = (1 << 63) - 1
"""What does not fit into 64 bits with sign counts as this much."""

_FLOAT: Final = re.compile(
    r"[+-]?(?:inf|infinity|nan|(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:e[+-]?[0-9]+)?)", re.IGNORECASE
)
_INTEGER: Final = re.compile(r"[+-]?[0-9]+")
_UNITS: Final = {
    "kB": 10**3,
    "MB": 10**6,
    "GB": 10**9,
    "TB": 10**12,
    "KiB": 1 << 10,
    "MiB": 1 << 20,
    "GiB": 1 << 30,
    "TiB": 1 << 40,
}
_MAX_SHOWN: Final = 100
_MAX_DIGITS: Final = 40

# Linux control groups, version 2 and 1: where the limit of this process stands if it runs in a container.
_GROUP_LIMITS: Final = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")


def _installed() -> int:
    """Bytes of memory of this machine; a large number if that cannot be found out."""
    if sys.platform == "win32":
        import ctypes

        class _Status(ctypes.Structure):
            _fields_ = (
                ("length", ctypes.c_ulong),
                ("load", ctypes.c_ulong),
                ("total", ctypes.c_ulonglong),
                ("rest", ctypes.c_ulonglong * 6),
            )

        status = _Status(length=ctypes.sizeof(_Status))
        ctypes.windll.kernel32.GlobalMemoryStatusEx(ctypes.byref(status))
        return int(status.total) or _MOST
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (OSError, ValueError):
        return _MOST


def _usable() -> int:
    """Bytes of memory that this process may use."""
    total = _installed()
    for path in _GROUP_LIMITS:
        try:
            with open(path, encoding="ascii") as file:
                total = min(total, int(file.read(_MAX_DIGITS)))
        except (OSError, ValueError):
            continue
    return total


# Looked up when this module is loaded, since files are not read on the event loop.
_TOTAL: Final = _usable()


def total_ram() -> int:
    """Bytes of memory of this machine, or of the container if that may use less."""
    return _TOTAL


def parse_memory_limit(text: str, total_ram: Callable[[], int] = total_ram) -> int | None:
    """Reads a limit.

    Args:
        text: A share of the memory (``25%``), a number of bytes with a unit (``B``, ``kB``, ``MB``, ``GB``,
            ``TB``, ``KiB``, ``MiB``, ``GiB``, ``TiB``; case matters), ``0``, or ``unlimited``, ``none``,
            ``max``.
        total_ram: Says what the whole memory is.

    Returns:
        Bytes; ``None`` if there is no limit.

    Raises:
        BadMemoryLimitError: It is none of these, or negative.
        TypeError: It is no text.
    """
    check_text(text, "server_memory_limit", "one such as '25%' or '4GB'")
    if text in _UNLIMITED:
        return None
    if text.endswith("%"):
        return _share(text, total_ram)
    size = _size("".join(text.split()))
    if size is None:
        raise _error(f"expected e.g. '16GB', got \"{_shown(text)}\"")
    if size < 0:
        raise _error(f"memory limit must be non-negative, got {size}")
    return size


def _share(text: str, total_ram: Callable[[], int]) -> int:
    number = text[:-1]
    if not _FLOAT.fullmatch(number):
        raise _error(f"expected e.g. '50%', got \"{_shown(text)}\"")
    percent = float(number)
    if percent < 0 or percent > 100:
        raise _error(f"percentage must be between 0 and 100, got {percent:g}")
    return 0 if math.isnan(percent) else int(total_ram() * (percent / 100))


def _size(text: str) -> int | None:
    """A number of bytes; ``None`` if the text is none."""
    if text == "0":
        return 0
    # Minus signs of typographers count too.
    text = text.replace("\N{MINUS SIGN}", "-", 1) if text.startswith("\N{MINUS SIGN}") else text
    for unit, factor in _UNITS.items():
        if text.endswith(unit):
            number = text.removesuffix(unit)
            return _saturated(float(number) * factor) if _FLOAT.fullmatch(number) else None
    number = text.removesuffix("B")
    if number == text or len(number) > _MAX_DIGITS or not _INTEGER.fullmatch(number):
        return None
    size = int(number)
    return size if -_MOST <= size <= _MOST else None


def _saturated(size: float) -> int:
    if math.isnan(size):
        return 0
    return int(max(-_MOST, min(size, _MOST)))


def _shown(text: str) -> str:
    return text if len(text) <= _MAX_SHOWN else text[:_MAX_SHOWN] + "…"


def _error(reason: str) -> BadMemoryLimitError:
    return BadMemoryLimitError(f"Bad server_memory_limit: {reason}")
