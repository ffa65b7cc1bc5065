"""The manifest of a store: a table of its chunks, and the schema of everything in it."""

from __future__ import annotations

import errno
import hashlib
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

import numpy as np
import pyarrow as pa

from aiorerun.codec import chunk_schema as names
from aiorerun.codec.chunk_index import record_dtype
from aiorerun.codec.compression import compress
from aiorerun.codec.framing import MESSAGE_HEADER
from aiorerun.codec.manifest_names import column_name, component_parts
from aiorerun.codec.manifest_schema import Catalog
from aiorerun.codec.messages import store_id_payload
from aiorerun.codec.protobuf import bytes_field, tag, varint, varint_field
from aiorerun.types.numpy_arrow import numbers_array

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    import numpy.typing as npt

    from aiorerun.codec.chunk_index import ChunkGroup
    from aiorerun.codec.chunk_template import Segment
    from aiorerun.codec.footer_log import Block, FooterLog
    from aiorerun.codec.scratch import Scratch
    from aiorerun.types.descriptors import ComponentDescriptor
    from aiorerun.types.store import StoreId

_INDEX: Final = b"rerun:index"
_ENCODER_V0: Final = 1
_UNCOMPRESSED: Final = 1
_MAX_FOOTER_BYTES: Final = 1 << 31
_BLOCK_ROWS: Final = 1 << 16


class GroupRows(NamedTuple):
    """Some chunks of one group.

    Attributes:
        group: What they have in common.
        records: One after the other.
        rows: Where each of them is in the table, that is among the chunks of its store.
    """

    group: ChunkGroup
    records: bytes | bytearray
    rows: npt.NDArray[np.intp]


class ManifestBuilder:
    """Makes the manifests of all stores of a stream from what was noted about it.

    Args:
        log: What was noted. If it has a scratch file, the tables are put together there.
    """

    def __init__(self, log: FooterLog) -> None:
        self._log = log

    def manifests(self, announced: Iterable[StoreId] = ()) -> Iterable[list[Segment]]:
        """The ``RrdManifest`` messages, in pieces.

        Args:
            announced: Stores that have one if no store has any chunks.
        """
        stores: dict[StoreId, list[int]] = {}
        for number, group in enumerate(self._log.groups):
            if group.chunks:
                stores.setdefault(group.store, []).append(number)
        for store, numbers in (stores or {store: [] for store in announced}).items():
            yield self._manifest(store, numbers)

    def _manifest(self, store: StoreId, numbers: Sequence[int]) -> list[Segment]:
        groups = self._log.groups
        catalog = Catalog([groups[number].group for number in numbers])
        schema = _stream_of(catalog.schema())
        table = _Table(catalog, sum(groups[number].chunks for number in numbers), self._log.scratch)
        wanted = np.zeros(len(groups) + 1, np.bool_)
        wanted[list(numbers)] = True
        base = 0
        for block in self._log.blocks():
            base += self._add(table, block, wanted, base)
        data, compression, nbytes = self._data(table.finish())
        size = sum(map(len, data))
        part = varint_field(1, _ENCODER_V0) + tag(2, 2) + varint(size)
        tail = varint_field(3, compression) + varint_field(4, nbytes)
        head = (
            bytes_field(1, store_id_payload(store))
            + bytes_field(2, bytes_field(1, schema))
            + bytes_field(3, hashlib.sha256(schema).digest())
            + tag(4, 2)
            + varint(len(part) + size + len(tail))
            + part
        )
        return [head, *data, tail]

    def _add(self, table: _Table, block: Block, wanted: npt.NDArray[np.bool_], base: int) -> int:
        """Adds the chunks of a block that belong to the store; returns how many they are."""
        messages = np.flatnonzero(wanted[block.groups])
        if not len(messages):
            return 0
        which = block.groups[messages]
        begins = np.concatenate((np.array([block.before], np.uint64), block.ends[:-1]))
        offsets = begins[messages] + np.uint64(MESSAGE_HEADER.size)
        table.place(base, offsets, block.ends[messages] - offsets)
        by_group = np.argsort(which, kind="stable")
        ordered = which[by_group]
        bounds = [0, *(np.flatnonzero(ordered[1:] != ordered[:-1]) + 1).tolist(), len(ordered)]
        for start, end in pairwise(bounds):
            number = int(ordered[start])
            rows = base + by_group[start:end]
            table.add(GroupRows(self._log.groups[number].group, block.records[number], rows))
        return len(messages)

    def _data(self, batch: pa.RecordBatch) -> tuple[Sequence[Segment], int, int]:
        """The table as it is written: its pieces, how they are compressed, and their size without that."""
        scratch = self._log.scratch
        if scratch is None:
            data = _stream_of(batch)
            segments, _, compression = compress((data,), len(data))
            return segments, compression, len(data)
        # What is that large is written as it is: compressing it would take it all into memory.
        start = scratch.start_page()
        with pa.PythonFile(_Appending(scratch), "w") as sink, pa.ipc.new_stream(sink, batch.schema) as writer:
            writer.write_batch(batch)
        view = scratch.view(start)
        return (view,), _UNCOMPRESSED, len(view)


