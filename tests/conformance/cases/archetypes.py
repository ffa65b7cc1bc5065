"""Cases: every archetype in the forms in which it is usually given."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np

from tests.conformance.cases.registry import case

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


@case()
def scalars(rr: Any, rec: Any) -> None:
    values = (1.5, 2, True, np.float32(0.1), [1.0], [1.0, 2.0, 3.0], np.arange(5), np.array([[7.0]]))
    for number, value in enumerate(values):
        rec.set_time("frame", sequence=number)
        rec.log(f"s/{number}", rr.Scalars(value))


@case()
def special_floats(rr: Any, rec: Any) -> None:
    rec.log("s", rr.Scalars([float("inf"), float("-inf"), -0.0, 5e-324, 1.7976931348623157e308]))
    rec.log("p", rr.Points3D([[1e-45, 0.0, float("inf")], [-0.0, 1e-45, 3.4e38]]))


@case(comparable=False)
def not_a_number(rr: Any, rec: Any) -> None:
    rec.log("s", rr.Scalars(float("nan")))
    rec.log("s", rr.Scalars([1.0, float("nan")]))
    rec.log("p", rr.Points3D([[float("nan"), 0.0, 1.0]], radii=float("nan")))


@case()
def series_lines(rr: Any, rec: Any) -> None:
    rec.log("plot/one", rr.SeriesLines(colors=[255, 0, 0], names="sine", widths=2), static=True)
    rec.log(
        "plot/two",
        rr.SeriesLines(
            colors=[[255, 0, 0], [0, 255, 0, 128]],
            names=["x", "y"],
            widths=[1, 2.5],
            visible_series=[True, False],
            aggregation_policy="Average",
            interpolation_mode="StepAfter",
        ),
        static=True,
    )


@case()
def series_points(rr: Any, rec: Any) -> None:
    rec.log("plot/one", rr.SeriesPoints(colors=0xFF0000FF, markers="Circle", names="p"), static=True)
    rec.log(
        "plot/two",
        rr.SeriesPoints(markers=["Circle", "cross"], marker_sizes=[1, 2.5], visible_series=False),
        static=True,
    )
    rec.log("plot/none", rr.SeriesPoints(), static=True)


@case(same_chunks=False)
def text_log(rr: Any, rec: Any) -> None:
    rec.log("log", rr.TextLog("plain"))
    rec.log("log", rr.TextLog("with a level", level="INFO"))
    rec.log("log", rr.TextLog("with a level object", level=rr.TextLogLevel.WARN))
    rec.log("log", rr.TextLog("ünïcödé ✓ 日本語 🦀", level=rr.TextLogLevel.ERROR, color=[255, 128, 0]))
    rec.log("log", rr.TextLog(""))
    rec.log("log", rr.TextLog("a\nb\tc\x00d", level="strange"))


@case(same_chunks=False)
def text_document(rr: Any, rec: Any) -> None:
    rec.log("doc", rr.TextDocument("plain"), static=True)
    rec.log("doc", rr.TextDocument("# Title\n*text*", media_type=rr.MediaType.MARKDOWN))
    rec.log("doc", rr.TextDocument("long " * 5000, media_type="text/plain"))


@case()
def points2d(rr: Any, rec: Any) -> None:
    rec.log("one", rr.Points2D([1, 2]))
    rec.log("list", rr.Points2D([(1, 2), (3.5, 4)], radii=[1, -2.5], colors=[[255, 0, 0], [0, 0, 255]]))
    rec.log(
        "array",
        rr.Points2D(
            np.arange(20, dtype=np.float64).reshape(10, 2),
            radii=0.5,
            colors=(0, 128, 255, 64),
            labels=[f"p{number}" for number in range(10)],
            show_labels=True,
            draw_order=3.0,
            class_ids=range(10),
            keypoint_ids=np.arange(10),
        ),
    )


@case()
def points3d(rr: Any, rec: Any) -> None:
    rng = np.random.default_rng(1)
    rec.log("one", rr.Points3D([1, 2, 3]))
    rec.log("list", rr.Points3D([[1, 2, 3], [4, 5, 6]], radii=0.1, colors=[255, 0, 0], labels="both"))
    rec.log(
        "many",
        rr.Points3D(
            rng.standard_normal((1000, 3)),
            colors=rng.integers(0, 255, (1000, 4), np.uint8),
            radii=rng.random(1000),
            class_ids=np.zeros(1000, np.uint16),
        ),
    )
    rec.log("floats", rr.Points3D(np.ones((2, 3)), colors=[[1.0, 0.5, 0.0], [0.0, 0.0, 1.0]]))
    rec.log("packed", rr.Points3D(np.ones((2, 3)), colors=[0xFF00FFFF, 0x00FF00AA], keypoint_ids=[1, 2]))
    rec.log("turned", rr.Points3D(np.asfortranarray(rng.random((7, 3)))[::-1]))


@case()
def line_strips3d(rr: Any, rec: Any) -> None:
    rec.log("one", rr.LineStrips3D([[0, 0, 0], [1, 1, 1], [2, 0, 2]]))
    rec.log(
        "ragged",
        rr.LineStrips3D(
            [[[0, 0, 0], [1, 0, 0]], [[0, 1, 0], [1, 1, 0], [2, 1, 0]], [[0, 2, 0], [1, 2, 0]]],
            radii=[0.1, 0.2, 0.3],
            colors=[[255, 0, 0], [0, 255, 0], [0, 0, 255]],
            labels=["a", "b", "c"],
        ),
    )
    rec.log("arrays", rr.LineStrips3D([np.ones((4, 3)), np.zeros((2, 3))], class_ids=[1, 2]))
    rec.log("array", rr.LineStrips3D(np.arange(24, dtype=np.float32).reshape(2, 4, 3)))


@case()
def boxes2d(rr: Any, rec: Any) -> None:
    rec.log("mins", rr.Boxes2D(mins=[-1, -1], sizes=[2, 2]))
    rec.log("halves", rr.Boxes2D(half_sizes=[[1, 2], [3, 4]], centers=[[0, 0], [5, 5]], labels=["a", "b"]))
    rec.log(
        "xywh",
        rr.Boxes2D(array=[[0, 0, 4, 2], [1, 1, 2, 2]], array_format=rr.Box2DFormat.XYWH, colors=[1, 2, 3]),
    )
    rec.log("xyxy", rr.Boxes2D(array=np.array([0, 0, 4, 2]), array_format=rr.Box2DFormat.XYXY, class_ids=[7]))
    rec.log(
        "cxcywh", rr.Boxes2D(array=[[1, 1, 4, 2]], array_format=rr.Box2DFormat.XCYCWH, draw_order=1, radii=2)
    )


@case()
def boxes3d(rr: Any, rec: Any) -> None:
    rec.log("sizes", rr.Boxes3D(sizes=[1, 2, 3]))
    rec.log("mins", rr.Boxes3D(mins=[[-1, -1, -1]], sizes=[[2, 2, 2]]))
    rec.log(
        "batch",
        rr.Boxes3D(
            centers=[[2, 0, 0], [-2, 0, 0]],
            half_sizes=[[2.0, 2.0, 1.0], [1.0, 1.0, 0.5]],
            quaternions=[rr.Quaternion.identity(), rr.Quaternion(xyzw=[0.0, 0.0, 0.382683, 0.923880])],
            radii=0.025,
            colors=[(255, 0, 0), (0, 255, 0)],
            fill_mode="solid",
            labels=["red", "green"],
        ),
    )
    rec.log(
        "turned",
        rr.Boxes3D(
            half_sizes=[1, 1, 1],
            rotation_axis_angles=[rr.RotationAxisAngle(axis=[0, 1, 0], angle=rr.Angle(deg=30))],
        ),
    )


@case()
def arrows3d(rr: Any, rec: Any) -> None:
    rec.log("one", rr.Arrows3D(vectors=[1, 0, 0]))
    angles = np.arange(0, 6.28, 0.5)
    vectors = np.column_stack([np.sin(angles), np.zeros(len(angles)), np.cos(angles)])
    rec.log("many", rr.Arrows3D(origins=np.zeros_like(vectors), vectors=vectors, radii=0.05, labels="x"))
    rec.log("both", rr.Arrows3D(vectors=[[1, 0, 0], [0, 1, 0]], colors=[0xFF0000FF, 0x00FF00FF], class_ids=3))


@case(same_chunks=False)
def transform3d(rr: Any, rec: Any) -> None:
    rec.log("t", rr.Transform3D(translation=[1, 2, 3]))
    rec.log("t", rr.Transform3D(translation=np.array([1.0, 2.0, 3.0]), scale=2))
    rec.log("t", rr.Transform3D(scale=[1, 2, 3], relation=rr.TransformRelation.ChildFromParent))
    rec.log("t", rr.Transform3D(mat3x3=np.arange(9).reshape(3, 3)))
    rec.log(
        "t", rr.Transform3D(rotation=rr.Quaternion(xyzw=[0, 0, 0.7071, 0.7071]), relation="ChildFromParent")
    )
    rec.log(
        "t", rr.Transform3D(rotation_axis_angle=rr.RotationAxisAngle(axis=[1, 0, 0], angle=rr.Angle(rad=1.5)))
    )
    rec.log("t", rr.Transform3D(translation=[0, 0, 1], child_frame="camera", parent_frame="base"))
    rec.log("t", rr.Transform3D())
    rec.log("t", rr.Transform3D.from_fields(clear_unset=True, scale=[2, 2, 2]))


@case()
def transform3d_moving(rr: Any, rec: Any) -> None:
    for number in range(100):
        rec.set_time("step", sequence=number)
        rec.log(
            "robot/arm",
            rr.Transform3D(
                translation=[number, 0.5 * number, 0.0],
                quaternion=rr.Quaternion(xyzw=[0, 0, np.sin(number), np.cos(number)]),
            ),
        )


@case()
def images(rr: Any, rec: Any) -> None:
    rng = np.random.default_rng(2)
    rec.log("rgb", rr.Image(rng.integers(0, 255, (12, 16, 3), np.uint8)))
    rec.log("rgba", rr.Image(rng.integers(0, 255, (12, 16, 4), np.uint8), opacity=0.5))
    rec.log("gray", rr.Image(rng.integers(0, 255, (12, 16), np.uint8), draw_order=-1.0))
    rec.log("bgr", rr.Image(rng.integers(0, 255, (12, 16, 3), np.uint8), color_model="BGR"))
    rec.log("float", rr.Image(rng.random((5, 4, 3), np.float32)))
    rec.log("sliced", rr.Image(rng.integers(0, 255, (24, 32, 3), np.uint8)[::2, ::2]))
    rec.log("nv12", rr.Image(bytes=bytes(range(24)), width=4, height=4, pixel_format=rr.PixelFormat.NV12))
    rec.log(
        "raw",
        rr.Image(
            bytes=bytes(48), width=4, height=4, color_model=rr.ColorModel.RGB, datatype=rr.ChannelDatatype.U8
        ),
    )


@case()
def depth_images(rr: Any, rec: Any) -> None:
    depth = np.arange(48, dtype=np.uint16).reshape(6, 8) * 100
    rec.log("plain", rr.DepthImage(depth))
    rec.log(
        "full",
        rr.DepthImage(
            depth.astype(np.float32),
            meter=1000.0,
            colormap="viridis",
            depth_range=[0, 5000],
            point_fill_ratio=0.5,
        ),
    )


@case()
def encoded_images(rr: Any, rec: Any) -> None:
    rec.log("png", rr.EncodedImage(contents=PNG, media_type="image/png"))
    rec.log(
        "jpeg", rr.EncodedImage(contents=b"\xff\xd8\xff", media_type="image/jpeg", opacity=0.25, draw_order=2)
    )


@case()
def pinholes(rr: Any, rec: Any) -> None:
    rec.log("focal", rr.Pinhole(focal_length=500, width=640, height=480), static=True)
    rec.log("two", rr.Pinhole(focal_length=(500, 510), principal_point=(300, 200), resolution=[640, 480]))
    rec.log("fov", rr.Pinhole(fov_y=0.8, aspect_ratio=1.5, camera_xyz=[3, 1, 6]))
    rec.log(
        "matrix",
        rr.Pinhole(
            image_from_camera=[[500, 0, 320], [0, 500, 240], [0, 0, 1]],
            width=640,
            height=480,
            image_plane_distance=0.2,
            color=[0, 255, 0],
            line_width=2,
        ),
    )


@case()
def bar_charts(rr: Any, rec: Any) -> None:
    rec.log("ints", rr.BarChart([8, 4, 0, 9, 1, 4]))
    rec.log("floats", rr.BarChart(np.array([0.5, 1.5, 2.5]), color=[200, 50, 0]))
    rec.log("full", rr.BarChart([1, 2, 3], abscissa=[0, 1, 3], widths=[1, 2, 1]))
    rec.log("bytes", rr.BarChart(np.array([1, 2, 255], np.uint8)))


@case()
def clears(rr: Any, rec: Any) -> None:
    for number in range(3):
        rec.set_time("frame", sequence=number)
        rec.log(f"arrows/{number}", rr.Arrows3D(vectors=[1, 0, number]))
    rec.set_time("frame", sequence=10)
    rec.log("arrows/0", rr.Clear(recursive=False))
    rec.set_time("frame", sequence=11)
    rec.log("arrows", rr.Clear(recursive=True))
    rec.log("arrows", rr.Clear.flat())
    rec.log("arrows", rr.Clear(recursive=True))


@case(same_chunks=False)
def cleared_and_from_fields(rr: Any, rec: Any) -> None:
    rec.log("p", rr.Points3D([[1, 2, 3], [4, 5, 6]], colors=[255, 0, 0], radii=1))
    rec.log("p", rr.Points3D.from_fields(radii=[0.5, 0.25]))
    rec.log("p", rr.Points3D.from_fields(colors=[[0, 255, 0], [0, 0, 255]], labels=["a", "b"]))
    rec.log("p", rr.Points3D.from_fields(clear_unset=True, positions=[[7, 8, 9]]))
    rec.log("p", rr.Points3D.cleared())
    rec.log("t", rr.Transform3D.from_fields(translation=[1, 1, 1]))
    rec.log("l", rr.SeriesLines.cleared(), static=True)
    rec.log("b", rr.Boxes3D.from_fields(half_sizes=[1, 2, 3]))


@case()
def any_values(rr: Any, rec: Any) -> None:
    rec.log("a", rr.AnyValues(conformance_float=1.5, conformance_text="some", conformance_int=3))
    rec.log("b", rr.AnyValues(conformance_list=[1, 2, 3], conformance_words=["a", "b"]))
    rec.log("c", rr.AnyValues(conformance_array=np.arange(5, dtype=np.float32)))
    rec.log("d", rr.AnyValues(conformance_bool=True, conformance_bytes=b"\x00\x01"))
    rec.log("e", rr.AnyValues(conformance_gone=None, conformance_float=2.5))
    rec.log("f", rr.AnyValues(conformance_ints=np.arange(4, dtype=np.int8)), static=True)


@case()
def dynamic_archetypes(rr: Any, rec: Any) -> None:
    rec.log("a", rr.DynamicArchetype("MyArchetype", components={"speed": 2.5, "name": "x"}))
    rec.log("b", rr.DynamicArchetype("MyArchetype", components={"many": [1.0, 2.0]}), static=True)
