"""The recent load of the machine as a picture: one band per core and one for the memory."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

# Load in percent and the colour it has; between them colours are mixed.
_ANCHORS = (0.0, 25.0, 60.0, 100.0)
_COLORS = ((13, 17, 38), (36, 86, 150), (240, 180, 60), (230, 50, 40))
_MAX_HEIGHT = 360


def _palette() -> NDArray[np.uint8]:
    """One colour for each whole percent."""
    loads = np.arange(101)
    channels = [np.interp(loads, _ANCHORS, [color[i] for color in _COLORS]) for i in range(3)]
    return np.stack(channels, axis=1).round().astype(np.uint8)


class History:
    """Keeps the newest columns of loads.

    Args:
        bands: Number of values in a column.
        width: Number of columns kept; the picture is as wide.
    """

    def __init__(self, bands: int, width: int = 240) -> None:
        self._width = width
        self._columns: deque[NDArray[np.uint8]] = deque(maxlen=width)
        self._bands = bands
        self._band_height = max(1, min(24, _MAX_HEIGHT // max(bands, 1)))
        self._palette = _palette()

    def add(self, loads: Sequence[float]) -> None:
        """Appends one column: a load in percent for each band."""
        column = np.zeros(self._bands, np.uint8)
        known = min(len(loads), self._bands)
        column[:known] = np.clip(np.rint(loads[:known]), 0, 100)
        self._columns.append(column)

    def picture(self) -> NDArray[np.uint8]:
        """Height × width × RGB; the newest column is at the right, what is not known yet is dark."""
        grid = np.zeros((self._bands, self._width), np.uint8)
        if self._columns:
            grid[:, self._width - len(self._columns) :] = np.stack(tuple(self._columns), axis=1)
        return np.repeat(self._palette[grid], self._band_height, axis=0)
