"""What is generated, and where it goes: the part of the generator that grows with the vocabulary."""

from __future__ import annotations

from typing import Final

SELECTED: Final = frozenset(
    [
        "Arrows3D",
        "BarChart",
        "Boxes2D",
        "Boxes3D",
        "Clear",
        "DepthImage",
        "EncodedDepthImage",
        "EncodedImage",
        "Image",
        "LineStrips3D",
        "Pinhole",
        "Points2D",
        "Points3D",
        "RecordingInfo",
        "Scalars",
        "SeriesLines",
        "SeriesPoints",
        "TextDocument",
        "TextLog",
        "Transform3D",
    ]
)
"""The archetypes that exist; their components and datatypes follow."""

EXTRA_COMPONENTS: Final[frozenset[str]] = frozenset()
"""Components without a selected archetype that exist nevertheless."""

EXTRA_DATATYPES: Final = frozenset(
    f"rerun.encodings.{name}" for name in ("Angle", "ChannelDatatype", "ColorModel", "PixelFormat", "ViewDir")
)
"""Datatypes that only occur inside others."""

_ARCHETYPES_BY_SUBJECT: Final = {
    "spatial2d": "Arrows2D Boxes2D Ellipses2D LineStrips2D Points2D",
    "spatial3d": "Arrows3D Asset3D Boxes3D Capsules3D Cylinders3D Ellipsoids3D GaussianSplats3D GridMap "
    "InstancePoses3D LineStrips3D Mesh3D Points3D VoxelGridMap Volume3D",
    "image": "DepthImage EncodedDepthImage EncodedImage Image SegmentationImage AnnotationContext",
    "plotting": "BarChart Measurements Scalars SeriesLines SeriesPoints StateChange StateConfiguration",
    "tensor": "Tensor",
    "text": "TextDocument TextLog",
    "transform": "CoordinateFrame Pinhole Transform3D TransformAxes3D ViewCoordinates",
    "video": "AssetAudio AssetVideo VideoFrameReference VideoStream",
    "graph": "GraphEdges GraphNodes",
    "geo": "GeoLineStrings GeoPoints",
    "mcap": "McapChannel McapMessage McapSchema McapStatistics",
    "recording": "Clear RecordingInfo",
    "blueprint_views": "ActiveVisualizers AudioPlayback Background DataframeQuery EntityBehavior "
    "EyeControls3D ForceCenter ForceCollisionRadius ForceLink ForceManyBody ForcePosition GraphBackground "
    "LineGrid3D "
    "MapBackground MapZoom NearClipPlane PlotBackground PlotInteraction PlotLegend PreviewsConfig ScalarAxis "
    "SpatialInformation TensorScalarMapping TensorSliceSelection TensorViewFit TextDocumentFormat "
    "TextLogColumns TextLogFormat TextLogRows TimeAxis ViewBlueprint ViewContents VisibleTimeRanges "
    "VisualBounds2D VisualizerInstruction",
    "blueprint_layout": "CardLayout ContainerBlueprint PanelBlueprint TableBlueprint TableColumn "
    "TableColumnPreview TableLayout TimePanelBlueprint ViewportBlueprint",
}

SUBJECTS: Final = {
    name: subject for subject, names in _ARCHETYPES_BY_SUBJECT.items() for name in names.split()
}
"""The module of every archetype."""

TYPE_SUBJECTS: Final = {
    "Angle": "common",
    "ChannelDatatype": "image",
    "ColorModel": "image",
    "PixelFormat": "image",
    "ViewCoordinates": "transform",
    "ViewDir": "transform",
}
"""Modules of components and datatypes for which the subject of their users is no good answer."""

HANDWRITTEN_ARCHETYPES: Final = {
    "BarChart": "bar_chart",
    "Boxes2D": "boxes",
    "Boxes3D": "boxes",
    "Clear": "clear",
    "DepthImage": "images",
    "EncodedImage": "encoded_images",
    "Image": "images",
    "Pinhole": "pinhole",
    "Transform3D": "transforms",
}
"""Archetypes with construction logic, and the module with the class. Its base is generated."""

HANDWRITTEN_DATATYPES: Final = {
    "Angle": "rotations",
    "ImageFormat": "image_formats",
    "Mat3x3": "matrices",
    "Quaternion": "rotations",
    "RotationAxisAngle": "rotations",
    "Rgba32": "colors",
    "TensorData": "tensors",
    "TimeInt": "times",
    "ViewCoordinates": "coordinates",
}
"""Native classes of datatypes that are more than a value, and their modules."""

