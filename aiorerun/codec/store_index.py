"""Where the chunks of a recording are in a file, and what they hold: enough to find what is asked for."""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt
    import pyarrow as pa

    from aiorerun.codec.chunk_facts import ChunkFacts
    from aiorerun.codec.decode_messages import StoreInfo
    from aiorerun.types.descriptors import ComponentDescriptor
    from aiorerun.types.store import StoreId
    from aiorerun.types.timeline import TimelineKind


class TimelineFacts(NamedTuple):
    """A timeline of a recording: its kind, and the earliest and latest time on it, both included."""

    kind: TimelineKind
    start: int
    end: int

    def extended(self, start: int, end: int) -> TimelineFacts:
        """The same with more times."""
        return TimelineFacts(self.kind, min(self.start, start), max(self.end, end))


class ColumnFacts(NamedTuple):
    """A component of an entity: its description, the type of its instances, whether any chunk is static."""

    descriptor: ComponentDescriptor
    type: pa.DataType
    is_static: bool


class StoreIndex(NamedTuple):
    """The chunks of one recording or blueprint, in the order of the file.

    Attributes:
        store: Its name.
        info: Its announcement, if there was one.
        paths: Entity paths.
        path_codes: Per chunk, which of them it belongs to.
        ids: Per chunk, the 16 big-endian bytes of its id.
        num_rows: Per chunk.
        is_static: Per chunk.
        offsets: Per chunk, where its message payload begins in the file.
        sizes: Per chunk, how many bytes the payload has.
        uncompressed: Per chunk, how many bytes its Arrow stream says to have.
        on_timeline: By name of a timeline, per chunk whether it has rows on it.
        with_component: By component, per chunk whether any of its rows has it.
        timelines: By name.
        columns: By entity path and component.
    """

    store: StoreId
    info: StoreInfo | None
    paths: list[str]
    path_codes: npt.NDArray[np.int32]
    ids: npt.NDArray[np.void]
    num_rows: npt.NDArray[np.int64]
    is_static: npt.NDArray[np.bool_]
    offsets: npt.NDArray[np.int64]
    sizes: npt.NDArray[np.int64]
    uncompressed: npt.NDArray[np.int64]
    on_timeline: dict[str, npt.NDArray[np.bool_]]
    with_component: dict[str, npt.NDArray[np.bool_]]
    timelines: dict[str, TimelineFacts]
    columns: dict[tuple[str, str], ColumnFacts]

    def select(
        self, entity_path: str | None, component: str | None, timeline: str | None
    ) -> npt.NDArray[np.intp]:
        """The positions of the chunks that match, in the order of the file.

        Args:
            entity_path: Whose rows they have.
            component: What any of their rows has.
            timeline: On which they have rows; static ones match as well.
        """
        chosen = np.ones(len(self.offsets), np.bool_)
        if entity_path is not None:
            code = self.paths.index(entity_path) if entity_path in self.paths else -1
            chosen &= self.path_codes == code
        if component is not None:
            chosen &= self.with_component.get(component, _NOWHERE)
        if timeline is not None:
            chosen &= self.is_static | self.on_timeline.get(timeline, _NOWHERE)
        return np.flatnonzero(chosen)


_NOWHERE: Final = np.zeros((), np.bool_)


class IndexBuilder:
    """Makes the index of a store while a file is read from front to back.

    It keeps about sixty bytes per chunk.

    Args:
        store: Its name.
    """

    def __init__(self, store: StoreId) -> None:
        self.info: StoreInfo | None = None
        self._store = store
        self._paths: dict[str, int] = {}
        self._ids = bytearray()
        # Four numbers per chunk: rows, offset, size, uncompressed size.
        self._numbers = array("q")
        # Two numbers per chunk: entity path, layout.
        self._codes = array("i")
        self._layouts: dict[tuple[tuple[str, ...], tuple[str, ...], bool], int] = {}
        self._timelines: dict[str, TimelineFacts] = {}
        self._columns: dict[tuple[str, str], ColumnFacts] = {}

    def add(self, facts: ChunkFacts, offset: int, size: int, uncompressed: int) -> None:
        """Takes in a chunk."""
        path = facts.entity_path
        is_static = not facts.indexes
        timelines: tuple[str, ...] = ()
        # A chunk without rows is nowhere on its timelines.
        for index in facts.indexes if facts.num_rows else ():
            name = index.timeline.name
            timelines += (name,)
            known = self._timelines.get(name)
            if known is None:
                self._timelines[name] = TimelineFacts(index.timeline.kind, index.start, index.end)
            elif index.start < known.start or index.end > known.end:
                self._timelines[name] = known.extended(index.start, index.end)
        components: tuple[str, ...] = ()
        for component in facts.components:
            identifier = component.descriptor.component
            if component.num_rows:
                components += (identifier,)
            column = self._columns.get((path, identifier))
            if column is None:
                self._columns[path, identifier] = ColumnFacts(component.descriptor, component.type, is_static)
            elif is_static and not column.is_static:
                self._columns[path, identifier] = column._replace(is_static=True)
        layout = self._layouts.setdefault((timelines, components, is_static), len(self._layouts))
        self._codes.extend((self._paths.setdefault(path, len(self._paths)), layout))
        self._numbers.extend((facts.num_rows, offset, size, uncompressed))
        self._ids += facts.id.to_bytes()

    def finish(self) -> StoreIndex:
        """The index of everything so far."""
        numbers = np.array(self._numbers, np.int64).reshape(-1, 4)
        codes = np.array(self._codes, np.int32).reshape(-1, 2)
        layouts = list(self._layouts)
        which = codes[:, 1]
        timelines = dict.fromkeys(name for names, _, _ in layouts for name in names)
        components = dict.fromkeys(name for _, names, _ in layouts for name in names)

        def chunks_whose_layout(has: list[bool]) -> npt.NDArray[np.bool_]:
            chosen: npt.NDArray[np.bool_] = np.array(has, np.bool_)[which]
            return chosen

        return StoreIndex(
            store=self._store,
            info=self.info,
            paths=list(self._paths),
            path_codes=codes[:, 0].copy(),
            ids=np.frombuffer(bytes(self._ids), "V16"),
            num_rows=numbers[:, 0].copy(),
            is_static=chunks_whose_layout([is_static for _, _, is_static in layouts]),
            offsets=numbers[:, 1].copy(),
            sizes=numbers[:, 2].copy(),
            uncompressed=numbers[:, 3].copy(),
            on_timeline={
                name: chunks_whose_layout([name in names for names, _, _ in layouts]) for name in timelines
            },
            with_component={
                name: chunks_whose_layout([name in names for _, names, _ in layouts]) for name in components
            },
            timelines=self._timelines,
            columns=self._columns,
        )
