"""What waits to be encoded: rows that were cut off, and what becomes messages without batching."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

from aiorerun.pipeline.overflow import TEMPORAL
from aiorerun.sinks.parcel import message_rank, rank_of
from aiorerun.types.store import StoreKind

if TYPE_CHECKING:
    from collections import deque
    from collections.abc import Callable, Hashable, Iterable, Sequence

    from aiorerun.codec.messages import Message
    from aiorerun.pipeline.accumulator import Cut
    from aiorerun.types.timeline import Timeline


class Batch:
    """Rows that were cut off in one moment, still to be assembled and encoded.

    Args:
        cuts: The rows.
        max_rows_if_unsorted: See :class:`aiorerun.ChunkBatcherConfig`.

    Attributes:
        is_taken: Whether it has left the queue in front of the worker.
    """

    __slots__ = ("cost", "cuts", "is_taken", "max_rows_if_unsorted", "rows")

    def __init__(self, cuts: Sequence[Cut], max_rows_if_unsorted: int) -> None:
        self.cuts: Sequence[Cut] = cuts
        self.max_rows_if_unsorted = max_rows_if_unsorted
        self.cost = sum(cut.cost for cut in cuts)
        self.rows = sum(cut.num_rows for cut in cuts)
        self.is_taken = False

    @property
    def is_empty(self) -> bool:
        """Whether everything was dropped."""
        return not self.cuts

    def units(self) -> Iterable[Unit]:
        """What may be dropped of it."""
        for cut in self.cuts:
            path, timelines, columns = cut.source.group
            rank = rank_of(path, is_static=not timelines)
            key = (path, *_contents(timelines, columns))
            yield Unit(self, cut, cut.cost, cut.num_rows, rank, key)

    def drop(self, lost: set[object]) -> None:
        """Lets go of some of the cuts."""
        self.cuts = [cut for cut in self.cuts if cut not in lost]
        self.cost = sum(cut.cost for cut in self.cuts)
        self.rows = sum(cut.num_rows for cut in self.cuts)


class Ready:
    """Something that becomes messages without any batching.

    Args:
        make: Makes the messages, in the worker.
        rows: How many rows they hold.
        cost: About how many bytes it holds on to.
        rank: How late it is dropped, see :mod:`aiorerun.pipeline.overflow`.
        key: What a newer one with an equal key replaces; by default nothing replaces it.
    """

    __slots__ = ("_key", "cost", "is_empty", "make", "rank", "rows")

    def __init__(
        self,
        make: Callable[[], list[Message]],
        rows: int,
        cost: int,
        rank: int = TEMPORAL,
        key: Hashable | None = None,
    ) -> None:
        self.make = make
        self.rows = rows
        self.cost = cost
        self.rank = rank
        self.is_empty = False
        self._key = key

    def units(self) -> Iterable[Unit]:
        """What may be dropped of it: all or nothing."""
        yield Unit(self, self, self.cost, self.rows, self.rank, id(self) if self._key is None else self._key)

    def drop(self, lost: set[object]) -> None:
        """Lets go of everything."""
        self.make = list
        self.cost = self.rows = 0
        self.is_empty = True


class Encoded(Ready):
    """A message that is made already, and counted; it waits for a sink.

    Newer rows of the same replace it, encoded or not.

    Args:
        message: The message.
        rows: How many rows it stands for.
        cost: About how many bytes it holds on to.
        lost_because: Why a sink did not get it that it was meant for before, if that is so.
    """

    __slots__ = ("lost_because",)

    def __init__(self, message: Message, rows: int, cost: int, lost_because: str | None = None) -> None:
        super().__init__(lambda: [message], rows, cost, message_rank(message), _message_key(message))
        self.lost_because = lost_because


class Unit:
    """A part of what waits to be encoded."""

    __slots__ = ("key", "nbytes", "of", "part", "rank", "rows")

    def __init__(
        self, of: Batch | Ready, part: object, nbytes: int, rows: int, rank: int, key: Hashable
    ) -> None:
        self.of = of
        self.part = part
        self.nbytes = nbytes
        self.rows = rows
        self.rank = rank
        self.key = key


def _message_key(message: Message) -> Hashable:
    """The key of the cuts that such a message is made of; ``None`` if there are none."""
    if message.index is None:
        return None
    path, columns = message.index.group.entity_path, message.index.group.columns
    key = (path, frozenset(columns.timelines), frozenset(columns.descriptors))
    # Rows that are not encoded yet are the recording's.
    return key if message.store.kind is StoreKind.RECORDING else (message.store, *key)


@lru_cache(maxsize=1024)
def _contents(timelines: tuple[Timeline, ...], columns: frozenset[Any]) -> tuple[Hashable, Hashable]:
    """Timelines and components of a group of cuts, whatever their order and their encodings."""
    return frozenset(timelines), frozenset(descriptor for descriptor, _ in columns)


def remove_empty(commands: deque[Any]) -> None:
    """Takes out what was dropped as a whole; others may append meanwhile."""
    if not any(map(_is_empty, [*commands])):
        return
    kept = [commands.popleft() for _ in range(len(commands))]
    commands.extendleft(each for each in reversed(kept) if not _is_empty(each))


def _is_empty(command: object) -> bool:
    return isinstance(command, Batch | Ready) and command.is_empty
