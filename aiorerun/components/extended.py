"""Components that can do more than their datatypes."""

from __future__ import annotations

import colorsys
import zlib
from itertools import permutations, product
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final

from aiorerun.datatypes.colors import Rgba32
from aiorerun.datatypes.common import Bool, Float32, Utf8, Vec3D
from aiorerun.datatypes.coordinates import ViewCoordinates as ViewCoordinatesDatatype
from aiorerun.types.batches import ComponentMixin

if TYPE_CHECKING:
    import numpy.typing as npt

    from aiorerun.datatypes.common import Float32Like, Vec3DLike


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


class ViewCoordinates(ViewCoordinatesDatatype, ComponentMixin):
    """Where the axes of a coordinate system point, e.g. ``ViewCoordinates.RDF``: right, down, forward."""

    __slots__ = ()

    COMPONENT_TYPE = "rerun.components.ViewCoordinates"

    BDL: ClassVar[ViewCoordinates]
    BDR: ClassVar[ViewCoordinates]
    BLD: ClassVar[ViewCoordinates]
    BLU: ClassVar[ViewCoordinates]
    BRD: ClassVar[ViewCoordinates]
    BRU: ClassVar[ViewCoordinates]
    BUL: ClassVar[ViewCoordinates]
    BUR: ClassVar[ViewCoordinates]
    DBL: ClassVar[ViewCoordinates]
    DBR: ClassVar[ViewCoordinates]
    DFL: ClassVar[ViewCoordinates]
    DFR: ClassVar[ViewCoordinates]
    DLB: ClassVar[ViewCoordinates]
    DLF: ClassVar[ViewCoordinates]
    DRB: ClassVar[ViewCoordinates]
    DRF: ClassVar[ViewCoordinates]
    FDL: ClassVar[ViewCoordinates]
    FDR: ClassVar[ViewCoordinates]
    FLD: ClassVar[ViewCoordinates]
    FLU: ClassVar[ViewCoordinates]
    FRD: ClassVar[ViewCoordinates]
    FRU: ClassVar[ViewCoordinates]
    FUL: ClassVar[ViewCoordinates]
    FUR: ClassVar[ViewCoordinates]
    LBD: ClassVar[ViewCoordinates]
    LBU: ClassVar[ViewCoordinates]
    LDB: ClassVar[ViewCoordinates]
    LDF: ClassVar[ViewCoordinates]
    LEFT_HAND_X_DOWN: ClassVar[ViewCoordinates]
    LEFT_HAND_X_UP: ClassVar[ViewCoordinates]
    LEFT_HAND_Y_DOWN: ClassVar[ViewCoordinates]
    LEFT_HAND_Y_UP: ClassVar[ViewCoordinates]
    LEFT_HAND_Z_DOWN: ClassVar[ViewCoordinates]
    LEFT_HAND_Z_UP: ClassVar[ViewCoordinates]
    LFD: ClassVar[ViewCoordinates]
    LFU: ClassVar[ViewCoordinates]
    LUB: ClassVar[ViewCoordinates]
    LUF: ClassVar[ViewCoordinates]
    RBD: ClassVar[ViewCoordinates]
    RBU: ClassVar[ViewCoordinates]
    RDB: ClassVar[ViewCoordinates]
    RDF: ClassVar[ViewCoordinates]
    RFD: ClassVar[ViewCoordinates]
    RFU: ClassVar[ViewCoordinates]
    RIGHT_HAND_X_DOWN: ClassVar[ViewCoordinates]
    RIGHT_HAND_X_UP: ClassVar[ViewCoordinates]
    RIGHT_HAND_Y_DOWN: ClassVar[ViewCoordinates]
    RIGHT_HAND_Y_UP: ClassVar[ViewCoordinates]
    RIGHT_HAND_Z_DOWN: ClassVar[ViewCoordinates]
    RIGHT_HAND_Z_UP: ClassVar[ViewCoordinates]
    RUB: ClassVar[ViewCoordinates]
    RUF: ClassVar[ViewCoordinates]
    UBL: ClassVar[ViewCoordinates]
    UBR: ClassVar[ViewCoordinates]
    UFL: ClassVar[ViewCoordinates]
    UFR: ClassVar[ViewCoordinates]
    ULB: ClassVar[ViewCoordinates]
    ULF: ClassVar[ViewCoordinates]
    URB: ClassVar[ViewCoordinates]
    URF: ClassVar[ViewCoordinates]


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

_BY_UP_AXIS: Final = {
    "LEFT_HAND_X_DOWN": (2, 3, 5),
    "LEFT_HAND_X_UP": (1, 3, 6),
    "LEFT_HAND_Y_DOWN": (3, 2, 6),
    "LEFT_HAND_Y_UP": (3, 1, 5),
    "LEFT_HAND_Z_DOWN": (3, 5, 2),
    "LEFT_HAND_Z_UP": (3, 6, 1),
    "RIGHT_HAND_X_DOWN": (2, 3, 6),
    "RIGHT_HAND_X_UP": (1, 3, 5),
    "RIGHT_HAND_Y_DOWN": (3, 2, 5),
    "RIGHT_HAND_Y_UP": (3, 1, 6),
    "RIGHT_HAND_Z_DOWN": (3, 6, 2),
    "RIGHT_HAND_Z_UP": (3, 5, 1),
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
    letters = {"U": 1, "D": 2, "R": 3, "L": 4, "F": 5, "B": 6}
    # One of each pair of opposite directions, in any order.
    for order in permutations(("UD", "RL", "FB")):
        for choice in product(*order):
            setattr(ViewCoordinates, "".join(choice), ViewCoordinates([letters[letter] for letter in choice]))
    for name, axes in _BY_UP_AXIS.items():
        setattr(ViewCoordinates, name, ViewCoordinates(axes))


_define()
