"""Described batches and columns."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from aiorerun import components as c
from aiorerun.archetypes import Points3D
from aiorerun.types.batches import (
    ArrowBatch,
    AsComponents,
    ComponentBatchMixin,
    ComponentColumn,
    ComponentColumnList,
    DescribedComponentBatch,
)
from aiorerun.types.descriptors import ComponentDescriptor


def test_a_batch_gets_a_name() -> None:
    described = c.RadiusBatch([1, 2]).described(ComponentDescriptor("a:size", archetype="a"))
    wanted = ComponentDescriptor("a:size", archetype="a")
    assert described.component_descriptor() == wanted
    assert described.as_arrow_array().to_pylist() == [1, 2]
    assert isinstance(described.batch, c.RadiusBatch)
    assert "a:size" in repr(described)
    named = c.RadiusBatch(1).described(ComponentDescriptor("x", component_type="mine"))
    assert named.component_descriptor().component_type == "mine"


def test_the_type_has_its_official_name_too() -> None:
    assert c.ColorBatch._COMPONENT_TYPE == c.ColorBatch.COMPONENT_TYPE == "rerun.components.Color"
    assert c.RadiusBatch([1])._COMPONENT_TYPE == "rerun.components.Radius"


def test_batches_are_cut_into_rows() -> None:
    batch = c.RadiusBatch([1, 2, 3])
    assert batch.partition().as_arrow_array().to_pylist() == [[1], [2], [3]]
    column = batch.described(ComponentDescriptor("x")).partition([2, 0, 1])
    assert column.as_arrow_array().to_pylist() == [[1, 2], [], [3]]
    assert column.component_descriptor() == ComponentDescriptor("x")
    assert column.partition([3]).as_arrow_array().to_pylist() == [[1, 2, 3]]
    assert (len(column), column.offsets.dtype.name, column.offsets.tolist()) == (3, "int32", [0, 2, 2, 3])
    assert repr(column).startswith("ComponentColumn('x', 3 rows of RadiusBatch")


@pytest.mark.parametrize("lengths", [[1, 1], [2, 2], [4, -1]])
def test_lengths_must_add_up(lengths: list[int]) -> None:
    with pytest.raises(ValueError, match="the lengths add up to"):
        ComponentColumn("x", c.RadiusBatch([1, 2, 3]), lengths=lengths)


def test_lengths_have_one_dimension() -> None:
    with pytest.raises(ValueError, match=r"one-dimensional, not of shape \(1, 1\)"):
        c.RadiusBatch([1]).described(ComponentDescriptor("x")).partition([[1]])


def test_offsets_stand_for_lengths() -> None:
    batch = ArrowBatch(pa.array([1, 2, 3]))
    assert ComponentColumn("x", batch, offsets=[0, 1, 3]).as_arrow_array().to_pylist() == [[1], [2, 3]]
    for wrong in ([], [0, 4], [1, 0], [-1, 2], [[0, 3]]):
        with pytest.raises(ValueError, match="offsets must be"):
            ComponentColumn("x", batch, offsets=wrong)
    with pytest.raises(ValueError, match="both `lengths` and `offsets`"):
        ComponentColumn("x", batch, lengths=[3], offsets=[0, 3])


def test_column_lists() -> None:
    columns = Points3D.columns(positions=np.zeros((4, 3)), radii=[1, 2, 3, 4])
    assert isinstance(columns, ComponentColumnList)
    assert [str(column.component_descriptor()) for column in columns] == [
        "Points3D:positions",
        "Points3D:radii",
    ]
    assert len(columns) == 2
    assert [len(column) for column in columns.partition([1, 3])] == [2, 2]
    assert repr(columns).startswith("ComponentColumnList([ComponentColumn(")


def test_protocols() -> None:
    assert isinstance(Points3D([[1, 2, 3]]), AsComponents)
    assert isinstance(c.RadiusBatch(1), ComponentBatchMixin)

    class Own:
        def as_component_batches(self) -> list[DescribedComponentBatch]:
            return []

    assert isinstance(Own(), AsComponents)
    assert not isinstance(1, AsComponents)
