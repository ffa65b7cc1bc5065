"""Models, sounds and videos as files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aiorerun.archetypes._files import blob_of_file
from aiorerun.archetypes.spatial3d import Asset3DFields
from aiorerun.archetypes.video import AssetAudioFields, AssetVideoFields
from aiorerun.types.encoding import BLOB
from aiorerun.types.rows import NOTHING

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    import numpy.typing as npt

    from aiorerun.archetypes._base import Archetype
    from aiorerun.datatypes import BlobLike, Rgba32Like, Utf8Like


class Asset3D(Asset3DFields):
    """A model in a file of its own format: glTF, OBJ, STL, COLLADA.

    A path is read at once, which blocks: in asyncio programs read the file in a thread and pass its contents.

    Args:
        path: The file; its extension tells the media type.
        contents: Instead of the path: the contents of the file.
        media_type: What kind of file it is; the viewer guesses it from the contents if it is missing.
        albedo_factor: A color that all others are multiplied with.

    Raises:
        ValueError: Not exactly one of path and contents, in strict mode.
        OSError: The file cannot be read, in strict mode.

    Example:
        await rec.log("world/part", rr.Asset3D(contents=b"solid part", media_type="model/stl"), static=True)
    """

    __slots__ = ()

    def __init__(
        self,
        *,
        path: str | Path | None = None,
        contents: BlobLike | None = None,
        media_type: Utf8Like | None = None,
        albedo_factor: Rgba32Like | None = None,
    ) -> None:
        _set_file(self, path, contents, media_type, albedo_factor)


class AssetAudio(AssetAudioFields):
    """A sound file, such as MP3 or WAV.

    A path is read at once, which blocks: in asyncio programs read the file in a thread and pass its contents.

    Args:
        path: The file; its extension tells the media type.
        contents: Instead of the path: the contents of the file.
        media_type: What kind of file it is; the viewer guesses it from the contents if it is missing.

    Raises:
        ValueError: Not exactly one of path and contents, in strict mode.
        OSError: The file cannot be read, in strict mode.
    """

    __slots__ = ()

    def __init__(
        self,
        *,
        path: str | Path | None = None,
        contents: BlobLike | None = None,
        media_type: Utf8Like | None = None,
    ) -> None:
        _set_file(self, path, contents, media_type)


class AssetVideo(AssetVideoFields):
    """A video file, whose frames :class:`VideoFrameReference` picks.

    A path is read at once, which blocks: in asyncio programs read the file in a thread and pass its contents.

    Args:
        path: The file; its extension tells the media type.
        contents: Instead of the path: the contents of the file.
        media_type: What kind of file it is; the viewer guesses it from the contents if it is missing.

    Raises:
        ValueError: Not exactly one of path and contents, in strict mode.
        OSError: The file cannot be read, in strict mode.

    Example:
        video = rr.AssetVideo(contents=b"the bytes of a file", media_type=rr.MediaType.MP4)
        await rec.log("camera", video, static=True)
    """

    __slots__ = ()

    def __init__(
        self,
        *,
        path: str | Path | None = None,
        contents: BlobLike | None = None,
        media_type: Utf8Like | None = None,
    ) -> None:
        _set_file(self, path, contents, media_type)

    def read_frame_timestamps_nanos(self) -> npt.NDArray[np.int64]:
        """When each frame is shown, in nanoseconds since the start of the video, in ascending order.

        Reads the index of the file, which may take a while for long videos.

        Raises:
            ValueError: There is no video, or it cannot be read.
            ImportError: PyAV is not installed; ``pip install aiorerun[video]`` brings it.
        """
        from aiorerun.archetypes._video import frame_timestamps

        captured = self._captured(self.FIELDS[0])
        if captured is None or captured[0] != BLOB:
            raise ValueError("there is no video in this AssetVideo")
        return frame_timestamps(bytes(captured[1]))


def _set_file(asset: Archetype, path: Any, contents: Any, media_type: Any, *others: Any) -> None:
    try:
        blob, media_type = blob_of_file(path, contents, media_type)
    except Exception as error:
        asset._row = NOTHING
        asset._report(error)
        return
    asset._capture(blob, media_type, *others)
