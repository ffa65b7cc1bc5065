"""Archetypes whose constructors do more than capture their arguments."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pytest

from aiorerun import components as c, datatypes as d, errors
from aiorerun.archetypes import (
    BarChart,
    Box2DFormat,
    Boxes2D,
    Boxes3D,
    Clear,
    DepthImage,
    EncodedDepthImage,
    EncodedImage,
    Image,
    LineStrips3D,
    Pinhole,
    Points3D,
    Transform3D,
)

if TYPE_CHECKING:
    from pathlib import Path


def values(archetype: Any) -> dict[str, Any]:
    return {
        batch.component_descriptor().component.partition(":")[2]: batch.as_arrow_array().to_pylist()
        for batch in archetype.as_component_batches()
    }


ONE_BYTE = {"bytes": b"1", "width": 1, "height": 1}


def test_a_gray_image_with_one_row_is_no_color_image() -> None:
    assert Image(np.zeros((1, 2, 3), np.uint8)).image_format() == d.ImageFormat(
        3, 2, color_model="L", channel_datatype="U8"
    )
    assert Image(np.zeros((1, 2, 3), np.uint8), "RGB").image_format() == d.ImageFormat(
        2, 1, color_model="RGB", channel_datatype="U8"
    )


def test_big_endian_pixels_are_turned_around() -> None:
    image = Image(np.array([[1, 2]], ">u2"))
    assert values(image)["buffer"] == [[1, 0, 2, 0]]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "exactly one of `image` and `bytes`"),
        ({"image": np.zeros((2, 2)), "bytes": b"1234"}, "exactly one of `image` and `bytes`"),
        ({"image": np.zeros((2, 2)), "height": 3}, "`height` is 3"),
        (
            {"bytes": b"1", "width": 1, "height": 1, "color_model": "L", "pixel_format": "NV12"},
            "`color_model`",
        ),
        (
            {"bytes": b"1", "width": 1, "height": 1, "color_model": "L", "datatype": np.complex64},
            "dtype complex64",
        ),
        (
            {"bytes": b"1", "width": 1, "height": 1, "color_model": ["L", "L"], "datatype": "U8"},
            "exactly one",
        ),
    ],
)
def test_arguments_that_make_no_image(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Image(**arguments)


@pytest.mark.parametrize("model", ["L", "RGB", "BGR"])
def test_compressed_images_look_the_same(model: Literal["L", "RGB", "BGR"]) -> None:
    from PIL import Image as Pillow

    shape = (16, 16) if model == "L" else (16, 16, 3)
    pixels = np.full(shape, 40, np.uint8)
    if model != "L":
        pixels[..., 0] = 200
    compressed = Image(pixels, model, opacity=0.5).compress(jpeg_quality=100)
    assert isinstance(compressed, EncodedImage)
    assert values(compressed)["opacity"] == [0.5]
    assert compressed.blob is not None
    seen = np.asarray(Pillow.open(io.BytesIO(bytes(compressed.blob.as_arrow_array()[0].as_py()))))
    wanted = pixels[..., ::-1] if model == "BGR" else pixels
    assert np.abs(seen.astype(int) - wanted).max() < 8
    assert np.array_equal(np.asarray(Image(pixels, model).as_pil_image()), wanted)


def test_images_that_cannot_be_compressed_stay_as_they_are() -> None:
    image = Image(np.zeros((4, 4), np.float32))
    with pytest.warns(errors.RerunWarning, match="float32 cannot be JPEG"):
        assert image.compress() is image
    raw = Image(bytes=b"123456", width=2, height=2, pixel_format="NV12")
    with pytest.warns(errors.RerunWarning, match="pixel format NV12"):
        assert raw.compress() is raw
    with errors.strict_scope(True), pytest.raises(ValueError, match="only uint8 and uint16"):
        DepthImage(np.zeros((4, 4), np.float32)).compress()


def test_compressed_depth_images_lose_nothing() -> None:
    from PIL import Image as Pillow

    depth = np.arange(16, dtype=np.uint16).reshape(4, 4) * 1000
    compressed = DepthImage(depth, meter=1000.0, colormap="turbo").compress()
    assert isinstance(compressed, EncodedDepthImage)
    assert compressed.blob is not None
    seen = np.asarray(Pillow.open(io.BytesIO(bytes(compressed.blob.as_arrow_array()[0].as_py()))))
    assert np.array_equal(seen, depth)
    assert values(compressed)["meter"] == [1000.0]
    assert np.array_equal(np.asarray(DepthImage(depth).as_pil_image()), depth)
    assert DepthImage(depth).image_format() == d.ImageFormat(4, 4, channel_datatype="U16")


def test_files_that_are_missing_are_told_of(tmp_path: Path) -> None:
    with pytest.warns(errors.RerunWarning, match="FileNotFoundError"):
        assert values(EncodedImage(path=tmp_path / "none.png")) == {}
    (tmp_path / "a.unknown").write_bytes(b"x")
    assert values(EncodedImage(path=tmp_path / "a.unknown")) == {"blob": [[120]]}
    with errors.strict_scope(True), pytest.raises(ValueError, match="exactly one of `path` and `contents`"):
        EncodedImage()


def test_boxes_in_all_formats_are_the_same_box() -> None:
    arrays = {
        "XYWH": [10, 20, 4, 6], "YXHW": [20, 10, 6, 4], "XYXY": [10, 20, 14, 26], "YXYX": [20, 10, 26, 14],
        "XCYCWH": [12, 23, 4, 6], "XCYCW2H2": [12, 23, 2, 3],
    }  # fmt: skip
    assert set(arrays) == set(Box2DFormat.__members__)
    for name, array in arrays.items():
        boxes = Boxes2D(array=[array, array], array_format=Box2DFormat[name])
        assert values(boxes) == {"half_sizes": [[2, 3]] * 2, "centers": [[12, 23]] * 2}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"array": [1, 2, 3], "array_format": Box2DFormat.XYWH}, r"shape \(n, 4\)"),
        ({"array": [1, 2, 3, 4], "array_format": "ABCD"}, "no Box2DFormat"),
        ({"array": [1, 2, 3, 4], "array_format": Box2DFormat.XYWH, "sizes": [1, 1]}, "excludes `sizes`"),
        ({"sizes": [["a", 1]]}, "sizes: expected"),
    ],
)
def test_arguments_that_make_no_rectangles(arguments: dict[str, Any], message: str) -> None:
    with errors.strict_scope(True), pytest.raises(ValueError, match=message):
        Boxes2D(**arguments)


def test_boxes_3d_forgive() -> None:
    with pytest.warns(errors.RerunWarning, match="`mins` are used"):
        boxes = Boxes3D(mins=[[1, 1, 1]], sizes=[[2, 2, 2]], centers=[[0, 0, 0]])
    assert values(boxes) == {"half_sizes": [[1, 1, 1]], "centers": [[2, 2, 2]]}
    with pytest.warns(errors.RerunWarning, match="sizes: expected"):
        assert values(Boxes3D(sizes=[[1, 2]])) == {}


@pytest.mark.parametrize(
    "arguments",
    [
        {"fov_y": 1.0},
        {"resolution": [3, 4]},
        {"focal_length": 2.0},
        {"focal_length": [1, 2, 3], "width": 3, "height": 3},
        {"focal_length": 1, "principal_point": 3},
    ],
)
def test_arguments_that_make_no_camera(arguments: dict[str, Any]) -> None:
    with errors.strict_scope(True), pytest.raises(ValueError, match=r"focal_length|principal_point"):
        Pinhole(**arguments)
    with pytest.warns(errors.RerunWarning, match="^Pinhole: ValueError"):
        assert values(Pinhole(**arguments)) == {}


def test_a_width_without_a_height_is_told_of() -> None:
    with pytest.warns(errors.RerunWarning, match="`height` is missing"):
        camera = Pinhole(focal_length=2.0, principal_point=[1, 1], width=3)
    assert set(values(camera)) == {"image_from_camera"}


def test_transforms_take_either_rotation() -> None:
    quaternion = d.Quaternion(xyzw=[0, 0, 0, 1])
    assert Transform3D(rotation=quaternion) == Transform3D(quaternion=quaternion)
    turn = d.RotationAxisAngle([0, 0, 1], degrees=90)
    assert Transform3D(rotation=turn) == Transform3D(rotation_axis_angle=turn)
    assert Transform3D(scale=2) == Transform3D(scale=[2, 2, 2]) == Transform3D(scale=c.Scale3D(2))
    assert Transform3D(scale=np.float32(2)) == Transform3D(scale=np.array(2.0)) == Transform3D(scale=2)
    with pytest.warns(errors.RerunWarning, match="scale: expected"):
        assert values(Transform3D(scale="big")) == {"scale": []}


def test_clear_has_two_short_names() -> None:
    assert Clear.flat() == Clear(recursive=False)
    assert Clear.recursive() == Clear(recursive=True)


def test_points_with_keypoints_have_a_class() -> None:
    assert values(Points3D([[1, 2, 3]], keypoint_ids=[5]))["class_ids"] == [0]


def test_strips_of_any_nesting() -> None:
    one = [[0, 0, 0], [1, 1, 1]]
    assert LineStrips3D(one) == LineStrips3D([one]) == LineStrips3D(np.array(one))
    assert LineStrips3D([one]) == LineStrips3D([c.LineStrip3D(one)]) == LineStrips3D(c.LineStrip3D(one))
    assert LineStrips3D([d.Vec3D(point) for point in one]) == LineStrips3D(one)
    assert LineStrips3D([[d.Vec3D(point) for point in one]]) == LineStrips3D(one)
    assert values(LineStrips3D([np.zeros((2, 3)), np.ones((1, 3))]))["strips"] == [
        [[0, 0, 0]] * 2,
        [[1, 1, 1]],
    ]


def test_bar_charts_keep_the_type_of_their_values() -> None:
    kinds = [
        "uint8",
        "uint16",
        "uint32",
        "uint64",
        "int8",
        "int16",
        "int32",
        "int64",
        "float16",
        "float32",
        "float64",
    ]
    for kind in kinds:
        (tensor,) = values(BarChart(np.array([1, 2], kind)))["values"]
        assert tensor == {"shape": [2], "names": None, "buffer": [1, 2]}
    with pytest.warns(errors.RerunWarning, match="one dimension"):
        BarChart([[1, 2], [3, 4]])
