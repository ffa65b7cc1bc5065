"""Sizes, intervals and times as texts."""

from __future__ import annotations

import datetime as dt
import re
from decimal import Decimal
from typing import Final

from aiorerun.types.timeline import TimelineKind

_NUMBER: Final = re.compile(r"\s*([0-9]+(?:\.[0-9]*)?|\.[0-9]+)\s*([a-zµ]*)\s*", re.IGNORECASE)
_SIZES: Final = {"": 1, "b": 1} | {
    f"{letter}{unit}": base**power
    for power, letter in enumerate("kmgt", 1)
    for unit, base in (("", 1000), ("b", 1000), ("ib", 1024))
}
_SECONDS: Final = {
    "ns": Decimal("1e-9"),
    "us": Decimal("1e-6"),
    "µs": Decimal("1e-6"),
    "ms": Decimal("1e-3"),
    "": Decimal(1),
    "s": Decimal(1),
    "min": Decimal(60),
    "m": Decimal(60),
    "h": Decimal(3600),
    "d": Decimal(86400),
}
_NANOS: Final = 1_000_000_000
_ZERO: Final = re.compile(r"0+(?:\.0*)?[a-zµ]*")
_EPOCH: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_FRACTION: Final = re.compile(r"[.,][0-9]{6}([0-9]+)")
"""The digits of seconds after the sixth."""
_INTEGER: Final = re.compile(r"[+-]?[0-9]{1,19}")


def parse_size(text: str) -> int:
    """A number of bytes, such as ``100MB``, ``1.5 GiB`` or ``4096``.

    Raises:
        ValueError: It is none, or zero.
    """
    match = _NUMBER.fullmatch(text)
    factor = None if match is None else _SIZES.get(match[2].lower())
    if match is None or factor is None or not (size := int(Decimal(match[1]) * factor)):
        raise ValueError(f"expected a size such as 100MB or 1.5GiB, got {text!r}")
    return size


def parse_interval(text: str, kind: TimelineKind) -> int:
    """The length of an interval: steps of a sequence, or a time such as ``10s``, ``5min``, ``1.5h``.

    Returns:
        Steps, or nanoseconds.

    Raises:
        ValueError: It is none, not positive, or too long.
    """
    if kind is TimelineKind.SEQUENCE:
        if _INTEGER.fullmatch(text) and int(text) > 0:
            return int(text)
        raise ValueError(f"the timeline counts steps: expected a number of them such as 100, got {text!r}")
    match = _NUMBER.fullmatch(text)
    factor = None if match is None else _SECONDS.get(match[2].lower())
    if match is None or factor is None or not (length := int(Decimal(match[1]) * factor * _NANOS)):
        raise ValueError(f"expected a time such as 10s, 5min, 1.5h or 250ms, got {text!r}")
    return _in_range(length, text)


def parse_time(text: str, kind: TimelineKind) -> int:
    """A time on a timeline: a number, a time span, or a date with time (UTC, unless it says otherwise).

    Raises:
        ValueError: It is none, or too far away.
    """
    if kind is TimelineKind.TIMESTAMP and not _INTEGER.fullmatch(text):
        try:
            moment = dt.datetime.fromisoformat(text)
        except ValueError:
            raise ValueError(f"expected a date and time such as 2026-11-25T21:30:00, got {text!r}") from None
        return _in_range(_nanos(moment, text), text)
    if kind is TimelineKind.DURATION:
        sign, text = (-1, text[1:]) if text.startswith("-") else (1, text)
        return 0 if _ZERO.fullmatch(text) else sign * parse_interval(text, kind)
    if _INTEGER.fullmatch(text) and -(1 << 63) < int(text) < 1 << 63:
        return int(text)
    raise ValueError(f"expected a whole number, got {text!r}")


def _nanos(moment: dt.datetime, text: str) -> int:
    """Nanoseconds since 1970, with those digits of the text that Python's own times do not have."""
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=dt.UTC)
    since = moment - _EPOCH
    micros = (since.days * 86400 + since.seconds) * 1_000_000 + since.microseconds
    fraction = _FRACTION.search(text)
    return micros * 1000 + (0 if fraction is None else int(fraction[1][:3].ljust(3, "0")))


def _in_range(time: int, text: str) -> int:
    if -(1 << 63) < time < 1 << 63:
        return time
    raise ValueError(
        f"{text!r} is more than 64 bits of nanoseconds hold: about 292 years, or dates from 1677 to 2262"
    )


def size_text(count: int) -> str:
    """A number of bytes for people."""
    value = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000.0:
            return f"{count} B" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1000.0
    return f"{value:.1f} TB"
