"""Reading recordings back: ``rr.recording.load_recording("file.rrd")``.

The blocking versions are in :mod:`aiorerun.sync.recording`.
"""

from __future__ import annotations

from aiorerun.recording.aio import Recording, RRDArchive, follow, load_archive, load_recording
from aiorerun.recording.chunk import Chunk
from aiorerun.recording.schema import (
    ComponentColumnDescriptor,
    IndexColumnDescriptor,
    Schema,
    TimelineRange,
)

__all__ = [
    "Chunk",
    "ComponentColumnDescriptor",
    "IndexColumnDescriptor",
    "RRDArchive",
    "Recording",
    "Schema",
    "TimelineRange",
    "follow",
    "load_archive",
    "load_recording",
]
