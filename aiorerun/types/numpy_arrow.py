"""Arrow arrays of numpy data, without ``pyarrow.array``.

That function imports pandas wherever it is installed, which costs a tenth of a second and 40 MB, and
fails at interpreter exit, when files get their footers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

if TYPE_CHECKING:
    import numpy.typing as npt


def numbers_array(values: npt.NDArray[Any], present: npt.NDArray[np.bool_] | None = None) -> pa.Array[Any]:
    """Numbers or booleans; null where ``present`` is false. Numbers are shared, not copied."""
    is_bool = values.dtype == np.bool_
    kind = pa.bool_() if is_bool else pa.from_numpy_dtype(values.dtype)
    data = _bits(values) if is_bool else pa.py_buffer(np.ascontiguousarray(values))
    validity = None if present is None or bool(present.all()) else _bits(present)
    return pa.Array.from_buffers(kind, len(values), [validity, data])


def _bits(values: npt.NDArray[np.bool_]) -> pa.Buffer:
    return pa.py_buffer(np.packbits(values, bitorder="little"))
