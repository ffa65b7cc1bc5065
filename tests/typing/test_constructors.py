"""Every constructor with values that are usual, for type checkers; and that wrong ones are found by them."""

from __future__ import annotations

import ast
import io
from pathlib import Path
from typing import assert_type

import numpy as np
import numpy.typing as npt

import aiorerun.archetypes as a
import aiorerun.blueprint as rrb
import aiorerun.components as c
import aiorerun.datatypes as d
import aiorerun.sync.blueprint as sync_rrb
from aiorerun.types.any_values import AnyValues, DynamicArchetype
from aiorerun.types.batches import ComponentColumnList

POINTS: npt.NDArray[np.float32] = np.zeros((2, 3), np.float32)
ROTATION = d.RotationAxisAngle([0, 0, 1], degrees=45)
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


def test_more_shapes() -> None:
    a.Arrows2D(vectors=[[1, 0], [0, 1]], origins=[0, 0], radii=0.1, colors=[255, 0, 0], draw_order=1)
    a.LineStrips2D([[[0, 0], [1, 1]], [[2, 2], [3, 3], [4, 4]]], radii=[0.1], labels=["a", "b"])
    a.LineStrips2D(np.zeros((2, 3, 2)))
    a.Ellipses2D(half_sizes=[[1, 2]], centers=[0, 0], line_radii=0.1, labels="a")
    a.Ellipsoids3D(half_sizes=[1, 2, 3], fill_mode="solid")
    a.Ellipsoids3D(radii=[1.0, 2.0], centers=POINTS, quaternions=[d.Quaternion.identity()])
    a.Capsules3D(lengths=[1, 2], radii=0.5, translations=POINTS, rotation_axis_angles=[ROTATION])
    a.Cylinders3D(lengths=1.0, radii=[0.5], centers=[[0, 0, 0]], fill_mode=c.FillMode.Solid)
    a.InstancePoses3D(translations=POINTS, scales=[[2, 2, 2]], mat3x3=np.eye(3))
    a.Mesh3D(
        vertex_positions=POINTS,
        triangle_indices=[[0, 1, 2]],
        vertex_colors=[0xFF0000FF],
        vertex_texcoords=[[0, 0], [1, 0]],
        albedo_texture=PIXELS,
        face_rendering="Front",
    )
    a.GaussianSplats3D(POINTS, scales=[[1, 1, 1]], quaternions=[[0, 0, 0, 1]], spherical_harmonics_degree=0)
    a.GridMap(data=b"1234", format=d.ImageFormat(2, 2, color_model="L", channel_datatype="U8"), cell_size=0.1)
    a.VoxelGridMap([[0, 0, 1]], [0.1, 0.1, 0.1], values=[1.0], colormap="turbo")
    a.Volume3D(np.zeros((2, 2, 2), np.float32), voxel_size=[1, 1, 1], value_range=[0, 1])
    a.TransformAxes3D(1.0, show_frame=True)
    a.CoordinateFrame("map")
    a.ViewCoordinates([d.ViewDir.Right, d.ViewDir.Down, d.ViewDir.Forward])
    a.ViewCoordinates(a.ViewCoordinates.RDF)


def test_files_and_videos() -> None:
    a.Asset3D(contents=b"x", media_type=c.MediaType.GLB, albedo_factor=[255, 0, 0])
    a.AssetAudio(contents=b"x", media_type="audio/wav")
    a.AssetVideo(contents=np.zeros(3, np.uint8), media_type=c.MediaType.MP4)
    a.VideoStream("H264", sample=b"x", is_keyframe=True)
    a.VideoStream(c.VideoCodec.AV1)
    a.VideoFrameReference(seconds=1.5, video_reference="video")
    a.VideoFrameReference(c.VideoTimestamp(nanoseconds=1))
    a.VideoFrameReference(1)
    assert_type(a.VideoFrameReference.columns_secs([0.0, 0.5]), ComponentColumnList)
    a.McapChannel(id=1, topic="t", message_encoding="json", metadata={"a": "b"})
    a.McapMessage(data=b"x")
    a.McapSchema(id=1, name="n", encoding="protobuf", data=b"x")
    a.McapStatistics(
        message_count=1,
        schema_count=1,
        channel_count=1,
        attachment_count=0,
        metadata_count=0,
        chunk_count=1,
        message_start_time=1,
        message_end_time=2,
        channel_message_counts={1: 1},
    )


