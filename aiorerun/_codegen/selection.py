"""What is generated, and where it goes: the part of the generator that grows with the vocabulary."""

from __future__ import annotations

from typing import Final

_ARCHETYPES_BY_SUBJECT: Final = {
    "spatial2d": "Arrows2D Boxes2D Ellipses2D LineStrips2D Points2D",
    "spatial3d": "Arrows3D Asset3D Boxes3D Capsules3D Cylinders3D Ellipsoids3D GaussianSplats3D GridMap "
    "InstancePoses3D LineStrips3D Mesh3D Points3D VoxelGridMap Volume3D",
    "image": "DepthImage EncodedDepthImage EncodedImage Image SegmentationImage",
    "annotation": "AnnotationContext",
    "plotting": "BarChart Measurements Scalars SeriesLines SeriesPoints StateChange StateConfiguration",
    "tensor": "Tensor",
    "text": "TextDocument TextLog",
    "transform": "CoordinateFrame Pinhole Transform3D TransformAxes3D ViewCoordinates",
    "video": "AssetAudio AssetVideo VideoFrameReference VideoStream",
    "graph": "GraphEdges GraphNodes",
    "geo": "GeoLineStrings GeoPoints",
    "mcap": "McapChannel McapMessage McapSchema McapStatistics",
    "recording": "Clear RecordingInfo",
    "blueprint_view": "ActiveVisualizers EntityBehavior ViewBlueprint ViewContents VisibleTimeRanges "
    "VisualizerInstruction",
    "blueprint_spatial": "Background EyeControls3D LineGrid3D NearClipPlane SpatialInformation "
    "VisualBounds2D",
    "blueprint_plot": "PlotBackground PlotInteraction PlotLegend ScalarAxis TimeAxis",
    "blueprint_graph": "ForceCenter ForceCollisionRadius ForceLink ForceManyBody ForcePosition "
    "GraphBackground",
    "blueprint_map": "MapBackground MapZoom",
    "blueprint_tensor": "TensorScalarMapping TensorSliceSelection TensorViewFit",
    "blueprint_text": "TextDocumentFormat TextLogColumns TextLogFormat TextLogRows",
    "blueprint_dataframe": "DataframeQuery",
    "blueprint_audio": "AudioPlayback",
    "blueprint_layout": "ContainerBlueprint PanelBlueprint TimePanelBlueprint ViewportBlueprint",
    "blueprint_table": "CardLayout PreviewsConfig TableBlueprint TableColumn TableColumnPreview TableLayout",
}

SUBJECTS: Final = {
    name: subject for subject, names in _ARCHETYPES_BY_SUBJECT.items() for name in names.split()
}
"""The module of every archetype."""

_TYPES_BY_SUBJECT: Final = {
    "annotation": "AnnotationInfo ClassDescription ClassDescriptionMapElem KeypointPair",
    "image": "ChannelDatatype ColorModel PixelFormat",
    "mcap": "ChannelCountPair",
    "spatial3d": "Plane3D",
    "tensor": "TensorBuffer TensorDimensionIndexSelection TensorDimensionSelection TensorHeightDimension "
    "TensorWidthDimension",
    "time": "AbsoluteTimeRange TimeRange TimeRangeBoundary VisibleTimeRange",
    "transform": "ViewCoordinates ViewDir",
    "blueprint_dataframe": "ComponentColumnSelector",
    "blueprint_layout": "PlayState PlaybackSpeed TimelineName",
    "blueprint_table": "SortDirection",
    "blueprint_text": "TextLogColumnKind",
    "blueprint_view": "ComponentSourceKind",
}

TYPE_SUBJECTS: Final = {
    name: subject for subject, names in _TYPES_BY_SUBJECT.items() for name in names.split()
}
"""Modules of components and datatypes for which the subject of their users is no good answer."""

HANDWRITTEN_ARCHETYPES: Final = {
    "Asset3D": "assets",
    "AssetAudio": "assets",
    "AssetVideo": "assets",
    "Background": "backgrounds",
    "BarChart": "bar_chart",
    "Boxes2D": "boxes",
    "Boxes3D": "boxes",
    "Clear": "clear",
    "DataframeQuery": "queries",
    "DepthImage": "images",
    "Ellipsoids3D": "ellipsoids",
    "EncodedImage": "encoded_images",
    "GeoLineStrings": "geo_shapes",
    "GeoPoints": "geo_shapes",
    "Image": "images",
    "Mesh3D": "meshes",
    "Pinhole": "pinhole",
    "ScalarAxis": "axes",
    "SegmentationImage": "images",
    "Tensor": "tensors",
    "Transform3D": "transforms",
    "VideoFrameReference": "video_frames",
    "ViewCoordinates": "coordinates",
    "VisibleTimeRanges": "time_ranges",
    "VisualBounds2D": "bounds",
}
"""Archetypes with construction logic, and the module with the class. Its base is generated."""

