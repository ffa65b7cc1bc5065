"""Every constructor with values that are usual, for type checkers; and that wrong ones are found by them."""

from __future__ import annotations

import ast
import io
from pathlib import Path
from typing import assert_type

import numpy as np
import numpy.typing as npt

import aiorerun.archetypes as a
import aiorerun.components as c
import aiorerun.datatypes as d
from aiorerun.types.any_values import AnyValues, DynamicArchetype
from aiorerun.types.batches import ComponentColumnList

POINTS: npt.NDArray[np.float32] = np.zeros((2, 3), np.float32)
PIXELS: npt.NDArray[np.uint8] = np.zeros((4, 4, 3), np.uint8)


def test_plots_and_texts() -> None:
    a.Scalars(1)
    a.Scalars(1.5)
    a.Scalars([1.0, 2])
    a.Scalars(np.float64(1.5))
    a.Scalars(POINTS)
    a.SeriesLines(colors=[255, 0, 0], widths=2, names="a", aggregation_policy="Average", interpolation_mode=1)
    a.SeriesPoints(
        colors=[[255, 0, 0]], markers="circle", names=["a"], marker_sizes=[1, 2.5], visible_series=True
    )
    a.SeriesPoints(markers=[c.MarkerShape.Circle, "square"])
    a.BarChart([1, 2, 3], color=0xFF0000FF, widths=[1.0])
    a.BarChart(d.TensorData(array=POINTS[0]))
    a.TextLog("a", level="INFO", color=[255, 0, 0])
    a.TextLog("a", level=c.TextLogLevel.INFO, color=c.Color([1.0, 0.0, 0.0]))
    a.TextDocument("# a", media_type=c.MediaType.MARKDOWN)


def test_spatial_things() -> None:
    a.Points2D([[1, 2], (3.0, 4)], radii=1, colors=np.zeros((2, 3), np.uint8), draw_order=1.0)
    a.Points3D(
        POINTS,
        radii=[0.5],
        colors=[0xFF0000FF],
        labels=["a"],
        show_labels=True,
        class_ids=1,
        keypoint_ids=[1, 2],
    )
    a.Points3D([1, 2, 3], radii=c.Radius.ui_points(3), point_shading="flat")
    a.Points3D([d.Vec3D([1, 2, 3]), c.Position3D([1, 2, 3])], colors=[(255, 0, 0), (0, 255, 0, 128)])
    a.LineStrips3D([[[0, 0, 0], [1, 1, 1]]], radii=0.1)
    a.LineStrips3D([POINTS, POINTS])
    a.LineStrips3D(POINTS)
    a.Arrows3D(vectors=[[1, 0, 0]], origins=POINTS)
    a.Boxes2D(sizes=[[1, 2]], mins=[[0, 0]])
    a.Boxes2D(array=[1, 2, 3, 4], array_format=a.Box2DFormat.XYWH)
    a.Boxes3D(
        half_sizes=POINTS, centers=[[0, 0, 0]], quaternions=[d.Quaternion.identity()], fill_mode="solid"
    )
    a.Boxes3D(sizes=[1, 1, 1], rotations=d.RotationAxisAngle([0, 0, 1], degrees=45))
    a.Transform3D(translation=[1, 2.0, 3], quaternion=[0, 0, 0, 1], scale=2.0)
    a.Transform3D(relation="ParentFromChild")
    a.Transform3D(
        translation=np.zeros(3), rotation=d.RotationAxisAngle(axis=[1, 0, 0], angle=d.Angle(deg=10))
    )
    a.Transform3D(mat3x3=np.eye(3), child_frame="a", parent_frame="b", scale=(1, 2, 3))
    a.Pinhole(focal_length=500.0, width=640, height=480, camera_xyz=c.ViewCoordinates.RDF)
    a.Pinhole(fov_y=0.8, aspect_ratio=1.7, line_width=1.0, color=[255, 0, 0])


def test_images() -> None:
    a.Image(PIXELS)
    a.Image(PIXELS, "RGB", opacity=0.5, draw_order=1, magnification_filter="linear")
    a.Image(PIXELS, color_model=d.ColorModel.BGR).compress(jpeg_quality=80)
    a.Image(bytes=b"123456", width=2, height=2, pixel_format=d.PixelFormat.NV12)
    a.Image(bytes=bytearray(4), width=2, height=2, color_model="L", datatype=np.uint8)
    a.DepthImage(np.zeros((2, 2), np.uint16), meter=1000.0, colormap="turbo", depth_range=(0.0, 5.0))
    a.EncodedImage(contents=b"x", media_type="image/png")
    a.EncodedImage(contents=io.BytesIO(b"x"), media_type=c.MediaType.JPEG)
    a.EncodedDepthImage(b"x", media_type="image/png", meter=0.001)


def test_other_things() -> None:
    a.Clear(recursive=True)
    a.RecordingInfo(name="a", start_time=1)
    AnyValues(typing_a=1, typing_b=[1.0], typing_c=POINTS[0])
    DynamicArchetype("mine", components={"a": 1})
    c.Position3DBatch(POINTS)
    c.ColorBatch([[1, 2, 3]], strict=True)


def test_what_comes_back() -> None:
    points = a.Points3D(POINTS)
    assert_type(points.positions, c.Position3DBatch | None)
    assert_type(a.Points3D.from_fields(radii=1.0), a.Points3D)
    assert_type(a.Image.cleared(), a.Image)
    assert_type(a.Points3D.columns(positions=POINTS), ComponentColumnList)
    assert_type(a.Clear.flat(), a.Clear)
    assert_type(a.Image(PIXELS).compress(), a.EncodedImage | a.Image)
    assert_type(AnyValues(typing_a=1).with_component_from_data("typing_d", [1]), AnyValues)
    assert_type(d.Quaternion.identity(), d.Quaternion)
    assert_type(c.MarkerShape.auto("circle"), c.MarkerShape)


def wrong_arguments_are_found() -> None:
    """Never called: mypy and pyright must complain about each line, or they complain about the comment."""
    a.Points3D(position=POINTS)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    a.Scalars()  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    a.TextLog(5)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    a.Arrows3D(POINTS)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    a.SeriesPoints(markers="no such shape")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    a.Transform3D(scale=object())  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def test_every_archetype_is_used_above() -> None:
    tree = ast.parse(Path(__file__).read_text())
    called = {
        node.func.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
    }
    assert set(a.__all__) - called == {"Archetype", "Box2DFormat"}
