"""The frames of video files, by PyAV."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

_NANOS = 1_000_000_000


SHOWN_CODECS: Final = frozenset({"h264", "hevc", "av1", "vp8", "vp9"})
"""The codecs that viewers show videos of."""


def frame_timestamps(video: bytes, *, must_be_shown: bool = False) -> npt.NDArray[np.int64]:
    """When each frame is shown, in nanoseconds since the start, in ascending order.

    Args:
        video: The contents of the file.
        must_be_shown: Whether videos that viewers do not show are an error.

    Raises:
        ValueError: It is no video that can be read.
        ImportError: PyAV is not installed.
    """
    av = _pyav()
    try:
        with av.open(io.BytesIO(video)) as container:
            stream = container.streams.video[0]
            if must_be_shown:
                _check_codec(stream.codec_context.codec.canonical_name)
            packets = [packet.pts for packet in container.demux(stream) if packet.pts is not None]
            base = stream.time_base
    except (av.FFmpegError, IndexError, ValueError) as error:
        raise ValueError(f"the frames of this video cannot be read: {error}") from error
    # Rounded to whole nanoseconds without going over floats; in Python's numbers nothing overflows.
    factor, divisor = 2 * base.numerator * _NANOS, 2 * base.denominator
    nanos = [(time * factor + base.denominator) // divisor for time in sorted(packets)]
    return np.array(nanos, np.int64)


def _check_codec(codec: str) -> None:
    if codec not in SHOWN_CODECS:
        raise ValueError(f"viewers do not support the codec {codec!r}")


def _pyav() -> Any:
    try:
        import av
    except ImportError as error:
        raise ImportError("PyAV is needed for this: pip install 'aiorerun[video]'") from error
    return av
