"""Overflow: what is dropped when more waits than may. Pure and exact; whoever drops also counts."""

from __future__ import annotations

from collections import OrderedDict, deque
from heapq import heappop, heappush
from math import inf
from threading import RLock
from typing import TYPE_CHECKING, Any, Final, Generic, Literal, Protocol, TypeAlias, TypeVar, get_args

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Sequence

OverflowPolicy: TypeAlias = Literal["wait", "drop_oldest", "drop_newest", "keep_latest"]
"""What happens when more waits for a sink, or in a stream, than its limit in bytes allows.

- ``"wait"``: callers of ``log`` wait for room, at most ``max_wait`` per stall. The default.
- ``"drop_oldest"``: what has waited longest is dropped.
- ``"drop_newest"``: what came last is dropped.
- ``"keep_latest"``: what is older than the newest chunk of the same entity, timelines and components is
  dropped; if the newest ones alone are too many, the oldest of them.

Chunks are dropped whole. Temporal data goes first. Static data is dropped only when no temporal data is
left to drop: first what newer static data of the same entity and components replaces, then the oldest
(``drop_newest``: the newest). Recording properties and blueprints are dropped only where newer ones replace
them, and what announces the recording is never dropped: the stream stays readable.
"""

POLICIES: Final[tuple[OverflowPolicy, ...]] = get_args(OverflowPolicy)

TEMPORAL: Final = 0
"""Rank: goes first."""
STATIC: Final = 1
"""Rank: goes when nothing temporal is left."""
ESSENTIAL: Final = 2
"""Rank: properties and blueprints, which go only if newer ones replace them."""
NEVER: Final = 3
"""Rank: what announces a recording."""

QUIET_SECS: Final = 1.0
"""After so long without another loss a run of them is over."""

AT_ONCE: Final = 512
"""So many units are taken at once at most."""

Unit = TypeVar("Unit", bound="Droppable")
Marker = TypeVar("Marker")


class Droppable(Protocol):
    """Something that may be dropped as a whole."""

    @property
    def nbytes(self) -> int:
        """Its part of the limit."""
        ...

    @property
    def rank(self) -> int:
        """One of the ranks of this module."""
        ...

    @property
    def key(self) -> Hashable:
        """What a newer one with an equal key replaces."""
        ...


def check_policy(value: Any) -> OverflowPolicy:
    """The policy of that name.

    Raises:
        ValueError: There is none.
    """
    if value not in POLICIES:
        names = ", ".join(map(repr, POLICIES))
        raise ValueError(f"overflow: {value!r} is not a policy; pass one of {names}")
    policy: OverflowPolicy = value
    return policy


def choose_losses(units: Iterable[Unit], policy: OverflowPolicy, excess: int) -> list[Unit]:
    """Which of these have to go, so that at least ``excess`` bytes become free, as far as that is possible.

    The last one left that is temporal or static stays, however large it is.

    Args:
        units: Oldest first.
        policy: Anything but ``"wait"``, which drops nothing.
        excess: Bytes too many.
    """
    backlog: Backlog[Unit, None] = Backlog(policy, 0)
    for unit in units:
        backlog.append(unit)
    backlog.limit = backlog.nbytes - excess
    return backlog.shrink()


