"""Components that can do more than their datatypes."""

from __future__ import annotations

import colorsys
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final, cast

from aiorerun.datatypes.axes import AxesConstants, named_axes
from aiorerun.datatypes.colors import Rgba32
from aiorerun.datatypes.common import Bool, Float32, Utf8, Vec3D
from aiorerun.datatypes.coordinates import ViewCoordinates as ViewCoordinatesDatatype
from aiorerun.datatypes.planes import Plane3D as Plane3DDatatype, define_planes
from aiorerun.datatypes.video import VideoTimestamp as VideoTimestampDatatype
from aiorerun.types.batches import ComponentMixin

if TYPE_CHECKING:
    import numpy.typing as npt

    from aiorerun.components.video import VideoTimestampBatch
    from aiorerun.datatypes.common import Float32Like, Vec3DLike
    from aiorerun.types.batches import DescribedComponentBatch


class ClearIsRecursive(Bool, ComponentMixin):
    """Whether clearing also clears everything below."""

    __slots__ = ()

    COMPONENT_TYPE = "rerun.components.ClearIsRecursive"

    def __init__(self, recursive: bool = True) -> None:
        super().__init__(recursive)


class Color(Rgba32, ComponentMixin):
    """A color with alpha: ``0xRRGGBBAA``, or 3 or 4 numbers."""

    __slots__ = ()

    COMPONENT_TYPE = "rerun.components.Color"

    @staticmethod
    def from_string(s: str) -> Color:
        """A color that belongs to a text: the same text always gives the same color."""
        return Color(_color_of(s))


class Radius(Float32, ComponentMixin):
    """A radius: positive in scene units, negative in user interface points."""

    __slots__ = ()

    COMPONENT_TYPE = "rerun.components.Radius"

    @staticmethod
    def ui_points(radii: npt.ArrayLike) -> npt.NDArray[Any]:
        """Radii in user interface points, which stay the same on screen however far away they are."""
        import numpy as np

        return -np.array(radii, np.float32)


class Scale3D(Vec3D, ComponentMixin):
    """A scale.

    Args:
        uniform_or_per_axis: One factor for all axes, or one for each.
    """

    __slots__ = ()

    COMPONENT_TYPE = "rerun.components.Scale3D"

    def __init__(self, uniform_or_per_axis: Vec3DLike | Float32Like | None = True) -> None:
        super().__init__(per_axis(1.0 if uniform_or_per_axis is None else uniform_or_per_axis))


def per_axis(scale: Any) -> Any:
    """A scale as three factors, if it is a single number."""
    if hasattr(scale, "__len__") and getattr(scale, "shape", None) != ():
        return scale
    factor = float(scale)
    return (factor, factor, factor)


class MediaType(Utf8, ComponentMixin):
    """What kind of data it is, as a MIME type."""

    __slots__ = ()

    COMPONENT_TYPE = "rerun.components.MediaType"

    AAC: ClassVar[MediaType]
    FLAC: ClassVar[MediaType]
    GLB: ClassVar[MediaType]
    GLTF: ClassVar[MediaType]
    JPEG: ClassVar[MediaType]
    M4A: ClassVar[MediaType]
    MARKDOWN: ClassVar[MediaType]
    MP3: ClassVar[MediaType]
    MP4: ClassVar[MediaType]
    OBJ: ClassVar[MediaType]
    OGG: ClassVar[MediaType]
    PLY: ClassVar[MediaType]
    PNG: ClassVar[MediaType]
    RVL: ClassVar[MediaType]
    STL: ClassVar[MediaType]
    TEXT: ClassVar[MediaType]
    WAV: ClassVar[MediaType]

    @staticmethod
    def guess_from_path(path: str | Path) -> MediaType | None:
        """The media type that the extension of a file stands for, if any is known."""
        known = _BY_EXTENSION.get(Path(path).suffix.lower())
        return None if known is None else MediaType(known)


class Plane3D(Plane3DDatatype, ComponentMixin):
    """A plane in space."""

    __slots__ = ()

    COMPONENT_TYPE = "rerun.components.Plane3D"


define_planes(Plane3D)


