"""Arrow arrays of numpy data and strings, without ``pyarrow.array``.

That function imports pandas wherever it is installed, which costs a tenth of a second and 40 MB, and
fails at interpreter exit, when files get their footers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt


def numbers_array(values: npt.NDArray[Any], present: npt.NDArray[np.bool_] | None = None) -> pa.Array[Any]:
    """Numbers or booleans; null where ``present`` is false. Numbers are shared, not copied."""
    is_bool = values.dtype == np.bool_
    kind = pa.bool_() if is_bool else pa.from_numpy_dtype(values.dtype)
    data = _bits(values) if is_bool else pa.py_buffer(np.ascontiguousarray(values))
    validity = None if present is None or bool(present.all()) else _bits(present)
    return pa.Array.from_buffers(kind, len(values), [validity, data])


def texts_array(texts: Sequence[str]) -> pa.Array[Any]:
    """Strings."""
    encoded = [text.encode() for text in texts]
    offsets = np.zeros(len(texts) + 1, np.int32)
    np.cumsum(np.fromiter(map(len, encoded), np.int32, len(texts)), out=offsets[1:])
    buffers = [None, pa.py_buffer(offsets), pa.py_buffer(b"".join(encoded))]
    return pa.Array.from_buffers(pa.utf8(), len(texts), buffers)


def _bits(values: npt.NDArray[np.bool_]) -> pa.Buffer:
    return pa.py_buffer(np.packbits(values, bitorder="little"))
