"""Native classes of datatypes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from aiorerun import datatypes as d
from aiorerun.errors import RerunWarning


def test_vectors() -> None:
    vector = d.Vec3D([1, 2, 3])
    assert np.asarray(vector).tolist() == vector.xyz.tolist() == [1, 2, 3]
    assert (len(vector), repr(vector)) == (3, "Vec3D(xyz=[1.0, 2.0, 3.0])")
    assert vector == d.Vec3D(vector) == d.Vec3D([[1, 2, 3]])
    assert hash(vector) == hash(d.Vec3D([1, 2, 3]))
    assert vector != d.Vec3D([1, 2, 4])
    assert vector != [1, 2, 3]
    with pytest.raises(ValueError, match="exactly one Vec3D"):
        d.Vec3D([1, 2, 3, 4, 5, 6])
    with pytest.raises(ValueError, match="read-only"):
        vector.xyz[0] = 5


def test_single_values() -> None:
    assert float(d.Float32(1.1)) == d.Float32(1.1).value == 1.1
    assert int(d.ClassId(7)) == d.ClassId(7).id == 7
    assert d.Float64(2) == d.Float64(2.0)
    assert d.Float64(2) != 2.0
    assert not d.Bool(False)
    assert str(d.Utf8("a")) == "a"
    assert repr(d.Utf8("a")) == "Utf8(value='a')"
    assert np.asarray(d.Float32(1.5)).tolist() == 1.5
    assert {d.ClassId(1), d.ClassId(1)} == {d.ClassId(1)}
    with pytest.raises(OverflowError):
        d.ClassId(70000)


def test_angles() -> None:
    assert d.Angle(deg=180).radians == d.Angle(math.pi).radians == math.pi
    for wrong in ({}, {"rad": 1, "deg": 2}):
        with pytest.raises(ValueError, match="either `rad` or `deg`"):
            d.Angle(**wrong)


def test_rotations() -> None:
    turn = d.RotationAxisAngle([0, 0, 1], degrees=90)
    assert (
        turn == d.RotationAxisAngle([0, 0, 1], d.Angle(deg=90)) == d.RotationAxisAngle([0, 0, 1], math.pi / 2)
    )
    assert turn.axis == d.Vec3D([0, 0, 1])
    assert turn.angle == d.Angle(deg=90)
    assert hash(turn) == hash(d.RotationAxisAngle([[0, 0, 1]], radians=math.pi / 2))
    assert repr(d.RotationAxisAngle([0, 0, 1], 1)) == "RotationAxisAngle(axis=[0.0, 0.0, 1.0], radians=1.0)"
    assert turn != d.Angle(deg=90)
    with pytest.raises(ValueError, match="exactly one of"):
        d.RotationAxisAngle([0, 0, 1], 1, degrees=2)
    with pytest.raises(ValueError, match="one axis"):
        d.RotationAxisAngle([0, 0, 1, 1, 1, 1], 1)
    assert d.Quaternion.identity() == d.Quaternion(xyzw=[0, 0, 0, 1])
    assert not d.Quaternion.invalid().xyzw.any()


def test_matrices_are_kept_in_columns() -> None:
    rows = [[1, 2, 3], [4, 5, 6], [7, 8, 9]]
    matrix = d.Mat3x3(rows)
    assert matrix.flat_columns.tolist() == [1, 4, 7, 2, 5, 8, 3, 6, 9]
    assert matrix == d.Mat3x3(columns=np.transpose(rows)) == d.Mat3x3(matrix) == d.Mat3x3(columns=matrix)
    assert np.asarray(matrix).tolist() == matrix.flat_columns.tolist()
    with pytest.raises(ValueError, match="either `rows` or `columns`"):
        d.Mat3x3()


def test_colors() -> None:
    color = d.Rgba32([255, 0, 0])
    assert color.rgba == int(color) == 0xFF0000FF
    assert repr(color) == "Rgba32(rgba=0xff0000ff)"
    assert color == d.Rgba32(0xFF0000FF) == d.Rgba32([1.0, 0.0, 0.0]) == d.Rgba32(np.array([[255, 0, 0]]))
    with pytest.raises(ValueError, match="exactly one color"):
        d.Rgba32(np.array([[1, 2, 3], [4, 5, 6]]))


def test_times() -> None:
    assert d.TimeInt(seconds=1.5) == d.TimeInt(nanos=1_500_000_000) == d.TimeInt(seq=1_500_000_000)
    with pytest.raises(ValueError, match="exactly one of"):
        d.TimeInt(seq=1, nanos=2)


def test_image_formats() -> None:
    described = d.ImageFormat(2, 3, color_model="rgb", channel_datatype=6)
    assert (described.width, described.height, described.pixel_format) == (2, 3, None)
    assert described.color_model is d.ColorModel.RGB
    assert repr(described) == "ImageFormat(width=2, height=3, color_model=RGB, channel_datatype=U8)"
    assert len({described, d.ImageFormat(2, 3, color_model="RGB", channel_datatype="U8")}) == 1
    assert described != d.ImageFormat(2, 3, pixel_format="NV12")
    assert described != 1
    with pytest.raises(ValueError, match="'XYZ' is no ColorModel: there are L, RGB"):
        d.ImageFormat(1, 1, color_model="XYZ")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def test_view_coordinates() -> None:
    directions: list[d.ViewDirLike] = ["Right", d.ViewDir.Down, 5]
    coordinates = d.ViewCoordinates(directions)
    assert coordinates.coordinates == [d.ViewDir.Right, d.ViewDir.Down, d.ViewDir.Forward]
    assert repr(coordinates) == "ViewCoordinates(['Right', 'Down', 'Forward'])"
    with pytest.raises(ValueError, match="'Sideways' is no direction"):
        d.ViewCoordinates(["Right", "Down", "Sideways"])


def test_tensors() -> None:
    array = np.arange(6, dtype=np.int16).reshape(2, 3)
    tensor = d.TensorData(array=array, dim_names=["y", "x"])
    assert tensor == d.TensorData(shape=[2, 3], buffer=array.ravel(), dim_names=["y", "x"])
    assert tensor != d.TensorData(array=array)
    assert tensor != 1
    assert (tensor.shape.tolist(), tensor.names) == ([2, 3], ["y", "x"])
    assert np.array_equal(tensor.numpy(force=True), array)
    assert np.array_equal(np.asarray(tensor), array)
    assert hash(tensor) == hash(d.TensorData(array=array, dim_names=["y", "x"]))
    assert repr(tensor) == "TensorData(shape=(2, 3), dtype=int16)"
    wrong: list[tuple[dict[str, Any], str]] = [
        ({}, "either `array` or `buffer`"),
        ({"array": array, "shape": [3, 2]}, "not that of the array"),
        ({"buffer": array, "shape": [5]}, "needs 5 numbers"),
        ({"array": ["a"]}, "no place in a tensor"),
    ]
    for arguments, message in wrong:
        with pytest.raises((ValueError, TypeError), match=message):
            d.TensorData(**arguments)


def test_names_of_another_number_of_dimensions_are_left_out() -> None:
    with pytest.warns(RerunWarning, match="1 `dim_names` were given for 2 dimensions"):
        tensor = d.TensorData(array=np.zeros((2, 3)), dim_names=["y"])
    assert tensor == d.TensorData(array=np.zeros((2, 3)))


@pytest.mark.parametrize(
    ("native", "attribute", "value"),
    [
        (d.Bool(True), "value", True),
        (d.Float32(1.5), "value", 1.5),
        (d.Float64(1.5), "value", 1.5),
        (d.ClassId(7), "id", 7),
        (d.Utf8("a"), "value", "a"),
    ],
)
def test_single_values_give_back_what_they_hold(native: Any, attribute: str, value: Any) -> None:
    assert getattr(native, attribute) == value
    assert type(getattr(native, attribute)) is type(value)


def test_a_blob_gives_back_its_bytes() -> None:
    assert d.Blob(b"abc").data.tobytes() == b"abc"
