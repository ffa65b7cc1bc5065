"""Columns: many rows that come as whole columns, captured at the call and made chunks of in the worker."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

from aiorerun import errors
from aiorerun.types.batches import Batch, ComponentColumn, ComponentColumnList
from aiorerun.types.descriptors import ComponentDescriptor
from aiorerun.types.encoding import ARROW, Captured, Encoding
from aiorerun.types.entity_path import normalize_entity_path
from aiorerun.types.form import size_of
from aiorerun.types.time import check_timeline_name
from aiorerun.types.time_column import TimeColumn, times_of_arrow
from aiorerun.types.timeline import Timeline

if TYPE_CHECKING:
    from collections.abc import Iterable

    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

    from aiorerun.types.time_column import Int64s, TimeColumnLike
    from aiorerun.types.time_run import TimeRun
    from aiorerun.types.tuid import Tuid

ROW_BYTES: Final = 20
"""What a row takes in a chunk beside its times and values: its id, and where its instances end."""

TWICE: Final = "a chunk has one column of a name"


class ComponentColumnLike(Protocol):
    """What ``send_columns`` takes as a column: a :class:`ComponentColumn`, ours or the official SDK's."""

    def component_descriptor(self) -> Any:
        """Whose values they are."""
        ...

    def as_arrow_array(self) -> pa.Array[Any]:
        """One list of instances per row, or one instance per row."""
        ...


class CapturedColumn(NamedTuple):
    """One component of a block; nobody else writes to its memory.

    Attributes:
        descriptor: Whose column it is.
        encoding: What makes an Arrow array of the data; ``None`` for data that is one.
        values: All instances, in one of the shapes of captured data.
        offsets: Row ``i`` holds the instances ``offsets[i]:offsets[i + 1]``; ``None`` for one instance each.
        present: Which rows have the component at all; ``None`` for all of them.
    """

    descriptor: ComponentDescriptor
    encoding: Encoding | None
    values: Captured
    offsets: npt.NDArray[np.int32] | None = None
    present: npt.NDArray[np.bool_] | None = None

    @property
    def nbytes(self) -> int:
        """About how many bytes it holds on to."""
        return size_of(*self.values) + (0 if self.offsets is None else self.offsets.nbytes)


@dataclass(slots=True)
class ColumnBlock:
    """Rows of one entity in columns, as one call has sent them.

    Attributes:
        entity_path: In normal form.
        indexes: Timelines and their values, sorted by name. None at all makes the rows static.
        components: In the order of a chunk; none for the same component twice.
        num_rows: How many rows all columns have.
        nbytes: About how many bytes they hold on to.
        keeps_order: Whether rows stay in the order in which they came, instead of that of their times.
        chunk_id: The id of the chunk, if it has one already.
        row_ids: The ids of the rows, likewise, as a chunk holds them.
    """

    entity_path: str
    indexes: list[tuple[Timeline, Int64s | TimeRun]]
    components: list[CapturedColumn]
    num_rows: int
    nbytes: int
    keeps_order: bool = False
    chunk_id: Tuid | None = None
    row_ids: npt.NDArray[Any] | None = None

    @classmethod
    def of(
        cls,
        entity_path: str,
        indexes: Iterable[tuple[Timeline, Int64s | TimeRun]],
        components: Iterable[CapturedColumn],
        num_rows: int,
    ) -> ColumnBlock:
        """A block of checked columns, put in order."""
        times, columns = list(indexes), list(components)
        if len(times) > 1:
            times.sort(key=_time_order)
        if len(columns) > 1:
            columns.sort(key=_component_order)
        nbytes = num_rows * (ROW_BYTES + 8 * len(times))
        for column in columns:
            nbytes += column.nbytes
        return cls(entity_path, times, columns, num_rows, nbytes)


def capture_columns(
    entity_path: str | list[object],
    indexes: Iterable[TimeColumnLike],
    columns: Iterable[ComponentColumnLike],
) -> ColumnBlock:
    """Takes what ``send_columns`` was given: checks it, and copies what others may write to.

    Raises:
        TypeError: Something that is no path, no time column or no component column.
        ValueError: Columns of different lengths, a timeline twice, times that are missing, or no component.
    """
    path = normalize_entity_path(entity_path)
    lengths = _Lengths()
    times: dict[str, tuple[Timeline, Int64s | TimeRun]] = {}
    for index in _items(indexes, "indexes", "TimeColumn"):
        timeline, values = _index(index)
        if timeline.name in times:
            raise ValueError(
                f"indexes: timeline {timeline.name!r} was given twice: {TWICE}, leave one of them out"
            )
        lengths.check("timeline", timeline.name, len(values))
        times[timeline.name] = (timeline, values)
    components: dict[str, CapturedColumn] = {}
    for column in _items(columns, "columns", "ComponentColumn"):
        captured, rows = _column(column)
        component = captured.descriptor.component
        lengths.check("component", component, rows)
        if component in components:
            errors.report(
                "send_columns",
                ValueError(f"columns: component {component!r} was given twice: the last is kept"),
            )
        components[component] = captured
    if not components:
        raise ValueError("columns: there is no component column to send: pass for example Scalars.columns(…)")
    return ColumnBlock.of(path, times.values(), components.values(), lengths.rows)


