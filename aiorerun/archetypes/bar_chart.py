"""Bar charts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiorerun.archetypes.plotting import BarChartFields
from aiorerun.types.encoding import PACKED

if TYPE_CHECKING:
    from aiorerun.datatypes import Float32ArrayLike, Rgba32Like, TensorDataLike


class BarChart(BarChartFields):
    """A bar chart of one-dimensional values.

    Args:
        values: The heights of the bars.
        color: The color of the bars.
        abscissa: The positions of the bars, if they are not just numbered.
        widths: The widths of the bars, one for all or one each.

    Raises:
        ValueError: Values of more than one dimension, in strict mode.

    Example:
        await rec.log("histogram", rr.BarChart([8, 4, 0, 9, 1]))
    """

    __slots__ = ()

    def __init__(
        self,
        values: TensorDataLike,
        *,
        color: Rgba32Like | None = None,
        abscissa: TensorDataLike | None = None,
        widths: Float32ArrayLike | None = None,
    ) -> None:
        self._capture(values, color, abscissa, widths)
        captured = self._captured(self.FIELDS[0])
        if captured is not None and captured[0] == PACKED:
            for tensor in captured[1]:
                if sum(length != 1 for length in tensor.shape) > 1:
                    shape = tensor.shape
                    self._report(
                        ValueError(f"the values of a bar chart have one dimension, not shape {shape}")
                    )
