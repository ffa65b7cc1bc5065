"""Descriptions of classes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from aiorerun.datatypes._natives import RecordNative
from aiorerun.types.coerce.catalog import CLASS_DESCRIPTION

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aiorerun.datatypes.annotation import (
        AnnotationInfo,
        AnnotationInfoLike,
        KeypointPair,
        KeypointPairLike,
    )
    from aiorerun.types.batches import DescribedComponentBatch
    from aiorerun.types.encoding import Encoding


class ClassDescription(RecordNative):
    """A class and its keypoints. It can be logged itself: as an annotation context of this one class.

    Args:
        info: The class itself: an :class:`AnnotationInfo`, its number, or a tuple of number, name and color.
        keypoint_annotations: Its keypoints, in the same forms.
        keypoint_connections: Pairs of keypoints that are connected.
    """

    __slots__ = ()

    ENCODING: ClassVar[Encoding] = CLASS_DESCRIPTION

    def __init__(
        self,
        *,
        info: AnnotationInfoLike,
        keypoint_annotations: Sequence[AnnotationInfoLike] | None = [],
        keypoint_connections: Sequence[KeypointPairLike] | None = [],
    ) -> None:
        self._set(info, keypoint_annotations, keypoint_connections)

    @property
    def info(self) -> AnnotationInfo:
        """The class itself."""
        from aiorerun.datatypes.annotation import AnnotationInfo

        return AnnotationInfo._of(self._plain[0])

    @property
    def keypoint_annotations(self) -> list[AnnotationInfo]:
        """Its keypoints."""
        from aiorerun.datatypes.annotation import AnnotationInfo

        return [AnnotationInfo._of(item) for item in self._plain[1]]

    @property
    def keypoint_connections(self) -> list[KeypointPair]:
        """Pairs of keypoints that are connected."""
        from aiorerun.datatypes.annotation import KeypointPair

        return [KeypointPair._of(item) for item in self._plain[2]]

    def as_component_batches(self) -> list[DescribedComponentBatch]:
        """The annotation context that holds this class alone."""
        from aiorerun.archetypes import AnnotationContext

        context: Any = self
        return AnnotationContext(context).as_component_batches()
