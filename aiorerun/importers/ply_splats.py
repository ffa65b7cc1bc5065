"""Gaussian splats in PLY files: the logarithms, logits and harmonics of trainers become plain values."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    import numpy.typing as npt

logger = logging.getLogger("aiorerun")

CENTERS: Final = ("x", "y", "z")
"""Where splats are."""

COLORS: Final = ("f_dc_0", "f_dc_1", "f_dc_2")
"""The harmonics of degree 0, one per color channel."""

SCALES: Final = ("scale_0", "scale_1", "scale_2")
"""Logarithms of the extents."""

ROTATIONS: Final = ("rot_0", "rot_1", "rot_2", "rot_3")
"""Quaternions of any length, the real part first."""

REQUIRED: Final = frozenset((*CENTERS, *COLORS, *SCALES, *ROTATIONS, "opacity"))
"""Properties that splats have, and other clouds have not."""

HARMONICS: Final = "f_rest_"
"""How the names of the higher harmonics begin: first all of red, then green, then blue."""

MAX_HARMONICS: Final = 15
"""So many harmonics are kept of each channel: those of degree 1 to 3."""


def splats(columns: Mapping[str, Any]) -> Any:
    """The archetype of splats.

    Args:
        columns: Their properties: arrays of numbers, or lists of arrays.
    """
    import numpy as np

    from aiorerun.archetypes import GaussianSplats3D

    with np.errstate(over="ignore", invalid="ignore"):
        return GaussianSplats3D.from_fields(
            centers=_stacked(columns, CENTERS),
            scales=np.exp(_stacked(columns, SCALES)),
            quaternions=_rotations(columns),
            colors=_colors(columns),
            sh_coefficients=_harmonics(columns),
        )


def _column(columns: Mapping[str, Any], name: str, default: float) -> npt.NDArray[np.float32]:
    """A property; lists are no values of splats."""
    import numpy as np

    values = columns[name]
    if isinstance(values, np.ndarray):
        return values.astype(np.float32)
    return np.full(len(values), default, np.float32)


def _stacked(
    columns: Mapping[str, Any], names: Sequence[str], default: float = 0.0
) -> npt.NDArray[np.float32]:
    import numpy as np

    return np.stack([_column(columns, name, default) for name in names], axis=1)


def _rotations(columns: Mapping[str, Any]) -> npt.NDArray[np.float32]:
    """Quaternions of length 1 as x, y, z, w; those of no length turn nothing."""
    import numpy as np

    given = _stacked(columns, ROTATIONS, 1.0)
    length = np.sqrt(np.sum(given * given, axis=1, dtype=np.float32))
    turns = length > 0
    found = np.zeros_like(given)
    found[:, 3] = 1
    found[turns] = given[turns][:, [1, 2, 3, 0]] / length[turns, None]
    return found


def _colors(columns: Mapping[str, Any]) -> npt.NDArray[np.uint8]:
    """What is seen of a splat from all sides, and how opaque it is."""
    import numpy as np

    constant = np.float32(0.5) * np.sqrt(np.float32(1 / np.pi))
    opacity = _column(columns, "opacity", np.inf)
    channels = np.float32(0.5) + constant * _stacked(columns, COLORS)
    alpha = np.float32(1) / (np.float32(1) + np.exp(-opacity))
    values = np.nan_to_num(np.concatenate([channels, alpha[:, None]], axis=1))
    colors: npt.NDArray[np.uint8] = (np.clip(values, 0, 1) * np.float32(255) + np.float32(0.5)).astype(
        np.uint8
    )
    return colors


def _harmonics(columns: Mapping[str, Any]) -> npt.NDArray[np.float16] | None:
    """Three numbers, one per channel, for each harmonic; ``None`` if there are none."""
    import numpy as np

    names = [name for name in columns if name.startswith(HARMONICS)]
    count, rest = divmod(len(names), 3)
    if rest:
        logger.warning("%d properties %s* are not the same number for each color", len(names), HARMONICS)
    if rest or not count or not len(columns["x"]):
        return None
    if count > MAX_HARMONICS:
        logger.warning("of %d harmonics per color the first %d are kept", count, MAX_HARMONICS)
    found = np.zeros((len(columns["x"]), MAX_HARMONICS, 3), np.float16)
    for channel in range(3):
        for number in range(min(count, MAX_HARMONICS)):
            name = f"{HARMONICS}{channel * count + number}"
            if name in columns:
                found[:, number, channel] = _column(columns, name, 0.0)
    return found
