"""More blueprints that are made by both SDKs: properties, defaults and overrides of views; and filters."""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np

from tests.conformance.blueprint_cases import case, last

NO_ARGUMENTS = (
    "is_true is_false is_not_true is_not_false is_null is_not_null today not_today yesterday not_yesterday "
    "last_24_hours not_last_24_hours this_week not_this_week last_week not_last_week"
)
"""Methods of filters without arguments."""


@case
def audio(rrb: Any, rr: Any) -> Any:
    return rrb.Blueprint(rrb.AudioView(origin="/sound", playback=rrb.AudioPlayback(volume=0.25)))


@case
def bar_chart(rrb: Any, rr: Any) -> Any:
    return rrb.Blueprint(
        rrb.BarChartView(
            plot_legend=rrb.PlotLegend(corner="leftbottom", visible=True),
            background=rrb.archetypes.PlotBackground(color=0x102030FF, show_grid=False),
        ),
        rrb.BarChartView(plot_legend=rrb.Corner2D.RightTop),
    )


@case
def dataframe(rrb: Any, rr: Any) -> Any:
    query = rrb.archetypes.DataframeQuery(
        timeline="frame",
        filter_by_range=(rr.encodings.TimeInt(seq=1), rr.encodings.TimeInt(seq=9)),
        filter_is_not_null="/points:positions",
        apply_latest_at=True,
        select=["frame", "/points:colors", "log_time", "/a:b:c"],
        entity_order=["/b", "/a"],
        auto_scroll=True,
    )
    return rrb.Blueprint(rrb.DataframeView(origin="/data", query=query))


@case
def dataframe_by_types(rrb: Any, rr: Any) -> Any:
    selector = rrb.components.ComponentColumnSelector(entity_path="/points", component="Points3D:positions")
    query = rrb.archetypes.DataframeQuery(
        filter_by_range=rrb.encodings.FilterByRange(
            rr.encodings.TimeInt(seq=-5), rr.encodings.TimeInt(seq=5)
        ),
        filter_is_not_null=selector,
        select=[selector, rr.encodings.Utf8("frame")],
    )
    return rrb.Blueprint(rrb.DataframeView(query=query))


@case
def graph(rrb: Any, rr: Any) -> Any:
    return rrb.Blueprint(
        rrb.GraphView(
            background=rrb.archetypes.GraphBackground(color=[30, 10, 10]),
            visual_bounds=rrb.VisualBounds2D(x_range=[-150, 150], y_range=(-50.5, 150)),
            force_link=rrb.archetypes.ForceLink(enabled=True, distance=60, iterations=3),
            force_many_body=rrb.archetypes.ForceManyBody(enabled=False, strength=-60),
            force_position=rrb.archetypes.ForcePosition(enabled=True, strength=0.1, position=[1, 2]),
            force_collision_radius=rrb.archetypes.ForceCollisionRadius(
                enabled=True, strength=2, iterations=2
            ),
            force_center=rrb.archetypes.ForceCenter(enabled=True, strength=0.5),
        )
    )


@case
def maps(rrb: Any, rr: Any) -> Any:
    return rrb.Blueprint(
        rrb.MapView(zoom=16.0, background=rrb.MapProvider.MapboxSatellite),
        rrb.MapView(zoom=rrb.archetypes.MapZoom(3), background="openstreetmap"),
        rrb.MapView(zoom=2, background=rrb.archetypes.MapBackground(rrb.MapProvider.MapboxLight)),
    )


@case
def spatial_2d(rrb: Any, rr: Any) -> Any:
    return rrb.Blueprint(
        rrb.Spatial2DView(
            background=[105, 20, 105],
            visual_bounds=rrb.VisualBounds2D(x_range=np.array([-5.0, 5.0]), y_range=[-5, 5]),
            spatial_information=rrb.SpatialInformation(target_frame="camera", show_axes=True),
            time_ranges=last(rrb),
        ),
        rrb.Spatial2DView(
            background=rrb.BackgroundKind.GradientBright, time_ranges=[last(rrb), last(rrb, 5, "t")]
        ),
        rrb.Spatial2DView(background=rrb.Background(color=(1.0, 0.5, 0.0)), spatial_information="tf#/"),
        rrb.Spatial2DView(background=rrb.Background((0, 0, 255))),
    )