class VideoTimestamp(VideoTimestampDatatype, ComponentMixin):
    """A time within a video, since its start.

    Args:
        nanoseconds: The time in nanoseconds.
        seconds: Instead: the time in seconds.

    Raises:
        ValueError: Not exactly one was given.
    """

    __slots__ = ()

    COMPONENT_TYPE = "rerun.components.VideoTimestamp"

    def __init__(self, *, nanoseconds: int | None = None, seconds: float | None = None) -> None:
        if (nanoseconds is None) == (seconds is None):
            raise ValueError("a video timestamp needs either `nanoseconds` or `seconds`")
        super().__init__(int(nanoseconds if nanoseconds is not None else round(cast("float", seconds) * 1e9)))

    @staticmethod
    def seconds(seconds: npt.ArrayLike) -> VideoTimestampBatch:
        """Timestamps of seconds, fractions included."""
        return _timestamps(seconds, 1_000_000_000)

    @staticmethod
    def milliseconds(milliseconds: npt.ArrayLike) -> VideoTimestampBatch:
        """Timestamps of milliseconds, fractions included."""
        return _timestamps(milliseconds, 1_000_000)

    @staticmethod
    def nanoseconds(nanoseconds: npt.ArrayLike) -> VideoTimestampBatch:
        """Timestamps of nanoseconds."""
        return _timestamps(nanoseconds, 1)


def _timestamps(values: npt.ArrayLike, unit: int) -> VideoTimestampBatch:
    import numpy as np

    from aiorerun.components.video import VideoTimestampBatch

    array = np.atleast_1d(np.asarray(values))
    if array.dtype.kind == "f":
        array = np.round(array.astype(np.float64) * unit)
        unit = 1
    return VideoTimestampBatch(array.astype(np.int64) * unit)


class TextLogLevel(Utf8, ComponentMixin):
    """The severity of a log line."""

    __slots__ = ()

    COMPONENT_TYPE = "rerun.components.TextLogLevel"

    CRITICAL: ClassVar[TextLogLevel]
    ERROR: ClassVar[TextLogLevel]
    WARN: ClassVar[TextLogLevel]
    INFO: ClassVar[TextLogLevel]
    DEBUG: ClassVar[TextLogLevel]
    TRACE: ClassVar[TextLogLevel]


class ViewCoordinates(ViewCoordinatesDatatype, AxesConstants, ComponentMixin):
    """Where the axes of a coordinate system point, e.g. ``ViewCoordinates.RDF``: right, down, forward.

    It can be logged itself, as an archetype of this one component.
    """

    __slots__ = ()

    COMPONENT_TYPE = "rerun.components.ViewCoordinates"

    def as_component_batches(self) -> list[DescribedComponentBatch]:
        """The archetype that holds this component alone."""
        from aiorerun.archetypes import ViewCoordinates

        return ViewCoordinates(self).as_component_batches()


_BY_EXTENSION: Final = {
    ".aac": "audio/aac",
    ".flac": "audio/flac",
    ".glb": "model/gltf-binary",
    ".gltf": "model/gltf+json",
    ".jpeg": "image/jpeg",
    ".jpg": "image/jpeg",
    ".m4a": "audio/mp4",
    ".mp3": "audio/mpeg",
    ".mp4": "video/mp4",
    ".obj": "model/obj",
    ".ogg": "audio/ogg",
    ".opus": "audio/ogg",
    ".ply": "application/x-ply",
    ".png": "image/png",
    ".stl": "model/stl",
    ".wav": "audio/wav",
}

_MEDIA_TYPES: Final = {
    "AAC": "audio/aac",
    "FLAC": "audio/flac",
    "GLB": "model/gltf-binary",
    "GLTF": "model/gltf+json",
    "JPEG": "image/jpeg",
    "M4A": "audio/mp4",
    "MARKDOWN": "text/markdown",
    "MP3": "audio/mpeg",
    "MP4": "video/mp4",
    "OBJ": "model/obj",
    "OGG": "audio/ogg",
    "PLY": "application/x-ply",
    "PNG": "image/png",
    "RVL": "application/rvl",
    "STL": "model/stl",
    "TEXT": "text/plain",
    "WAV": "audio/wav",
}


def _color_of(text: str) -> tuple[int, int, int]:
    """A strong, rather dark color whose hue depends on the text."""
    red, green, blue = colorsys.hsv_to_rgb(zlib.crc32(text.encode()) % 360 / 360, 0.85, 0.5)
    return round(red * 255), round(green * 255), round(blue * 255)


def _define() -> None:
    """Makes the constants, which are members of their own classes."""
    for name, text in _MEDIA_TYPES.items():
        setattr(MediaType, name, MediaType(text))
    for name in ("CRITICAL", "ERROR", "WARN", "INFO", "DEBUG", "TRACE"):
        setattr(TextLogLevel, name, TextLogLevel(name))
    for name, directions in named_axes():
        setattr(ViewCoordinates, name, ViewCoordinates(directions))


_define()
