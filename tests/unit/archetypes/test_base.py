"""What all archetypes do."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from aiorerun import components as c, datatypes as d, errors
from aiorerun.archetypes import Arrows3D, Clear, Image, Points3D, Scalars, TextLog, Transform3D
from aiorerun.types.encoding import ARRAY, BLOB, FIXED, TEXT
from aiorerun.types.form import Form


def shapes(archetype: Any) -> list[int]:
    return [spec.shape for spec in archetype._row[0].columns]


def values(archetype: Any) -> dict[str, Any]:
    return {
        batch.component_descriptor().component.partition(":")[2]: batch.as_arrow_array().to_pylist()
        for batch in archetype.as_component_batches()
    }


def test_rows_of_equal_kinds_have_the_same_form() -> None:
    assert Scalars(1.5)._row[0] is Scalars(2)._row[0] is Scalars(np.float32(3))._row[0]
    assert TextLog("a")._row[0] is not TextLog("a", level="INFO")._row[0]
    one = Transform3D(translation=[1, 2, 3], quaternion=[0, 0, 0, 1])
    other = Transform3D(translation=np.zeros(3), quaternion=d.Quaternion(xyzw=[0, 0, 0, 1]))
    assert one._row[0] is other._row[0]


def test_single_values_are_packed_into_the_row() -> None:
    assert Scalars(1.5)._row[1] == np.float64(1.5).tobytes()
    assert shapes(Transform3D(translation=[1, 2, 3], scale=2.0, relation="ChildFromParent")) == [FIXED] * 3
    assert shapes(TextLog("a", level="INFO", color=0xFF0000FF)) == [TEXT, TEXT, FIXED]
    assert shapes(Points3D([[1, 2, 3]], radii=0.5)) == [ARRAY, FIXED]
    assert shapes(Image(np.zeros((2, 2, 3), np.uint8))) == [BLOB, FIXED]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("count", [2, 20_000])
def test_later_changes_of_an_array_do_not_reach_the_archetype(dtype: Any, count: int) -> None:
    positions = np.zeros((count, 3), dtype)
    points = Points3D(positions)
    positions[:] = 7
    assert points.positions is not None
    assert not np.asarray(points.positions.as_arrow_array().flatten()).any()


@pytest.mark.parametrize("size", [4, 400])
def test_later_changes_of_pixels_do_not_reach_the_image(size: int) -> None:
    pixels = np.zeros((size, size, 3), np.uint8)
    image = Image(pixels)
    pixels[:] = 7
    assert image.buffer is not None
    assert not any(image.buffer.as_arrow_array()[0].as_py())


def test_bytes_are_not_copied() -> None:
    data = bytes(12)
    image = Image(bytes=data, width=2, height=2, color_model="RGB", datatype="U8")
    assert image._row[2][0] is data


def test_fields_are_batches_or_none() -> None:
    points = Points3D([[1, 2, 3]], labels="a")
    assert isinstance(points.positions, c.Position3DBatch)
    assert points.positions == c.Position3DBatch([[1, 2, 3]])
    assert points.labels == c.TextBatch("a")
    assert points.radii is None
    with pytest.raises(AttributeError, match="'Points3D' object has no attribute 'position'"):
        _ = points.position  # type: ignore[attr-defined]
    assert {"positions", "radii", "as_component_batches"} <= set(dir(points))


def test_fields_do_not_hide_methods_nor_slow_rows_down() -> None:
    # With `__getattr__` the interpreter would look up the row of each call the slow way.
    for archetype in (Points3D, Scalars, TextLog, Image):
        assert not hasattr(archetype, "__getattr__")
        for field in archetype.FIELDS:
            assert field.name in dir(archetype)
            with pytest.raises(AttributeError):
                setattr(archetype.cleared(), field.name, 1)
    assert callable(Points3D.columns)


def test_batches_can_be_passed_on() -> None:
    points = Points3D([[1, 2, 3]], radii=[0.5], colors=[255, 0, 0])
    given: Any = {"positions": points.positions, "radii": points.radii, "colors": points.colors}
    again = Points3D(**given)
    assert again == points


def test_equality_is_of_kind_and_values() -> None:
    assert Points3D([[1, 2, 3]]) == Points3D(np.array([[1, 2, 3]]))
    assert Points3D([1, 2, 3]) == Points3D([[1, 2, 3]])
    assert Points3D([[1, 2, 3]]) != Points3D([[1, 2, 4]])
    assert Points3D([[1, 2, 3]]) != Points3D([[1, 2, 3]], radii=1)
    assert Points3D([[1, 2, 3]]) != Arrows3D(vectors=[[1, 2, 3]])
    assert Scalars(1.0) != 1.0


def test_repr_shows_what_is_set() -> None:
    assert repr(Scalars(1.5)) == "Scalars(scalars=[1.5])"
    assert repr(TextLog("hello", level="INFO")) == "TextLog(text=['hello'], level=['INFO'])"
    assert repr(Scalars([1, 2, 3, 4, 5])) == "Scalars(scalars=[1.0, 2.0, 3.0, … 2 more])"
    assert "buffer=<1 × list<item: uint8 not null>>" in repr(Image(np.zeros((20, 20), np.uint8)))


def test_archetypes_do_not_change() -> None:
    with pytest.raises(AttributeError):
        setattr(Scalars(1.0), "scalars", c.ScalarBatch(2.0))  # noqa: B010 - type checkers know it, too


def test_from_fields_leaves_out_or_clears_the_rest() -> None:
    assert values(Points3D.from_fields(radii=1.0)) == {"radii": [1.0]}
    cleared = values(TextLog.from_fields(clear_unset=True, text="a"))
    assert cleared == {"text": ["a"], "level": [], "color": []}
    assert values(Clear.cleared()) == {"is_recursive": []}


def test_wrong_values_are_told_of_and_cleared() -> None:
    told = r"^Points3D: ValueError\(positions: expected one or more vectors of 3 .*, got list \[\[1, 2\]\]"
    with pytest.warns(errors.RerunWarning, match=told) as caught:
        points = Points3D([[1, 2]], radii=2.0)
    assert caught[0].filename == __file__
    assert values(points) == {"positions": [], "radii": [2.0]}


def test_wrong_values_raise_in_strict_mode() -> None:
    with errors.strict_scope(True):
        with pytest.raises(ValueError, match=r"radii: expected one or more numbers, got str 'big'"):
            Points3D([[1, 2, 3]], radii="big")
        with pytest.raises(TypeError, match=r"scalars: expected .*, got object"):
            Scalars(object())  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
        with pytest.raises(OverflowError, match=r"class_ids: expected .*, got int 70000"):
            Points3D([[1, 2, 3]], class_ids=70000)


def test_values_that_only_a_closer_look_accepts_are_captured() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        assert values(Points3D([[1e300, 0, 0]]))["positions"] == [[float("inf"), 0, 0]]
        assert values(Transform3D(translation=[1e300, 0, 0]))["translation"] == [[float("inf"), 0, 0]]


def test_strange_values_never_break_the_program() -> None:
    class Trap:
        def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
            raise RuntimeError("no")

    with pytest.warns(errors.RerunWarning, match="Scalars: TypeError"):
        assert values(Scalars(Trap())) == {"scalars": []}


def test_lone_surrogates_are_found_when_they_are_given() -> None:
    with pytest.warns(errors.RerunWarning, match="text: "):
        assert values(TextLog("\ud800")) == {"text": []}
    assert values(TextLog("grüße", level="日本")) == {"text": ["grüße"], "level": ["日本"]}


def test_columns_have_a_row_per_element_of_the_first_axis() -> None:
    (positions,) = Points3D.columns(positions=np.zeros((2, 4, 3)))
    assert positions.offsets.tolist() == [0, 4, 8]
    assert positions.as_arrow_array().type.value_field.name == "item"
    with pytest.raises(ValueError, match="cannot be spread evenly over the 3 rows"):
        Points3D.columns(positions=[1, 2, 3])
    with pytest.raises(ValueError, match=r"Points3D\.columns: positions: "):
        Points3D.columns(positions=[[1, 2]])


def test_arrow_arrays_are_taken_as_they_are() -> None:
    array = pa.array([1.5, None])
    assert values(Scalars(array)) == {"scalars": [1.5, None]}


def test_the_plans_of_a_class_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aiorerun.archetypes._base._PLANS_LIMIT", 2)
    monkeypatch.setattr(Scalars, "_plans", {})
    for value in (1, True, [1.0], (1.0,), np.float32(1)):
        Scalars(value)
        assert len(Scalars._plans) <= 2


def test_forms_of_archetypes_are_interned() -> None:
    row = Points3D([[1, 2, 3]], colors=[[1, 2, 3]])._row
    assert Form.of(row[0].columns) is row[0]
