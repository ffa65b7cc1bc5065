"""Column sets: what chunks of equal columns share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

if TYPE_CHECKING:
    from aiorerun.types.descriptors import ComponentDescriptor
    from aiorerun.types.timeline import Timeline


class ColumnSet:
    """The timelines and components of a chunk, compared by value.

    Attributes:
        timelines: In column order.
        descriptors: Of the components, in column order.
        types: The Arrow types of their instances.
    """

    __slots__ = ("_hash", "_key", "descriptors", "timelines", "types")

    def __init__(
        self,
        timelines: tuple[Timeline, ...],
        descriptors: tuple[ComponentDescriptor, ...],
        types: tuple[pa.DataType, ...],
    ) -> None:
        self.timelines = timelines
        self.descriptors = descriptors
        self.types = types
        self._key = (timelines, descriptors, tuple(map(type_key, types)))
        self._hash = hash(self._key)

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        if not isinstance(other, ColumnSet):
            return NotImplemented
        return self._key == other._key

    def __hash__(self) -> int:
        return self._hash

    def __repr__(self) -> str:
        return f"ColumnSet({self.timelines!r}, {self.descriptors!r}, {self.types!r})"


def type_key(kind: pa.DataType) -> bytes:
    """Equal for equal types only; pyarrow's own comparison leaves the metadata of inner fields out."""
    data: bytes = pa.schema([pa.field("", kind)]).serialize().to_pybytes()
    return data
