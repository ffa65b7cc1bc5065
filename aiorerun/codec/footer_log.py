"""What the footer of a stream will say about its chunks, kept while the stream is written."""

from __future__ import annotations

import struct
from array import array
from itertools import pairwise
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from aiorerun.codec.chunk_index import record_size
from aiorerun.codec.scratch import Scratch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import BinaryIO

    import numpy.typing as npt

    from aiorerun.codec.chunk_index import ChunkGroup
    from aiorerun.codec.messages import Message
    from aiorerun.types.descriptors import ComponentDescriptor
    from aiorerun.types.store import StoreId

NO_CHUNK: Final = -1
"""The group of a message that is no chunk."""

MAX_CHUNKS: Final = 1 << 25
MAX_GROUPS: Final = 1 << 16

SPILL_BYTES: Final = 4 << 20
"""With more than this in memory, it goes to the scratch file."""

GIVE_UP_BYTES: Final = 64 << 20
"""With more than this in memory, because the scratch file cannot be written, there will be no footer."""

_ENTRY_BYTES: Final = 16

# About what a footer takes: for a store, for a component of an entity and what describes one column of the
# table, for a chunk, and for one in a table that is not compressed, with and without one of its columns.
_STORE_BYTES: Final = 1200
_COMPONENT_BYTES: Final = 300
_COLUMN_BYTES: Final = 400
_CHUNK_BYTES: Final = 64
_PLAIN_CHUNK_BYTES: Final = 80
_PLAIN_COLUMN_BYTES: Final = 26
_BLOCK: Final = struct.Struct("<QQ")
"""Number of messages, number of groups."""


class Block(NamedTuple):
    """Some messages in a row.

    Attributes:
        before: Where the first one begins.
        ends: Where each ends.
        groups: The number of its group, or ``NO_CHUNK``.
        records: By number of the group, the records of its chunks, one after the other.
    """

    before: int
    ends: npt.NDArray[np.uint64]
    groups: npt.NDArray[np.int64]
    records: list[bytes | bytearray]


class Group:
    """The chunks of one store that have one layout.

    Attributes:
        store: The store.
        group: What they have in common.
        chunks: How many there are.
        records: The records of those that are in memory.
    """

    __slots__ = ("chunks", "group", "records", "store")

    def __init__(self, store: StoreId, group: ChunkGroup) -> None:
        self.store = store
        self.group = group
        self.chunks = 0
        self.records = bytearray()