class _Lengths:
    """The length that all columns must have: that of the first one."""

    rows = 0
    _first: tuple[str, str] | None = None

    def check(self, kind: str, name: str, rows: int) -> None:
        if self._first is None:
            self._first, self.rows = (kind, name), rows
        elif rows != self.rows:
            first_kind, first_name = self._first
            raise ValueError(
                f"All columns must have the same length: {first_kind} {first_name!r} has {self.rows} rows, "
                f"but {kind} {name!r} has {rows}"
            )


def _items(items: Any, argument: str, kind: str) -> Iterable[Any]:
    if type(items) in (list, ComponentColumnList):
        return items  # type: ignore[no-any-return]
    if isinstance(items, str | bytes) or not hasattr(items, "__iter__"):
        raise TypeError(f"{argument} must be an iterable of {kind}, got {type(items).__name__}: pass a list")
    return items  # type: ignore[no-any-return]


def _index(index: Any) -> tuple[Timeline, Int64s | TimeRun]:
    if type(index) is TimeColumn:
        # It has made a copy of its own, which never changes.
        return index.recorded()
    if not (hasattr(index, "timeline_name") and hasattr(index, "as_arrow_array")):
        raise TypeError(
            f"indexes must hold TimeColumn objects, got {type(index).__name__}: "
            "pass TimeColumn('frame', sequence=…)"
        )
    name = index.timeline_name()
    check_timeline_name(name)
    kind, values = times_of_arrow(name, index.as_arrow_array())
    return Timeline(name, kind), values


def _column(column: Any) -> tuple[CapturedColumn, int]:
    """A column and how many rows it has."""
    if type(column) is ComponentColumn and isinstance(column.batch, Batch):
        return _own_column(column, column.batch), len(column)
    if not (hasattr(column, "component_descriptor") and hasattr(column, "as_arrow_array")):
        raise TypeError(
            f"columns must hold ComponentColumn objects, got {type(column).__name__}: "
            "pass for example Scalars.columns(…), or several of them as [*one, *other]"
        )
    array = own_array(column.as_arrow_array())
    return arrow_column(_descriptor(column.component_descriptor()), array), len(array)


def _own_column(column: ComponentColumn, batch: Batch) -> CapturedColumn:
    """A column of ours; what its batch holds is a copy already, but for Arrow arrays."""
    encoding, captured = batch.captured()
    if captured[0] == ARROW:
        captured = (ARROW, own_array(captured[1]))
    offsets = None if column.has_unit_lengths else column.offsets
    return CapturedColumn(_descriptor(column.component_descriptor()), encoding, captured, offsets)


def _descriptor(descriptor: Any) -> ComponentDescriptor:
    if isinstance(descriptor, ComponentDescriptor):
        return descriptor
    # The official SDK's descriptors have the same three parts.
    return ComponentDescriptor(descriptor.component, descriptor.archetype, descriptor.component_type)


def own_array(array: Any) -> pa.Array[Any]:
    """A copy of an Arrow array: it may be a view of memory that its owner changes later.

    Raises:
        TypeError: It is no Arrow array.
    """
    import pyarrow as pa

    from aiorerun.types.flat_arrow import copied_array

    if isinstance(array, pa.ChunkedArray):
        array = array.combine_chunks()
    if not isinstance(array, pa.Array):
        raise TypeError(f"as_arrow_array() gave {type(array).__name__}, not an Arrow array")
    return copied_array(array)


def arrow_column(descriptor: ComponentDescriptor, array: pa.Array[Any]) -> CapturedColumn:
    """A column of an Arrow array that nobody else writes to.

    Lists hold the instances of a row, null where the row does not have the component. Any other type
    counts as one instance per row.
    """
    import pyarrow as pa

    if not pa.types.is_list(array.type):
        return CapturedColumn(descriptor, None, (ARROW, array))
    present = array.is_valid().to_numpy(zero_copy_only=False) if array.null_count else None
    offsets: npt.NDArray[np.int32] = array.offsets.to_numpy()
    return CapturedColumn(descriptor, None, (ARROW, array.values), offsets, present)


def _time_order(index: tuple[Timeline, object]) -> bytes:
    return index[0].name.encode()


def _component_order(column: CapturedColumn) -> tuple[str, str, str]:
    descriptor = column.descriptor
    return (descriptor.archetype or "", descriptor.component, descriptor.component_type or "")
