"""Limits: which rows of an entity are too many, and which say nothing new. No clock, no I/O.

Every limited kind of row (one entity, one set of components, one set of timelines) has a :class:`Gate`.
Whoever calls it holds the capture's lock.
"""

from __future__ import annotations

import heapq
import math
from collections import Counter
from typing import TYPE_CHECKING, Any, Final
from weakref import WeakValueDictionary

from aiorerun.pipeline.accumulator import DROP, HOLD, PASS
from aiorerun.types.encoding import ARRAY, RAW
from aiorerun.types.form import Form
from aiorerun.types.path_filter import PathFilter

if TYPE_CHECKING:
    from collections.abc import Callable

    from aiorerun.types.path_filter import Specificity
    from aiorerun.types.timepoint import RowLayout

REMEMBERED_PATHS: Final = 16_384
"""Of so many entities it is known what was logged last; of more, the first ones are forgotten."""

COMPARED_BYTES: Final = 256
"""Values of more bytes are not kept to compare them, but a digest of 128 bits is."""

NEVER: Final = (1 << 63) - 1
"""A time that does not come."""

_CLEAR: Final = "rerun.archetypes.Clear"
_NANOS: Final = 1_000_000_000


class Limit:
    """A limit that is in force until :meth:`remove` is called. ``limit`` of a recording makes it.

    Attributes:
        pattern: The entities it is for.
        hz: How many rows per second each may have; ``None`` for any number.
        on_change: Whether rows are dropped that say what was logged last.
        latest_wins: Whether the newest of the rows that are too many is recorded after all.
    """

    __slots__ = ("_filter", "_remove", "hz", "latest_wins", "on_change", "pattern", "period_ns")

    def __init__(
        self,
        pattern: str,
        hz: float | None,
        on_change: bool,
        latest_wins: bool,
        remove: Callable[[Limit], None],
    ) -> None:
        self._filter = PathFilter(pattern)
        self._remove = remove
        self.pattern = pattern
        self.hz = hz
        self.on_change = bool(on_change)
        self.latest_wins = bool(latest_wins)
        self.period_ns = 0 if hz is None else _period(hz)
        if hz is None and not on_change:
            raise ValueError(
                "limit: neither hz nor on_change: pass one of them; what ends a limit is the method `remove` "
                "of what `limit` has returned"
            )

    def __repr__(self) -> str:
        return (
            f"<Limit {self.pattern!r}: hz={self.hz}, on_change={self.on_change}, "
            f"latest_wins={self.latest_wins}>"
        )

    def remove(self) -> None:
        """Ends the limit; a row that waits is recorded. A second call changes nothing. From any thread."""
        self._remove(self)

    def specificity(self, path: str) -> Specificity | None:
        """How closely it is about a path; ``None`` if it is not."""
        return self._filter.specificity(path)


def _period(hz: Any) -> int:
    try:
        rate = float(hz)
    except (TypeError, ValueError):
        raise TypeError(f"limit: hz must be a number, got {type(hz).__name__}: pass for example 10") from None
    if not (0.0 < rate < math.inf) or rate < 1e-6:
        raise ValueError(f"limit: hz must be a finite number above zero, got {hz!r}")
    return round(_NANOS / rate)


class Gate:
    """What is known of one limited kind of row.

    Attributes:
        limit: The limit in force; ``None`` for rows that are only watched, since they clear others.
        path: The entity.
        form: What kind of values are compared.
        held: The newest row that has to wait, as the capture wants it back.
        next_ns: From when on a row may pass.
        period_ns: How long it is from row to row; 0 for any number of rows.
        compares: Whether rows are compared with what was logged last.
        waits: Whether the newest row waits for the end of the period.
        too_many: The reason for which others are dropped.
    """

    __slots__ = (
        "__weakref__", "compares", "form", "held", "layout", "limit", "next_ns", "path", "period_ns",
        "too_many", "waits",
    )  # fmt: skip

    def __init__(self, limit: Limit | None, path: str, form: Form, layout: RowLayout) -> None:
        self.limit = limit
        self.path = path
        self.form = _compared(form)
        self.layout = layout
        self.held: Any = None
        self.next_ns = 0
        self.period_ns = 0 if limit is None or not layout.timelines else limit.period_ns
        self.compares = limit is not None and limit.on_change
        self.waits = limit is not None and limit.latest_wins
        self.too_many = "" if limit is None else f"rate limit: {limit.pattern}"

    def is_idle(self, now: int) -> bool:
        """Whether forgetting it changes nothing."""
        return self.held is None and now >= self.next_ns

    def count(self, now: int) -> None:
        """A row passes: when may the next one?"""
        # In step, so that a source that is a little late now and then keeps its rate; after a pause anew.
        following = self.next_ns + self.period_ns
        self.next_ns = following if following > now else now + self.period_ns