HANDWRITTEN_DATATYPES: Final = {
    "Angle": "rotations",
    "ClassDescription": "class_descriptions",
    "ComponentColumnSelector": "selectors",
    "ImageFormat": "image_formats",
    "Mat3x3": "matrices",
    "Mat4x4": "matrices",
    "Plane3D": "planes",
    "Quaternion": "rotations",
    "RotationAxisAngle": "rotations",
    "Rgba32": "colors",
    "SelectedColumns": "selectors",
    "SphericalHarmonics3Rgb": "harmonics",
    "TensorBuffer": "tensors",
    "TensorData": "tensors",
    "TextLogColumn": "columns",
    "TimeInt": "times",
    "TimelineColumn": "columns",
    "TimeRangeBoundary": "time_ranges",
    "VisibleTimeRange": "time_ranges",
    "ViewCoordinates": "coordinates",
}
"""Native classes of datatypes that are more than a value, and their modules."""

HANDWRITTEN_COMPONENTS: Final = {
    "ClearIsRecursive": "extended",
    "Color": "extended",
    "GeoLineString": "strips",
    "LineStrip2D": "strips",
    "LineStrip3D": "strips",
    "MediaType": "extended",
    "Plane3D": "extended",
    "Radius": "extended",
    "Scale3D": "extended",
    "TextLogLevel": "extended",
    "VideoTimestamp": "extended",
    "ViewCoordinates": "extended",
    "VisualBounds2D": "bounds",
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
    "AnnotationContext": (
        "annotations",
        'AnnotationContextEncoding("AnnotationContext", CLASS_DESCRIPTION_MAP_ELEM)',
    ),
    "ColumnOrder": ("selectors", 'PathsEncoding("ColumnOrder", ENTITY_PATH)'),
    "ChannelMessageCounts": ("records", 'CountsEncoding("ChannelMessageCounts", CHANNEL_COUNT_PAIR)'),
    "GeoLineString": ("strips", "StripEncoding(DVEC2D)"),
    "KeyValuePairs": ("records", 'PairsEncoding("KeyValuePairs", UTF8PAIR)'),
    "LineStrip2D": ("strips", "StripEncoding(VEC2D)"),
    "LineStrip3D": ("strips", "StripEncoding(VEC3D)"),
    "Mat3x3": ("vectors", 'MatrixEncoding("float32", 3)'),
    "Mat4x4": ("vectors", 'MatrixEncoding("float32", 4)'),
    "Range1D": ("vectors", 'RangeEncoding("float64", 2)'),
    "Rgba32": ("colors", "ColorEncoding()"),
    "ImageFormat": ("structs", 'ImageFormatEncoding("ImageFormat", 14)'),
    "RotationAxisAngle": ("structs", 'AxisAngleEncoding("RotationAxisAngle", 16)'),
    "SphericalHarmonics3Rgb": ("vectors", "HarmonicsEncoding()"),
    "TensorBuffer": ("tensors", "TensorBufferEncoding()"),
    "TensorData": ("tensors", "TensorEncoding()"),
    "TimeRangeBoundary": ("time_ranges", 'TimeRangeBoundaryEncoding("TimeRangeBoundary", TIME_INT)'),
    "UVec4D": ("vectors", 'FlatVectorEncoding("uint32", 4)'),
    "Uuid": ("vectors", "UuidEncoding()"),
    "ViewCoordinates": ("coordinates", "ViewCoordinatesEncoding()"),
}
"""Encodings that their Arrow type does not tell: module below ``types.coerce``, and the expression."""

