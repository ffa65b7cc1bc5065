"""Wrong input to blueprints is told of at the call, by class and parameter; what may be passed is taken."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import aiorerun as rr
import aiorerun.blueprint
from aiorerun.errors import RerunWarning, strict_scope

if TYPE_CHECKING:
    from collections.abc import Callable

rrb: Any = aiorerun.blueprint
"""Without its types: most of what is done here is what type checkers forbid."""

VIEW: Any = rrb.Spatial3DView

WRONG: list[tuple[str, Callable[[], Any]]] = [
    (r"Blueprint: argument 1: expected a view, .*got str 'view'", lambda: rrb.Blueprint("view")),
    (r"Blueprint: argument 2: .*the class Grid itself", lambda: rrb.Blueprint(VIEW(), rrb.Grid)),
    (r"Blueprint: argument 1: .*NoneType", lambda: rrb.Blueprint(None)),
    (
        r"Blueprint: argument 2: there is a TimePanel already",
        lambda: rrb.Blueprint(rrb.TimePanel(), rrb.TimePanel()),
    ),
    (r"Blueprint: auto_layout: ", lambda: rrb.Blueprint(auto_layout=[1, [2]])),
    (r"Horizontal: argument 1: expected a view or a container, got str", lambda: rrb.Horizontal("view")),
    (
        r"Vertical: contents\[1\]: .*the class Spatial3DView itself",
        lambda: rrb.Vertical(contents=[VIEW(), VIEW]),
    ),
    (r"Grid: contents: expected a list", lambda: rrb.Grid(contents="view")),
    (r"Grid: contents: expected a list", lambda: rrb.Grid(contents=5)),
    (r"Tabs: `contents` excludes positional", lambda: rrb.Tabs(VIEW(), contents=[VIEW()])),
    (r"Tabs: active_tab: 'x' is neither", lambda: rrb.Tabs(VIEW(name="y"), active_tab="x")),
    (r"Tabs: active_tab: 3 is neither", lambda: rrb.Tabs(VIEW(name="y"), active_tab=3)),
    (r"Horizontal: column_shares: ", lambda: rrb.Horizontal(VIEW(), column_shares=["wide"])),
    (r"Grid: grid_columns: ", lambda: rrb.Grid(VIEW(), grid_columns=-1)),
    (r"Container: kind: .*Circle", lambda: rrb.Container(kind="Circle", name=None)),
    (r"Spatial3DView: visible: ", lambda: VIEW(visible=[1, [2]])),
    (r"Spatial3DView: origin: ", lambda: VIEW(origin="\ud800")),
    (r"Spatial3DView: line_grid: ", lambda: VIEW(line_grid=[1, [2]])),
    (r"Spatial3DView: background: ", lambda: VIEW(background=["red", "blue"])),
    (
        r"Spatial3DView: background: expected a Background, got LineGrid3D",
        lambda: VIEW(background=rrb.LineGrid3D()),
    ),
    (
        r"Spatial3DView: eye_controls: expected an EyeControls3D, got str",
        lambda: VIEW(eye_controls="orbital"),
    ),
    (r"Spatial3DView: time_ranges: ", lambda: VIEW(time_ranges=5)),
    (r"TimeSeriesView: plot_legend: .*middle", lambda: rrb.TimeSeriesView(plot_legend="middle")),
    (r"TensorView: view_fit: ", lambda: rrb.TensorView(view_fit="tight")),
    (r"MapView: zoom: ", lambda: rrb.MapView(zoom="close")),
    (r"Spatial3DView: defaults\[0\]: .*got str 'red'", lambda: VIEW(defaults=["red"])),
    (r"Spatial3DView: defaults: expected a list", lambda: VIEW(defaults=rr.Points3D([0, 0, 0]))),
    (r"Spatial3DView: overrides\['/a'\]: .*got str 'x'", lambda: VIEW(overrides={"/a": "x"})),
    (r"Spatial3DView: overrides: expected a dictionary", lambda: VIEW(overrides=[rr.Points3D([0, 0, 0])])),
    (r"TopPanel: `state` excludes `expanded`", lambda: rrb.TopPanel(expanded=True, state="hidden")),
    (r"SelectionPanel: state: .*open", lambda: rrb.SelectionPanel(state="open")),
    (r"TimePanel: play_state: ", lambda: rrb.TimePanel(play_state="backwards")),
    (r"TimePanel: loop_mode: ", lambda: rrb.TimePanel(loop_mode=17)),
    (r"TimePanel: fps: ", lambda: rrb.TimePanel(fps="many")),
    (r"VisualBounds2D: x_range: .*finite", lambda: rrb.VisualBounds2D(x_range=[0, np.inf], y_range=[0, 1])),
    (r"VisualBounds2D: y_range: ", lambda: rrb.VisualBounds2D(x_range=[0, 1], y_range=[0, 1, 2])),
    (r"`x_range` and `y_range` go together", lambda: rrb.VisualBounds2D(x_range=[0, 1])),
    (r"ScalarAxis: range: .*finite", lambda: rrb.ScalarAxis(range=(float("nan"), 1))),
    (r"ScalarAxis: range: ", lambda: rrb.ScalarAxis(range="all")),
    (r"Background: `color_or_kind` excludes", lambda: rrb.Background(0xFF, kind="SolidColor")),
    (r"PlotLegend: corner: ", lambda: rrb.PlotLegend("middle")),
    (r"VisibleTimeRanges: either `ranges` or `timeline`", lambda: rrb.VisibleTimeRanges()),
    (
        r"DataframeQuery: filter_is_not_null: ",
        lambda: rrb.archetypes.DataframeQuery(filter_is_not_null="a:b:c"),
    ),
    (r"DataframeQuery: filter_by_range: ", lambda: rrb.archetypes.DataframeQuery(filter_by_range=(1, 2, 3))),
    (r"DataframeQuery: select: ", lambda: rrb.archetypes.DataframeQuery(select=[1])),
    (r"`spec` excludes", lambda: rrb.datatypes.ComponentColumnSelector("a:b", component="c")),
    (r"needs `spec`, or both", lambda: rrb.datatypes.ComponentColumnSelector(component="c")),
    (r"`spec` must be a text", lambda: rrb.datatypes.ComponentColumnSelector(5)),
    (r"TableBlueprint: sort_by: ", lambda: rrb.TableBlueprint(sort_by=5)),
    (r"TableBlueprint: filters: ", lambda: rrb.TableBlueprint(filters="a > 1")),
    (r"TableBlueprint: default_layout: 'cards' needs", lambda: rrb.TableBlueprint(default_layout="cards")),
    (r"TableBlueprint: default_layout: expected", lambda: rrb.TableBlueprint(default_layout="list")),
    (r"TableBlueprint: table_layout: ", lambda: rrb.TableBlueprint(table_layout=[])),
    (r"Column: source: is empty", lambda: rrb.table.Column("")),
    (r"Column: source: expected a text", lambda: rrb.table.Column(5)),
    (r"Column: editable: ", lambda: rrb.table.Column("a", editable=1)),
    (r"Column: column_type: ", lambda: rrb.table.Column("a", column_type=5)),
    (r"TableLayout: columns\[0\]: ", lambda: rrb.table.TableLayout(columns=["a"])),
    (r"TableLayout: columns: expected", lambda: rrb.table.TableLayout(columns="a")),
    (r"CardLayout: fields: the column 'a'", lambda: rrb.table.CardLayout(fields=[rrb.table.Column("a")] * 2)),
    (r"CardLayout: title: is empty", lambda: rrb.table.CardLayout(title="")),
    (r"PreviewCell: at least one", lambda: rrb.table.PreviewCell()),
    (r"PreviewCell: argument 1: ", lambda: rrb.table.PreviewCell("view")),
    (r"Filter: sql: the condition is empty", lambda: rrb.table.Filter(" ")),
    (r"Filter: sql: expected a text", lambda: rrb.table.Filter(5)),
    (r"a column is compared with a number, not with str", lambda: rrb.table.col("a") == "b"),
    (r"compared with a datetime, not with int", lambda: rrb.table.col("a").before(5)),
    (r"every text contains the empty one", lambda: rrb.table.col("a").str.contains("")),
    (r"StringFilters: text: expected a text", lambda: rrb.table.col("a").str.contains(5)),
    (r"FilterColumn: name: ", lambda: rrb.table.col("")),
    (r"FilterColumn: name: ", lambda: rrb.table.col(5)),
    (r"neither true nor false here", lambda: bool(rrb.table.Filter("a"))),
    (r"expected a Blueprint, a view or a container, got int 5", lambda: rrb.as_blueprint(5)),
    (r"the class Spatial3DView itself", lambda: rrb.as_blueprint(VIEW)),
]


@pytest.mark.parametrize(("message", "make"), WRONG, ids=[message for message, _ in WRONG])
def test_the_error_names_the_parameter(message: str, make: Callable[[], Any]) -> None:
    with strict_scope(True), pytest.raises((TypeError, ValueError, OverflowError), match=message):
        make()


def test_wrong_values_are_warnings_in_lenient_mode() -> None:
    with pytest.warns(RerunWarning, match=r"Spatial3DView: .*visible: ") as caught:
        view = rrb.Spatial3DView(visible=[1, [2]], name="view")
    assert len(caught) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        rows = [row for row in view._rows() if row.entity_path == f"/{view.blueprint_path()}"]
    assert "visible" in str(rows[0].row[0].columns)
    with pytest.warns(RerunWarning, match=r"TimeSeriesView: .*plot_legend: "):
        rrb.TimeSeriesView(plot_legend="middle")
    with pytest.warns(RerunWarning, match=r"ScalarAxis: .*range: "):
        assert rrb.ScalarAxis(range=(0, float("inf")), zoom_lock=True).range is None
    last = rrb.VisibleTimeRange("frame", rrb.TimeRange(None, None))
    with pytest.warns(RerunWarning, match="more than one range on frame"):
        rrb.VisibleTimeRanges([last, last])


def test_what_stands_in_for_others_is_taken() -> None:
    with strict_scope(True):
        view = rrb.Spatial2DView(
            contents=np.array(["/a", "/b"]),
            background="GradientBright",
            defaults=[rr.Points2D.from_fields(radii=1).as_component_batches()],
            overrides={"/a": iter([rr.Points2D.from_fields(radii=1)])},
        )
    for _ in range(2):
        assert len(list(view._rows())) == 7
    made = rrb.Horizontal(contents=(rrb.TextLogView() for _ in range(3)))
    assert len(made.contents) == 3
    assert rrb.as_blueprint(made).root_container is made
    assert rrb.as_blueprint(view).root_container.contents == [view]
    blueprint = rrb.Blueprint(rrb.TimePanel())
    assert rrb.as_blueprint(blueprint) is blueprint
    assert blueprint.top_panel is blueprint.blueprint_panel is blueprint.selection_panel is None
    assert isinstance(blueprint.time_panel, rrb.TimePanel)


def test_they_say_what_they_are() -> None:
    view = rrb.Spatial3DView(name="a")
    assert repr(rrb.Blueprint(view, rrb.TimePanel(state="hidden"))) == (
        "Blueprint(Tabs(Spatial3DView(origin='/', name='a')), TimePanel(state='hidden'))"
    )
    assert repr(rrb.table.col("a").list.str) == "col('a').list.str"
    assert repr(rr.SeriesLines(widths=2).visualizer()).startswith("Visualizer('SeriesLines', overrides=[")


def test_visualizers() -> None:
    assert isinstance(rr.SeriesLines(), rrb.VisualizableArchetype)
    assert not isinstance(rr.Clear(recursive=True), rrb.VisualizableArchetype)
    assert rr.LineStrips2D([[[0, 0], [1, 1]]]).visualizer().visualizer_type == "Lines2D"
    one, other = rr.SeriesLines().visualizer(), rr.SeriesLines().visualizer()
    assert one.id != other.id
