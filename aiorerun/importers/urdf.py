"""URDF files: robots, with their geometries and the transforms of their joints."""

from __future__ import annotations

import logging
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final

from aiorerun.importers.base import FileImporter, ImportedColumns, ImportedRow, extension_of, read
from aiorerun.importers.plain import MESHES
from aiorerun.importers.urdf_format import parse_robot, srgb_color

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from aiorerun.importers.base import Imported, ImportSettings
    from aiorerun.importers.urdf_format import Joint, Link, Robot, Shape, Vector

logger = logging.getLogger("aiorerun")

TRANSFORMS_PATH: Final = "tf_static"
"""The entity of the joints; the prefix of a call does not move it."""

WHITE: Final = (255, 255, 255, 255)
"""What shapes without a material look like."""


MEDIA_TYPES: Final = {**MESHES, "ply": "application/x-ply"}
"""Media types of meshes by extension."""

_BEGINNINGS: Final = {b"glTF": MESHES["glb"], b"solid ": MESHES["stl"], b"ply\n": MEDIA_TYPES["ply"]}


class UrdfImporter(FileImporter):
    """Links become coordinate frames, their geometries shapes in these, and joints static transforms."""

    name: str = "URDF"
    extensions: ClassVar[frozenset[str]] = frozenset({"urdf"})

    def items(self, path: Path, contents: bytes | None, settings: ImportSettings) -> Iterator[Imported]:
        """See :class:`aiorerun.importers.base.FileImporter`."""
        robot = parse_robot(read(path, contents))
        return rows(robot, path.parent, settings)


def rows(robot: Robot, folder: Path, settings: ImportSettings) -> Iterator[Imported]:
    """What is logged of a robot.

    Args:
        robot: The robot.
        folder: Where files of meshes are that are named without a directory.
        settings: What the caller wants.
    """
    from aiorerun.archetypes import CoordinateFrame

    root = [robot.name] if robot.name else []
    yield ImportedRow(settings.below_prefix(root), CoordinateFrame(robot.links[0].name))
    for link in robot.links:
        for names, shape in _named_shapes(link):
            entity_path = settings.below_prefix([*root, *names])
            yield ImportedRow(entity_path, _pose(shape))
            yield ImportedRow(entity_path, CoordinateFrame(link.name))
            archetype = _archetype(shape, folder, entity_path)
            if archetype is not None:
                yield ImportedRow(entity_path, archetype)
    if robot.joints:
        yield _transforms(robot.joints)


def _named_shapes(link: Link) -> Iterator[tuple[list[str], Shape]]:
    """The shapes of a link, and where they are below the robot."""
    for number, shape in enumerate(link.visuals):
        name = f"visual_{number}" if shape.name is None else shape.name
        yield ["visual_geometries", link.name, name], shape
    for number, shape in enumerate(link.collisions):
        name = f"collision_{number}" if shape.name is None else shape.name
        yield ["collision_geometries", shape.geometry.kind, link.name, name], shape


def _float32(rows: Iterable[Vector | float]) -> Any:
    """Numbers as they are recorded; what is too large becomes infinite."""
    import numpy as np

    with np.errstate(over="ignore"):
        return np.array(list(rows), np.float64).astype(np.float32)


def _pose(shape: Shape) -> Any:
    from aiorerun.archetypes import InstancePoses3D
    from aiorerun.datatypes import Quaternion

    has_scale = shape.geometry.kind == "mesh" and shape.geometry.size
    return InstancePoses3D(
        translations=_float32([shape.pose.xyz]),
        quaternions=[Quaternion(xyzw=_float32(shape.pose.quaternion))],
        scales=_float32([shape.geometry.size]) if has_scale else None,
    )


def _archetype(shape: Shape, folder: Path, entity_path: str) -> Any:
    """What a shape looks like; ``None`` for a mesh that cannot be read."""
    from aiorerun.archetypes import Boxes3D, Capsules3D, Cylinders3D, Ellipsoids3D

    color = None if shape.color is None else srgb_color(shape.color)
    colors = [color or WHITE]
    size = shape.geometry.size
    match shape.geometry.kind:
        case "box":
            return Boxes3D(half_sizes=_float32([size]) / 2, colors=colors)
        case "sphere":
            return Ellipsoids3D(half_sizes=_float32([size * 3]), colors=colors)
        case "cylinder":
            radius, length = _float32(size)
            return Cylinders3D(radii=[radius], lengths=[length], colors=colors)
        case "capsule":
            radius, length = _float32(size)
            return Capsules3D(radii=[radius], lengths=[length], colors=colors)
        case _:
            return _mesh(shape.geometry.file, folder, color, entity_path)


def _mesh(name: str, folder: Path, color: tuple[int, ...] | None, entity_path: str) -> Any:
    from aiorerun.archetypes import Asset3D

    try:
        data = read(mesh_path(name, folder), None)
    except (OSError, ValueError) as error:
        # What else there is of the robot is of use without it.
        logger.warning("the mesh %r of %s could not be read: %s", name, entity_path, error)
        return None
    return Asset3D.from_fields(blob=data, media_type=media_type(name, data), albedo_factor=color)


def media_type(name: str, data: bytes) -> str | None:
    """What a mesh is, by its extension, or by how it begins; ``None`` if neither tells."""
    known = MEDIA_TYPES.get(extension_of(Path(re.split("[?#]", name, maxsplit=1)[0])))
    if known is None:
        return next((kind for start, kind in _BEGINNINGS.items() if data.startswith(start)), None)
    return known


def mesh_path(name: str, folder: Path) -> Path:
    """The file of a mesh.

    Args:
        name: As it is written in the description: a path, or a URL with ``file://`` or ``package://``.
        folder: Where the description is.

    Raises:
        ValueError: The name is of another kind, or the package is nowhere.
    """
    scheme, has_scheme, rest = name.partition("://")
    if not has_scheme:
        return folder / name
    if scheme == "file":
        return Path(rest)
    if scheme != "package":
        raise ValueError(f"{scheme}:// is not read, only files, file:// and package://")
    package, _, below = rest.partition("/")
    if below.startswith("/"):
        return Path(below)
    for directory in _package_directories(package):
        if below and directory.exists():
            return folder / directory / below
    raise ValueError(
        f"there is no package {package!r} in the directories of ROS_PACKAGE_PATH and AMENT_PREFIX_PATH"
    )


def _package_directories(package: str) -> Iterator[Path]:
    """Where a ROS package may be: those of ROS 1 first."""
    for variable, below in (("ROS_PACKAGE_PATH", ""), ("AMENT_PREFIX_PATH", "share")):
        for directory in filter(None, os.environ.get(variable, "").split(os.pathsep)):
            yield Path(directory, below, package)


def _transforms(joints: list[Joint]) -> ImportedColumns:
    """All joints at rest, static: programs that move them log to entities of their own."""
    from aiorerun.archetypes import Transform3D

    columns = Transform3D.columns(
        translation=_float32(joint.pose.xyz for joint in joints),
        quaternion=_float32(joint.pose.quaternion for joint in joints),
        parent_frame=[joint.parent for joint in joints],
        child_frame=[joint.child for joint in joints],
    )
    return ImportedColumns(TRANSFORMS_PATH, [], columns)
