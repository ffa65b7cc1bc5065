"""Every field of every archetype by itself: set, cleared, and as a column, from Arrow arrays."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest

from aiorerun import archetypes, datatypes
from aiorerun.archetypes import Archetype
from aiorerun.blueprint import archetypes as blueprint_archetypes

ARCHETYPES: list[type[Archetype]] = [
    found
    for found in (
        getattr(package, name) for package in (archetypes, blueprint_archetypes) for name in package.__all__
    )
    if isinstance(found, type) and issubclass(found, Archetype) and found is not Archetype
]
TENSOR = "rerun.components.TensorData"
# Times with bounds are unions, too; other tests make them.
BOUNDS = ("VisibleTimeRanges:ranges", "TimeAxis:view_range")
ONE_WHEN_CLEARED = (
    TENSOR,
    "rerun.blueprint.components.ColumnOrder",
    "rerun.blueprint.components.SelectedColumns",
)
"""A cleared tensor is one tensor without numbers, as in the official SDK; and so on."""
FIELDS = [
    (cls, field) for cls in ARCHETYPES for field in cls.FIELDS if field.descriptor.component not in BOUNDS
]
COLUMNS = [(cls, field) for cls, field in FIELDS if hasattr(cls, "columns")]


def instance(kind: Any) -> Any:
    """Some value of a type, as plain Python."""
    types = pa.types
    if types.is_struct(kind):
        return {field.name: instance(field.type) for field in kind}
    if types.is_fixed_size_list(kind):
        return [instance(kind.value_type)] * kind.list_size
    if types.is_list(kind):
        return [instance(kind.value_type)] * 2
    if types.is_string(kind):
        return "text"
    return True if types.is_boolean(kind) else 1


def array_of(field: Any) -> pa.Array[Any]:
    """One instance of a field as an Arrow array."""
    kind = field.encoding.arrow_type()
    if field.descriptor.component_type == TENSOR:
        # Unions are not made from Python values.
        return datatypes.TensorDataBatch(datatypes.TensorData(array=[1.0, 2.0])).as_arrow_array()
    return pa.array([instance(kind)], kind)


def test_these_are_all_archetypes() -> None:
    assert len(ARCHETYPES) >= 20
    assert len(FIELDS) > 100


@pytest.mark.parametrize(
    ("cls", "field"), FIELDS, ids=lambda item: getattr(item, "__name__", "") or item.name
)
def test_a_field_set_by_itself_is_all_there_is(cls: Any, field: Any) -> None:
    array = array_of(field)
    (batch,) = cls.from_fields(**{field.name: array}).as_component_batches()
    assert batch.component_descriptor() == field.descriptor
    assert batch.as_arrow_array().equals(array)
    cleared = cls.from_fields(clear_unset=True, **{field.name: array}).as_component_batches()
    lengths = {other.component_descriptor(): len(other.as_arrow_array()) for other in cleared}
    assert lengths == {
        other.descriptor: int(other is field or other.descriptor.component_type in ONE_WHEN_CLEARED)
        for other in cls.FIELDS
    }


@pytest.mark.parametrize(
    ("cls", "field"), COLUMNS, ids=lambda item: getattr(item, "__name__", "") or item.name
)
def test_a_column_has_a_row_per_instance(cls: Any, field: Any) -> None:
    array = pa.concat_arrays([array_of(field)] * 3)
    (column,) = cls.columns(**{field.name: array})
    assert column.component_descriptor() == field.descriptor
    rows = column.as_arrow_array()
    assert len(rows) == len(column) == 3
    assert rows.value_lengths().to_pylist() == [1, 1, 1]
    assert rows.values.equals(array)
