"""Transforms in 3D."""

from __future__ import annotations

import struct
import warnings
from typing import TYPE_CHECKING, Any

from aiorerun import errors
from aiorerun.archetypes._base import converted
from aiorerun.archetypes.transform import Transform3DFields
from aiorerun.types.coerce.catalog import QUATERNION, ROTATION_AXIS_ANGLE, TRANSFORM_RELATION
from aiorerun.types.encoding import FIXED
from aiorerun.types.form import ColumnSpec, Form
from aiorerun.types.native import Native
from aiorerun.types.plan import MISFITS
from aiorerun.types.rows import NOTHING

if TYPE_CHECKING:
    from aiorerun.components import TransformRelationLike
    from aiorerun.datatypes import (
        Float32Like,
        Mat3x3Like,
        QuaternionLike,
        RotationAxisAngleLike,
        Utf8Like,
        Vec3DLike,
    )  # fmt: skip

_CHILD_FROM_PARENT = TRANSFORM_RELATION.variants["ChildFromParent"]
_SEQUENCES = frozenset({list, tuple})
_SCALARS = frozenset({int, float, bool})


class Transform3D(Transform3DFields):
    """Where an entity is in relation to its parent: a translation, rotation and scale in 3D.

    What is not given is the identity. Of translation, rotation, scale and matrix those that are given
    apply in this order from the left: translation, matrix, rotation, scale.

    Args:
        translation: Where the origin goes.
        rotation: A :class:`Quaternion` or a :class:`RotationAxisAngle`.
        rotation_axis_angle: A rotation around an axis.
        quaternion: A rotation as a quaternion: a :class:`Quaternion`, or x, y, z, w.
        scale: One factor for all axes, or one for each.
        mat3x3: A linear transform, in rows.
        from_parent: Deprecated; ``relation`` says it better.
        relation: Whether the transform goes from the child to the parent (the default) or back.
        child_frame: Name of the frame that is placed, instead of the entity's own.
        parent_frame: Name of the frame it is placed in, instead of the parent entity's.

    Raises:
        ValueError: Arguments that exclude each other, in strict mode.

    Example:
        pose = rr.Transform3D(translation=[1, 0, 0.5], quaternion=[0, 0, 0, 1])
        await rec.log("world/robot", pose)
        turned = rr.RotationAxisAngle(axis=[0, 0, 1], degrees=45)
        await rec.log("world/robot/arm", rr.Transform3D(rotation=turned, scale=2))
    """

    __slots__ = ()

    def __init__(
        self,
        *,
        translation: Vec3DLike | None = None,
        rotation: QuaternionLike | RotationAxisAngleLike | None = None,
        rotation_axis_angle: RotationAxisAngleLike | None = None,
        quaternion: QuaternionLike | None = None,
        scale: Vec3DLike | Float32Like | None = None,
        mat3x3: Mat3x3Like | None = None,
        from_parent: bool | None = None,
        relation: TransformRelationLike | None = None,
        child_frame: Utf8Like | None = None,
        parent_frame: Utf8Like | None = None,
    ) -> None:
        if (
            # The most frequent call of all, a pose in plain numbers, without looking up a plan.
            type(translation) in _SEQUENCES
            and type(quaternion) in _SEQUENCES
            and rotation is None
            and rotation_axis_angle is None
            and scale is None
            and mat3x3 is None
            and from_parent is None
            and relation is None
            and child_frame is None
            and parent_frame is None
        ):
            pose: Any = translation, quaternion
            try:
                (tx, ty, tz), (x, y, z, w) = pose
                self._row = (_POSE_FORM, _POSE_PACK(tx, ty, tz, x, y, z, w), ())
                return
            except (ValueError, *MISFITS):
                # Left for the coercion to complain about.
                pass
        if from_parent is not None or rotation is not None:
            self._row = NOTHING
            try:
                relation = _relation(from_parent, relation)
                quaternion, rotation_axis_angle = _rotation(rotation, quaternion, rotation_axis_angle)
            except Exception as error:
                self._report(error)
                return
        if scale is not None and (type(scale) in _SCALARS or _is_single(scale)):
            scale = _uniform(scale)
        self._capture(
            translation, rotation_axis_angle, quaternion, scale, mat3x3, relation, child_frame, parent_frame
        )


_POSE_FORM = Form.of(
    [
        ColumnSpec(field.descriptor, field.encoding, FIXED)
        for field in Transform3D.FIELDS
        if field.name in ("translation", "quaternion")
    ]
)
_POSE_PACK = struct.Struct("<7f").pack


def _is_single(scale: Any) -> bool:
    return not hasattr(scale, "__len__") or getattr(scale, "shape", None) == ()


def _uniform(scale: Any) -> Any:
    """One factor for all axes; what is no number is left for the coercion to complain about."""
    try:
        factor = float(scale)
    except (TypeError, ValueError):
        return scale
    return (factor, factor, factor)


def _relation(from_parent: bool | None, relation: Any) -> Any:
    if from_parent is None:
        return relation
    warnings.warn(
        "`from_parent` of Transform3D is deprecated: use relation=TransformRelation.ChildFromParent",
        DeprecationWarning,
        stacklevel=errors.caller_stacklevel(),
    )
    if relation is not None:
        raise ValueError("`from_parent` and `relation` exclude each other")
    return _CHILD_FROM_PARENT if converted("from_parent", bool, from_parent) else None


def _rotation(rotation: Any, quaternion: Any, axis_angle: Any) -> tuple[Any, Any]:
    """The quaternion and the rotation around an axis that the arguments mean."""
    if rotation is None:
        return quaternion, axis_angle
    if quaternion is not None or axis_angle is not None:
        raise ValueError("`rotation` cannot be combined with `quaternion` or `rotation_axis_angle`")
    first = rotation
    if isinstance(rotation, list | tuple) and len(rotation) == 1:
        first = rotation[0]
    if isinstance(first, Native):
        if first.ENCODING is QUATERNION:
            return first, None
        if first.ENCODING is ROTATION_AXIS_ANGLE:
            return None, first
    raise ValueError(
        f"`rotation` must be a Quaternion or a RotationAxisAngle, not {type(rotation).__name__}; "
        "plain numbers can be given as `quaternion`"
    )
