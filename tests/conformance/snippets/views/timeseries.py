"""Tides on two timelines, in two plots with axes, legends and time ranges of their own."""

import math

import aiorerun.sync as rr
import aiorerun.sync.blueprint as rrb

rr.init("snippet_timeseries", recording_id="tides", spawn=True)

PORTS = {"hamburg": ((200, 0, 0), 1.8), "bremen": ((0, 0, 200), 2.1), "emden": ((0, 140, 0), 1.6)}
for port, (tint, _height) in PORTS.items():
    rr.log(f"tides/{port}", rr.SeriesLines(colors=tint, names=f"tide at {port}"), static=True)
for minute in range(200):
    rr.set_time("sample", sequence=minute)
    rr.set_time("clock", duration=minute * 60)
    for shift, (port, (_tint, height)) in enumerate(PORTS.items()):
        rr.log(f"tides/{port}", rr.Scalars(height * math.sin(minute / 120 + shift)))

around = rrb.TimeRangeBoundary.cursor_relative
rr.send_blueprint(
    rrb.Blueprint(
        rrb.Vertical(
            contents=[
                rrb.TimeSeriesView(
                    origin="/tides",
                    axis_y=rrb.ScalarAxis(range=(-2.5, 2.5), zoom_lock=True),
                    plot_legend=rrb.PlotLegend(visible=False),
                    time_ranges=[
                        rrb.VisibleTimeRange("sample", start=around(seq=-50), end=around()),
                        rrb.VisibleTimeRange(
                            "clock",
                            start=rrb.TimeRangeBoundary.absolute(seconds=600.0),
                            end=rrb.TimeRangeBoundary.infinite(),
                        ),
                    ],
                ),
                rrb.TimeSeriesView(
                    origin="/tides",
                    axis_x=rrb.TimeAxis(
                        view_range=rr.TimeRange(start=around(seconds=-900), end=around(seconds=900)),
                        zoom_lock=True,
                    ),
                    plot_legend=rrb.PlotLegend(visible=True),
                    background=rrb.archetypes.PlotBackground(color=[240, 240, 235], show_grid=False),
                ),
            ]
        ),
        collapse_panels=True,
    )
)