class _Appending:
    """The end of a scratch file, as pyarrow likes files."""

    closed = False

    def __init__(self, scratch: Scratch) -> None:
        self._scratch = scratch

    def write(self, data: Any) -> int:
        self._scratch.append(data)
        return len(data)

    def flush(self) -> None:
        pass

    def close(self) -> None:
        self.closed = True


def too_large(nbytes: int) -> bool:
    """Whether readers would have trouble with a footer of so many bytes."""
    return nbytes >= _MAX_FOOTER_BYTES


def _stream_of(content: pa.Schema | pa.RecordBatch) -> bytes:
    """An Arrow IPC stream of one batch, or of none."""
    sink = pa.BufferOutputStream()
    is_batch = isinstance(content, pa.RecordBatch)
    with pa.ipc.new_stream(sink, content.schema if is_batch else content) as writer:
        if is_batch:
            writer.write_batch(content)
    data: bytes = sink.getvalue().to_pybytes()
    return data


class _Ranges:
    """Earliest and latest time per chunk, where there is one."""

    __slots__ = ("end", "kind", "known", "start")

    def __init__(self, kind: pa.DataType, allocate: Callable[[npt.DTypeLike], npt.NDArray[Any]]) -> None:
        self.kind = kind
        self.known = allocate(np.bool_)
        self.start = allocate(np.int64)
        self.end = allocate(np.int64)

    def set(self, rows: npt.NDArray[np.intp], times: npt.NDArray[np.int64]) -> None:
        """Fills in some chunks; ``times`` has earliest and latest."""
        self.known[rows] = True
        self.start[rows] = times[:, 0]
        self.end[rows] = times[:, 1]

    def columns(self, *parts: str) -> Iterable[tuple[str, pa.Array[Any]]]:
        """Both columns with their names."""
        for which in ("start", "end"):
            numbers = numbers_array(getattr(self, which), self.known)
            yield column_name(*parts, which), numbers.view(self.kind)


_ComponentTimes: TypeAlias = "tuple[_Ranges, npt.NDArray[np.uint64]]"
"""When a component has values on a timeline, and in how many rows, per chunk."""


