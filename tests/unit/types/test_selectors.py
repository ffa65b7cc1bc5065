"""Choices of columns and dimensions, which texts and numbers may stand for."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from aiorerun import datatypes as main
from aiorerun.blueprint import components as c, datatypes as d
from aiorerun.errors import strict_scope


def values(batch: Any) -> list[Any]:
    found: list[Any] = batch.as_arrow_array().to_pylist()
    return found


def test_a_text_is_a_column_of_a_component() -> None:
    wanted = [{"entity_path": "/a", "component": "Points3D:positions"}]
    selector = d.ComponentColumnSelector(entity_path="/a", component="Points3D:positions")
    assert values(d.ComponentColumnSelectorBatch(selector)) == wanted
    short = d.ComponentColumnSelector("/a:positions")
    assert (short.entity_path, short.component) == (main.EntityPath("/a"), main.Utf8("positions"))
    assert values(d.ComponentColumnSelectorBatch("/a:b")) == values(d.ComponentColumnSelectorBatch(["/a:b"]))
    assert values(d.ComponentColumnSelectorBatch("")) == []
    with strict_scope(True), pytest.raises(ValueError, match="entity path:component"):
        d.ComponentColumnSelectorBatch("/a:b:c")


def test_columns_of_both_kinds() -> None:
    chosen = d.SelectedColumns(["frame", "/a:b", main.Utf8("t"), d.ComponentColumnSelector("/c:d"), "/a:b:c"])
    assert chosen.time_columns == [main.Utf8("frame"), main.Utf8("t"), main.Utf8("/a:b:c")]
    assert chosen.component_columns == [d.ComponentColumnSelector("/a:b"), d.ComponentColumnSelector("/c:d")]
    assert values(d.SelectedColumnsBatch([chosen, ["frame"]])) == [
        *values(d.SelectedColumnsBatch(chosen)),
        {"time_columns": ["frame"], "component_columns": []},
    ]
    assert values(d.SelectedColumnsBatch("frame")) == values(d.SelectedColumnsBatch(["frame"]))
    assert values(d.SelectedColumnsBatch(None)) == []
    for wrong in ([5], main.Utf8("frame"), 5):
        with strict_scope(True), pytest.raises((TypeError, ValueError)):
            d.SelectedColumnsBatch(wrong)  # type: ignore[arg-type]


def test_a_column_that_must_be_there() -> None:
    wanted = [{"active": True, "column": {"entity_path": "/a", "component": "b"}}]
    for given in ("/a:b", ["/a:b"], d.ComponentColumnSelector("/a:b"), c.ComponentColumnSelector("/a:b")):
        assert values(d.FilterIsNotNullBatch(given)) == wanted  # type: ignore[arg-type]
    made = d.FilterIsNotNull(False, "/a:b")
    assert not made.active
    assert made.column == d.ComponentColumnSelector("/a:b")


def test_the_last_part_stands_for_the_whole() -> None:
    assert values(d.TextLogColumnBatch(["body", 1])) == [
        {"visible": True, "kind": 3},
        {"visible": True, "kind": 1},
    ]
    column = d.TextLogColumn("loglevel", visible=False)
    assert (column.kind, bool(column.visible)) == (d.TextLogColumnKind.LogLevel, False)
    times = d.TimelineColumnBatch(["frame", d.TimelineColumn("t", visible=False)])
    assert values(times) == [{"visible": True, "timeline": "frame"}, {"visible": False, "timeline": "t"}]
    assert str(d.TimelineColumn("t").timeline) == "t"
    assert d.TimelineColumn("t").visible
    dimensions: list[Any] = [d.TensorDimensionIndexSlider(2), 3]
    for given in ([2, 3], np.array([2, 3]), dimensions):
        assert values(d.TensorDimensionIndexSliderBatch(given)) == [{"dimension": 2}, {"dimension": 3}]
    assert values(d.TensorDimensionIndexSliderBatch(2)) == [{"dimension": 2}]
    with strict_scope(True), pytest.raises(ValueError, match="TextLogColumn, or its kind"):
        d.TextLogColumnBatch(["no such kind"])  # type: ignore[list-item]


def test_orders_of_entities() -> None:
    paths: list[main.EntityPathLike] = ["/b", main.EntityPath("/a")]
    assert values(c.ColumnOrderBatch(paths)) == [["/b", "/a"]]
    assert values(c.ColumnOrderBatch("/b")) == [["/b"]]
    order = c.ColumnOrder(["/b", "/a"])
    assert order.entity_paths == [main.EntityPath("/b"), main.EntityPath("/a")]
    assert values(c.ColumnOrderBatch([order, order])) == [["/b", "/a"]] * 2
    assert values(c.ColumnOrderBatch(None)) == []


def test_bounds() -> None:
    bounds = c.VisualBounds2D(x_range=[0, 1], y_range=(2, 3))
    assert values(bounds) == [{"x_range": [0, 1], "y_range": [2, 3]}]
    assert isinstance(bounds, main.Range2D)


def test_ranges_of_time_that_miss_a_bound() -> None:
    whole = main.TimeRange(None, 5)
    assert values(main.TimeRangeBatch(whole)) == [{"start": None, "end": 5}]


def test_parts_are_given_back() -> None:
    order = d.SortBy("loss", direction="descending")
    assert (str(order.column), order.direction) == ("loss", d.SortDirection.Descending)
    assert d.SortBy("loss").direction is None
    kind = d.ColumnType(component="a:b")
    assert (kind.component, kind.component_type_name) == ("a:b", None)
    mapping = d.VisualizerComponentMapping("Scalars:scalars", "default", selector=".x")
    assert (str(mapping.target), mapping.source_kind) == ("Scalars:scalars", d.ComponentSourceKind.Default)
    assert (mapping.source_component, mapping.selector) == (None, ".x")
    between = d.FilterByRange(main.TimeInt(seq=1), main.TimeInt(seq=5))
    assert (between.start, between.end) == (main.TimeInt(seq=1), main.TimeInt(seq=5))
    assert d.TensorDimensionIndexSlider(2).dimension == 2
