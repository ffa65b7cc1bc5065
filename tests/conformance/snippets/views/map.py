"""Two huts on a map."""

import aiorerun.sync as rr
import aiorerun.sync.blueprint as rrb

rr.init("snippet_map", recording_id="huts", spawn=True)

rr.log("huts", rr.GeoPoints(lat_lon=[[46.5591, 8.5610], [46.5730, 8.4150]], radii=rr.Radius.ui_points(12.5)))
rr.send_blueprint(
    rrb.Blueprint(
        rrb.MapView(origin="huts", name="Huts", zoom=12.0, background=rrb.MapProvider.OpenStreetMap),
        collapse_panels=True,
    )
)