class Backlog(Generic[Unit, Marker]):
    """What waits, in order, within a limit in bytes. Not thread-safe.

    No operation gets much dearer, however much waits.

    Args:
        policy: What is dropped; ``"wait"`` drops nothing.
        limit: Bytes that may wait; the last unit left is never dropped.

    Attributes:
        nbytes: Bytes that wait.
    """

    __slots__ = ("_before", "_count", "_lanes", "_markers", "_numbers", "_policy", "limit", "nbytes")

    def __init__(self, policy: OverflowPolicy, limit: int) -> None:
        self._policy = policy
        self.limit = limit
        self.nbytes = 0
        self._count = 0
        self._numbers = 0
        # Numbers of what was put back: below all others.
        self._before = 0
        self._lanes: tuple[_Lane[Unit], ...] = tuple(
            # Nothing looks at what is replaced in the others.
            _Lane(follows=rank in (STATIC, ESSENTIAL) or (rank == TEMPORAL and policy == "keep_latest"))
            for rank in range(NEVER + 1)
        )
        self._markers: deque[tuple[int, Marker]] = deque()

    def __bool__(self) -> bool:
        return bool(self._count or self._markers)

    def __len__(self) -> int:
        return self._count

    def append(self, unit: Unit) -> None:
        """Adds a unit without looking at the limit."""
        self._numbers += 1
        self._lanes[TEMPORAL if self._policy == "wait" else unit.rank].append(self._numbers, unit)
        self._count += 1
        self.nbytes += unit.nbytes

    def put(self, unit: Unit) -> list[Unit]:
        """Adds a unit; returns what had to go for it, which may be itself."""
        self.append(unit)
        if self.nbytes <= self.limit or self._policy == "wait":
            return []
        return self.shrink()

    def put_back(self, units: Sequence[Unit]) -> list[Unit]:
        """Puts units that were taken off in front of everything; returns what had to go for them."""
        for unit in reversed(units):
            self._before -= 1
            lane = self._lanes[TEMPORAL if self._policy == "wait" else unit.rank]
            lane.prepend(self._before, unit)
            self._count += 1
            self.nbytes += unit.nbytes
        return [] if self.nbytes <= self.limit or self._policy == "wait" else self.shrink()

    def mark(self, marker: Marker) -> None:
        """Adds a marker, which is never dropped."""
        self._numbers += 1
        self._markers.append((self._numbers, marker))

    def take_marker(self) -> Marker | None:
        """Takes the marker off that is at the front, if one is."""
        if not self._markers:
            return None
        lane = self._first_lane()
        if lane is not None and lane.first < self._markers[0][0]:
            return None
        return self._markers.popleft()[1]

    def take_markers(self) -> list[Marker]:
        """Takes all markers off, wherever they are."""
        markers = [marker for _, marker in self._markers]
        self._markers.clear()
        return markers

    def take(self, nbytes: int) -> list[Unit]:
        """Takes units off the front: about so many bytes, at least one, none behind a marker.

        Not more than some hundred: each of them has to be settled on the event loop afterwards.
        """
        taken: list[Unit] = []
        size = 0
        while size < nbytes and len(taken) < AT_ONCE:
            lane = self._first_lane()
            if lane is None or (self._markers and self._markers[0][0] < lane.first):
                break
            unit = self._gone(lane.pop(newest=False))
            size += unit.nbytes
            taken.append(unit)
        return taken

    def shrink(self) -> list[Unit]:
        """Drops by the policy until the limit is kept, or nothing may go; returns what went."""
        lost: list[Unit] = []
        temporal, static, essential = self._lanes[TEMPORAL], self._lanes[STATIC], self._lanes[ESSENTIAL]
        newest = self._policy == "drop_newest"
        while self.nbytes > self.limit:
            if temporal.replaced:
                lost.append(self._gone(temporal.pop_replaced()))
            elif temporal.units and len(temporal.units) + len(static.units) > 1:
                lost.append(self._gone(temporal.pop(newest=newest)))
            elif static.replaced:
                lost.append(self._gone(static.pop_replaced()))
            elif essential.replaced:
                lost.append(self._gone(essential.pop_replaced()))
            elif len(static.units) > 1:
                lost.append(self._gone(static.pop(newest=newest)))
            else:
                break
        return lost

    def _first_lane(self) -> _Lane[Unit] | None:
        if self._policy == "wait":
            lane = self._lanes[TEMPORAL]
            return lane if lane.units else None
        lanes = [lane for lane in self._lanes if lane.units]
        return min(lanes, key=_first_number) if lanes else None

    def _gone(self, unit: Unit) -> Unit:
        self._count -= 1
        self.nbytes -= unit.nbytes
        return unit


