"""Ranges of numbers, as users give them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from aiorerun.types.batches import capture
from aiorerun.types.coerce.arrow import captured_to_arrow
from aiorerun.types.coerce.catalog import RANGE1D

if TYPE_CHECKING:
    from aiorerun import datatypes


def finite_range(value: datatypes.Range1DLike) -> tuple[float, float]:
    """The two numbers of a range.

    Raises:
        TypeError, ValueError: It is none, or one of them is not finite: viewers cannot show such a range.
    """
    found = captured_to_arrow(RANGE1D, *capture(RANGE1D, value)).to_pylist()
    if len(found) != 1:
        raise ValueError(f"expected one range of two numbers, got {value!r}")
    start, end = found[0]
    if not (math.isfinite(start) and math.isfinite(end)):
        raise ValueError(f"expected two finite numbers, got {start!r} and {end!r}")
    return start, end