@case
def spatial_3d(rrb: Any, rr: Any) -> Any:
    return rrb.Blueprint(
        rrb.Spatial3DView(
            origin="/world",
            background=rrb.Background(kind="SolidColor", color=[80, 80, 130]),
            line_grid=rrb.LineGrid3D(
                visible=True,
                spacing=0.1,
                plane=rr.components.Plane3D.XY.with_distance(-5.0),
                stroke_width=2.0,
                color=[255, 255, 255, 128],
            ),
            spatial_information=rrb.SpatialInformation(
                target_frame="tf#/world",
                show_axes=True,
                show_bounding_box=True,
                axes=rr.components.ViewCoordinates.FLU,
            ),
            eye_controls=rrb.EyeControls3D(
                kind=rrb.Eye3DKind.FirstPerson,
                position=(0.0, 0.0, 0.5),
                look_target=[1, 0, 0],
                eye_up=np.array([0, 0, 1]),
                speed=20,
                spin_speed=0.5,
                tracking_entity="/world/robot",
            ),
            time_ranges=rrb.VisibleTimeRanges([last(rrb), last(rrb, 3, "log_time")]),
        )
    )


@case
def spatial_3d_by_bare_values(rrb: Any, rr: Any) -> Any:
    return rrb.Blueprint(
        rrb.Spatial3DView(
            background=0xFF8000FF, line_grid=False, spatial_information="map", time_ranges=last(rrb)
        ),
        rrb.Spatial3DView(
            line_grid=rrb.archetypes.LineGrid3D(True),
            eye_controls=rrb.EyeControls3D(kind="orbital"),
            time_ranges=rrb.VisibleTimeRanges(
                timeline="frame", range=rrb.TimeRange(
                    start=rrb.TimeRangeBoundary.infinite(), end=rrb.TimeRangeBoundary.absolute(seq=10)
                )
            ),
        ),
    )  # fmt: skip


@case
def states(rrb: Any, rr: Any) -> Any:
    axis = rrb.TimeAxis(link="independent", view_range=last(rrb).range, zoom_lock=False)
    return rrb.Blueprint(rrb.StateTimelineView(time_view=axis, time_ranges=last(rrb)))


@case
def tensor(rrb: Any, rr: Any) -> Any:
    return rrb.Blueprint(
        rrb.TensorView(
            slice_selection=rrb.TensorSliceSelection(
                width=1,
                height=rr.TensorDimensionSelection(dimension=2, invert=True),
                indices=[
                    rr.TensorDimensionIndexSelection(dimension=2, index=4),
                    rr.TensorDimensionIndexSelection(dimension=3, index=5),
                ],
                slider=[2, 3],
            ),
            scalar_mapping=rrb.TensorScalarMapping(colormap="turbo", gamma=1.5, mag_filter="linear"),
            view_fit="FillKeepAspectRatio",
        ),
        rrb.TensorView(view_fit=rrb.archetypes.TensorViewFit(rrb.components.ViewFit.Original)),
    )


@case
def text_document(rrb: Any, rr: Any) -> Any:
    options = rrb.archetypes.TextDocumentFormat(word_wrap=True, monospace=False)
    return rrb.Blueprint(rrb.TextDocumentView(origin="/readme", format_options=options))


@case
def text_log(rrb: Any, rr: Any) -> Any:
    return rrb.Blueprint(
        rrb.TextLogView(
            columns=rrb.TextLogColumns(
                timeline_columns=["time", rrb.encodings.TimelineColumn("tick", visible=False)],
                text_log_columns=[
                    "loglevel",
                    "entitypath",
                    rrb.encodings.TextLogColumn("body", visible=True),
                ],
            ),
            rows=rrb.TextLogRows(filter_by_log_level=["INFO", rr.TextLogLevel.WARN, "ERROR"]),
            format_options=rrb.TextLogFormat(monospace_body=True),
        )
    )


@case
def time_series(rrb: Any, rr: Any) -> Any:
    return rrb.Blueprint(
        rrb.TimeSeriesView(
            origin="/trig",
            axis_x=rrb.TimeAxis(link=rrb.components.LinkAxis.LinkToGlobal, view_range=last(rrb).range),
            axis_y=rrb.ScalarAxis(range=(-1.0, 1.0), zoom_lock=True),
            plot_legend=rrb.PlotLegend(visible=False),
            background=rrb.archetypes.PlotBackground(color=[128, 0, 0], show_grid=True),
            interaction=rrb.PlotInteraction(tooltip_mode=1, points_display=2),
            time_ranges=[
                rrb.VisibleTimeRange(
                    "time",
                    start=rrb.TimeRangeBoundary.cursor_relative(seconds=-5.0),
                    end=rrb.TimeRangeBoundary.absolute(nanos=1_500_000_000),
                )
            ],
        ),
        rrb.TimeSeriesView(plot_legend="lefttop"),
    )


