"""PLY files: point clouds, Gaussian splats, and meshes, which are logged as they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from aiorerun.importers.base import FileImporter, ImportedRow, read
from aiorerun.importers.ply_format import parse_header, read_element
from aiorerun.importers.ply_splats import REQUIRED, splats

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import numpy as np
    import numpy.typing as npt

    from aiorerun.importers.base import Imported, ImportSettings
    from aiorerun.importers.ply_format import Header, Property


class PlyImporter(FileImporter):
    """Points become :class:`aiorerun.Points3D`, those in a plane :class:`aiorerun.Points2D`.

    Gaussian splats become :class:`aiorerun.GaussianSplats3D`, files with faces :class:`aiorerun.Asset3D`.
    """

    name: str = "PLY"
    extensions: ClassVar[frozenset[str]] = frozenset({"ply"})

    def items(self, path: Path, contents: bytes | None, settings: ImportSettings) -> Iterator[Imported]:
        """See :class:`aiorerun.importers.base.FileImporter`."""
        data = read(path, contents)
        header = parse_header(data)
        yield ImportedRow(settings.entity_path(path), _archetype(data, header))


def _archetype(data: bytes, header: Header) -> Any:
    from aiorerun.archetypes import Asset3D

    properties = header.properties("vertex")
    if properties.keys() >= REQUIRED:
        return splats(read_element(data, header, "vertex"))
    if properties and header.count("face") > 0 and _has_corners(header.properties("face")):
        return Asset3D.from_fields(blob=data, media_type="application/x-ply")
    if not {"x", "y"} <= properties.keys():
        raise ValueError(
            f"a point needs at least the properties 'x' and 'y', but the file has {sorted(properties)}"
        )
    for name in ("x", "y", "z"):
        if name in properties and properties[name].count_type is not None:
            raise ValueError(f"the coordinate {name!r} is a list")
    return points(read_element(data, header, "vertex"))


def _has_corners(properties: dict[str, Property]) -> bool:
    names = ("vertex_indices", "vertex_index")
    return any(name in properties and properties[name].count_type is not None for name in names)


def points(columns: dict[str, Any]) -> Any:
    """The archetype of points.

    Args:
        columns: Their properties: arrays of numbers, or lists of arrays.
    """
    import numpy as np

    from aiorerun.archetypes import Points2D, Points3D

    axes = [name for name in ("x", "y", "z") if name in columns]
    positions = np.stack([columns[name].astype(np.float32) for name in axes], axis=1)
    radii = columns.get("radius")
    labels = columns.get("label")
    given: dict[str, Any] = {"positions": positions, "colors": _colors(columns)}
    if isinstance(radii, np.ndarray):
        given["radii"] = radii.astype(np.float32)
    if isinstance(labels, list) and all(label.dtype == np.uint8 for label in labels):
        given["labels"] = [bytes(label).decode("utf-8", "replace") for label in labels]
    return (Points3D if len(axes) == 3 else Points2D).from_fields(**given)


def _colors(columns: dict[str, Any]) -> npt.NDArray[np.uint8] | None:
    """Four bytes per point; ``None`` if there are no colors."""
    import numpy as np

    channels = [_channel(columns.get(name)) for name in ("red", "green", "blue")]
    known = [channel for channel in channels if channel is not None]
    if len(known) < 3:
        return None
    alpha = _channel(columns.get("alpha"))
    opaque = np.full(len(known[0]), 255, np.uint8)
    return np.stack([*known, opaque if alpha is None else alpha], axis=1)


def _channel(values: Any) -> npt.NDArray[np.uint8] | None:
    """Whole numbers modulo 256, fractions of 255; lists are no colors."""
    import numpy as np

    if not isinstance(values, np.ndarray):
        return None
    if values.dtype.kind == "f":
        values = np.nan_to_num(np.clip(values * 255, 0, 255))
    channel: npt.NDArray[np.uint8] = values.astype(np.uint8)
    return channel
