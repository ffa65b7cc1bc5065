"""The newest messages, as many as limits of time and bytes allow. Pure."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

from aiorerun.codec.chunk_index import ChunkIndex
from aiorerun.codec.framing import MessageKind
from aiorerun.codec.messages import Message

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aiorerun.codec.chunk_index import ChunkGroup
    from aiorerun.codec.chunk_template import Segment
    from aiorerun.types.store import StoreId

    # When it came, when its oldest row was captured, bytes, rows, pieces, what the footer says, its group.
    # The garbage collector looks at objects of any class again and again, which takes tens of milliseconds
    # when many thousand small messages are kept; tuples of plain values it lets alone.
    Kept: TypeAlias = tuple[int, int, int, int, tuple[Segment, ...], bytes, int]

ENTRY_BYTES: Final = 512
"""What keeping a message costs beside its bytes, about."""


class Dated(NamedTuple):
    """A message with the times of its rows, in nanoseconds since the epoch.

    Attributes:
        message: A chunk with times.
        captured_ns: When its oldest row was captured; 0 if its rows come from elsewhere.
        arrived_ns: When it came; its newest row is no younger.
    """

    message: Message
    captured_ns: int
    arrived_ns: int


class Ring:
    """Keeps chunks in the order in which they come, and lets go of the oldest.

    Args:
        max_ns: How long a chunk is kept; ``None`` as long as there is room.
        max_bytes: Bytes that are kept, :data:`ENTRY_BYTES` for each chunk included; ``None`` has no limit.

    Attributes:
        nbytes: Bytes that are kept.
        rows: Rows in them.
        young_lost: Whether chunks had to go for want of room that were not too old yet.
        pinned_at: As long as this is set, it is the time as far as ageing is concerned.
    """

    def __init__(self, max_ns: int | None, max_bytes: int | None) -> None:
        self._max_ns = max_ns
        self._max_bytes = max_bytes
        self._kept: deque[Kept] = deque()
        self._numbers: dict[tuple[StoreId, ChunkGroup], int] = {}
        self._groups: dict[int, tuple[StoreId, ChunkGroup]] = {}
        self._counts: dict[int, int] = {}
        self._next_group = 0
        self.nbytes = 0
        self.rows = 0
        self.young_lost = False
        self.pinned_at: int | None = None

    def __len__(self) -> int:
        return len(self._kept)

    def put(self, message: Message, now_ns: int) -> bool:
        """Takes a chunk in; returns whether there is room for it at all."""
        index = message.index
        assert index is not None
        nbytes = message.nbytes + ENTRY_BYTES
        if self._max_bytes is not None and nbytes > self._max_bytes:
            return False
        group = self._group(message.store, index.group)
        self._kept.append(
            (now_ns, message.captured_ns, nbytes, message.rows, message.segments, index.record, group)
        )
        self.nbytes += nbytes
        self.rows += message.rows
        self.trim(now_ns)
        return True

    def trim(self, now_ns: int) -> None:
        """Lets go of what is too old, and of what there is no room for."""
        kept = self._kept
        if self._max_ns is not None:
            oldest = (now_ns if self.pinned_at is None else min(self.pinned_at, now_ns)) - self._max_ns
            while kept and kept[0][0] <= oldest:
                self._drop_first()
        if self._max_bytes is not None:
            while self.nbytes > self._max_bytes:
                self.young_lost = True
                self._drop_first()

    def clear(self) -> None:
        """Lets go of everything."""
        while self._kept:
            self._drop_first()

    def snapshot(self) -> Snapshot:
        """What is kept now."""
        return Snapshot(list(self._kept), dict(self._groups))

    def _group(self, store: StoreId, group: ChunkGroup) -> int:
        key = (store, group)
        number = self._numbers.get(key)
        if number is None:
            number = self._numbers[key] = self._next_group
            self._next_group += 1
            self._groups[number] = key
            self._counts[number] = 0
        self._counts[number] += 1
        return number

    def _drop_first(self) -> None:
        _, _, nbytes, rows, _, _, number = self._kept.popleft()
        self.nbytes -= nbytes
        self.rows -= rows
        self._counts[number] -= 1
        if not self._counts[number]:
            # Entities come and go in a process that runs for months.
            del self._counts[number]
            del self._numbers[self._groups.pop(number)]


class Snapshot(NamedTuple):
    """What a ring kept at some moment."""

    kept: list[Kept]
    groups: dict[int, tuple[StoreId, ChunkGroup]]

    def messages(self) -> Iterator[Dated]:
        """The chunks, oldest first."""
        for arrived_ns, captured_ns, nbytes, rows, segments, record, number in self.kept:
            store, group = self.groups[number]
            message = Message(
                MessageKind.ARROW_MSG,
                segments,
                nbytes - ENTRY_BYTES,
                rows,
                ChunkIndex(group, record),
                store,
                captured_ns,
            )
            yield Dated(message, captured_ns, arrived_ns)