class Limiter:
    """All limits of a stream, and what they dropped. Guarded by the capture's lock.

    Attributes:
        limits: The limits in force, the oldest first.
        armed: Whether somebody comes to release what is held.
        dropped_rows: Rows that were dropped.
        reasons: Why, and how many.
        held_rows: Rows that wait for the end of their period.
        next_due: When the first of them has to be released; ``NEVER`` if there is none.
    """

    __slots__ = (
        "_due", "_gates", "_known", "_numbers", "armed", "dropped_rows", "held_rows", "limits", "next_due",
        "reasons",
    )  # fmt: skip

    def __init__(self) -> None:
        self.limits: list[Limit] = []
        # Who has an accumulator keeps its gate.
        self._gates: WeakValueDictionary[tuple[str, Form, RowLayout], Gate] = WeakValueDictionary()
        self._known: dict[str, dict[Form, tuple[Any, ...]]] = {}
        self.start_empty()

    def start_empty(self) -> None:
        """Forgets all rows and counts, but not the limits."""
        self.armed = False
        self.dropped_rows = 0
        self.reasons: Counter[str] = Counter()
        self.held_rows = 0
        # By time; the number keeps gates from being compared.
        self._due: list[tuple[int, int, Any]] = []
        self.next_due = NEVER
        self._numbers = 0
        self._known.clear()
        self._gates.clear()

    def gate_for(self, path: str, form: Form, layout: RowLayout) -> Gate | None:
        """The gate for a kind of row, one for all ways to write a path; ``None`` if nothing limits it."""
        key = (path, form, layout)
        gate = self._gates.get(key)
        if gate is None:
            gate = self._new_gate(path, form, layout)
            if gate is not None:
                self._gates[key] = gate
        return gate

    def change(self, change: Callable[[list[Limit]], None]) -> None:
        """Other limits hold from now on; rows that are held were taken before."""
        change(self.limits)
        self._gates.clear()
        if not any(limit.on_change for limit in self.limits):
            self.forget()

    def _new_gate(self, path: str, form: Form, layout: RowLayout) -> Gate | None:
        if _clears(form):
            # Never limited; but what is cleared has to be logged again.
            return Gate(None, path, form, layout) if any(each.on_change for each in self.limits) else None
        best: Limit | None = None
        closest: Specificity | None = None
        for limit in self.limits:
            found = limit.specificity(path)
            if found is not None and (closest is None or found >= closest):
                best, closest = limit, found
        if best is None or (not layout.timelines and not best.on_change):
            # How often something that always holds is logged is no rate.
            return None
        return Gate(best, path, form, layout)

    def drop(self, reason: str, rows: int = 1) -> None:
        """Counts rows."""
        self.dropped_rows += rows
        self.reasons[reason] += rows

    # --- rates ---------------------------------------------------------------------------------

    def judge(self, gate: Gate, now: int, values: tuple[int, ...], data: tuple[Any, ...]) -> int:
        """What becomes of a row that is logged now: PASS, HOLD or DROP; what is dropped is counted.

        Args:
            gate: Its gate.
            now: Monotonic nanoseconds.
            values: Its times.
            data: Its fingerprint, where rows are compared.
        """
        verdict = PASS if now >= gate.next_ns else HOLD if gate.waits else DROP
        limit = gate.limit
        if limit is None:
            self.forget(gate.path)
            return PASS
        if gate.compares:
            if self._is_known(gate, values, data):
                self.drop(f"unchanged: {limit.pattern}")
                return DROP
            if verdict != DROP:
                self._remember(gate, values, data)
        if verdict == DROP:
            self.drop(gate.too_many)
        elif verdict == PASS and gate.period_ns:
            gate.count(now)
        return verdict

    def hold(self, gate: Gate, row: Any, owner: Any) -> None:
        """Keeps a row until its period ends; a former one gives way.

        Args:
            gate: Whose row it is.
            row: The row.
            owner: What :meth:`take_due` gives back then.
        """
        if gate.held is not None:
            self.drop(gate.too_many)
        else:
            self.held_rows += 1
            self._numbers += 1
            heapq.heappush(self._due, (gate.next_ns, self._numbers, owner))
            self.next_due = self._due[0][0]
        gate.held = row

    def take_held(self, gate: Gate) -> Any:
        """The row that waits at a gate, which waits no longer."""
        row, gate.held = gate.held, None
        self.held_rows -= 1
        return row

    def take_due(self, now: float) -> list[Any]:
        """The owners whose time has come. A row may wait at their gates, or be gone already."""
        owners: list[Any] = []
        due = self._due
        while due and due[0][0] <= now:
            owners.append(heapq.heappop(due)[2])
        self.next_due = due[0][0] if due else NEVER
        return owners

    # --- changes -------------------------------------------------------------------------------

    @staticmethod
    def fingerprint(fixed: bytes, objects: tuple[Any, ...]) -> tuple[Any, ...]:
        """What the values of a row are compared by."""
        return (fixed, *map(_mark, objects)) if objects else (fixed,)

    def _is_known(self, gate: Gate, values: tuple[int, ...], data: tuple[Any, ...]) -> bool:
        """Whether a row says no more than what is there at its times."""
        known = self._known.get(gate.path)
        last = None if known is None else known.get(gate.form)
        return (
            last is not None
            and last[2] == data
            and last[0] is gate.layout
            # Before the time of the last one something else may hold.
            and (last[1] == values or all(map(int.__le__, last[1], values)))
        )

    def _remember(self, gate: Gate, values: tuple[int, ...], data: tuple[Any, ...]) -> None:
        """Notes what was logged."""
        known = self._known.get(gate.path)
        if known is None:
            if len(self._known) >= REMEMBERED_PATHS:
                del self._known[next(iter(self._known))]
            known = self._known[gate.path] = {}
        elif len(known) > 1 or gate.form not in known:
            # Rows of other components may have set some of the same.
            components = _components(gate.form)
            for form in [form for form in known if not components.isdisjoint(_components(form))]:
                del known[form]
        known[gate.form] = (gate.layout, values, data)

    def forget(self, path: str = "/") -> None:
        """What was logged at a path, and below it, is no longer there."""
        if path == "/":
            self._known.clear()
            return
        below = path + "/"
        for each in [each for each in self._known if each == path or each.startswith(below)]:
            del self._known[each]


def _mark(value: Any) -> Any:
    if isinstance(value, str) or type(value) is tuple:
        return value
    if isinstance(value, tuple):
        # Several blobs.
        return tuple(map(_mark, value))
    is_bytes = isinstance(value, bytes)
    if not is_bytes and not hasattr(value, "shape"):
        # What cannot be compared is different.
        return value
    # Arrays by their bytes: dtype and shape are those of the column.
    if (len(value) if is_bytes else value.nbytes) <= COMPARED_BYTES:
        return value if is_bytes else value.tobytes()
    from xxhash import xxh3_128_digest

    return (xxh3_128_digest(value),)


def _compared(form: Form) -> Form:
    """The same form for equal values: arrays in rows have one of two shapes, by how they were given."""
    return Form.of([spec._replace(shape=ARRAY) if spec.shape == RAW else spec for spec in form.columns])


def _components(form: Form) -> frozenset[str]:
    return frozenset([spec.descriptor.component for spec in form.columns])


def _clears(form: Form) -> bool:
    return any(spec.descriptor.archetype == _CLEAR for spec in form.columns)
