"""Meshes of triangles."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aiorerun.archetypes._base import told_of
from aiorerun.archetypes.images import texture
from aiorerun.archetypes.spatial3d import Mesh3DFields

if TYPE_CHECKING:
    from aiorerun.components import MeshFaceRenderingLike
    from aiorerun.datatypes import (
        ClassIdArrayLike,
        ImageLike,
        Rgba32ArrayLike,
        Rgba32Like,
        UVec3DArrayLike,
        Vec2DArrayLike,
        Vec3DArrayLike,
    )  # fmt: skip


class Mesh3D(Mesh3DFields):
    """A mesh of triangles.

    Args:
        vertex_positions: Where the vertices are, shape ``(n, 3)``.
        triangle_indices: The vertices of each triangle; by default three after three.
        vertex_normals: The direction each vertex faces.
        vertex_colors: The color of each vertex.
        vertex_texcoords: The point of the texture that belongs to each vertex, from 0 to 1.
        albedo_texture: An image of shape ``(height, width, 3 or 4)``.
        albedo_factor: A color that all others are multiplied with.
        face_rendering: Which sides of the triangles are drawn.
        class_ids: Classes, which give labels and colors by an annotation context.

    Raises:
        ValueError: A texture that is no image, in strict mode. Otherwise it is left out.

    Example:
        mesh = rr.Mesh3D(
            vertex_positions=[[0, 0, 0], [1, 0, 0], [0, 1, 0]],
            triangle_indices=[[0, 1, 2]],
            vertex_colors=[[255, 0, 0], [0, 255, 0], [0, 0, 255]],
        )
        await rec.log("world/mesh", mesh)
    """

    __slots__ = ()

    def __init__(
        self,
        *,
        vertex_positions: Vec3DArrayLike,
        triangle_indices: UVec3DArrayLike | None = None,
        vertex_normals: Vec3DArrayLike | None = None,
        vertex_colors: Rgba32ArrayLike | None = None,
        vertex_texcoords: Vec2DArrayLike | None = None,
        albedo_texture: ImageLike | None = None,
        albedo_factor: Rgba32Like | None = None,
        face_rendering: MeshFaceRenderingLike | None = None,
        class_ids: ClassIdArrayLike | None = None,
    ) -> None:
        buffer: Any = None
        image_format: Any = None
        if albedo_texture is not None:
            try:
                buffer, image_format = texture(albedo_texture)
            except Exception as error:
                self._report(told_of("albedo_texture", error))
        self._capture(
            vertex_positions, triangle_indices, vertex_normals, vertex_colors, vertex_texcoords,
            albedo_factor, face_rendering, buffer, image_format, class_ids,
        )  # fmt: skip
