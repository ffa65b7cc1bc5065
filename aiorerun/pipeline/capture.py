"""Capture: what ``log`` does with a row. This is the code that runs once per call.

A row becomes one ``bytes`` (its times and fixed-width values, packed) plus one object per other
column, appended to the list of its accumulator. Accumulators are kept per entity, form and timeline
set. Appending is atomic under the GIL, so threads need no lock; cutting the lists off is guarded.

Finalizers and handlers of signals may log, and run in the middle of anything, also where this thread has the
lock. What they log is taken when it is given back.
"""

from __future__ import annotations

import itertools
import math
import sys
from collections import deque
from functools import partial
from threading import RLock
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final

from aiorerun.pipeline.accumulator import (
    DROP,
    PASS,
    SMALL_BYTES,
    Accumulator,
    Cut,
    GuardedList,
    size_of_entry,
)
from aiorerun.types.entity_path import normalize_entity_path
from aiorerun.types.rows import row_of
from aiorerun.types.timepoint import LOG_TICK, LOG_TIME, STATIC, RowLayout, Timepoint

if TYPE_CHECKING:
    from collections.abc import Callable

    from aiorerun.config import ChunkBatcherConfig
    from aiorerun.pipeline.limits import Limit, Limiter
    from aiorerun.types.form import Form

MAX_CHUNK_ROWS: Final = 1 << 24
"""Rows of a chunk, whatever the configuration says."""

LOOK_BYTES: Final = 1 << 20
"""After this many more bytes in one accumulator somebody looks at how much waits in all of them."""

IDLE_CUTS: Final = 256
"""An accumulator that stayed empty for this many cuts is given up."""

BOTH: Final = LOG_TIME | LOG_TICK

OPEN: Final = 0
"""Gate: rows are taken."""
DISABLED: Final = 1
"""Gate: rows are dropped without a word."""
CLOSED: Final = 2
"""Gate: the stream is closed, logging is an error."""
FULL: Final = 3
"""Gate: over the byte limit."""
UNOPENED: Final = 4
"""Gate: rows are taken, and the first caller on an event loop opens the sink the environment asks for."""


def _gil_enabled() -> bool:
    check = getattr(sys, "_is_gil_enabled", None)
    return True if check is None else bool(check())


