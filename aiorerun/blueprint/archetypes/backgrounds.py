"""Backgrounds."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

from aiorerun.blueprint.archetypes.spatial import BackgroundFields

if TYPE_CHECKING:
    from aiorerun import datatypes
    from aiorerun.blueprint import components as blueprint_components


class Background(BackgroundFields):
    """What is behind everything in a view of space: a color, or a gradient.

    Args:
        color_or_kind: Either of the two.
        color: The color.
        kind: The kind; by default a solid color if there is a color, else a dark gradient.

    Raises:
        ValueError: The first argument was given together with another, in strict mode.
    """

    __slots__ = ()

    def __init__(
        self,
        color_or_kind: datatypes.Rgba32Like | blueprint_components.BackgroundKindLike | None = None,
        *,
        color: datatypes.Rgba32Like | None = None,
        kind: blueprint_components.BackgroundKindLike | None = None,
    ) -> None:
        if color_or_kind is not None:
            if color is not None or kind is not None:
                self._capture(None, None)
                self._report(ValueError("`color_or_kind` excludes `color` and `kind`"))
                return
            if isinstance(color_or_kind, Enum | str):
                kind = color_or_kind
            else:
                color = color_or_kind
        if kind is None:
            kind = "GradientDark" if color is None else "SolidColor"
        self._capture(kind, color)
