"""Archetypes that visualizers draw, and how blueprints speak of visualizers."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, runtime_checkable

from aiorerun.archetypes._base import Archetype

if TYPE_CHECKING:
    from collections.abc import Iterable

    from aiorerun.types.batches import DescribedComponentBatch


class Visualizer:
    """One way of drawing an entity in a view, for the ``overrides`` of the view.

    Archetypes make them: ``rr.SeriesLines(widths=2).visualizer()``.

    Args:
        visualizer_type: Which one it is, e.g. ``"SeriesLines"``.
        overrides: Components that replace what was logged.
        mappings: Where it finds its components: :class:`VisualizerComponentMapping`.
    """

    def __init__(
        self,
        visualizer_type: str,
        *,
        overrides: list[DescribedComponentBatch] | None = None,
        mappings: Iterable[Any] | None = None,
    ) -> None:
        self.id = uuid.uuid4()
        self.visualizer_type = visualizer_type
        self.overrides = overrides
        self.mappings = mappings

    def __repr__(self) -> str:
        return (
            f"Visualizer({self.visualizer_type!r}, overrides={self.overrides!r}, mappings={self.mappings!r})"
        )


@runtime_checkable
class VisualizableArchetype(Protocol):
    """What has a visualizer."""

    def visualizer(self, *args: Any, **kwargs: Any) -> Visualizer:
        """Makes the visualizer that draws it."""
        ...


class Visual(Archetype):
    """An archetype that a visualizer draws."""

    __slots__ = ()

    VISUALIZER: ClassVar[str] = ""

    def visualizer(self, *, mappings: Iterable[Any] | None = None) -> Visualizer:
        """The visualizer that draws such entities; the components that are set replace what was logged.

        Args:
            mappings: Where it finds its components: :class:`VisualizerComponentMapping`.
        """
        return Visualizer(self.VISUALIZER, overrides=self.as_component_batches(), mappings=mappings)
