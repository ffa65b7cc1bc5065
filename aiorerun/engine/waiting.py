"""What waits in a stream: rows to be encoded, and the orders between them, one after the other."""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING, Final, TypeAlias

from aiorerun.engine.cargo import Batch, Ready, remove_empty
from aiorerun.pipeline.overflow import choose_losses

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Sequence

    from aiorerun.codec.messages import Message
    from aiorerun.engine.room import Room
    from aiorerun.pipeline.overflow import OverflowPolicy
    from aiorerun.sinks.base import Sink


AT_ONCE: Final = 256
"""So many batches become one job at most: for each of them the event loop has some microseconds of work."""


class Flush:
    """The order to flush all sinks.

    Args:
        future: Done when everything that waits before it has passed through.
        acknowledged: Whether the other sides have to confirm it, where sinks know how to ask.
    """

    __slots__ = ("acknowledged", "future")

    def __init__(self, future: asyncio.Future[None], *, acknowledged: bool = False) -> None:
        self.future = future
        self.acknowledged = acknowledged


class Switch:
    """The order to replace all sinks.

    Args:
        sinks: The new ones.
        future: Done when the former ones are closed and the new ones are open.
        make_first: Makes, in the worker, what the new ones get before everything else.
    """

    __slots__ = ("future", "make_first", "sinks")

    def __init__(
        self,
        sinks: Sequence[Sink],
        future: asyncio.Future[None],
        make_first: Callable[[], list[Message]] | None = None,
    ) -> None:
        self.sinks = sinks
        self.future = future
        self.make_first = make_first


Cargo: TypeAlias = Batch | Ready
Order: TypeAlias = Flush | Switch


class Waiting:
    """The queue in front of the worker, and a buffer for rows that no sink is there for. Thread-safe.

    Args:
        room: Told what is dropped.
    """

    def __init__(self, room: Room) -> None:
        self._room = room
        self._queue: deque[Cargo | Order] = deque()
        self._buffer: deque[Cargo] = deque()
        # Whoever takes rows out puts the others aside for a moment.
        self._lock = threading.RLock()

    def __bool__(self) -> bool:
        with self._lock:
            return bool(self._queue)

    def append(self, command: Cargo | Order) -> None:
        """Adds rows, or an order, at the end of the queue."""
        self._queue.append(command)

    def take(self) -> Cargo | Order:
        """Takes the first command off the queue."""
        with self._lock:
            command = self._queue.popleft()
        if isinstance(command, Batch):
            command.is_taken = True
        return command

    def take_rows(self, taken: list[Cargo], nbytes: int) -> None:
        """Adds what goes together with ``taken``, up to about so many bytes; nothing behind an order."""
        cost = sum([each.cost for each in taken])
        with self._lock:
            while self._queue and cost < nbytes and len(taken) < AT_ONCE:
                command = self._queue[0]
                if isinstance(command, Flush | Switch):
                    break
                self._queue.popleft()
                cost += command.cost
                taken.append(command)
                if isinstance(command, Batch):
                    command.is_taken = True

    def put_first(self, taken: Sequence[Cargo]) -> None:
        """Puts back, at the front of the queue, what was taken."""
        with self._lock:
            self._queue.extendleft(reversed(taken))

    def take_orders(self) -> list[Order]:
        """Takes all orders out of the queue."""
        with self._lock:
            commands = [self._queue.popleft() for _ in range(len(self._queue))]
            self._queue.extendleft(
                each for each in reversed(commands) if not isinstance(each, Flush | Switch)
            )
        return [each for each in commands if isinstance(each, Flush | Switch)]

    def put_by(self, cargo: Cargo) -> None:
        """Keeps rows that no sink is there for, as the newest in the buffer."""
        self._buffer.append(cargo)

    def put_back(self, cargo: Sequence[Cargo]) -> None:
        """Keeps rows that were on their way already, as the oldest in the buffer."""
        with self._lock:
            self._buffer.extendleft(reversed(cargo))

    def bring_forward(self) -> None:
        """Puts what the buffer holds at the front of the queue: there is a sink for it."""
        with self._lock:
            self._queue.extendleft(reversed(self._buffer))
            self._buffer.clear()

    def trim(self, policy: OverflowPolicy, reason: str) -> None:
        """Drops rows until what is under way keeps the limit."""
        ledger = self._room.ledger
        if ledger.in_flight <= ledger.limit or self._lock._is_owned():  # type: ignore[attr-defined]
            # Or a finalizer logs while rows are taken out: whoever comes next sees to it.
            return
        with self._lock:
            # Some more than needed, so that looking through everything pays.
            more = 0 if policy == "drop_newest" else ledger.limit // 8
            excess = ledger.in_flight - ledger.limit + more
            everything = [*self._buffer, *self._queue]
            units = [unit for each in everything if isinstance(each, Batch | Ready) for unit in each.units()]
            lost = choose_losses(units, policy, excess)
            parts: dict[Cargo, set[object]] = {}
            for unit in lost:
                parts.setdefault(unit.of, set()).add(unit.part)
            for cargo, gone in parts.items():
                cargo.drop(gone)
            remove_empty(self._buffer)
            remove_empty(self._queue)
        for unit in lost:
            self._room.drop(unit.nbytes, unit.rows, reason)
