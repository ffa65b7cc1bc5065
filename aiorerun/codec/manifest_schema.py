"""What a whole recording is made of: the timelines and components of all its chunks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa

from aiorerun.codec import chunk_schema as names
from aiorerun.codec.manifest_names import column_name, component_parts, schema_name

if TYPE_CHECKING:
    from collections.abc import Iterable

    from aiorerun.codec.chunk_index import ChunkGroup
    from aiorerun.types.descriptors import ComponentDescriptor
    from aiorerun.types.timeline import Timeline

_CLEAR: Final = "rerun.archetypes.Clear"


class _Component:
    """What all chunks together say about one component of one entity."""

    __slots__ = ("descriptor", "is_empty", "is_static", "kind")

    def __init__(self, descriptor: ComponentDescriptor, kind: pa.DataType) -> None:
        self.descriptor = descriptor
        self.kind = kind
        self.is_static = False
        self.is_empty = True


class Catalog:
    """The timelines and components of a store, each once.

    The footer can hold one description per timeline name, and one per component of an entity. Where
    chunks differ (another archetype, type or kind of time), the first one counts.

    Attributes:
        timelines: By name. Readers refuse a footer in which the columns of two timelines have equal
            names, which happens when they differ only in characters that column names lack; then the
            first timeline counts, and the other is only found by reading the chunks.
    """

    def __init__(self, groups: Iterable[ChunkGroup]) -> None:
        self._components: dict[tuple[str, str], _Component] = {}
        timelines: dict[str, Timeline] = {}
        described: dict[str, dict[ComponentDescriptor, None]] = {}
        for path, columns, _, empty in groups:
            for timeline in columns.timelines:
                timelines.setdefault(timeline.name, timeline)
            for position, descriptor in enumerate(columns.descriptors):
                key = (path, descriptor.component)
                known = self._components.get(key)
                if known is None:
                    known = self._components[key] = _Component(descriptor, columns.types[position])
                known.is_static |= not columns.timelines
                known.is_empty &= position in empty
                for timeline in columns.timelines:
                    described.setdefault(timeline.name, {})[known.descriptor] = None
        self.timelines = dict(_distinct(timelines, described))

    def descriptors(self, group: ChunkGroup) -> list[ComponentDescriptor]:
        """How the components of a group are described, in column order."""
        components, path = self._components, group.entity_path
        return [components[path, each.component].descriptor for each in group.columns.descriptors]

    def schema(self) -> pa.Schema:
        """One field per column that occurs in any chunk, sorted by name."""
        fields = [names.row_id_field(is_sorted=False)]
        fields.extend(names.index_field(timeline, is_sorted=False) for timeline in self.timelines.values())
        fields.extend(_component_field(path, component) for (path, _), component in self._components.items())
        return pa.schema(sorted(fields, key=_name_of))


def _distinct(
    timelines: dict[str, Timeline], described: dict[str, dict[ComponentDescriptor, None]]
) -> Iterable[tuple[str, Timeline]]:
    """The timelines whose columns are not called like those of a timeline before."""
    taken: set[str] = set()
    for name, timeline in timelines.items():
        columns = {column_name(name)}
        columns.update(column_name(name, *component_parts(each)) for each in described.get(name, ()))
        if taken.isdisjoint(columns):
            taken |= columns
            yield name, timeline


def _name_of(field: pa.Field[Any]) -> str:
    name: str = field.name
    return name


def _component_field(entity_path: str, component: _Component) -> pa.Field[Any]:
    descriptor = component.descriptor
    metadata = names.component_metadata(descriptor)
    metadata[names.ENTITY_PATH] = entity_path.encode()
    if component.is_static:
        metadata[b"rerun:is_static"] = b"true"
    if descriptor.archetype == _CLEAR:
        metadata[b"rerun:is_tombstone"] = b"true"
    if component.is_empty:
        metadata[b"rerun:is_semantically_empty"] = b"true"
    name = schema_name(entity_path, descriptor.component)
    return pa.field(name, names.list_type(component.kind), metadata=metadata)
