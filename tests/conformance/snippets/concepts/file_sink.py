"""A file by the name of its sink, and a row in it."""

import tempfile
from pathlib import Path

import aiorerun.sync as rr

rr.init("snippet_file_sink", recording_id="sink")

with tempfile.TemporaryDirectory() as folder:
    rr.set_sinks(rr.FileSink(Path(folder) / "walk.rrd"))
    rr.log("walk", rr.GeoPoints(lat_lon=[[52.5, 13.4]]))
    rr.disconnect()
