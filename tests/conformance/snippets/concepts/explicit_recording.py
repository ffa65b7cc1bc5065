"""A recording that is never the active one: rows and a file go where they are told to."""

from pathlib import Path

import aiorerun.sync as rr

rec = rr.RecordingStream("snippet_explicit_recording", recording_id="explicit")

rec.log("corners", rr.Points3D([[0, 0, 0], [3, 0, 0], [0, 2, 0]]))
# Static, since the official SDK never gives files times.
rec.log_file_from_path(Path(__file__).with_name("triangle.obj"), static=True)
