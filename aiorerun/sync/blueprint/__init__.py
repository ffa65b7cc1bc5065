"""The package :mod:`aiorerun.blueprint` under the name a drop-in needs: saving and sending block.

All classes are the same, but for the two that can be saved.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from aiorerun import blueprint
from aiorerun._lazy import lazy

if TYPE_CHECKING:
    from aiorerun.blueprint import (
        ActiveVisualizers as ActiveVisualizers,
        AudioPlayback as AudioPlayback,
        AudioView as AudioView,
        Background as Background,
        BackgroundKind as BackgroundKind,
        BarChartView as BarChartView,
        BlueprintLike as BlueprintLike,
        BlueprintPanel as BlueprintPanel,
        BlueprintPart as BlueprintPart,
        Container as Container,
        ContainerLike as ContainerLike,
        Corner2D as Corner2D,
        DataframeView as DataframeView,
        EntityBehavior as EntityBehavior,
        Eye3DKind as Eye3DKind,
        EyeControls3D as EyeControls3D,
        GraphView as GraphView,
        Grid as Grid,
        Horizontal as Horizontal,
        LineGrid3D as LineGrid3D,
        LockRangeDuringZoom as LockRangeDuringZoom,
        MapProvider as MapProvider,
        MapView as MapView,
        PanelState as PanelState,
        PanelStateLike as PanelStateLike,
        PlotInteraction as PlotInteraction,
        PlotLegend as PlotLegend,
        ScalarAxis as ScalarAxis,
        SelectionPanel as SelectionPanel,
        Spatial2DView as Spatial2DView,
        Spatial3DView as Spatial3DView,
        SpatialInformation as SpatialInformation,
        StateTimelineView as StateTimelineView,
        Tabs as Tabs,
        TensorScalarMapping as TensorScalarMapping,
        TensorSliceSelection as TensorSliceSelection,
        TensorView as TensorView,
        TextDocumentView as TextDocumentView,
        TextLogColumns as TextLogColumns,
        TextLogFormat as TextLogFormat,
        TextLogRows as TextLogRows,
        TextLogView as TextLogView,
        TimeAxis as TimeAxis,
        TimePanel as TimePanel,
        TimeRange as TimeRange,
        TimeRangeBoundary as TimeRangeBoundary,
        TimeSeriesView as TimeSeriesView,
        TopPanel as TopPanel,
        Vertical as Vertical,
        View as View,
        ViewContentsLike as ViewContentsLike,
        VisibleTimeRange as VisibleTimeRange,
        VisibleTimeRanges as VisibleTimeRanges,
        VisualBounds2D as VisualBounds2D,
        VisualizableArchetype as VisualizableArchetype,
        Visualizer as Visualizer,
        VisualizerLike as VisualizerLike,
        as_blueprint as as_blueprint,
    )
    from aiorerun.sync.blueprint import (
        archetypes as archetypes,
        components as components,
        datatypes as datatypes,
        encodings as encodings,
        table as table,
        views as views,
        visualizers as visualizers,
    )
    from aiorerun.sync.blueprint._saving import Blueprint as Blueprint, TableBlueprint as TableBlueprint

__all__: list[str] = []
__all__ += blueprint.__all__

_OWN: Final = {
    "Blueprint": "aiorerun.sync.blueprint._saving",
    "TableBlueprint": "aiorerun.sync.blueprint._saving",
    "archetypes": "aiorerun.sync.blueprint.archetypes",
    "components": "aiorerun.sync.blueprint.components",
    "datatypes": "aiorerun.sync.blueprint.datatypes",
    "encodings": "aiorerun.sync.blueprint.encodings",
    "table": "aiorerun.sync.blueprint.table",
    "views": "aiorerun.sync.blueprint.views",
    "visualizers": "aiorerun.sync.blueprint.visualizers",
}

_own, _ = lazy(__name__, _OWN)


def __getattr__(name: str) -> Any:
    if name.startswith("__"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return _own(name) if name in _OWN else getattr(blueprint, name)


def __dir__() -> list[str]:
    return dir(blueprint)