def test_classes_graphs_maps_and_tensors() -> None:
    a.AnnotationContext([(1, "red", (255, 0, 0)), (2, "green"), 3])
    a.AnnotationContext([d.AnnotationInfo(1, "red", color=[255, 0, 0])])
    a.AnnotationContext(
        d.ClassDescription(
            info=(0, "person"), keypoint_annotations=[(0, "hand"), 1], keypoint_connections=[(0, 1)]
        )
    )
    a.SegmentationImage(np.zeros((2, 2), np.uint8), opacity=0.5)
    a.GraphNodes(["a", "b"], positions=[[0, 0], [1, 1]], colors=[255, 0, 0], labels=["A", "B"])
    a.GraphEdges([("a", "b"), d.Utf8Pair("b", "a")], graph_type="directed")
    a.GeoPoints(lat_lon=[[59.3, 18.1]], radii=c.Radius.ui_points(5), class_ids=[1])
    a.GeoLineStrings(lat_lon=[[[59.3, 18.1], [59.4, 18.2]]], colors=[0, 0, 255])
    a.Tensor(np.zeros((2, 3, 4)), dim_names=("x", "y", "z"), value_range=[0, 1])
    a.Tensor(d.TensorData(array=POINTS))
    a.Measurements([1.0, 2.0], variances=[0.1, 0.2], units="m/s", names=["a", "b"])
    a.StateChange(state="open")
    a.StateConfiguration(
        values=["open", "closed"], labels=["Open", "Closed"], colors=[[0, 255, 0], [255, 0, 0]]
    )


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


def test_blueprints() -> None:
    last = rrb.VisibleTimeRange(
        "frame",
        start=rrb.TimeRangeBoundary.cursor_relative(seq=-10),
        end=rrb.TimeRangeBoundary.cursor_relative(),
    )
    scene = rrb.Spatial3DView(
        origin="/world",
        contents=["$origin/**", "- /world/secret"],
        background=[80, 80, 130],
        line_grid=rrb.LineGrid3D(visible=True, plane=c.Plane3D.XY.with_distance(-5), color=0xFFFFFF40),
        spatial_information="map",
        eye_controls=rrb.EyeControls3D(kind="Orbital", position=(0, 1, 2), speed=20),
        time_ranges=[last],
        defaults=[a.Points3D.from_fields(radii=0.1)],
        overrides={
            "/world/points": [a.Points3D.from_fields(colors=[255, 0, 0]), rrb.EntityBehavior(visible=True)]
        },
    )
    plot = rrb.TimeSeriesView(
        axis_y=rrb.ScalarAxis(range=(-1.0, 1.0), zoom_lock=True),
        plot_legend="LeftTop",
        overrides={"loss": a.SeriesLines(widths=2).visualizer()},
    )
    log = rrb.TextLogView(columns=rrb.TextLogColumns(timeline_columns=["frame"], text_log_columns=["Body"]))
    image = rrb.Spatial2DView(
        background=rrb.BackgroundKind.GradientBright,
        visual_bounds=rrb.VisualBounds2D(x_range=[0, 10], y_range=(0.0, 5.5)),
        time_ranges=last,
    )
    blueprint = rrb.Blueprint(
        rrb.Horizontal(scene, rrb.Vertical(contents=[plot, log], row_shares=[3, 1]), column_shares=POINTS[0]),
        rrb.Tabs(image, rrb.MapView(zoom=16, background="OpenStreetMap"), active_tab="map")
        if image.name == "never"
        else rrb.Grid(image, grid_columns=2),
        rrb.TimePanel(state="Collapsed", timeline="frame", play_state="Playing", fps=30),
        rrb.SelectionPanel(expanded=False),
        collapse_panels=True,
        auto_views=False,
    )
    assert_type(blueprint.to_blueprint(), rrb.Blueprint)
    assert_type(rrb.as_blueprint(scene), rrb.Blueprint)
    assert_type(sync_rrb.Blueprint(scene).to_blueprint(), sync_rrb.Blueprint)
    assert_type(a.SeriesLines().visualizer(), rrb.Visualizer)
    rrb.TableBlueprint(
        table_layout=rrb.table.TableLayout(columns=[rrb.table.Column("name", column_type=c.Text)]),
        filters=[rrb.table.col("loss") < 0.5, "a > 1"],
        sort_by=rrb.table.SortBy("loss", direction="Descending"),
    )