@case
def defaults(rrb: Any, rr: Any) -> Any:
    return rrb.Blueprint(
        rrb.TimeSeriesView(
            defaults=[
                rr.SeriesLines.from_fields(widths=3, colors=[255, 0, 0]),
                rr.SeriesPoints(markers="cross"),
                *rr.Points2D.from_fields(radii=[1, 2]).as_component_batches(),
            ]
        )
    )


@case
def overrides_by_archetypes(rrb: Any, rr: Any) -> Any:
    return rrb.Blueprint(
        rrb.TimeSeriesView(
            overrides={
                "/trig/sin": rr.SeriesLines(colors=[255, 0, 0], names="sin", widths=2),
                "trig/cos": [rr.SeriesLines(), rr.SeriesPoints(markers="circle", marker_sizes=[4])],
                "/with\\ space/and.dot": (rr.SeriesPoints.from_fields(colors=0xFF),),
            }
        )
    )


@case
def overrides_of_behavior(rrb: Any, rr: Any) -> Any:
    return rrb.Blueprint(
        rrb.Spatial3DView(
            overrides={
                "/a": rrb.EntityBehavior(visible=False, interactive=True),
                "/b": [rrb.VisibleTimeRanges(last(rrb)), rrb.EntityBehavior(visible=True)],
                "/c": [rr.Points3D.from_fields(radii=[0.5]), rrb.EntityBehavior(interactive=False)],
                "/d": [],
                "/e": [rrb.archetypes.NearClipPlane(0.2)],
            }
        )
    )


@case
def visualizers(rrb: Any, rr: Any) -> Any:
    mapping = rrb.encodings.VisualizerComponentMapping(
        target="Scalars:scalars",
        source_kind=rrb.encodings.ComponentSourceKind.SourceComponent,
        source_component="My:value",
        selector=".x",
    )
    plain = rrb.encodings.VisualizerComponentMapping("SeriesLines:names", "default")
    return rrb.Blueprint(
        rrb.TimeSeriesView(
            overrides={
                "/a": [
                    rr.SeriesLines(widths=2).visualizer(mappings=[mapping, plain]),
                    rrb.Visualizer("SeriesPoints"),
                    rrb.Visualizer(
                        "SeriesLines",
                        overrides=rr.SeriesLines(names="x").as_component_batches(),
                        mappings=[plain],
                    ),
                ],
                "/b": rr.StateConfiguration.from_fields(labels=["on"]).visualizer(),
            }
        )
    )


@case
def visualizers_of_all_kinds(rrb: Any, rr: Any) -> Any:
    kinds = (
        "Arrows2D Arrows3D Asset3D AssetAudio Boxes2D Boxes3D Capsules3D Cylinders3D DepthImage "
        "Ellipses2D Ellipsoids3D EncodedDepthImage EncodedImage GaussianSplats3D GeoLineStrings GeoPoints "
        "GraphEdges GraphNodes Image LineStrips2D LineStrips3D Measurements Mesh3D Pinhole Points2D Points3D "
        "SegmentationImage SeriesLines SeriesPoints StateChange StateConfiguration Tensor TextDocument "
        "TextLog TransformAxes3D VideoFrameReference VideoStream Volume3D VoxelGridMap"
    )
    overrides = {kind: getattr(rr, kind).from_fields().visualizer() for kind in kinds.split()}
    return rrb.Blueprint(rrb.Spatial3DView(overrides=overrides))


def filters(rrb: Any) -> list[str]:
    """Every condition there is, as SQL."""
    start, end = dt.datetime.fromisoformat("2026-01-01"), dt.datetime(2026, 2, 1, 12, tzinfo=dt.UTC)
    found: list[Any] = []
    for column in (rrb.table.col("a"), rrb.table.col('we "ird').list):
        numbers: list[Any] = [3, -0.5, float("inf"), float("-inf"), float("nan")]
        for name in ("eq", "ne", "lt", "le", "gt", "ge"):
            found += [getattr(column, name)(number) for number in numbers]
        found += [column == 1, column != 1, column < 1, column <= 1, column > 1, column >= 1]
        for name in NO_ARGUMENTS.split():
            found.append(getattr(column, name)())
        found += [column.before(start), column.after(end)]
        found += [column.between(start, end), column.not_between(start, end)]
        for text in ("plain", "it's", "50%", "a_b", "back\\slash"):
            texts = column.str
            found += [texts.contains(text), texts.does_not_contain(text), texts.starts_with(text)]
            found.append(texts.ends_with(text))
    return [str(item) for item in found]
