"""A blueprint out of a file, made here: how a program looks is kept apart from what it logs."""

import tempfile
from pathlib import Path

import aiorerun.sync as rr
import aiorerun.sync.blueprint as rrb  # type: ignore[import-not-found]

NAME = "snippet_load_blueprint"

rr.init(NAME, recording_id="reuse", spawn=True)
with tempfile.TemporaryDirectory() as folder:
    path = Path(folder) / "look.rbl"
    rrb.Blueprint(rrb.TextLogView(origin="/boiler"), collapse_panels=True).save(NAME, str(path))
    rr.log_file_from_path(path)

rr.log("boiler", rr.TextLog("Steam."))
