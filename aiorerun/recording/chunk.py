"""A chunk of a recording, as it is read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aiorerun.codec.chunk_facts import ChunkFacts, chunk_facts

if TYPE_CHECKING:
    from collections.abc import Callable

    import pyarrow as pa

    from aiorerun.types.descriptors import ComponentDescriptor
    from aiorerun.types.store import StoreId
    from aiorerun.types.timeline import Timeline


class Chunk:
    """Rows of one entity with the same columns: what a recording is made of.

    It never changes, and may be used from any thread. Its contents are read and decoded at the first use;
    damage shows then, as an :class:`~aiorerun.RrdError`. The asyncio API gives chunks that are decoded.

    It offers the Arrow PyCapsule interface, so ``pyarrow.record_batch(chunk)``, ``polars.DataFrame(chunk)``
    and the like take it as it is.

    Example:
        >>> import aiorerun.sync as rr
        >>> rec = rr.RecordingStream("rerun_example_chunk", recording_id="x", send_properties=False)
        >>> rec.save("chunk.rrd")
        >>> rec.set_log_time_enabled(False)
        >>> rec.set_log_tick_enabled(False)
        >>> rec.set_time("frame", sequence=7)
        >>> rec.log("wave", rr.Scalars(0.5))
        >>> rec.disconnect()
        >>> (chunk,) = rr.recording.load_recording("chunk.rrd").chunks()
        >>> chunk.entity_path, chunk.num_rows, chunk.timeline_names
        ('/wave', 1, ['frame'])
        >>> [descriptor.component for descriptor in chunk.components]
        ['Scalars:scalars']
        >>> chunk.column("Scalars:scalars").to_pylist(), chunk.column("frame").to_pylist()
        ([[0.5]], [7])

    Attributes:
        store: The recording it was read from (kind, application id, recording id); ``None`` for chunks that
            were made of a record batch.
    """

    __slots__ = ("_batch", "_facts", "_load", "store")

    def __init__(
        self, load: Callable[[], tuple[pa.RecordBatch, ChunkFacts]], store: StoreId | None = None
    ) -> None:
        self.store = store
        self._load: Callable[[], tuple[pa.RecordBatch, ChunkFacts]] | None = load
        self._batch: pa.RecordBatch | None = None
        self._facts: ChunkFacts | None = None

    @classmethod
    def from_record_batch(cls, batch: pa.RecordBatch) -> Chunk:
        """The chunk whose record batch this is, with its ids and metadata.

        Raises:
            RrdError: It is not the batch of a chunk.
        """
        facts = chunk_facts(batch)
        chunk = cls(lambda: (batch, facts))
        chunk._loaded()
        return chunk

    def _loaded(self) -> tuple[pa.RecordBatch, ChunkFacts]:
        batch, facts = self._batch, self._facts
        if batch is None or facts is None:
            load = self._load
            # Another thread may have been first.
            batch, facts = (self._batch, self._facts) if load is None else load()
            assert batch is not None
            assert facts is not None
            self._batch, self._facts = batch, facts
            self._load = None
        return batch, facts

    @property
    def is_read(self) -> bool:
        """Whether it is read and decoded, so that using it does not block."""
        return self._batch is not None

    @property
    def id(self) -> str:
        """The chunk id, as the official SDK writes it: ``chunk_`` and 32 hexadecimal digits."""
        return f"chunk_{self._loaded()[1].id}"

    @property
    def entity_path(self) -> str:
        """Whose rows it has, in normal form, e.g. ``/world/points``."""
        return self._loaded()[1].entity_path

    @property
    def num_rows(self) -> int:
        """How many rows it has."""
        return self._loaded()[1].num_rows

    @property
    def nbytes(self) -> int:
        """About how many bytes its columns take in memory."""
        size: int = self._loaded()[0].nbytes
        return size

    @property
    def is_static(self) -> bool:
        """Whether its rows hold at all times."""
        return not self._loaded()[1].indexes

    @property
    def timelines(self) -> list[Timeline]:
        """Names and kinds of its timelines, in column order."""
        return [index.timeline for index in self._loaded()[1].indexes]

    @property
    def timeline_names(self) -> list[str]:
        """Names of its timelines, in column order."""
        return [index.timeline.name for index in self._loaded()[1].indexes]

    @property
    def components(self) -> list[ComponentDescriptor]:
        """Its components, in column order."""
        return [component.descriptor for component in self._loaded()[1].components]

    @property
    def row_ids(self) -> pa.Array[Any]:
        """The ids of its rows: ``FixedSizeBinary(16)``, big-endian, so that they sort by time."""
        batch, facts = self._loaded()
        return batch.column(facts.row_ids)

    def column(self, name: str) -> pa.Array[Any]:
        """The column of a timeline or component.

        A timeline has ``Int64``, ``Duration(ns)`` or ``Timestamp(ns)`` values, a component a list of
        instances per row; null where the row did not log it.

        Raises:
            KeyError: It has no such column.
        """
        batch, facts = self._loaded()
        for index in facts.indexes:
            if index.timeline.name == name:
                return batch.column(index.column)
        column = self._component_column(name)
        if column is not None:
            return column
        known = [*self.timeline_names, *(each.component for each in self.components)]
        raise KeyError(f"the chunk has no timeline or component {name!r}, only {', '.join(map(repr, known))}")

    def _component_column(self, name: str) -> pa.Array[Any] | None:
        """The column of a component, also if a timeline has the same name."""
        batch, facts = self._loaded()
        for component in facts.components:
            if component.descriptor.component == name:
                return batch.column(component.column)
        return None

    def to_record_batch(self) -> pa.RecordBatch:
        """Everything in it, with the metadata that Rerun's own tools expect; nothing is copied."""
        return self._loaded()[0]

    def __arrow_c_array__(self, requested_schema: object = None) -> tuple[object, object]:
        capsules: tuple[object, object] = self._loaded()[0].__arrow_c_array__(requested_schema)
        return capsules

    def __repr__(self) -> str:
        if self._facts is None:
            return "Chunk(not read yet)"
        kind = "static" if self.is_static else f"on {', '.join(self.timeline_names)}"
        return f"Chunk({self.entity_path!r}, {self.num_rows} rows, {kind}, {self.id})"
