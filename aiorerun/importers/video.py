"""Videos: the file, and a reference to each of its frames on a timeline of the video."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, ClassVar, Final

from aiorerun.importers.base import FileImporter, ImportedColumns, read

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from aiorerun.importers.base import Imported, ImportSettings

logger = logging.getLogger("aiorerun")

TIMELINE: Final = "video"
"""The timeline of the frames: how long after the start each is shown."""


class VideoImporter(FileImporter):
    """MP4 files become :class:`aiorerun.AssetVideo` and :class:`aiorerun.VideoFrameReference`."""

    name: str = "videos"
    extensions: ClassVar[frozenset[str]] = frozenset({"mp4"})

    def items(self, path: Path, contents: bytes | None, settings: ImportSettings) -> Iterator[Imported]:
        """See :class:`aiorerun.importers.base.FileImporter`."""
        import numpy as np

        from aiorerun.archetypes import AssetVideo, VideoFrameReference
        from aiorerun.archetypes._video import frame_timestamps
        from aiorerun.types.time_column import TimeColumn

        entity_path = settings.entity_path(path)
        video = read(path, contents)
        start = [TimeColumn(TIMELINE, duration=[np.timedelta64(0, "ns")])]
        yield ImportedColumns(entity_path, start, AssetVideo.columns(blob=[video]))
        try:
            frames = frame_timestamps(video, must_be_shown=True)
        except (ValueError, ImportError) as error:
            logger.warning("%s: the video is logged, but not when its frames are shown: %s", path, error)
            return
        times = TimeColumn(TIMELINE, duration=frames.astype("timedelta64[ns]"))
        yield ImportedColumns(entity_path, [times], VideoFrameReference.columns(timestamp=frames))
