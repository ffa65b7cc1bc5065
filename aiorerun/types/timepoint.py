"""Timepoints: the current times of a task, as one immutable value.

A timepoint is a pair of an interned :class:`TimelineSet` and a tuple of int64 values in the same
order. Rows of one timeline set share an accumulator, so nothing is looked up per row but the set.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, ClassVar, Final, TypeAlias
from weakref import WeakValueDictionary

from aiorerun.types.timeline import Timeline, TimelineKind

if TYPE_CHECKING:
    from collections.abc import Callable

_CACHE_LIMIT: Final = 1024
"""Derived sets are remembered up to this many per set, then anew: names could be unbounded."""

LOG_TIME: Final = 1
"""Injection flag: the wall clock on the timeline ``log_time``."""
LOG_TICK: Final = 2
"""Injection flag: the per-recording counter on the timeline ``log_tick``."""

_INJECTED: Final = {
    LOG_TIME: Timeline("log_time", TimelineKind.TIMESTAMP),
    LOG_TICK: Timeline("log_tick", TimelineKind.SEQUENCE),
}


class RowLayout:
    """Where the 64-bit fields of a row's head come from.

    The head is: capture clock, then the injected values, then the kept user values.

    Attributes:
        inject: Which of ``LOG_TIME`` and ``LOG_TICK`` are written.
        keep: Positions of the user values that are written; ``None`` for all of them. A user value
            is left out where an injected one has the same timeline name.
        timelines: The timelines of the fields after the clock, in field order.
        format: How :mod:`struct` packs the head.
        pack: Does so.
        width: Bytes of the head.
    """

    __slots__ = ("format", "inject", "keep", "pack", "timelines", "width")

    def __init__(self, timelines: tuple[Timeline, ...], inject: int) -> None:
        injected = [timeline for flag, timeline in _INJECTED.items() if inject & flag]
        names = {timeline.name for timeline in injected}
        kept = [position for position, timeline in enumerate(timelines) if timeline.name not in names]
        self.inject = inject
        self.keep: tuple[int, ...] | None = None if len(kept) == len(timelines) else tuple(kept)
        self.timelines: tuple[Timeline, ...] = (*injected, *(timelines[position] for position in kept))
        head = struct.Struct(f"<{1 + len(self.timelines)}q")
        self.format = head.format
        self.pack: Callable[..., bytes] = head.pack
        self.width = head.size


STATIC: Final = RowLayout((), 0)
"""The layout of static rows: no timeline at all."""


class TimelineSet:
    """A set of timelines, interned: equal sets are the same object.

    Attributes:
        timelines: Sorted by name.
        positions: Where each timeline name is.
        layouts: One row layout per combination of injection flags.
        only_sequence: The name of its only timeline if that is a sequence, the most common case.
    """

    __slots__ = ("__weakref__", "_with", "_without", "layouts", "only_sequence", "positions", "timelines")

    _interned: ClassVar[WeakValueDictionary[tuple[Timeline, ...], TimelineSet]] = WeakValueDictionary()

    timelines: tuple[Timeline, ...]
    positions: dict[str, int]
    layouts: tuple[RowLayout, RowLayout, RowLayout, RowLayout]
    only_sequence: str | None
    _with: dict[tuple[str, int], TimelineSet]
    _without: dict[str, TimelineSet]

    @classmethod
    def of(cls, timelines: tuple[Timeline, ...]) -> TimelineSet:
        """The set of these timelines, which must be sorted by name."""
        known = cls._interned.get(timelines)
        if known is not None:
            return known
        new = cls.__new__(cls)
        new.timelines = timelines
        new.positions = {timeline.name: position for position, timeline in enumerate(timelines)}
        is_sequence = len(timelines) == 1 and timelines[0].kind is TimelineKind.SEQUENCE
        new.only_sequence = timelines[0].name if is_sequence else None
        new.layouts = (
            RowLayout(timelines, 0),
            RowLayout(timelines, LOG_TIME),
            RowLayout(timelines, LOG_TICK),
            RowLayout(timelines, LOG_TIME | LOG_TICK),
        )
        new._with = {}
        new._without = {}
        return cls._interned.setdefault(timelines, new)

    def including(self, name: str, kind: TimelineKind) -> TimelineSet:
        """This set with one timeline more, or with another kind for that name."""
        found = self._with.get((name, kind))
        if found is None:
            others = [timeline for timeline in self.timelines if timeline.name != name]
            found = TimelineSet.of(tuple(sorted([*others, Timeline(name, TimelineKind(kind))])))
            if len(self._with) >= _CACHE_LIMIT:
                self._with.clear()
            self._with[name, kind] = found
        return found

    def excluding(self, name: str) -> TimelineSet:
        """This set without one timeline."""
        found = self._without.get(name)
        if found is None:
            found = TimelineSet.of(tuple(timeline for timeline in self.timelines if timeline.name != name))
            if len(self._without) >= _CACHE_LIMIT:
                self._without.clear()
            self._without[name] = found
        return found

    def __repr__(self) -> str:
        return f"TimelineSet({', '.join(f'{name}: {kind.name}' for name, kind in self.timelines)})"


Timepoint: TypeAlias = tuple[TimelineSet, tuple[int, ...]]
"""The current times: the set, and one int64 per timeline of it."""

NO_TIMES: Final[Timepoint] = (TimelineSet.of(()), ())
"""Nothing set."""


def with_time(timepoint: Timepoint, name: str, kind: TimelineKind, value: int) -> Timepoint:
    """The timepoint with one timeline set; a different kind under the same name replaces it."""
    timelines, values = timepoint
    position = timelines.positions.get(name)
    if position is not None and timelines.timelines[position].kind is kind:
        if len(values) == 1:
            return (timelines, (value,))
        return (timelines, (*values[:position], value, *values[position + 1 :]))
    wider = timelines.including(name, kind)
    times = dict(zip(timelines.positions, values, strict=True))
    times[name] = value
    return (wider, tuple([times[each.name] for each in wider.timelines]))


def without_time(timepoint: Timepoint, name: str) -> Timepoint:
    """The timepoint without one timeline; an unknown name changes nothing."""
    timelines, values = timepoint
    position = timelines.positions.get(name)
    if position is None:
        return timepoint
    return (timelines.excluding(name), values[:position] + values[position + 1 :])


def time_of(timepoint: Timepoint, name: str) -> tuple[TimelineKind, int] | None:
    """Kind and value of one timeline, or ``None`` if it is not set."""
    timelines, values = timepoint
    position = timelines.positions.get(name)
    if position is None:
        return None
    return (timelines.timelines[position].kind, values[position])
