"""Timelines: a name and the kind of values it carries."""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple


class TimelineKind(IntEnum):
    """How the 64-bit values of a timeline are read."""

    SEQUENCE = 1
    """A plain counter."""
    DURATION = 2
    """Nanoseconds since some start."""
    TIMESTAMP = 3
    """Nanoseconds since 1970-01-01T00:00:00 UTC."""


class Timeline(NamedTuple):
    """A timeline as it is written: the name verbatim, and its kind."""

    name: str
    kind: TimelineKind
