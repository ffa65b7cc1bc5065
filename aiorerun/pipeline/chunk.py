"""A chunk: rows of one entity with the same columns, ready to be encoded. Pure data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from aiorerun.types.descriptors import ComponentDescriptor
    from aiorerun.types.flat import FlatArray
    from aiorerun.types.time_run import TimeRun
    from aiorerun.types.timeline import Timeline
    from aiorerun.types.tuid import Tuid


@dataclass(slots=True)
class IndexColumn:
    """The times of a chunk on one timeline: int64, one value per row, never null."""

    timeline: Timeline
    values: npt.NDArray[np.int64]
    is_sorted: bool


class RunColumn(IndexColumn):
    """Times that are consecutive; they are made when they are asked for."""

    __slots__ = ("run",)

    def __init__(self, timeline: Timeline, run: TimeRun) -> None:
        self.timeline = timeline
        self.run = run
        self.is_sorted = True

    @property
    def values(self) -> npt.NDArray[np.int64]:  # type: ignore[override]
        """The times."""
        return self.run.values()


@dataclass(slots=True)
class ComponentData:
    """One component column: a list of instances per row.

    Attributes:
        descriptor: Whose column it is.
        offsets: int32, one more than there are rows, starting at 0; row ``i`` holds the instances
            ``offsets[i]:offsets[i + 1]`` of ``values``.
        values: All instances, one after the other.
        present: ``None`` if every row logged this component, else one bool per row.
    """

    descriptor: ComponentDescriptor
    offsets: npt.NDArray[np.int32]
    values: FlatArray
    present: npt.NDArray[np.bool_] | None = None


@dataclass(slots=True)
class Chunk:
    """Rows of one entity.

    Attributes:
        id: The id of the chunk.
        entity_path: Normal form, e.g. ``/world/points``.
        row_ids: shape ``(rows, 2)``, big-endian uint64 (time, counter), ascending. In chunks to be encoded it
            may be a :class:`TuidRange` whose bytes are better made then.
        indexes: One column per timeline, sorted by name. None at all makes the chunk static.
        components: Sorted by (archetype, none first; component; component type).
    """

    id: Tuid
    entity_path: str
    row_ids: npt.NDArray[Any]
    indexes: tuple[IndexColumn, ...]
    components: tuple[ComponentData, ...]

    @property
    def num_rows(self) -> int:
        """How many rows it has."""
        return len(self.row_ids)

    @property
    def is_static(self) -> bool:
        """Whether its rows hold at all times."""
        return not self.indexes