HANDWRITTEN_COMPONENTS: Final = {
    "ClearIsRecursive": "extended",
    "Color": "extended",
    "LineStrip3D": "strips",
    "MediaType": "extended",
    "Radius": "extended",
    "Scale3D": "extended",
    "TextLogLevel": "extended",
    "ViewCoordinates": "extended",
}
"""Native classes of components that add something to their datatype, and their modules."""

_KEYPOINTS: Final = """\
        if keypoint_ids is not None and class_ids is None:
            # Keypoints mean something only within a class.
            class_ids = 0
"""

_MARKERS: Final = """\
        if colors is markers is names is visible_series is marker_sizes is None:
            # With nothing set, nothing would say that points are wanted.
            markers = 1
"""

PREPARE: Final = {"Points2D": _KEYPOINTS, "Points3D": _KEYPOINTS, "SeriesPoints": _MARKERS}
"""Statements that a generated constructor starts with."""

FAST_NUMBER: Final = {"Scalars": "<d"}
"""Archetypes whose constructor takes one float first of all; their struct format."""

FAST_TEXT: Final = frozenset({"TextLog"})
"""Archetypes that are mostly made of one string, and a second one perhaps."""

FAMILIES: Final = {
    "LineStrip2D": ("strips", "StripEncoding(VEC2D)"),
    "LineStrip3D": ("strips", "StripEncoding(VEC3D)"),
    "Mat3x3": ("vectors", 'MatrixEncoding("float32", 3)'),
    "Mat4x4": ("vectors", 'MatrixEncoding("float32", 4)'),
    "Range1D": ("vectors", 'RangeEncoding("float64", 2)'),
    "Rgba32": ("colors", "ColorEncoding()"),
    "ImageFormat": ("structs", 'ImageFormatEncoding("ImageFormat", 14)'),
    "RotationAxisAngle": ("structs", 'AxisAngleEncoding("RotationAxisAngle", 16)'),
    "TensorData": ("tensors", "TensorEncoding()"),
    "ViewCoordinates": ("coordinates", "ViewCoordinatesEncoding()"),
}
"""Encodings that their Arrow type does not tell: module below ``types.coerce``, and the expression."""

FAMILY_NEEDS: Final = {"LineStrip2D": ("rerun.encodings.Vec2D",), "LineStrip3D": ("rerun.encodings.Vec3D",)}
"""Encodings that others are made of."""


def family_rank(name: str) -> int:
    """Encodings that need others come after them."""
    return 1 if name in FAMILY_NEEDS else 0


WIDENED: Final = {
    "QuaternionLike": "Quaternion | npt.ArrayLike",
    "RotationAxisAngleArrayLike": "RotationAxisAngle | Sequence[RotationAxisAngle]",
    "BoolArrayLike": "Bool | bool | Sequence[BoolLike] | npt.ArrayLike",
    "BoolLike": "Bool | bool | np.bool_",
    "Float32ArrayLike": "Float32 | float | Sequence[Float32Like] | npt.ArrayLike",
    "Float64ArrayLike": "Float64 | float | Sequence[Float64Like] | npt.ArrayLike",
    "Float32Like": "Float32 | float | np.floating[Any] | np.integer[Any]",
    "Float64Like": "Float64 | float | np.floating[Any] | np.integer[Any]",
    "BlobLike": "Blob | bytes | bytearray | memoryview | npt.NDArray[Any]",
    "BlobArrayLike": "Blob | bytes | npt.NDArray[Any] | Sequence[BlobLike]",
    "Rgba32Like": "Rgba32 | int | Sequence[int | float] | npt.NDArray[Any]",
    "LineStrip3DLike": "LineStrip3D | datatypes.Vec3DArrayLike",
    "LineStrip3DArrayLike": "LineStrip3D | npt.ArrayLike | Sequence[LineStrip3DLike]",
    "TimeIntArrayLike": "TimeInt | int | Sequence[TimeIntLike] | npt.ArrayLike",
    "RotationAxisAngleLike": "RotationAxisAngle",
}
"""What may be passed, where the official aliases leave out something that works."""

ALIASES: Final = {
    "image": {
        "ImageLike": "npt.ArrayLike",
    },
}
"""More aliases of the datatypes' modules."""

EXTRA_EXPORTS: Final = {
    "archetypes": {"Archetype": "_base", "Box2DFormat": "boxes"},
    "components": {},
    "datatypes": {},
}
"""Hand-written names that the packages export beside the types."""
