"""Components and their batches."""

from __future__ import annotations

import numpy as np
import pytest

from aiorerun import components as c, datatypes as d, errors
from aiorerun.types.batches import AsComponents, ComponentBatchLike


def test_a_component_is_a_batch_of_one() -> None:
    position = c.Position3D([1, 2, 3])
    assert isinstance(position, d.Vec3D)
    assert isinstance(position, ComponentBatchLike)
    assert position.as_arrow_array().to_pylist() == [[1, 2, 3]]
    assert c.Position3D.component_type() == "rerun.components.Position3D"
    assert str(c.Position3D.arrow_type()) == "fixed_size_list<item: float not null>[3]"
    assert c.ClearIsRecursive().as_arrow_array().to_pylist() == [True]


def test_natives_of_one_type_can_be_mixed_with_plain_values() -> None:
    values: list[d.Vec3DLike] = [c.Position3D([1, 2, 3]), d.Vec3D([4, 5, 6]), [7, 8, 9]]
    batch = c.Position3DBatch(values)
    assert batch.as_arrow_array().to_pylist() == [[1, 2, 3], [4, 5, 6], [7, 8, 9]]


def test_colors_of_a_text_are_always_the_same() -> None:
    red = c.Color.from_string("red")
    assert red == c.Color.from_string("red")
    assert red != c.Color.from_string("blue")
    assert red.rgba & 0xFF == 255


def test_radii_in_points_are_negative() -> None:
    assert c.Radius.ui_points(3) == -3
    assert c.Radius.ui_points([1, 2]).tolist() == [-1, -2]


def test_scales() -> None:
    assert c.Scale3D(2).xyz.tolist() == [2, 2, 2]
    assert c.Scale3D().xyz.tolist() == c.Scale3D(None).xyz.tolist() == [1, 1, 1]
    assert c.Scale3D([1, 2, 3]).xyz.tolist() == [1, 2, 3]


def test_media_types_by_extension() -> None:
    assert c.MediaType.guess_from_path("a/b.PNG") == c.MediaType.PNG
    assert c.MediaType.guess_from_path("a/b") is None
    assert str(c.MediaType.MARKDOWN) == "text/markdown"


def test_line_strips() -> None:
    strip = c.LineStrip3D([[0, 0, 0], [1, 1, 1]])
    assert len(strip) == 2
    assert strip.points == [d.Vec3D([0, 0, 0]), d.Vec3D([1, 1, 1])]
    assert strip == c.LineStrip3D(np.array([[0, 0, 0], [1, 1, 1]]))
    assert hash(strip) == hash(c.LineStrip3D([[0, 0, 0], [1, 1, 1]]))
    assert strip != 1
    assert repr(strip) == "LineStrip3D([[0.0, 0.0, 0.0], [1.0, 1.0, 1.0]])"
    with pytest.raises(ValueError, match="exactly one strip"):
        c.LineStrip3D([[[0, 0, 0]], [[1, 1, 1]]])


def test_batches() -> None:
    batch = c.RadiusBatch([1, 2])
    assert (len(batch), len(c.RadiusBatch(1)), len(c.TextBatch(["a", "b"])), len(c.TextBatch(None))) == (
        2,
        1,
        2,
        0,
    )
    assert batch == c.RadiusBatch([1.0, 2.0])
    assert batch != c.LengthBatch([1.0, 2.0])
    assert batch != [1, 2]
    assert repr(batch) == "RadiusBatch([1.0, 2.0])"
    assert batch.component_type() == "rerun.components.Radius"
    assert not isinstance(batch, AsComponents)


def test_batches_of_wrong_data() -> None:
    with pytest.warns(errors.RerunWarning, match="RadiusBatch: ValueError"):
        assert len(c.RadiusBatch("a")) == 0
    with pytest.raises(ValueError, match="expected one or more numbers"):
        c.RadiusBatch("a", strict=True)