class FooterLog:
    """Notes every message: a few MiB in memory, the rest in a scratch file.

    Args:
        scratch: Makes that file; ``None`` keeps everything in memory.
        start: Where the first message begins.

    Attributes:
        groups: By number.
        is_closed: Whether it has become too much for a footer; nothing is noted any more.
    """

    def __init__(self, scratch: Callable[[], BinaryIO] | None, start: int) -> None:
        self._make_scratch = scratch
        self.scratch: Scratch | None = None
        self._start = start
        self._before = start
        self._last = start
        self._ends = array("Q")
        self._which = array("q")
        self._record_bytes = 0
        self._chunks = 0
        self._spilled = 0
        self.groups: list[Group] = []
        self._by_key: dict[tuple[StoreId, ChunkGroup], int] = {}
        self._columns: set[tuple[StoreId, str, ComponentDescriptor]] = set()
        self._stores: set[StoreId] = set()
        self._described_bytes = 0
        self.is_closed = False

    def add(self, message: Message, end: int) -> None:
        """Notes a message that ends there."""
        self._ends.append(end)
        index = message.index
        if index is None or self.is_closed:
            self._which.append(NO_CHUNK)
            return
        key = (message.store, index.group)
        which = self._by_key.get(key)
        if which is None:
            which = self._by_key[key] = len(self.groups)
            self.groups.append(Group(message.store, index.group))
            self._describe(message.store, index.group)
        self._which.append(which)
        group = self.groups[which]
        group.records += index.record
        group.chunks += 1
        self._record_bytes += len(index.record)
        self._chunks += 1

    def _describe(self, store: StoreId, group: ChunkGroup) -> None:
        timelines, descriptors = group.columns.timelines, group.columns.descriptors
        if store not in self._stores:
            self._stores.add(store)
            self._described_bytes += _STORE_BYTES
        self._described_bytes += len(descriptors) * (_COMPONENT_BYTES + len(group.entity_path))
        for timeline in timelines:
            for descriptor in descriptors:
                if (store, timeline.name, descriptor) not in self._columns:
                    self._columns.add((store, timeline.name, descriptor))
                    self._described_bytes += 3 * _COLUMN_BYTES

    @property
    def estimated_bytes(self) -> int:
        """About how many bytes the footer will have; rather too many."""
        per_chunk = _CHUNK_BYTES
        if self.scratch is not None:
            per_chunk = _PLAIN_CHUNK_BYTES + _PLAIN_COLUMN_BYTES * len(self._columns)
        return self._described_bytes + per_chunk * self._chunks

    def undo(self, count: int) -> int:
        """Forgets the last messages; returns where the one before ends."""
        for _ in range(count):
            which = self._which.pop()
            self._ends.pop()
            if which != NO_CHUNK:
                group = self.groups[which]
                size = record_size(group.group)
                del group.records[len(group.records) - size :]
                group.chunks -= 1
                self._record_bytes -= size
                self._chunks -= 1
        return self._ends[-1] if self._ends else self._before

    def settle(self) -> None:
        """Nothing noted so far will be undone."""
        if self._chunks > MAX_CHUNKS or len(self.groups) > MAX_GROUPS:
            self.close()
        if self.is_closed:
            self._forget()
            return
        nbytes = self._record_bytes + _ENTRY_BYTES * len(self._ends)
        if nbytes < SPILL_BYTES or self._make_scratch is None:
            return
        try:
            self._spill(self._make_scratch)
        except OSError:
            # As good as everything is tried again later, when the disk may have room.
            if nbytes > GIVE_UP_BYTES:
                self.close()

    def close(self) -> None:
        """Gives the footer up, and everything that was kept for it."""
        self.is_closed = True
        self._forget()
        self.groups, self._by_key, self._columns, self._stores = [], {}, set(), set()
        self.release()

    def release(self) -> None:
        """Gives the scratch file back."""
        scratch, self.scratch = self.scratch, None
        if scratch is not None:
            scratch.close()

    def blocks(self) -> Iterator[Block]:
        """Everything noted, in order."""
        before = self._start
        if self.scratch is not None:
            position = 0
            while position < self._spilled:
                block, position = self._read(position, before)
                before = int(block.ends[-1])
                yield block
        if self._ends:
            yield Block(
                before,
                np.frombuffer(self._ends, np.uint64),
                np.frombuffer(self._which, np.int64),
                [group.records for group in self.groups],
            )

    def _spill(self, make_scratch: Callable[[], BinaryIO]) -> None:
        if self.scratch is None:
            self.scratch = Scratch(make_scratch())
        sizes = array("Q", [len(group.records) for group in self.groups])
        parts: list[bytes | bytearray] = [
            _BLOCK.pack(len(self._ends), len(sizes)),
            sizes.tobytes(),
            self._ends.tobytes(),
            self._which.tobytes(),
            *(group.records for group in self.groups if group.records),
        ]
        self.scratch.append(b"".join(parts))
        self._spilled = self.scratch.end
        self._forget()

    def _forget(self) -> None:
        if self._ends:
            self._before = self._ends[-1]
        self._ends, self._which = array("Q"), array("q")
        self._record_bytes = 0
        for group in self.groups:
            if group.records:
                group.records = bytearray()

    def _read(self, position: int, before: int) -> tuple[Block, int]:
        assert self.scratch is not None
        count, groups = _BLOCK.unpack(self.scratch.read(position, _BLOCK.size))
        position += _BLOCK.size
        head = self.scratch.read(position, 8 * groups + _ENTRY_BYTES * count)
        position += len(head)
        sizes = np.frombuffer(head, np.uint64, groups)
        ends = np.frombuffer(head, np.uint64, count, 8 * groups)
        which = np.frombuffer(head, np.int64, count, 8 * (groups + count))
        data = self.scratch.read(position, int(sizes.sum()))
        position += len(data)
        bounds = np.concatenate(([0], np.cumsum(sizes))).astype(np.int64).tolist()
        records: list[bytes | bytearray] = [data[start:end] for start, end in pairwise(bounds)]
        return Block(before, ends, which, records), position
