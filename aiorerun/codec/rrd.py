"""The encoder of RRD streams: files, standard output, memory."""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING, Final

import numpy as np

from aiorerun.codec import framing
from aiorerun.codec.chunk_index import record_size
from aiorerun.codec.framing import MESSAGE_HEADER, MessageKind
from aiorerun.codec.manifest import GroupRows, Places, manifest_payload
from aiorerun.codec.protobuf import bytes_field

if TYPE_CHECKING:
    from aiorerun.codec.chunk_index import ChunkGroup
    from aiorerun.codec.chunk_template import Segment
    from aiorerun.codec.messages import Message
    from aiorerun.types.store import StoreId

_NO_CHUNK: Final = -1


class _Group:
    """The records of the chunks of one store that have one layout."""

    __slots__ = ("group", "records", "store")

    def __init__(self, store: StoreId, group: ChunkGroup) -> None:
        self.store = store
        self.group = group
        self.records = bytearray()


class RrdEncoder:
    """Makes an RRD stream of messages, piece by piece.

    Write what :meth:`start`, then :meth:`encode` for each message, and at last :meth:`finish` return.
    For the footer it keeps about a hundred bytes per chunk.
    """

    __slots__ = ("_by_key", "_ends", "_groups", "_position", "_which")

    def __init__(self) -> None:
        self._position = 0
        # Per message: where it ends, and the number of its group.
        self._ends = array("Q")
        self._which = array("l")
        self._groups: list[_Group] = []
        self._by_key: dict[tuple[StoreId, ChunkGroup], int] = {}

    @property
    def nbytes(self) -> int:
        """How many bytes the stream has so far."""
        return self._position

    def start(self) -> list[Segment]:
        """The header of the stream."""
        header = framing.stream_header()
        self._position = len(header)
        return [header]

    def encode(self, message: Message) -> list[Segment]:
        """The bytes of a message."""
        self._position += MESSAGE_HEADER.size + message.nbytes
        self._ends.append(self._position)
        index = message.index
        if index is None:
            self._which.append(_NO_CHUNK)
        else:
            key = (message.store, index.group)
            which = self._by_key.get(key)
            if which is None:
                which = self._by_key[key] = len(self._groups)
                self._groups.append(_Group(message.store, index.group))
            self._which.append(which)
            self._groups[which].records += index.record
        return [MESSAGE_HEADER.pack(message.kind, message.nbytes), *message.segments]

    def undo(self, count: int) -> None:
        """Forgets the last messages, which could not be written."""
        for _ in range(count):
            which = self._which.pop()
            self._ends.pop()
            if which != _NO_CHUNK:
                group = self._groups[which]
                del group.records[len(group.records) - record_size(group.group) :]
        self._position = self._ends[-1] if self._ends else len(framing.stream_header())

    def finish(self, write_footer: bool = True) -> list[Segment]:
        """The end of the stream.

        Args:
            write_footer: Whether there is one. Without, the stream ends with the last message; it can
                still be read, but only from front to back.
        """
        if not write_footer:
            return []
        payload = b"".join(bytes_field(1, manifest) for manifest in self._manifests())
        header = MESSAGE_HEADER.pack(MessageKind.END, len(payload))
        start = self._position + len(header)
        end = framing.stream_footer(start, payload)
        self._position = start + len(payload) + len(end)
        return [header, payload, end] if payload else [header, end]

    def _manifests(self) -> list[bytes]:
        ends = np.frombuffer(self._ends, np.uint64) if self._ends else np.zeros(0, np.uint64)
        which = np.frombuffer(self._which, np.dtype("l")) if self._which else np.zeros(0, np.dtype("l"))
        by_group = np.argsort(which, kind="stable")
        bounds = np.searchsorted(which[by_group], np.arange(len(self._groups) + 1))
        stores: dict[StoreId, list[int]] = {}
        for number, group in enumerate(self._groups):
            if group.records:
                stores.setdefault(group.store, []).append(number)
        manifests: list[bytes] = []
        row_of = np.zeros(len(which), np.intp)
        for store, numbers in stores.items():
            messages = [by_group[bounds[number] : bounds[number + 1]] for number in numbers]
            in_order = np.sort(np.concatenate(messages))
            row_of[in_order] = np.arange(len(in_order))
            groups = [
                GroupRows(self._groups[number].group, self._groups[number].records, row_of[positions])
                for number, positions in zip(numbers, messages, strict=True)
            ]
            manifests.append(manifest_payload(store, groups, _places(ends, in_order)))
        return manifests


def _places(ends: np.ndarray, messages: np.ndarray) -> Places:
    before = np.concatenate((np.array([len(framing.stream_header())], np.uint64), ends[:-1]))
    offsets = before[messages] + np.uint64(MESSAGE_HEADER.size)
    return Places(offsets, ends[messages] - offsets)