class _Lane(Generic[Unit]):
    """Units of one rank by their numbers, and which of them newer ones replace.

    Args:
        follows: Whether to find that out.
    """

    __slots__ = ("_follows", "_newest", "replaced", "units")

    def __init__(self, *, follows: bool) -> None:
        # Unlike a plain dict it gives its first entry at a constant cost, however many were taken off.
        self.units: OrderedDict[int, Unit] = OrderedDict()
        self.replaced = _Numbers()
        self._newest: dict[Hashable, int] = {}
        self._follows = follows

    @property
    def first(self) -> int:
        """The number of the oldest unit."""
        return next(iter(self.units))

    def append(self, number: int, unit: Unit) -> None:
        """Adds a unit."""
        self.units[number] = unit
        if self._follows:
            former = self._newest.get(unit.key)
            if former is not None:
                self.replaced.add(former)
            self._newest[unit.key] = number

    def prepend(self, number: int, unit: Unit) -> None:
        """Adds a unit that is older than all others."""
        self.units[number] = unit
        self.units.move_to_end(number, last=False)
        if self._follows:
            if unit.key in self._newest:
                self.replaced.add(number)
            else:
                self._newest[unit.key] = number

    def pop(self, *, newest: bool) -> Unit:
        """Takes off the newest or the oldest unit."""
        number, unit = self.units.popitem(last=newest)
        if self._follows:
            self.replaced.discard(number)
            if self._newest.get(unit.key) == number:
                del self._newest[unit.key]
        return unit

    def pop_replaced(self) -> Unit:
        """Takes off the oldest unit that a newer one replaces."""
        return self.units.pop(self.replaced.pop())


class _Numbers:
    """A set of numbers that gives the least one."""

    __slots__ = ("_heap", "_members")

    def __init__(self) -> None:
        self._members: set[int] = set()
        # Numbers that were discarded stay in it until they come up, or are too many.
        self._heap: list[int] = []

    def __bool__(self) -> bool:
        return bool(self._members)

    def add(self, number: int) -> None:
        """Adds a number."""
        self._members.add(number)
        heappush(self._heap, number)

    def discard(self, number: int) -> None:
        """Takes a number out, if it is there."""
        self._members.discard(number)
        if len(self._heap) > 2 * len(self._members) + 64:
            self._heap = sorted(self._members)

    def pop(self) -> int:
        """Takes the least number out."""
        while True:
            number = heappop(self._heap)
            if number in self._members:
                self._members.discard(number)
                return number


def _first_number(lane: _Lane[Any]) -> int:
    return lane.first


class Losses:
    """One run of losses after the other: told when it begins, and with its count when it ends. Thread-safe.

    A run ends when nothing was lost for a second: under a steady overload there are two lines in all, not
    two whenever the queue has room for a moment.

    Args:
        tell: Gets the two texts.

    Attributes:
        rows: Rows lost in the run that goes on; 0 if none does.
    """

    __slots__ = ("_last", "_lock", "_tell", "rows")

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell
        self._lock = RLock()
        self._last = 0.0
        self.rows = 0

    def add(
        self, rows: int, now: float, text: Callable[[], str], tell: Callable[[str], None] | None = None
    ) -> None:
        """Counts rows; the first of a run are told.

        Args:
            rows: How many.
            now: Monotonic seconds.
            text: What to say if they are the first.
            tell: Who is told of these instead.
        """
        with self._lock:
            first = self.rows == 0
            self.rows += rows
            self._last = now
        if first and rows:
            (tell or self._tell)(text())

    def end(self, text: Callable[[int], str], now: float = inf) -> None:
        """Ends the run, if there is one and it is over, and tells how many rows it has cost.

        Args:
            text: What to say, given the number of rows.
            now: Monotonic seconds; by default the run is over in any case.
        """
        if not self.rows:
            return
        with self._lock:
            if now < self._last + QUIET_SECS:
                return
            rows, self.rows = self.rows, 0
        if rows:
            self._tell(text(rows))