RECORDS: Final = {
    "AnnotationInfo": ("records", "RecordEncoding", 1),
    "ChannelCountPair": ("records", "LeadingPartsEncoding", 2),
    "ClassDescription": ("annotations", "ClassDescriptionEncoding", 0),
    "ClassDescriptionMapElem": ("annotations", "ClassElementEncoding", 0),
    "ComponentColumnSelector": ("selectors", "SelectorEncoding", 0),
    "FilterIsNotNull": ("selectors", "NotNullEncoding", 0),
    "KeypointPair": ("records", "RecordEncoding", 2),
    "SelectedColumns": ("selectors", "SelectedColumnsEncoding", 0),
    "TensorDimensionIndexSlider": ("selectors", "LastPartEncoding", 0),
    "TextLogColumn": ("selectors", "LastPartEncoding", 0),
    "TimelineColumn": ("selectors", "LastPartEncoding", 0),
    "TensorDimensionSelection": ("records", "WholeNumberOrRecord", 0),
    "Utf8Pair": ("records", "TextPairEncoding", 2),
}
"""Structs for which something else than natives may stand: module and class of the encoding, and how many
values of parts stand for an instance at least."""

WIDENED: Final = {
    "QuaternionLike": "Quaternion | npt.ArrayLike",
    "RotationAxisAngleArrayLike": "RotationAxisAngle | Sequence[RotationAxisAngle]",
    "BoolArrayLike": "Bool | bool | Sequence[BoolLike] | npt.ArrayLike",
    "BoolLike": "Bool | bool | np.bool_",
    "Float32ArrayLike": "Float32 | float | Sequence[Float32Like] | npt.ArrayLike",
    "Float64ArrayLike": "Float64 | float | Sequence[Float64Like] | npt.ArrayLike",
    "Float32Like": "Float32 | float | np.floating[Any] | np.integer[Any]",
    "Float64Like": "Float64 | float | np.floating[Any] | np.integer[Any]",
    "ColumnOrderArrayLike": "ColumnOrderLike | Sequence[ColumnOrderLike]",
    "BlobLike": "Blob | bytes | bytearray | memoryview | npt.NDArray[Any]",
    "BlobArrayLike": "Blob | bytes | npt.NDArray[Any] | Sequence[BlobLike]",
    "Rgba32Like": "Rgba32 | int | Sequence[int | float] | npt.NDArray[Any]",
    "GeoLineStringLike": "GeoLineString | datatypes.DVec2DArrayLike",
    "GeoLineStringArrayLike": "GeoLineString | npt.ArrayLike | Sequence[GeoLineStringLike]",
    "LineStrip2DLike": "LineStrip2D | datatypes.Vec2DArrayLike",
    "LineStrip2DArrayLike": "LineStrip2D | npt.ArrayLike | Sequence[LineStrip2DLike]",
    "LineStrip3DLike": "LineStrip3D | datatypes.Vec3DArrayLike",
    "LineStrip3DArrayLike": "LineStrip3D | npt.ArrayLike | Sequence[LineStrip3DLike]",
    "TimeIntArrayLike": "TimeInt | int | Sequence[TimeIntLike] | npt.ArrayLike",
    "RotationAxisAngleLike": "RotationAxisAngle",
    "TimeRangeBoundaryArrayLike": "TimeRangeBoundaryLike | Sequence[TimeRangeBoundaryLike]",
    "TimeRangeBoundaryLike": "TimeRangeBoundary | TimeInt | int | None",
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
    "blueprint": {
        "Blueprint": "layout",
        "BlueprintLike": "layout",
        "BlueprintPanel": "panels",
        "BlueprintPart": "layout",
        "Container": "parts",
        "ContainerLike": "parts",
        "Grid": "containers",
        "Horizontal": "containers",
        "PanelStateLike": "components",
        "SelectionPanel": "panels",
        "TableBlueprint": "table",
        "Tabs": "containers",
        "TimePanel": "panels",
        "TopPanel": "panels",
        "Vertical": "containers",
        "View": "parts",
        "ViewContentsLike": "parts",
        "VisualizableArchetype": "visualizers",
        "Visualizer": "visualizers",
        "VisualizerLike": "parts",
        "archetypes": "archetypes",
        "as_blueprint": "layout",
        "components": "components",
        "datatypes": "datatypes",
        "encodings": "encodings",
        "table": "table",
        "views": "views",
        "visualizers": "visualizers",
    },
}
"""Hand-written names and modules that the packages export beside the types."""

EXTRA_TOP_LEVEL: Final = {"Box2DFormat": "aiorerun.archetypes"}
"""Names that the faces offer themselves beside the exported types, and their packages."""
