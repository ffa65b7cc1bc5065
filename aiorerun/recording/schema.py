"""What a recording is made of, without its data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa

from aiorerun.codec import chunk_schema as names
from aiorerun.codec.manifest_names import PROPERTIES, schema_name
from aiorerun.types.timeline import Timeline

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from aiorerun.codec.store_index import StoreIndex
    from aiorerun.types.timeline import TimelineKind

ROW_ID: Final = names.ROW_ID


@dataclass(frozen=True, slots=True)
class TimelineRange:
    """A timeline of a recording.

    Attributes:
        name: Its name.
        kind: What its values are.
        start: The earliest time, in nanoseconds unless it is a sequence.
        end: The latest time, included.
    """

    name: str
    kind: TimelineKind
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class IndexColumnDescriptor:
    """A timeline as a column.

    Attributes:
        name: Its name.
        kind: What its values are.
    """

    name: str
    kind: TimelineKind

    def field(self) -> pa.Field[Any]:
        """The column in Arrow."""
        return names.index_field(Timeline(self.name, self.kind), is_sorted=False)


@dataclass(frozen=True, slots=True)
class ComponentColumnDescriptor:
    """A component of an entity as a column.

    Attributes:
        entity_path: The entity.
        component: The component, e.g. ``Points3D:positions``.
        archetype: Full name of the archetype, if it is known.
        component_type: Full name of the component's type, if it is known.
        type: The Arrow type of its instances.
        is_static: Whether any of its values are static.
    """

    entity_path: str
    component: str
    archetype: str | None
    component_type: str | None
    type: pa.DataType
    is_static: bool

    @property
    def name(self) -> str:
        """The name of the column: ``/world/points:Points3D:positions``."""
        return schema_name(self.entity_path, self.component)

    @property
    def is_property(self) -> bool:
        """Whether it belongs to the properties of the recording."""
        return self.entity_path == PROPERTIES or self.entity_path.startswith(f"{PROPERTIES}/")

    def field(self) -> pa.Field[Any]:
        """The column in Arrow: a list of instances per row."""
        metadata = {
            names.KIND: b"data",
            names.COMPONENT: self.component.encode(),
            names.ENTITY_PATH: self.entity_path.encode(),
        }
        if self.archetype is not None:
            metadata[names.ARCHETYPE] = self.archetype.encode()
        if self.component_type is not None:
            metadata[names.COMPONENT_TYPE] = self.component_type.encode()
        return pa.field(self.name, names.list_type(self.type), metadata=metadata)


def free_names(wanted: Sequence[str], kind: str, taken: set[str]) -> list[str]:
    """Names for columns that no other one has: with their kind before them, as often as it takes.

    Args:
        wanted: What they are called otherwise.
        kind: Such as ``timeline``.
        taken: The names of other columns; these join them.
    """
    free = list(wanted)
    # Those that can keep their names come first, and do.
    for position in sorted(range(len(free)), key=lambda at: wanted[at] in taken):
        while free[position] in taken:
            free[position] = f"{kind}:{free[position]}"
        taken.add(free[position])
    return free


class Schema:
    """The timelines and components of a recording.

    Example:
        >>> import aiorerun.sync as rr
        >>> rec = rr.RecordingStream("rerun_example_schema", recording_id="x", send_properties=False)
        >>> rec.save("schema.rrd")
        >>> rec.set_time("frame", sequence=7)
        >>> rec.log("wave", rr.Scalars(0.5))
        >>> rec.disconnect()
        >>> schema = rr.recording.load_recording("schema.rrd").schema()
        >>> [column.name for column in schema.index_columns()]
        ['frame', 'log_tick', 'log_time']
        >>> [(column.entity_path, column.component) for column in schema.component_columns()]
        [('/wave', 'Scalars:scalars')]
        >>> schema.column_for("/wave", "Scalars:scalars").component_type
        'rerun.components.Scalar'
    """

    def __init__(
        self, indexes: list[IndexColumnDescriptor], components: list[ComponentColumnDescriptor]
    ) -> None:
        self._indexes = indexes
        self._components = components

    @classmethod
    def of(cls, index: StoreIndex) -> Schema:
        """The schema of everything that an index lists."""
        columns = [
            ComponentColumnDescriptor(
                path,
                component,
                column.descriptor.archetype,
                column.descriptor.component_type,
                column.type,
                column.is_static,
            )
            for (path, component), column in sorted(index.columns.items(), key=lambda item: item[0])
        ]
        timelines = sorted(index.timelines.items())
        return cls([IndexColumnDescriptor(name, facts.kind) for name, facts in timelines], columns)

    def index_columns(self) -> list[IndexColumnDescriptor]:
        """The timelines, by name."""
        return list(self._indexes)

    def component_columns(self) -> list[ComponentColumnDescriptor]:
        """The components of all entities, by entity path and component."""
        return list(self._components)

    def column_for(self, entity_path: str, component: str) -> ComponentColumnDescriptor | None:
        """The column of a component of an entity, in normal form; ``None`` if there is none."""
        for column in self._components:
            if column.entity_path == entity_path and column.component == component:
                return column
        return None

    def restricted(self, entity_path: str | None, component: str | None, timeline: str | None) -> Schema:
        """The part of it that is about an entity, a component or a timeline."""
        return Schema(
            [each for each in self._indexes if timeline in (None, each.name)],
            [
                each
                for each in self._components
                if entity_path in (None, each.entity_path) and component in (None, each.component)
            ],
        )

    def to_arrow(self) -> pa.Schema:
        """The schema of the table of all rows: row id, timelines, components.

        What is called like a column before it has ``timeline:`` or ``component:`` before its name.
        """
        taken = {ROW_ID}
        called = [
            *free_names([each.name for each in self._indexes], "timeline", taken),
            *free_names([each.name for each in self._components], "component", taken),
        ]
        fields = [each.field().with_name(name) for each, name in zip(self, called, strict=True)]
        return pa.schema([names.row_id_field(is_sorted=False), *fields])

    def __iter__(self) -> Iterator[IndexColumnDescriptor | ComponentColumnDescriptor]:
        yield from self._indexes
        yield from self._components

    def __len__(self) -> int:
        return len(self._indexes) + len(self._components)

    def __repr__(self) -> str:
        return f"Schema({[each.name for each in self]})"
