"""What is done with whole files: ask what they hold, verify, recover, merge, split, convert them.

Chunks go from file to file as the messages they are. Memory does not grow with the files: what has to be
known about every chunk is kept on disk. Everything here blocks; the command line is in :mod:`aiorerun.cli`.

Example:
    >>> import aiorerun.sync as rr
    >>> from aiorerun.files.recover import recover
    >>> from aiorerun.files.summary import summarize
    >>> rec = rr.RecordingStream("rerun_example_cut", recording_id="x", send_properties=False)
    >>> rec.save("whole.rrd")
    >>> rec.log("a", rr.Scalars(1.0))
    >>> rec.flush()
    >>> rec.log("a", rr.Scalars(2.0))
    >>> rec.disconnect()
    >>> with open("whole.rrd", "rb") as whole, open("cut.bin", "wb") as cut:
    ...     _ = cut.write(whole.read()[:-3500])
    >>> outcome = recover("cut.bin", "recovered.rrd")
    >>> outcome.rows, outcome.num_dropped
    (1, 1)
    >>> summarize("recovered.rrd").recordings[0].rows
    1
"""

from __future__ import annotations
