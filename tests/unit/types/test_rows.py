"""Rows of whatever can be logged."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pytest
import rerun

from aiorerun import components as c, errors
from aiorerun.archetypes import Points3D, Scalars, TextLog
from aiorerun.types.any_values import AnyValues
from aiorerun.types.batches import ArrowBatch, DescribedComponentBatch
from aiorerun.types.coerce.arrow import ArrowEncoding, captured_to_arrow
from aiorerun.types.descriptors import ComponentDescriptor
from aiorerun.types.rows import NOTHING, row_of

if TYPE_CHECKING:
    from aiorerun.types.form import Row


def content(row: Row) -> dict[str, Any]:
    form, fixed, objects = row
    return {
        spec.descriptor.component: captured_to_arrow(spec.encoding, spec.shape, data).to_pylist()
        for spec, data in zip(form.columns, form.split(fixed, objects), strict=True)
    }


def test_the_row_of_an_archetype_is_its_own() -> None:
    scalars = Scalars(1.5)
    assert row_of(scalars) is scalars._row


def test_rows_are_merged() -> None:
    row = row_of(Scalars(1.5), (TextLog("a", color=1), Points3D([[1, 2, 3]])))
    assert content(row) == {
        "Scalars:scalars": [1.5],
        "TextLog:text": ["a"],
        "TextLog:color": [1],
        "Points3D:positions": [[1, 2, 3]],
    }
    assert row[0] is row_of(Scalars(2.5), (TextLog("b", color=1), Points3D([[1, 2, 3]])))[0]


def test_of_the_same_component_the_first_is_kept() -> None:
    with pytest.warns(errors.RerunWarning, match="log: ValueError.*Scalars:scalars was given more"):
        row = row_of(Scalars(1.5), (TextLog("a"), Scalars([2.5, 3.5])))
    assert content(row) == {"Scalars:scalars": [1.5], "TextLog:text": ["a"]}
    with errors.strict_scope(True), pytest.raises(ValueError, match="more than once"):
        row_of(Scalars(1.5), (Scalars(2.5),))
    batches = Scalars(1.5).as_component_batches() + Scalars(2.5).as_component_batches()
    with pytest.warns(errors.RerunWarning, match="more than once"):
        assert content(row_of(batches)) == {"Scalars:scalars": [1.5]}


def test_batches_in_any_iterable() -> None:
    batches = TextLog("a").as_component_batches()
    for given in (batches, tuple(batches), iter(batches)):
        assert content(row_of(given)) == {"TextLog:text": ["a"]}
    # What was captured is taken over as it is.
    assert row_of(batches)[0] is TextLog("b")._row[0]
    assert row_of([]) == NOTHING


def test_objects_of_your_own() -> None:
    class Own:
        def as_component_batches(self) -> list[DescribedComponentBatch]:
            return [
                c.RadiusBatch([1, 2]).described(ComponentDescriptor("own:size")),
                DescribedComponentBatch(ArrowBatch(pa.array(["x"])), ComponentDescriptor("own:name")),
            ]

    assert content(row_of(Own())) == {"own:size": [1, 2], "own:name": ["x"]}


def test_archetypes_of_the_official_sdk() -> None:
    positions = np.array([[1, 2, 3]], np.float32)
    row = row_of(rerun.Points3D(positions, labels="a"), (Scalars(1.5),))
    assert content(row) == {
        "Points3D:positions": [[1, 2, 3]], "Points3D:labels": ["a"], "Scalars:scalars": [1.5],
    }  # fmt: skip
    assert [spec.descriptor for spec in row[0].columns][:1] == [Points3D.FIELDS[0].descriptor]
    positions[:] = 0
    assert content(row)["Points3D:positions"] == [[1, 2, 3]]


def test_any_values() -> None:
    values = AnyValues(rows_test=1)
    assert row_of(values) is values._row
    with pytest.warns(errors.RerunWarning, match="no component with a value"):
        assert row_of(AnyValues(rows_test_nothing=None)) == NOTHING


@pytest.mark.parametrize(
    ("wrong", "name"),
    [(5, "int"), (None, "NoneType"), ("text", "str"), (Points3D, "the class Points3D"), ([1], "int"),
     (c.RadiusBatch(1), "RadiusBatch"), ([c.RadiusBatch(1)], "RadiusBatch")],
)  # fmt: skip
def test_what_cannot_be_logged(wrong: Any, name: str) -> None:
    with pytest.raises(TypeError, match=f"cannot log {name}: expected an archetype"):
        row_of(wrong)
    with pytest.raises(TypeError, match="cannot log"):
        row_of(Scalars(1), (wrong,))


def test_a_batch_that_gives_no_arrow_array() -> None:
    class Wrong:
        def as_arrow_array(self) -> Any:
            return [1]

    with pytest.raises(TypeError, match="gave list, not an Arrow array"):
        row_of([DescribedComponentBatch(Wrong(), ComponentDescriptor("x"))])


def test_encodings_of_arrow_types_are_interned_with_their_metadata() -> None:
    plain = pa.struct([pa.field("a", pa.int64())])
    marked = pa.struct([pa.field("a", pa.int64(), metadata={"k": "v"})])
    assert ArrowEncoding.of(plain) is ArrowEncoding.of(pa.struct([pa.field("a", pa.int64())]))
    assert ArrowEncoding.of(plain) is not ArrowEncoding.of(marked)
    assert ArrowEncoding.of(pa.int16()).capture([1, 2])[1].type == pa.int16()
    assert ArrowEncoding.of(pa.int16()).capture(pa.array([1]))[1].type == pa.int16()


def test_the_merged_forms_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aiorerun.types.rows._MERGED_LIMIT", 2)
    monkeypatch.setattr("aiorerun.types.rows._merged", {})
    for other in (TextLog("a"), Scalars([1.0]), Points3D([[1, 2, 3]])):
        row_of(AnyValues(rows_bounded=1), (other,))
    from aiorerun.types import rows

    assert len(rows._merged) <= 2


def test_arrow_arrays_are_copied_whatever_they_come_in() -> None:
    numbers = np.arange(3.0)
    array = pa.array(numbers)
    small = np.arange(3, dtype=np.float32)

    class Column:
        """What other libraries give, over Arrow's interface."""

        def __arrow_c_array__(self, requested_schema: object = None) -> Any:
            return array.__arrow_c_array__(requested_schema)

    rows = [
        Scalars(array)._row,
        Scalars(Column())._row,  # type: ignore[arg-type]
        Scalars(c.ScalarBatch(array))._row,  # type: ignore[arg-type]
        row_of([c.ScalarBatch(array).described(ComponentDescriptor("y"))]),
        row_of([DescribedComponentBatch(ArrowBatch(array), ComponentDescriptor("x"))]),
        AnyValues(rows_test_arrow=array)._row,
        AnyValues().with_component_from_data("rows_test_arrow", array)._row,
        Points3D.from_fields(radii=pa.array(small))._row,
    ]
    numbers[:] = 9
    small[:] = 9
    assert array.to_pylist() == [9, 9, 9]  # it is a view
    for row in rows:
        assert list(content(row).values()) == [[0, 1, 2]]
