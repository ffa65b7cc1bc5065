"""The native viewer shows the views that blueprints ask for, and keeps to the rules of which one is shown."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pytest

import aiorerun as rr
import aiorerun.blueprint as rrb
from aiorerun.viewer.client import ViewerClient
from tests.e2e.make_blueprint_pictures import MAX_BYTES, PAGE, examples
from tests.e2e.programs import rerun
from tests.e2e.showing import SIZE, errors, settled, until, viewer
from tests.reading import rerun_cli
from tests.unit.viewer.standin import free_port

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from aiorerun.viewer.state import ViewerState

APPLICATION = "aiorerun_e2e_blueprints"


class Shown(NamedTuple):
    """A view as the viewer reports it."""

    view_class: str
    name: str
    origin: str


class Layout(NamedTuple):
    """A blueprint, and the views that it asks for."""

    make: Callable[[], rrb.BlueprintLike]
    views: set[Shown]


LAYOUTS = {
    "one_view": Layout(
        lambda: rrb.Spatial3DView(origin="world", name="World"), {Shown("3D", "World", "/world")}
    ),
    "horizontal": Layout(
        lambda: rrb.Horizontal(
            rrb.Spatial2DView(origin="image", name="Image"), rrb.TimeSeriesView(origin="plot", name="Plot")
        ),
        {Shown("2D", "Image", "/image"), Shown("TimeSeries", "Plot", "/plot")},
    ),
    "vertical": Layout(
        lambda: rrb.Vertical(
            rrb.TextLogView(origin="log", name="Log"),
            rrb.TextDocumentView(origin="text", name="Text"),
            row_shares=[1, 3],
        ),
        {Shown("TextLog", "Log", "/log"), Shown("TextDocument", "Text", "/text")},
    ),
    "grid": Layout(
        lambda: rrb.Grid(
            rrb.BarChartView(origin="bars", name="Bars"),
            rrb.TensorView(origin="tensor", name="Tensor"),
            rrb.GraphView(origin="graph", name="Graph"),
            rrb.DataframeView(origin="plot", name="Rows"),
            grid_columns=2,
        ),
        {
            Shown("BarChart", "Bars", "/bars"),
            Shown("Tensor", "Tensor", "/tensor"),
            Shown("Graph", "Graph", "/graph"),
            Shown("Dataframe", "Rows", "/plot"),
        },
    ),
    "tabs": Layout(
        lambda: rrb.Tabs(
            rrb.Spatial2DView(origin="image", name="First"),
            rrb.Spatial3DView(origin="world", name="Second"),
            active_tab=1,
        ),
        {Shown("2D", "First", "/image"), Shown("3D", "Second", "/world")},
    ),
    "nested": Layout(
        lambda: rrb.Horizontal(
            rrb.Vertical(
                rrb.Tabs(
                    rrb.Spatial2DView(origin="image", name="A"), rrb.TextLogView(origin="log", name="B")
                ),
                rrb.TimeSeriesView(origin="plot", name="C"),
            ),
            rrb.Spatial3DView(origin="world", name="D"),
            column_shares=[1, 2],
        ),
        {
            Shown("2D", "A", "/image"),
            Shown("TextLog", "B", "/log"),
            Shown("TimeSeries", "C", "/plot"),
            Shown("3D", "D", "/world"),
        },
    ),
    "panels": Layout(
        lambda: rrb.Blueprint(
            rrb.TextDocumentView(origin="text", name="Text"),
            rrb.TimePanel(state="collapsed"),
            collapse_panels=True,
        ),
        {Shown("TextDocument", "Text", "/text")},
    ),
    "contents": Layout(
        lambda: rrb.Spatial3DView(
            origin="world", contents=["+ $origin/**", "- $origin/points"], name="No points"
        ),
        {Shown("3D", "No points", "/world")},
    ),
    "properties_3d": Layout(
        lambda: rrb.Spatial3DView(
            origin="world",
            name="Eye",
            background=[10, 20, 40],
            line_grid=rrb.LineGrid3D(visible=True, spacing=2.0),
            eye_controls=rrb.EyeControls3D(
                kind=rrb.Eye3DKind.Orbital, position=(4, 4, 4), look_target=(0, 0, 0)
            ),
        ),
        {Shown("3D", "Eye", "/world")},
    ),
    "properties_plot": Layout(
        lambda: rrb.TimeSeriesView(
            origin="plot",
            name="Range",
            axis_y=rrb.ScalarAxis(range=(-2.0, 2.0)),
            plot_legend=rrb.PlotLegend(visible=False),
            time_ranges=rrb.VisibleTimeRange(
                "frame",
                start=rrb.TimeRangeBoundary.cursor_relative(seq=-5),
                end=rrb.TimeRangeBoundary.cursor_relative(),
            ),
        ),
        {Shown("TimeSeries", "Range", "/plot")},
    ),
    "overrides": Layout(
        lambda: rrb.Horizontal(
            rrb.TimeSeriesView(
                origin="plot", name="Points", overrides={"plot/sin": [rr.SeriesPoints(colors=[255, 0, 0])]}
            ),
            rrb.Spatial2DView(
                origin="image",
                name="Bounds",
                visual_bounds=rrb.VisualBounds2D(x_range=[0, 8], y_range=[0, 8]),
                defaults=[rr.Points2D.from_fields(colors=[0, 255, 0])],
            ),
        ),
        {Shown("TimeSeries", "Points", "/plot"), Shown("2D", "Bounds", "/image")},
    ),
    "map_and_states": Layout(
        lambda: rrb.Horizontal(
            rrb.MapView(origin="geo", name="Map", zoom=10.0),
            rrb.StateTimelineView(origin="state", name="States"),
        ),
        {Shown("Map", "Map", "/geo"), Shown("StateTimeline", "States", "/state")},
    ),
}


async def log_everything(rec: rr.AsyncRecordingStream) -> None:
    """Something for each kind of view."""
    await rec.log("world/points", rr.Points3D(np.eye(3), radii=0.1), static=True)
    await rec.log("world/box", rr.Boxes3D(half_sizes=[1, 1, 1]), static=True)
    await rec.log("image", rr.Image(np.full((16, 16, 3), 90, np.uint8)), static=True)
    await rec.log("text", rr.TextDocument("# Text", media_type=rr.MediaType.MARKDOWN), static=True)
    await rec.log("bars", rr.BarChart([1, 3, 2]), static=True)
    await rec.log("tensor", rr.Tensor(np.arange(12).reshape(3, 4)), static=True)
    await rec.log("graph", rr.GraphNodes(["a", "b"], labels=["a", "b"]), static=True)
    await rec.log("graph", rr.GraphEdges([("a", "b")]), static=True)
    await rec.log("geo", rr.GeoPoints(lat_lon=[47.6, 13.8]), static=True)
    for frame in range(10):
        rec.set_time("frame", sequence=frame)
        await rec.log("plot/sin", rr.Scalars(np.sin(frame)))
        await rec.log("log", rr.TextLog(f"line {frame}"))


def shown(state: ViewerState) -> set[Shown]:
    """The views of the blueprint that is shown."""
    return {Shown(view.view_class, view.name, view.origin) for view in state.views}


def test_there_are_twelve_that_use_most_kinds_of_views() -> None:
    assert len(LAYOUTS) >= 12
    assert len({view.view_class for layout in LAYOUTS.values() for view in layout.views}) >= 11


@pytest.mark.usefixtures("native_viewer")
@pytest.mark.parametrize("name", LAYOUTS)
async def test_the_viewer_shows_what_a_blueprint_beside_the_recording_asks_for(
    name: str, tmp_path: Path
) -> None:
    recording, blueprint = tmp_path / "a.rrd", tmp_path / "a.rbl"
    rec = rr.AsyncRecordingStream(APPLICATION, recording_id=name)
    await rec.save(recording)
    await log_everything(rec)
    await rec.disconnect()
    await LAYOUTS[name].make().to_blueprint().save(APPLICATION, blueprint)
    # Given one by one they would be loaded at the same time, and the blueprint may be there too early.
    both = tmp_path / "both.rrd"
    merged = await asyncio.to_thread(rerun_cli, "rrd", "merge", recording, blueprint, "-o", both)
    assert merged.returncode == 0, merged.stderr
    port = free_port()
    options = ("--headless", "--window-size", SIZE, "--port", str(port), str(both))
    async with rerun(tmp_path / "log", *options, ports=(port,)), ViewerClient(port) as client:
        await until(client, lambda state: shown(state) == LAYOUTS[name].views)
        state, _ = await settled(client)
        assert shown(state) == LAYOUTS[name].views
        assert errors(state.views) == []
        assert [entry.message for entry in await client.logs() if entry.level == "ERROR"] == []


@pytest.mark.usefixtures("native_viewer")
async def test_which_blueprint_is_active_and_which_is_the_default() -> None:
    def view(name: str) -> rrb.TextLogView:
        return rrb.TextLogView(origin="log", name=name)

    async def expect(client: ViewerClient, name: str) -> None:
        await until(client, lambda state: {each.name for each in state.views} == {name})

    async def reset(client: ViewerClient) -> None:
        await client.run_command("recording.reset_blueprint_to_default")

    async with viewer() as client:
        rec = rr.AsyncRecordingStream(f"{APPLICATION}_rules", recording_id="first")
        # There is no other blueprint: the default is shown.
        await rec.connect_grpc(client.url, default_blueprint=view("default"))
        await rec.log("log", rr.TextLog("line"))
        await rec.flush()
        await expect(client, "default")
        # It is shown at once, and a reset brings back the default.
        await rec.send_blueprint(view("active"), make_default=False)
        await rec.flush()
        await expect(client, "active")
        # It is the default from now on, and what is shown stays.
        await rec.send_blueprint(view("new default"), make_active=False)
        await rec.log("log", rr.TextLog("after the new default"))
        await rec.flush(acknowledged=True)
        state, _ = await settled(client)
        assert {each.name for each in state.views} == {"active"}
        await reset(client)
        await expect(client, "new default")
        # Both: shown at once, and after a reset.
        await rec.send_blueprint(view("both"))
        await rec.flush()
        await expect(client, "both")
        await rec.send_blueprint(view("other"), make_default=False)
        await rec.flush()
        await expect(client, "other")
        await reset(client)
        await expect(client, "both")
        await rec.disconnect()
        # Another application, which has no blueprint: one that is only the default is shown.
        other = rr.AsyncRecordingStream(f"{APPLICATION}_others", recording_id="second")
        await other.connect_grpc(client.url)
        await other.log("log", rr.TextLog("line"))
        await other.send_blueprint(view("only default"), make_active=False)
        await other.flush()
        await expect(client, "only default")
        await other.disconnect()
        assert [entry.message for entry in await client.logs() if entry.level == "ERROR"] == []


@pytest.mark.usefixtures("native_viewer")
async def test_a_default_that_was_given_to_init_is_shown_by_the_viewer_that_is_connected_later() -> None:
    async with viewer() as client:
        await rr.init(f"{APPLICATION}_init", default_blueprint=rrb.TextLogView(origin="log", name="kept"))
        await rr.log("log", rr.TextLog("line"))
        await rr.connect_grpc(client.url)
        await rr.flush()
        await until(client, lambda state: {each.name for each in state.views} == {"kept"})
        await rr.disconnect()
    rr.set_global_data_recording(None)


def test_the_page_has_ten_layouts_with_small_pictures() -> None:
    found = examples()
    assert len(found) == 10
    for example in found:
        path = PAGE.parent / example.picture
        assert 1000 < path.stat().st_size <= MAX_BYTES


async def test_a_blueprint_in_the_file_of_the_recording_is_shown(tmp_path: Path, native_viewer: None) -> None:
    layout = LAYOUTS["nested"]
    rec = rr.AsyncRecordingStream(APPLICATION, recording_id="together")
    await rec.save(tmp_path / "a.rrd", default_blueprint=layout.make())
    await log_everything(rec)
    await rec.disconnect()
    port = free_port()
    options = ("--headless", "--window-size", SIZE, "--port", str(port), str(tmp_path / "a.rrd"))
    async with rerun(tmp_path / "log", *options, ports=(port,)), ViewerClient(port) as client:
        await until(client, lambda state: shown(state) == layout.views)
        state, _ = await asyncio.wait_for(settled(client), 60)
        assert errors(state.views) == []