class _Table:
    """Gathers what the records of all groups say, in columns."""

    def __init__(self, catalog: Catalog, num_chunks: int, scratch: Scratch | None) -> None:
        self._catalog = catalog
        self._num_chunks = num_chunks
        self._scratch = scratch
        self._ids = self._allocate("V16")
        self._num_rows = self._allocate(np.uint64)
        self._uncompressed = self._allocate(np.uint64)
        self._is_static = self._allocate(np.bool_)
        self._offsets = self._allocate(np.uint64)
        self._sizes = self._allocate(np.uint64)
        self._paths = self._allocate(np.int32)
        self._path_codes: dict[str, int] = {}
        self._static: dict[ComponentDescriptor, npt.NDArray[np.bool_]] = {}
        self._times: dict[str, _Ranges] = {}
        self._component_times: dict[tuple[str, ComponentDescriptor], _ComponentTimes] = {}

    def _allocate(self, dtype: npt.DTypeLike, count: int | None = None) -> npt.NDArray[Any]:
        count = self._num_chunks if count is None else count
        return np.zeros(count, dtype) if self._scratch is None else self._scratch.array(dtype, count)

    def place(self, row: int, offsets: npt.NDArray[np.uint64], sizes: npt.NDArray[np.uint64]) -> None:
        """Says where chunks are in the stream: first bytes of the payloads, and their sizes."""
        self._offsets[row : row + len(offsets)] = offsets
        self._sizes[row : row + len(sizes)] = sizes

    def add(self, group_rows: GroupRows) -> None:
        """Takes in chunks of a group."""
        group, records, rows = group_rows
        data = np.frombuffer(records, record_dtype(group))
        self._ids[rows] = data["id"]
        self._num_rows[rows] = data["num_rows"]
        self._uncompressed[rows] = data["uncompressed_size"]
        self._paths[rows] = self._path_codes.setdefault(group.entity_path, len(self._path_codes))
        columns = group.columns
        is_static = not columns.timelines
        self._is_static[rows] = is_static
        descriptors = self._catalog.descriptors(group)
        for descriptor in descriptors:
            has_static = self._static.get(descriptor)
            if has_static is None:
                has_static = self._static[descriptor] = self._allocate(np.bool_)
            if is_static:
                has_static[rows] = True
        for number, timeline in enumerate(columns.timelines):
            if timeline.name not in self._catalog.timelines:
                continue
            times = data["times"][:, number]
            filled = data["num_rows"] > 0
            self._ranges(timeline.name).set(rows[filled], times[filled])
            for position, descriptor in enumerate(descriptors):
                if position in group.sparse:
                    sparse = data["sparse"][:, group.sparse.index(position)]
                    own = sparse[:, 1 + 2 * number : 3 + 2 * number]
                    self._add_component(timeline.name, descriptor, rows, sparse[:, 0], own)
                else:
                    self._add_component(timeline.name, descriptor, rows, data["num_rows"], times)

    def _ranges(self, timeline: str) -> _Ranges:
        ranges = self._times.get(timeline)
        if ranges is None:
            # Where the kind of a timeline changed, the first one counts, and the numbers stay.
            kind = names.TIME_TYPES[self._catalog.timelines[timeline].kind]
            ranges = self._times[timeline] = _Ranges(kind, self._allocate)
        return ranges

    def _add_component(
        self,
        timeline: str,
        descriptor: ComponentDescriptor,
        rows: npt.NDArray[np.intp],
        counts: npt.NDArray[np.int64],
        times: npt.NDArray[np.int64],
    ) -> None:
        key = (timeline, descriptor)
        found = self._component_times.get(key)
        if found is None:
            ranges = _Ranges(self._times[timeline].kind, self._allocate)
            found = self._component_times[key] = (ranges, self._allocate(np.uint64))
        ranges, num_rows = found
        num_rows[rows] = counts
        filled = counts > 0
        ranges.set(rows[filled], times[filled])

    def _path_column(self) -> pa.Array[Any]:
        """The path of each chunk, made block by block: all at once they may be too many for memory."""
        paths = [path.encode() for path in self._path_codes]
        lengths = np.fromiter(map(len, paths), np.int64)
        offsets = self._allocate(np.int32, self._num_chunks + 1)
        total = int(lengths[self._paths].sum()) if self._num_chunks else 0
        if total >= _MAX_FOOTER_BYTES:
            raise OSError(errno.EFBIG, "the entity paths of all chunks are too much for a footer")
        data = self._allocate(np.uint8, total)
        end = 0
        for start in range(0, self._num_chunks, _BLOCK_ROWS):
            codes = self._paths[start : start + _BLOCK_ROWS]
            # Arrow's `take` would import its compute functions, which takes longer than all else here.
            block = b"".join(map(paths.__getitem__, codes.tolist()))
            data[end : end + len(block)] = np.frombuffer(block, np.uint8)
            offsets[start + 1 : start + 1 + len(codes)] = end + np.cumsum(lengths[codes])
            end += len(block)
        buffers = [None, pa.py_buffer(offsets), pa.py_buffer(data)]
        return pa.Array.from_buffers(pa.utf8(), self._num_chunks, buffers)

    def finish(self) -> pa.RecordBatch:
        """The table."""
        paths = self._path_column()
        ids = pa.Array.from_buffers(names.ROW_ID_TYPE, self._num_chunks, [None, pa.py_buffer(self._ids)])
        arrays: list[pa.Array[Any]] = []
        fields: list[pa.Field[Any]] = []

        def column(name: str, array: pa.Array[Any], metadata: dict[bytes, bytes] | None = None) -> None:
            # Times are null where a chunk has none.
            nullable = name.endswith((":start", ":end", ":num_rows"))
            fields.append(pa.field(name, array.type, nullable=nullable, metadata=metadata))
            arrays.append(array)

        column("chunk_entity_path", paths)
        column("chunk_id", ids)
        column("chunk_is_static", numbers_array(self._is_static))
        column("chunk_num_rows", numbers_array(self._num_rows))
        column("chunk_byte_offset", numbers_array(self._offsets))
        column("chunk_byte_size", numbers_array(self._sizes))
        column("chunk_byte_size_uncompressed", numbers_array(self._uncompressed))
        for descriptor, has_static in self._static.items():
            name = column_name(*component_parts(descriptor), "has_static_data")
            column(name, numbers_array(has_static), {_INDEX: b"rerun:static", **_described(descriptor)})
        for timeline, ranges in self._times.items():
            for name, array in ranges.columns(timeline):
                column(name, array, {_INDEX: timeline.encode()})
        for (timeline, descriptor), (ranges, num_rows) in self._component_times.items():
            metadata = {_INDEX: timeline.encode(), **_described(descriptor)}
            parts = (timeline, *component_parts(descriptor))
            for name, array in ranges.columns(*parts):
                column(name, array, metadata)
            column(column_name(*parts, "num_rows"), numbers_array(num_rows), metadata)
        return pa.RecordBatch.from_arrays(arrays, schema=pa.schema(fields))


def _described(descriptor: ComponentDescriptor) -> dict[bytes, bytes]:
    metadata = names.component_metadata(descriptor)
    del metadata[names.KIND]
    return metadata
