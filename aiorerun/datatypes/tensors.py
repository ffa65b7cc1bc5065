"""Tensors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from aiorerun.types.coerce.catalog import TENSOR_BUFFER, TENSOR_DATA
from aiorerun.types.coerce.foreign import plain_array
from aiorerun.types.coerce.tensors import Tensor, Tensors, tensor
from aiorerun.types.encoding import PACKED, Captured
from aiorerun.types.native import Native

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from aiorerun.types.encoding import Encoding


class TensorData(Native):
    """An array of numbers with any number of dimensions.

    Args:
        shape: The dimensions, together with ``buffer``.
        buffer: All numbers, in C order.
        array: Instead of both: an array.
        dim_names: Names of the dimensions.

    Raises:
        ValueError: Neither or both were given, or they do not go together.
    """

    __slots__ = ("_tensor",)

    ENCODING: ClassVar[Encoding] = TENSOR_DATA

    def __init__(
        self,
        *,
        shape: Sequence[int] | None = None,
        buffer: npt.ArrayLike | None = None,
        array: npt.ArrayLike | None = None,
        dim_names: Sequence[str] | None = None,
    ) -> None:
        import numpy as np

        if (array is None) == (buffer is None):
            raise ValueError("a tensor needs either `array` or `buffer`")
        values = np.array(plain_array(buffer if array is None else array), order="C")
        if array is not None and shape is not None and tuple(shape) != values.shape:
            raise ValueError(f"`shape` {tuple(shape)} is not that of the array, {values.shape}")
        sizes = values.shape if shape is None else tuple(map(int, shape))
        if int(np.prod(sizes)) != values.size:
            raise ValueError(
                f"`shape` {sizes} needs {int(np.prod(sizes))} numbers, the buffer has {values.size}"
            )
        if dim_names is not None and len(dim_names) != len(sizes):
            from aiorerun import errors

            problem = ValueError(f"{len(dim_names)} `dim_names` were given for {len(sizes)} dimensions")
            errors.report("TensorData", problem)
            dim_names = None
        self._tensor: Tensor = tensor(sizes, dim_names, values)

    @property
    def shape(self) -> npt.NDArray[Any]:
        """The dimensions."""
        import numpy as np

        return np.array(self._tensor.shape, np.uint64)

    @property
    def names(self) -> list[str] | None:
        """The names of the dimensions."""
        return None if self._tensor.names is None else list(self._tensor.names)

    def numpy(self, force: bool = False) -> npt.NDArray[Any]:
        """The numbers as an array of this shape."""
        array = self._tensor.values.reshape(self._tensor.shape)
        return array.copy() if force else array

    def __array__(self, dtype: npt.DTypeLike | None = None, copy: bool | None = None) -> npt.NDArray[Any]:
        import numpy as np

        return np.array(self.numpy(), dtype=dtype)

    def _captured(self) -> Captured:
        return PACKED, Tensors([self._tensor])

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, TensorData):
            return NotImplemented
        import numpy as np

        mine, theirs = self._tensor, other._tensor
        return (
            mine.names == theirs.names
            and mine.shape == theirs.shape
            and np.array_equal(mine.values, theirs.values)
        )

    def __hash__(self) -> int:
        return hash((self._tensor.shape, self._tensor.names))

    def __repr__(self) -> str:
        return f"{type(self).__name__}(shape={self._tensor.shape}, dtype={self._tensor.values.dtype})"


class TensorBuffer(Native):
    """The numbers of a tensor, of any type.

    Args:
        inner: The numbers.

    Raises:
        TypeError: They are of a type that tensors cannot have.
    """

    __slots__ = ("_tensor",)

    ENCODING: ClassVar[Encoding] = TENSOR_BUFFER

    def __init__(self, inner: npt.ArrayLike) -> None:
        import numpy as np

        values = np.array(inner, order="C")
        self._tensor: Tensor = tensor(values.shape, None, values)

    @property
    def inner(self) -> npt.NDArray[Any]:
        """The numbers."""
        return self._tensor.values

    def _captured(self) -> Captured:
        return PACKED, Tensors([self._tensor])

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, TensorBuffer):
            return NotImplemented
        import numpy as np

        return self.inner.dtype == other.inner.dtype and np.array_equal(self.inner, other.inner)

    def __hash__(self) -> int:
        return hash(self.inner.tobytes())

    def __repr__(self) -> str:
        return f"{type(self).__name__}({len(self.inner)} x {self.inner.dtype})"
