"""Pickling and copying: what carries values comes back with the very same forms and encodings."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pytest

import aiorerun as rr
from aiorerun import components as c, datatypes as d
from aiorerun.types import any_values
from aiorerun.types.batches import ArrowBatch, ComponentColumn, DescribedComponentBatch
from aiorerun.types.coerce import blueprint_catalog, catalog
from aiorerun.types.coerce.arrow import ArrowEncoding
from aiorerun.types.coerce.records import PlainLists
from aiorerun.types.descriptors import ComponentDescriptor
from aiorerun.types.encoding import FIXED, Encoding
from aiorerun.types.form import ColumnSpec, Form

if TYPE_CHECKING:
    from collections.abc import Callable

PROTOCOLS = range(2, pickle.HIGHEST_PROTOCOL + 1)
WAYS = [
    *[
        pytest.param(lambda value, protocol=protocol: pickled(value, protocol), id=f"protocol {protocol}")
        for protocol in PROTOCOLS
    ],
    pytest.param(copy.copy, id="copy"),
    pytest.param(copy.deepcopy, id="deepcopy"),
]
ENCODINGS = {
    name: value
    for module in (catalog, blueprint_catalog)
    for name, value in vars(module).items()
    if isinstance(value, Encoding)
}
each_way = pytest.mark.parametrize("again", WAYS)


@pytest.fixture(autouse=True)
def nothing_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """No component has a type from another test."""
    monkeypatch.setattr(any_values, "_known", {})
    monkeypatch.setattr(any_values, "_plans", {})
    monkeypatch.setattr(any_values, "_warned", set())


def pickled(value: Any, protocol: int) -> Any:
    return pickle.loads(pickle.dumps(value, protocol))


@each_way
def test_encodings_come_back_themselves(again: Callable[[Any], Any]) -> None:
    assert len(ENCODINGS) > 80
    for name, encoding in ENCODINGS.items():
        assert again(encoding) is encoding, name


@each_way
def test_so_do_those_of_arrow_types(again: Callable[[Any], Any]) -> None:
    marked = pa.struct([pa.field("a", pa.list_(pa.int64()), metadata={"unit": "m"})])
    never_null = pa.list_(pa.field("item", pa.float32(), nullable=False), 5)
    for kind in (pa.float64(), pa.binary(), marked, never_null):
        encoding = ArrowEncoding.of(kind)
        assert again(encoding) is encoding


def test_an_encoding_without_a_name_is_not_found_again() -> None:
    with pytest.raises(TypeError, match="PlainLists.* in no catalog"):
        pickle.dumps(PlainLists(catalog.UTF8))


@each_way
def test_forms_come_back_themselves(again: Callable[[Any], Any]) -> None:
    form = Form.of([ColumnSpec(ComponentDescriptor("a", "b", "c"), catalog.VEC3D, FIXED)])
    assert again(form) is form


NATIVES = [
    c.ClearIsRecursive(False),
    c.Color([1, 2, 3]),
    c.ImageFormat(3, 2, color_model="RGB", channel_datatype="U8"),
    c.LineStrip3D([[1, 2, 3], [4, 5, 6]]),
    c.MediaType.PNG,
    c.ViewCoordinates.RDF,
    d.AnnotationInfo(1, "label", 0xFF0000FF),
    d.Angle(deg=90),
    d.Blob(b"bytes"),
    d.ClassDescription(info=(1, "label"), keypoint_annotations=[2], keypoint_connections=[(2, 3)]),
    d.Quaternion(xyzw=[0, 0, 0, 1]),
    d.RotationAxisAngle([0, 0, 1], radians=1),
    d.TensorData(array=np.arange(6).reshape(2, 3)[:, ::2], dim_names=["a", "b"]),
    d.TimeRangeBoundary.cursor_relative(d.TimeInt(seq=5)),
    d.Utf8("text"),
    c.FillMode.Solid,
]


@each_way
@pytest.mark.parametrize("native", NATIVES, ids=lambda native: type(native).__name__)
def test_natives_come_back_equal(native: Any, again: Callable[[Any], Any]) -> None:
    restored = again(native)
    assert type(restored) is type(native)
    assert restored == native
    assert repr(restored) == repr(native)
    assert hash(restored) == hash(native)


BATCHES = [
    c.Position3DBatch([1, 2, 3]),
    c.Position3DBatch(np.ones((20_000, 3))),
    c.TextBatch(["a", "b"]),
    c.BlobBatch([b"a", b"bc"]),
    c.LineStrip2DBatch([[[1, 2], [3, 4]], [[5, 6]]]),
    d.ClassDescriptionBatch([]),
    d.Vec3DBatch(pa.array([[1, 2, 3]], pa.list_(pa.field("item", pa.float32(), nullable=False), 3))),
]


@each_way
@pytest.mark.parametrize("batch", BATCHES, ids=lambda batch: type(batch).__name__)
def test_batches_come_back_with_the_same_encoding(batch: Any, again: Callable[[Any], Any]) -> None:
    restored = again(batch)
    assert restored == batch
    assert restored.captured()[0] is batch.ENCODING


def test_a_pickle_holds_nothing_of_what_an_array_is_a_slice_of() -> None:
    part = pa.array(range(100_000), pa.float32())[5:10]
    for batch in (c.RadiusBatch(part), ArrowBatch(part)):
        data = pickle.dumps(batch)
        assert len(data) < 1000
        assert pickle.loads(data).as_arrow_array().equals(part)


@each_way
def test_columns_come_back(again: Callable[[Any], Any]) -> None:
    columns = rr.Points3D.columns(positions=[[1, 2, 3], [4, 5, 6], [7, 8, 9]], labels=["a", "b", "c"])
    for column, wanted in zip(again(columns.partition([1, 2])), columns.partition([1, 2]), strict=True):
        assert isinstance(column, ComponentColumn)
        assert column.component_descriptor() == wanted.component_descriptor()
        assert column.as_arrow_array().equals(wanted.as_arrow_array())
        assert column.batch.captured()[0] is wanted.batch.captured()[0]  # type: ignore[attr-defined]


@each_way
def test_described_batches_come_back(again: Callable[[Any], Any]) -> None:
    described = DescribedComponentBatch(c.RadiusBatch([1, 2]), ComponentDescriptor("a:b", "a", "c"))
    restored = again(described)
    assert restored.component_descriptor() == described.component_descriptor()
    assert hash(restored.component_descriptor()) == hash(described.component_descriptor())
    assert restored.batch == described.batch


ANY: dict[str, Any] = {
    "number": 1.5,
    "whole": 2,
    "flag": True,
    "flags": [True, False],
    "text": "a",
    "texts": ["a", "b"],
    "array": np.arange(3, dtype=np.uint16),
    "bytes": b"abc",
    "nested": [[1], [2, 3]],
    "arrow": pa.array([{"a": 1}]),
    "batch": c.RadiusBatch([1, 2]),
    "native": c.Color(0xFF0000FF),
}


@each_way
@pytest.mark.parametrize("name", ANY)
def test_any_values_come_back_with_the_same_form(name: str, again: Callable[[Any], Any]) -> None:
    for made in (
        rr.AnyValues(**{name: ANY[name]}),
        rr.DynamicArchetype("Mine", components={name: ANY[name]}),
    ):
        restored = again(made)
        assert repr(restored) == repr(made)
        assert restored._row[0] is made._row[0]
    value = rr.AnyBatchValue(name, ANY[name])
    assert again(value).as_arrow_array().equals(value.as_arrow_array())
    assert again(value).component_descriptor() == value.component_descriptor()


@each_way
def test_a_copy_of_any_values_changes_by_itself(again: Callable[[Any], Any]) -> None:
    for made in (rr.AnyValues(a=1), rr.DynamicArchetype("Mine", components={"a": 1}), rr.AnyValues()):
        before = repr(made)
        changed = again(made).with_component_from_data("b", 2).with_component_from_data("a", 3)
        assert repr(made) == before
        values = [batch.as_arrow_array().to_pylist() for batch in changed.component_batches]
        assert sorted(values) == [[2], [3]]
        made.with_component_from_data("c", 4)
        assert len(changed.component_batches) == 2


IN_ANOTHER_PROCESS = """
import pickle, sys
values, own, batch, column, descriptor = pickle.load(sys.stdin.buffer)
import aiorerun as rr
assert rr.AnyValues(n=1.5, t="text", f=True, s=[1, 2])._row[0] is values._row[0]
assert rr.DynamicArchetype("Mine", components={"r": rr.components.RadiusBatch(1)})._row[0] is own._row[0]
assert batch.captured()[0] is batch.ENCODING
(fresh,) = rr.Scalars.columns(scalars=[1])
assert {column.component_descriptor(): 1} == {fresh.component_descriptor(): 1}
assert {descriptor: 1} == {rr.ComponentDescriptor("a", "b", "c"): 1}
"""


def test_in_another_process_they_are_as_if_made_there() -> None:
    (column,) = rr.Scalars.columns(scalars=[1])
    given = (
        rr.AnyValues(n=1.5, t="text", f=True, s=[1, 2]),
        rr.DynamicArchetype("Mine", components={"r": c.RadiusBatch(1)}),
        c.ColorBatch([1]),
        column,
        ComponentDescriptor("a", "b", "c"),
    )
    command = [sys.executable, "-W", "error", "-c", IN_ANOTHER_PROCESS]
    subprocess.run(command, input=pickle.dumps(given), check=True, timeout=60)
