"""Tensors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aiorerun.archetypes._base import told_of
from aiorerun.archetypes.tensor import TensorFields
from aiorerun.types.rows import NOTHING

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from aiorerun.datatypes import Range1DLike, TensorDataLike


class Tensor(TensorFields):
    """An array of numbers with any number of dimensions.

    Args:
        data: The array, or a :class:`TensorData`.
        dim_names: Names of its dimensions.
        value_range: The range in which values are expected; by default found out from the data.

    Raises:
        ValueError: No data, or names beside a :class:`TensorData`, which has its own; in strict mode.

    Example:
        volume = np.zeros((8, 64, 64), np.float32)
        await rec.log("volume", rr.Tensor(volume, dim_names=["z", "y", "x"]))
    """

    __slots__ = ()

    def __init__(
        self,
        data: TensorDataLike | npt.ArrayLike | None = None,
        *,
        dim_names: Sequence[str] | None = None,
        value_range: Range1DLike | None = None,
    ) -> None:
        try:
            tensor = _tensor(data, dim_names)
        except Exception as error:
            self._row = NOTHING
            self._report(told_of("data", error))
            return
        self._capture(tensor, value_range)


def _tensor(data: Any, dim_names: Any) -> Any:
    from aiorerun.datatypes import TensorData

    if data is None:
        raise ValueError("a tensor needs `data`")
    if dim_names is None:
        return data
    if isinstance(data, TensorData):
        raise ValueError(  # noqa: TRY004 - the kind of error that is recorded of the official SDK
            "`dim_names` belong into the TensorData that is passed as `data`"
        )
    return TensorData(array=data, dim_names=dim_names)
