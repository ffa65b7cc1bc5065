"""The manifest of a store: a table of its chunks, and the schema of everything in it."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

import numpy as np
import pyarrow as pa

from aiorerun.codec import chunk_schema as names
from aiorerun.codec.chunk_index import record_dtype
from aiorerun.codec.compression import compress
from aiorerun.codec.manifest_names import column_name, component_parts
from aiorerun.codec.manifest_schema import Catalog
from aiorerun.codec.messages import store_id_payload
from aiorerun.codec.protobuf import bytes_field, varint_field
from aiorerun.types.numpy_arrow import numbers_array, texts_array

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import numpy.typing as npt

    from aiorerun.codec.chunk_index import ChunkGroup
    from aiorerun.types.descriptors import ComponentDescriptor
    from aiorerun.types.store import StoreId

_INDEX: Final = b"rerun:index"
_ENCODER_V0: Final = 1


class GroupRows(NamedTuple):
    """The chunks of one group.

    Attributes:
        group: What they have in common.
        records: One after the other.
        rows: Where each of them is in the table, that is among the chunks of its store.
    """

    group: ChunkGroup
    records: bytes | bytearray
    rows: npt.NDArray[np.intp]


class Places(NamedTuple):
    """Where the chunks of a store are in the stream: first bytes of the payloads, and their sizes."""

    offsets: npt.NDArray[np.uint64]
    sizes: npt.NDArray[np.uint64]


def manifest_payload(store: StoreId, groups: Sequence[GroupRows], places: Places) -> bytes:
    """The ``RrdManifest`` message of a store."""
    catalog = Catalog([each.group for each in groups])
    schema = _stream_of(catalog.schema())
    table = _Table(catalog, len(places.offsets))
    for group in groups:
        table.add(group)
    data = _stream_of(table.finish(places))
    segments, _, compression = compress((data,), len(data))
    part = (
        varint_field(1, _ENCODER_V0)
        + bytes_field(2, b"".join(segments))
        + varint_field(3, compression)
        + varint_field(4, len(data))
    )
    return b"".join(
        (
            bytes_field(1, store_id_payload(store)),
            bytes_field(2, bytes_field(1, schema)),
            bytes_field(3, hashlib.sha256(schema).digest()),
            bytes_field(4, part),
        )
    )


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

    def __init__(self, kind: pa.DataType, num_chunks: int) -> None:
        self.kind = kind
        self.known = np.zeros(num_chunks, np.bool_)
        self.start = np.zeros(num_chunks, np.int64)
        self.end = np.zeros(num_chunks, np.int64)

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

    def __init__(self, catalog: Catalog, num_chunks: int) -> None:
        self._catalog = catalog
        self._num_chunks = num_chunks
        self._ids = np.zeros(num_chunks, "V16")
        self._num_rows = np.zeros(num_chunks, np.uint64)
        self._uncompressed = np.zeros(num_chunks, np.uint64)
        self._is_static = np.zeros(num_chunks, np.bool_)
        self._paths = np.zeros(num_chunks, np.int32)
        self._path_codes: dict[str, int] = {}
        self._static: dict[ComponentDescriptor, npt.NDArray[np.bool_]] = {}
        self._times: dict[str, _Ranges] = {}
        self._component_times: dict[tuple[str, ComponentDescriptor], _ComponentTimes] = {}

    def add(self, group_rows: GroupRows) -> None:
        """Takes in the chunks of a group."""
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
                has_static = self._static[descriptor] = np.zeros(self._num_chunks, np.bool_)
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
            ranges = self._times[timeline] = _Ranges(kind, self._num_chunks)
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
            ranges = _Ranges(self._times[timeline].kind, self._num_chunks)
            found = self._component_times[key] = (ranges, np.zeros(self._num_chunks, np.uint64))
        ranges, num_rows = found
        num_rows[rows] = counts
        filled = counts > 0
        ranges.set(rows[filled], times[filled])

    def finish(self, places: Places) -> pa.RecordBatch:
        """The table."""
        paths = texts_array(list(self._path_codes)).take(numbers_array(np.asarray(self._paths)))
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
        column("chunk_byte_offset", numbers_array(places.offsets))
        column("chunk_byte_size", numbers_array(places.sizes))
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
