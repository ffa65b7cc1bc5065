"""Colors as rows of channels. Loaded with the first array of colors, so numpy may be at the top."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

_BIG: Final = np.dtype(">u4")
_LITTLE: Final = np.dtype("<u4")
# An array, not a number: numpy takes its time to find the type of a number.
_OPAQUE: Final = np.array(255, _LITTLE)


def pack_channels(array: npt.NDArray[Any]) -> npt.NDArray[np.uint32]:
    """Packs rows of 3 or 4 channels; fractions from 0 to 1 become whole numbers."""
    if array.dtype.kind == "f":
        array = np.round(array * 255.0).astype(np.int64)
    # Red comes first in memory, so four bytes in a row are a packed color in big-endian order.
    channels = np.ascontiguousarray(array, np.uint8)
    if channels.shape[1] == 4:
        return channels.view(_BIG).ravel().astype(_LITTLE)
    # Windows of four bytes, three apart; the fourth byte is not alpha and overwritten.
    windows = np.ndarray((len(channels),), _BIG, channels.tobytes() + b"\xff", 0, (3,))
    packed = windows.astype(_LITTLE)
    packed |= _OPAQUE
    return packed