async def saving_blueprints() -> None:
    """Never called: one waits, the other is awaited."""
    assert_type(sync_rrb.Blueprint().save("app"), None)
    assert_type(sync_rrb.TableBlueprint().save("app"), None)
    assert_type(await rrb.Blueprint().save("app", Path("a.rbl")), None)


def wrong_blueprints_are_found() -> None:
    """Never called, as below."""
    rrb.Blueprint("view")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    rrb.Horizontal(rrb.Blueprint())  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    rrb.Spatial3DView("/world")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    rrb.TimePanel(state="open")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    rrb.Spatial2DView(eye_controls=None)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]


def wrong_arguments_are_found() -> None:
    """Never called: mypy and pyright must complain about each line, or they complain about the comment."""
    a.Points3D(position=POINTS)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    a.Scalars()  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    a.TextLog(5)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    a.Arrows3D(POINTS)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    a.SeriesPoints(markers="no such shape")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    a.Ellipsoids3D(POINTS)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    a.GraphEdges(5)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    a.VideoStream("H263")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    a.VideoFrameReference("1s")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    a.Transform3D(scale=object())  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def wrong_names_are_found() -> None:
    """Never called, as above: every constructor knows its parameters."""
    a.AnnotationContext(no_such_parameter=1)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    a.Arrows2D(no_such_parameter=1)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    a.Arrows3D(no_such_parameter=1)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    a.Asset3D(no_such_parameter=1)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    a.AssetAudio(no_such_parameter=1)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    a.AssetVideo(no_such_parameter=1)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    a.BarChart(no_such_parameter=1)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    a.Boxes2D(no_such_parameter=1)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    a.Boxes3D(no_such_parameter=1)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    a.Capsules3D(no_such_parameter=1)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    a.Clear(no_such_parameter=1)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    a.CoordinateFrame(no_such_parameter=1)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    a.Cylinders3D(no_such_parameter=1)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    a.DepthImage(no_such_parameter=1)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    a.Ellipses2D(no_such_parameter=1)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    a.Ellipsoids3D(no_such_parameter=1)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    a.EncodedDepthImage(no_such_parameter=1)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    a.EncodedImage(no_such_parameter=1)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    a.GaussianSplats3D(no_such_parameter=1)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    a.GeoLineStrings(no_such_parameter=1)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    a.GeoPoints(no_such_parameter=1)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    a.GraphEdges(no_such_parameter=1)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    a.GraphNodes(no_such_parameter=1)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    a.GridMap(no_such_parameter=1)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    a.Image(no_such_parameter=1)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    a.InstancePoses3D(no_such_parameter=1)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    a.LineStrips2D(no_such_parameter=1)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    a.LineStrips3D(no_such_parameter=1)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    a.McapChannel(no_such_parameter=1)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    a.McapMessage(no_such_parameter=1)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    a.McapSchema(no_such_parameter=1)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    a.McapStatistics(no_such_parameter=1)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    a.Measurements(no_such_parameter=1)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    a.Mesh3D(no_such_parameter=1)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    a.Pinhole(no_such_parameter=1)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    a.Points2D(no_such_parameter=1)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    a.Points3D(no_such_parameter=1)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    a.RecordingInfo(no_such_parameter=1)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    a.Scalars(no_such_parameter=1)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    a.SegmentationImage(no_such_parameter=1)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    a.SeriesLines(no_such_parameter=1)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    a.SeriesPoints(no_such_parameter=1)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    a.StateChange(no_such_parameter=1)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    a.StateConfiguration(no_such_parameter=1)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    a.Tensor(no_such_parameter=1)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    a.TextDocument(no_such_parameter=1)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    a.TextLog(no_such_parameter=1)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    a.Transform3D(no_such_parameter=1)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    a.TransformAxes3D(no_such_parameter=1)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    a.VideoFrameReference(no_such_parameter=1)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    a.VideoStream(no_such_parameter=1)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    a.ViewCoordinates(no_such_parameter=1)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    a.Volume3D(no_such_parameter=1)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    a.VoxelGridMap(no_such_parameter=1)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]


def test_every_archetype_is_used_above() -> None:
    tree = ast.parse(Path(__file__).read_text())
    called = {
        node.func.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
    }
    assert set(a.__all__) - called == {"Archetype", "Box2DFormat"}
