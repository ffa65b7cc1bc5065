"""Visualizers: how entities are drawn. Archetypes make them."""

from __future__ import annotations

from aiorerun.archetypes._visual import VisualizableArchetype, Visualizer

__all__ = ["VisualizableArchetype", "Visualizer"]
