"""Blueprints that are made by both SDKs: functions of ``rerun.blueprint`` and ``rerun``, or their likes."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

CASES: Final[dict[str, Callable[[Any, Any], Any]]] = {}


def case(function: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    CASES[function.__name__] = function
    return function


def last(rrb: Any, count: int = 10, timeline: str = "frame") -> Any:
    return rrb.VisibleTimeRange(
        timeline,
        start=rrb.TimeRangeBoundary.cursor_relative(seq=-count),
        end=rrb.TimeRangeBoundary.cursor_relative(),
    )


@case
def nothing(rrb: Any, rr: Any) -> Any:
    return rrb.Blueprint()


@case
def truly_nothing(rrb: Any, rr: Any) -> Any:
    return rrb.Blueprint(auto_layout=False, auto_views=False)


@case
def only_flags(rrb: Any, rr: Any) -> Any:
    return rrb.Blueprint(auto_layout=True, auto_views=True, collapse_panels=True)


@case
def view_with_auto_views(rrb: Any, rr: Any) -> Any:
    return rrb.Blueprint(rrb.Spatial3DView(name="3D"), auto_views=True, auto_layout=False)


@case
def bare_view(rrb: Any, rr: Any) -> Any:
    return rrb.TextLogView(origin="logs", name="Logs")


@case
def bare_container(rrb: Any, rr: Any) -> Any:
    return rrb.Grid(rrb.Spatial2DView(), rrb.Spatial3DView())


@case
def several_parts_become_tabs(rrb: Any, rr: Any) -> Any:
    return rrb.Blueprint(
        rrb.TextDocumentView(name="a"), rrb.Vertical(rrb.TextLogView()), rrb.MapView(name="c")
    )


@case
def horizontal(rrb: Any, rr: Any) -> Any:
    views = [rrb.Spatial2DView(name="2D"), rrb.Spatial3DView(name="3D")]
    return rrb.Blueprint(rrb.Horizontal(contents=views, column_shares=[1, 2.5], name="Both", visible=True))


@case
def vertical(rrb: Any, rr: Any) -> Any:
    views = tuple(rrb.TextLogView(origin=f"log/{name}", name=name) for name in "abc")
    return rrb.Blueprint(
        rrb.Vertical(contents=views, row_shares=np.array([1, 2, 3]), name="Logs", visible=False)
    )


@case
def grid(rrb: Any, rr: Any) -> Any:
    views = [rrb.TimeSeriesView(origin=f"plot/{position}", name=f"{position}") for position in range(7)]
    return rrb.Blueprint(
        rrb.Grid(
            *views, column_shares=[1, 1, 2], row_shares=[2, 1, 1], grid_columns=3, name="Plots", visible=True
        )
    )


@case
def grid_by_contents(rrb: Any, rr: Any) -> Any:
    return rrb.Blueprint(rrb.Grid(contents=[rrb.MapView(), rrb.GraphView()]), collapse_panels=True)


@case
def tabs_by_position(rrb: Any, rr: Any) -> Any:
    views = [rrb.Spatial2DView(name="a"), rrb.Spatial2DView(name="b"), rrb.Spatial2DView(name="c")]
    return rrb.Blueprint(rrb.Tabs(*views, active_tab=1, name="Tabs", visible=True))


@case
def tabs_by_name(rrb: Any, rr: Any) -> Any:
    views = [rrb.Spatial2DView(name="a"), rrb.Spatial2DView(name="b")]
    return rrb.Blueprint(rrb.Tabs(contents=views, active_tab="a"))


@case
def nested(rrb: Any, rr: Any) -> Any:
    return rrb.Blueprint(
        rrb.Horizontal(
            rrb.Spatial3DView(origin="/world"),
            rrb.Vertical(
                rrb.Tabs(rrb.Spatial2DView(origin="/a"), rrb.Spatial2DView(origin="/b")),
                rrb.Grid(rrb.TextLogView(), rrb.Horizontal(rrb.BarChartView(), rrb.TensorView())),
                row_shares=[3, 1],
            ),
            column_shares=(2, 1),
        ),
        rrb.TimePanel(state="collapsed"),
    )


@case
def empty_containers(rrb: Any, rr: Any) -> Any:
    return rrb.Blueprint(rrb.Horizontal(rrb.Vertical(), rrb.Grid(), rrb.Tabs()))


@case
def base_classes(rrb: Any, rr: Any) -> Any:
    view = rrb.View(
        class_identifier="3D",
        origin="/world",
        contents="$origin/**",
        name="View",
        visible=True,
        titlebar=False,
        properties={"Background": rrb.archetypes.Background(kind="GradientBright")},
        defaults=[rr.Points3D.from_fields(radii=0.1)],
        overrides={"/world/points": rrb.EntityBehavior(visible=False)},
    )
    container = rrb.Container(
        view,
        kind="grid",
        column_shares=[1],
        row_shares=[1],
        grid_columns=1,
        active_tab="View",
        name="Container",
        visible=True,
    )
    return rrb.Blueprint(container, rrb.Container(kind=2, contents=[rrb.TextLogView()], name=None))


@case
def all_panels(rrb: Any, rr: Any) -> Any:
    return rrb.Blueprint(
        rrb.TopPanel(state="hidden"),
        rrb.BlueprintPanel(state="expanded"),
        rrb.SelectionPanel(state=rrb.PanelState.Collapsed),
        rrb.TimePanel(state=3),
    )


@case
def all_panels_by_expanded(rrb: Any, rr: Any) -> Any:
    return rrb.Blueprint(
        rrb.TopPanel(expanded=True),
        rrb.BlueprintPanel(expanded=False),
        rrb.SelectionPanel(expanded=True),
        rrb.TimePanel(expanded=False),
        rrb.Spatial2DView(),
    )


@case
def panels_without_a_state(rrb: Any, rr: Any) -> Any:
    return rrb.Blueprint(rrb.TopPanel(), rrb.BlueprintPanel(), rrb.SelectionPanel(), rrb.TimePanel())


@case
def panel_against_collapsing(rrb: Any, rr: Any) -> Any:
    return rrb.Blueprint(rrb.SelectionPanel(state="expanded"), rrb.Spatial3DView(), collapse_panels=True)


@case
def time_panel(rrb: Any, rr: Any) -> Any:
    selection = rrb.components.AbsoluteTimeRange(10, rr.encodings.TimeInt(seq=25))
    return rrb.Blueprint(
        rrb.TimePanel(
            state="expanded",
            timeline="frame",
            playback_speed=0.5,
            fps=24,
            play_state="following",
            loop_mode="selection",
            time_selection=selection,
        )
    )


@case
def time_panel_that_stands(rrb: Any, rr: Any) -> Any:
    return rrb.Blueprint(
        rrb.TimePanel(play_state=rrb.components.PlayState.Paused, loop_mode=rrb.components.LoopMode.All)
    )


@case
def common_parameters(rrb: Any, rr: Any) -> Any:
    kinds = (
        "AudioView BarChartView DataframeView GraphView MapView Spatial2DView Spatial3DView "
        "StateTimelineView TensorView TextDocumentView TextLogView TimeSeriesView"
    )
    return rrb.Blueprint(
        rrb.Grid(
            *[
                getattr(rrb, kind)(
                    origin=f"/{kind}/a b",
                    contents=["+ $origin/**", "- /secret/**"],
                    name=kind,
                    visible=bool(position % 2),
                    titlebar=bool(position % 3),
                    defaults=[rr.Points3D.from_fields(radii=position)],
                    overrides={f"{kind}/x": rrb.EntityBehavior(interactive=False)},
                )
                for position, kind in enumerate(kinds.split())
            ]
        )
    )


@case
def plain_views(rrb: Any, rr: Any) -> Any:
    return rrb.Blueprint(
        rrb.Horizontal(
            rrb.AudioView(), rrb.BarChartView(), rrb.DataframeView(), rrb.GraphView(), rrb.MapView(),
            rrb.Spatial2DView(), rrb.Spatial3DView(), rrb.StateTimelineView(), rrb.TensorView(),
            rrb.TextDocumentView(), rrb.TextLogView(), rrb.TimeSeriesView(),
        )
    )  # fmt: skip


@case
def contents_as_archetype(rrb: Any, rr: Any) -> Any:
    contents = rrb.archetypes.ViewContents(["/a/**", "- /a/b"])
    return rrb.Blueprint(rrb.Spatial2DView(origin="/a", contents=contents))


@case
def attributes_set_later(rrb: Any, rr: Any) -> Any:
    view = rrb.Spatial3DView(name="before")
    view.name = "after"
    view.visible = False
    view.origin = "/elsewhere"
    container = rrb.Vertical(view)
    container.name = "container"
    blueprint = rrb.Blueprint(container)
    blueprint.auto_views = True
    return blueprint


@case
def one_view_twice(rrb: Any, rr: Any) -> Any:
    view = rrb.Spatial3DView(name="same")
    return rrb.Blueprint(rrb.Horizontal(view, rrb.Tabs(view)))


@case
def unusual_values(rrb: Any, rr: Any) -> Any:
    return rrb.Blueprint(
        rrb.Horizontal(
            rrb.Spatial2DView(origin="no slash/ü", contents=("/a", "/b"), name=7, visible=1),
            rrb.Spatial2DView(origin=rr.encodings.EntityPath("/typed"), name=rr.encodings.Utf8("typed")),
            column_shares=np.float32(2),
            visible=np.bool_(False),
        )
    )


@case
def table(rrb: Any, rr: Any) -> Any:
    from_now = dt.datetime(2026, 1, 2, 3, 4, 5, 678, tzinfo=dt.timezone(dt.timedelta(hours=2)))
    col = rrb.table.col
    preview = rrb.table.PreviewCell(rrb.Spatial3DView(name="one"), rrb.TimeSeriesView(name="two"))
    return rrb.TableBlueprint(
        table_layout=rrb.table.TableLayout(
            columns=[
                rrb.table.Column(
                    "name", name="Name", editable=True, visible=False, column_type="rerun.components.Text"
                ),
                rrb.table.Column("a/b c", column_type=rr.components.Color),
                rrb.table.Column("pos", column_type=rr.Points3D.descriptor_positions()),
                rrb.table.Column("plain"),
                rrb.table.Column("views", column_type=preview),
            ]
        ),
        card_layout=rrb.table.CardLayout(
            title="name",
            link="url",
            fields=[rrb.table.Column("views", column_type=preview), rrb.table.Column("b")],
        ),
        default_layout="cards",
        column_display_mode="compact",
        previews_config=rrb.table.PreviewsConfig(
            timeline="frame", play_state="playing", playback_speed=2, start_point=0.5
        ),
        filters=[col("loss") < 0.5, 'a = "b"', col("when").after(from_now)],
        sort_by=rrb.table.SortBy("loss", direction="descending"),
    )


@case
def table_of_defaults(rrb: Any, rr: Any) -> Any:
    return rrb.TableBlueprint()


@case
def table_sorted_by_name(rrb: Any, rr: Any) -> Any:
    return rrb.TableBlueprint(
        table_layout=rrb.table.TableLayout(), default_layout="table", sort_by="name", column_display_mode=2
    )
