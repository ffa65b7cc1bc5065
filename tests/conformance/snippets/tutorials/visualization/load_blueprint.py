"""A blueprint out of the file that is named on the command line: looks are kept apart from what is logged."""

import sys

import aiorerun.sync as rr

rr.init("snippet_load_blueprint", recording_id="reuse", spawn=True)
rr.log_file_from_path(sys.argv[1])

rr.log("boiler", rr.TextLog("Steam."))