class Capture:
    """Takes the rows of one recording stream.

    Args:
        config: When an accumulator is full.
        clock: Monotonic nanoseconds; orders the rows.
        wall: Nanoseconds since the epoch, for ``log_time``.
        max_waiting_bytes: A built-in invariant: whatever the configuration says, not many more bytes than
            this wait to be cut off.

    Attributes:
        gate: Whether rows are taken; set by the stream.
        due: Monotonic nanoseconds from which on ``add`` asks for attention.
        inject: Which of ``log_time`` and ``log_tick`` rows get.
        limiter: The limits; ``None`` as long as there never was one.
    """

    __slots__ = (
        "_accumulators", "_clock", "_cut_rows", "_guarded", "_late", "_lock", "_max_bytes", "_max_rows",
        "_max_waiting", "_object_bytes", "_orphans", "_tick", "_wall", "due", "gate", "inject", "limiter",
    )  # fmt: skip

    def __init__(
        self,
        config: ChunkBatcherConfig,
        *,
        clock: Callable[[], int],
        wall: Callable[[], int],
        max_waiting_bytes: int,
    ) -> None:
        self._accumulators: dict[Any, Accumulator] = {}
        self._orphans: list[Accumulator] = []
        self._clock = clock
        self._wall = wall
        self._cut_rows = 0
        self._max_waiting = max_waiting_bytes
        self._object_bytes = 0
        self._lock = RLock()
        self._late: deque[Callable[[], object]] = deque()
        self._guarded = not _gil_enabled()
        self._tick = itertools.count()
        self.due = 0
        self.gate = OPEN
        self.limiter: Limiter | None = None
        self._set_thresholds(config)
        self.inject = LOG_TIME | LOG_TICK

    # Runs once per row: branches are cheaper than calls.
    def add(  # noqa: C901
        self, entity_path: Any, entity: Any, extra: tuple[Any, ...], times: Timepoint | None
    ) -> Accumulator | None:
        """Takes one row, if the gate is open (the caller has looked).

        Args:
            entity_path: As the user gave it.
            entity: An archetype or anything else ``log`` accepts.
            extra: More of them, for the same row.
            times: The current times; ``None`` for a static row.

        Returns:
            The accumulator, if it is full or something is due; else ``None``.

        Raises:
            TypeError, ValueError: Not a path, or nothing that can be logged.
        """
        if extra:
            form, fixed, objects = row_of(entity, extra)
        else:
            try:
                form, fixed, objects = entity._row
            except (AttributeError, TypeError):
                form, fixed, objects = row_of(entity, extra)
        if times is None:
            layout = STATIC
            values: tuple[int, ...] = ()
        else:
            timelines, values = times
            layout = timelines.layouts[self.inject]
        try:
            accumulator = self._accumulators[entity_path, form, layout]
        except (KeyError, TypeError):
            if not form.columns:
                return None
            if self._is_busy():
                captured = SimpleNamespace(_row=(form, fixed, objects))
                self._late.append(partial(self.add, entity_path, captured, (), times))
                return None
            accumulator = self._open(entity_path, form, layout)
        if accumulator.gate is not None:
            return self._add_limited(accumulator, values, fixed, objects)
        tick = next(self._tick)
        if layout.keep is not None:
            values = tuple([values[position] for position in layout.keep])
        # Called as methods, what slots hold would be looked up the slow way.
        clock, wall = self._clock, self._wall
        now = clock()
        inject = layout.inject
        pack = accumulator.pack
        # One timeline is by far the most common case, and cheaper to pass than any number of them.
        if inject == BOTH:
            if len(values) == 1:
                row = pack(now, wall(), tick, values[0], fixed)
            else:
                row = pack(now, wall(), tick, *values, fixed)
        elif inject == LOG_TIME:
            if len(values) == 1:
                row = pack(now, wall(), values[0], fixed)
            else:
                row = pack(now, wall(), *values, fixed)
        elif inject == LOG_TICK:
            row = pack(now, tick, *values, fixed)
        else:
            row = pack(now, *values, fixed)
        if objects:
            return self._add_objects(accumulator, row, objects, now)
        rows = accumulator.rows
        rows.append(row)
        if len(rows) >= accumulator.limit or now >= self.due:
            return self._attention(accumulator)
        return None

    # --- limited rows --------------------------------------------------------------------------

    def _add_limited(
        self, accumulator: Accumulator, values: tuple[int, ...], fixed: bytes, objects: tuple[Any, ...]
    ) -> Accumulator | None:
        """Takes a row, or drops it and counts it, or keeps it until it may pass."""
        layout = accumulator.layout
        if layout.keep is not None:
            values = tuple([values[position] for position in layout.keep])
        gate, limiter = accumulator.gate, self.limiter
        assert gate is not None
        assert limiter is not None
        if self._is_busy():
            self._late.append(partial(self._add_limited, accumulator, values, fixed, objects))
            return None
        data = limiter.fingerprint(fixed, objects) if gate.compares else ()
        with self._lock:
            now = self._clock()
            released = self._release(now) if now >= limiter.next_due else ()
            if accumulator.limit:
                verdict = limiter.judge(gate, now, values, data)
            else:
                # The limits were changed, or it was given up, since it was looked up: an orphan's row passes.
                self._orphans.append(accumulator)
                verdict = PASS
            if verdict == DROP:
                return released[-1] if released else None
            entry = self._entry(accumulator, now, values, fixed, objects)
            if verdict == PASS:
                self._append(accumulator, entry)
                return accumulator if released or self._is_due(accumulator, now) else None
            limiter.hold(gate, entry, accumulator)
            # Somebody has to come when its period is over.
            return accumulator if released or not limiter.armed else None

    def _entry(
        self, accumulator: Accumulator, now: int, values: tuple[int, ...], fixed: bytes, objects: Any
    ) -> tuple[Any, ...]:
        """A row, as the list of an accumulator takes it."""
        tick, inject = next(self._tick), accumulator.layout.inject
        if inject == BOTH:
            row = accumulator.pack(now, self._wall(), tick, *values, fixed)
        elif inject == LOG_TIME:
            row = accumulator.pack(now, self._wall(), *values, fixed)
        elif inject == LOG_TICK:
            row = accumulator.pack(now, tick, *values, fixed)
        else:
            row = accumulator.pack(now, *values, fixed)
        return (row, *objects)

    def _append(self, accumulator: Accumulator, entry: tuple[Any, ...]) -> None:
        """Adds a row under the lock."""
        if len(entry) > 1:
            size = size_of_entry(accumulator, entry)
            if size > SMALL_BYTES:
                self._object_bytes += size
                accumulator.object_bytes += size
        # A guarded list would take the lock again.
        list.extend(accumulator.rows, entry)

    def _is_due(self, accumulator: Accumulator, now: int) -> bool:
        """Whether a row that was added asks for attention."""
        return (
            len(accumulator.rows) >= accumulator.limit
            or now >= self.due
            or accumulator.object_bytes >= self._max_bytes
            or self._object_bytes >= self._max_waiting
        )

    def _release(self, now: float) -> list[Accumulator]:
        """Adds the held rows whose time has come."""
        limiter = self.limiter
        if limiter is None:
            return []
        released: list[Accumulator] = []
        for accumulator in limiter.take_due(now):
            gate = accumulator.gate
            # It may have gone already, and another one may wait for the next period.
            if gate.held is not None and gate.next_ns <= now:
                self._append(accumulator, limiter.take_held(gate))
                gate.count(self._clock())
                released.append(accumulator)
        return released

    def release(self, now: float) -> list[Accumulator]:
        """Adds held rows to those that wait to be cut off.

        Args:
            now: Monotonic nanoseconds: rows whose period has ended by then; ``math.inf`` for all of them.

        Returns:
            Their accumulators, each of which needs attention.
        """
        if self._is_busy():
            return []
        with self._lock:
            return self._release(now)

    def set_limits(self, change: Callable[[list[Limit]], None]) -> list[Cut]:
        """Changes the limits; what waits is cut off, so that everything is looked up anew.

        Args:
            change: Called with the list of limits, under the lock.
        """
        from aiorerun.pipeline.limits import Limiter

        with self._lock:
            if self.limiter is None:
                self.limiter = Limiter()
            self._release(math.inf)
            self.limiter.change(change)
            cuts: list[Cut] = []
            for accumulator in [*self._accumulators.values()]:
                self._give_up(accumulator, cuts)
            return cuts

    def forget_values(self) -> None:
        """Another sink comes, which has none of the values that rows are compared with."""
        if self.limiter is not None:
            with self._lock:
                self.limiter.forget()

    @property
    def dropped_rows(self) -> tuple[int, dict[str, int]]:
        """How many rows were dropped by limits, and why."""
        if self.limiter is None:
            return 0, {}
        with self._lock:
            return self.limiter.dropped_rows, dict(self.limiter.reasons)

    # --- all rows ------------------------------------------------------------------------------

    def _add_objects(
        self, accumulator: Accumulator, head: bytes, objects: tuple[Any, ...], now: int
    ) -> Accumulator | None:
        if accumulator.stride == 2:
            # One object: a loop would cost more than all else here.
            size = accumulator.form.sizers[0](objects[0])
        else:
            size = 0
            for sizer, value in zip(accumulator.form.sizers, objects):  # noqa: B905 - checking costs
                size += sizer(value)
        rows = accumulator.rows
        if size <= SMALL_BYTES:
            rows.extend((head, *objects))
            if len(rows) >= accumulator.limit or now >= self.due:
                return self._attention(accumulator)
            return None
        with self._lock:
            # What is large is counted exactly, and before anyone can cut it off.
            self._object_bytes += size
            accumulator.object_bytes += size
        rows.extend((head, *objects))
        if (
            len(rows) >= accumulator.limit
            or now >= self.due
            or accumulator.object_bytes >= self._max_bytes
            or self._object_bytes >= self._max_waiting
        ):
            return self._attention(accumulator)
        return None

    def stamp(self, times: Timepoint | None) -> tuple[RowLayout, bytes]:
        """The layout and the head of a row that is logged now; takes a tick as a row does.

        Args:
            times: The current times; ``None`` for static rows.
        """
        tick = next(self._tick)
        layout = STATIC if times is None else times[0].layouts[self.inject]
        values = () if times is None else times[1]
        if layout.keep is not None:
            values = tuple([values[position] for position in layout.keep])
        injected: list[int] = []
        if layout.inject & LOG_TIME:
            injected.append(self._wall())
        if layout.inject & LOG_TICK:
            injected.append(tick)
        return layout, layout.pack(self._clock(), *injected, *values)

    def _is_busy(self) -> bool:
        """Whether this thread is in the middle of something here, and was interrupted."""
        return self._lock._is_owned()  # type: ignore[attr-defined,no-any-return]

    def _add_late(self) -> bool:
        """Takes what came in the middle of something; returns whether there was any."""
        came = bool(self._late)
        while self._late:
            self._late.popleft()()
        return came

    def _attention(self, accumulator: Accumulator) -> Accumulator:
        if accumulator.limit == 0:
            # Given up between our look-up and our append: let the next cut find the row.
            with self._lock:
                self._orphans.append(accumulator)
        return accumulator

    def _open(self, entity_path: Any, form: Form, layout: RowLayout) -> Accumulator:
        normal = normalize_entity_path(entity_path)
        key = (entity_path if isinstance(entity_path, str) else normal, form, layout)
        with self._lock:
            found = self._accumulators.get(key)
            if found is None:
                found = Accumulator(key, normal, form, layout)
                if self._guarded:
                    found.rows = GuardedList(self._lock)
                if self.limiter is not None:
                    found.gate = self.limiter.gate_for(normal, form, layout)
                self._set_limit(found)
                self._accumulators[key] = found
            return found

    def _set_thresholds(self, config: ChunkBatcherConfig) -> None:
        self._max_rows = min(config.flush_num_rows, MAX_CHUNK_ROWS)
        self._max_bytes = min(config.flush_num_bytes, self._max_waiting)

    def _set_limit(self, accumulator: Accumulator) -> None:
        rows = max(1, min(self._max_rows, self._max_bytes // accumulator.row_bytes))
        accumulator.full = rows * accumulator.stride
        self._look_again(accumulator)

    def _look_again(self, accumulator: Accumulator) -> None:
        more = LOOK_BYTES // accumulator.row_bytes * accumulator.stride
        accumulator.limit = min(accumulator.full, len(accumulator.rows) + more)

    def cut_full(self, accumulator: Accumulator) -> list[Cut]:
        """What has to be cut off at once.

        That is this accumulator if it has reached a threshold, and everything if too much waits in all.
        """
        if self._is_busy():
            return []
        with self._lock:
            given_up = accumulator.limit == 0
            if (
                given_up
                or len(accumulator.rows) >= accumulator.full
                or accumulator.object_bytes >= self._max_bytes
            ):
                cut = self._cut(accumulator)
                return [] if cut is None else [cut]
            if accumulator.limit and len(accumulator.rows) >= accumulator.limit:
                self._look_again(accumulator)
            elif self._object_bytes < self._max_waiting:
                return []
            if self._waiting_bytes() < self._max_waiting:
                return []
            return self._cut_all()

    def configure(self, config: ChunkBatcherConfig) -> None:
        """Applies other thresholds from now on."""
        with self._lock:
            self._set_thresholds(config)
            for accumulator in self._accumulators.values():
                self._set_limit(accumulator)

    def cut_all(self) -> list[Cut]:
        """Takes all waiting rows off, and gives up accumulators that have long been empty."""
        if self._is_busy():
            return []
        with self._lock:
            cuts = self._cut_all()
        while self._add_late():
            with self._lock:
                cuts += self._cut_all()
        return cuts

    def _cut_all(self) -> list[Cut]:
        cuts: list[Cut] = []
        idle: list[Accumulator] = []
        # There may be more of them before this is over.
        orphans, self._orphans = self._orphans, []
        for accumulator in [*self._accumulators.values(), *orphans]:
            cut = self._cut(accumulator)
            if cut is not None:
                accumulator.idle_cuts = 0
                cuts.append(cut)
                continue
            accumulator.idle_cuts += 1
            if accumulator.idle_cuts > IDLE_CUTS and accumulator.limit:
                gate = accumulator.gate
                if gate is None or gate.is_idle(self._clock()):
                    idle.append(accumulator)
        for accumulator in idle:
            self._give_up(accumulator, cuts)
        return cuts

    def _cut(self, accumulator: Accumulator) -> Cut | None:
        rows = accumulator.rows
        # The list object never changes and rows may be appended meanwhile: take what is there now.
        count = len(rows)
        if not count:
            return None
        taken = rows[:count]
        del rows[:count]
        num_rows = count // accumulator.stride
        cost = num_rows * accumulator.row_bytes + accumulator.object_bytes
        self._object_bytes -= accumulator.object_bytes
        accumulator.object_bytes = 0
        if accumulator.limit:
            self._look_again(accumulator)
        self._cut_rows += num_rows
        return Cut(accumulator, taken, cost)

    def _give_up(self, accumulator: Accumulator, cuts: list[Cut]) -> None:
        # A thread may hold this accumulator right now; with the limit at 0 its append asks for
        # attention, which puts the accumulator among the orphans for the next cut.
        accumulator.limit = 0
        del self._accumulators[accumulator.key]
        late = self._cut(accumulator)
        if late is not None:
            cuts.append(late)

    def clear(self) -> None:
        """Forgets all rows and counts, for a forked child. The lock is made anew: it may be held."""
        self._lock = RLock()
        self._late.clear()
        self._accumulators = {}
        self._orphans = []
        self._cut_rows = 0
        self._object_bytes = 0
        self._tick = itertools.count()
        if self.limiter is not None:
            self.limiter.start_empty()

    def count_ready_rows(self, rows: int) -> int:
        """Counts rows that come as ready-made chunks; returns the new total."""
        with self._lock:
            self._cut_rows += rows
            return self._cut_rows

    @property
    def waiting_rows(self) -> int:
        """Rows that wait to be cut off."""
        with self._lock:
            return self._waiting_rows()

    def _waiting_rows(self) -> int:
        everyone = [*self._accumulators.values(), *self._orphans]
        return sum(len(accumulator.rows) // accumulator.stride for accumulator in everyone)

    @property
    def accepted_rows(self) -> int:
        """All rows taken so far, those that limits hold or have dropped among them."""
        with self._lock:
            limiter = self.limiter
            kept = 0 if limiter is None else limiter.dropped_rows + limiter.held_rows
            return self._cut_rows + self._waiting_rows() + kept

    @property
    def waiting_bytes(self) -> int:
        """About how many bytes the waiting rows hold on to."""
        with self._lock:
            return self._waiting_bytes()

    def _waiting_bytes(self) -> int:
        plain = sum(
            len(accumulator.rows) // accumulator.stride * accumulator.row_bytes
            for accumulator in self._accumulators.values()
        )
        return plain + self._object_bytes
