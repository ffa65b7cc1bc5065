"""When rows become chunks, the limits of the pipeline, and the checks of such settings.

The settings of the batcher come from the program, else from the environment, else from the sinks.
"""

from __future__ import annotations

import datetime as dt
import logging
import math
import operator
import os
import re
import threading
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_BYTES_IN_FLIGHT: Final = 104_857_600
"""Above so many bytes on the way to the sinks, ``log`` waits."""
MAX_WAIT_SECS: Final = 5.0
"""So long ``log`` waits at most; then the row is dropped and counted."""
CLOSE_TIMEOUT_SECS: Final = 10.0
"""So long closing a stream takes at most."""
DEFAULT_GRPC_PORT: Final = 9876
"""Where viewers and proxies listen."""
DEFAULT_WEB_PORT: Final = 9090
"""Where the page of the web viewer is served."""
START_BUFFER_WARN_BYTES: Final = 1 << 30
"""At so many bytes in the buffer before the first sink, there is a warning."""

U64_MAX: Final = (1 << 64) - 1

_MIB: Final = 1 << 20
_LONGEST_TICK: Final = dt.timedelta.max.total_seconds()
_LONGEST_WAIT: Final = threading.TIMEOUT_MAX / 4
"""Threads cannot wait much longer at once, and some waits are sums of several."""
_MAX_PORT: Final = 0xFFFF

logger = logging.getLogger("aiorerun")


class ChunkBatcherConfig:
    """When the rows of an entity are gathered into a chunk and sent: at the first trigger reached.

    Args:
        flush_tick: Period of the time trigger, in seconds or as ``timedelta``; ``timedelta.max``
            and ``math.inf`` switch it off. A shorter one than 32 ms is stretched up to that where so many
            entities have rows that making their chunks would take more than an eighth of the time.
        flush_num_bytes: So many bytes of payload of an entity are sent at once.
        flush_num_rows: So many rows of an entity are sent at once.
        chunk_max_rows_if_unsorted: A chunk of so many rows is split where it is unsorted in time.

    What is left out, or ``None``, is taken from :meth:`DEFAULT`. All are attributes that can be
    read and set.

    Raises:
        TypeError: A value is no number.
        ValueError: It is negative, NaN or beyond 64 bits.
    """

    __slots__ = ("_chunk_max_rows_if_unsorted", "_flush_num_bytes", "_flush_num_rows", "_tick_secs")

    def __init__(
        self,
        flush_tick: float | dt.timedelta | None = None,
        flush_num_bytes: int | None = None,
        flush_num_rows: int | None = None,
        chunk_max_rows_if_unsorted: int | None = None,
    ) -> None:
        self.flush_tick = 0.2 if flush_tick is None else flush_tick
        self.flush_num_bytes = _MIB if flush_num_bytes is None else flush_num_bytes
        self.flush_num_rows = U64_MAX if flush_num_rows is None else flush_num_rows
        self.chunk_max_rows_if_unsorted = (
            8192 if chunk_max_rows_if_unsorted is None else chunk_max_rows_if_unsorted
        )

    @property
    def flush_tick(self) -> dt.timedelta:
        """Period of the time trigger; ``timedelta.max`` for none."""
        return dt.timedelta.max if math.isinf(self._tick_secs) else dt.timedelta(seconds=self._tick_secs)

    @flush_tick.setter
    def flush_tick(self, value: float | dt.timedelta) -> None:  # pyright: ignore[reportPropertyTypeMismatch]
        self._tick_secs = _seconds(value)

    @property
    def flush_tick_secs(self) -> float:
        """Period of the time trigger in seconds; ``math.inf`` for none."""
        return self._tick_secs

    @property
    def flush_num_bytes(self) -> int:
        """So many bytes of payload of an entity are sent at once."""
        return self._flush_num_bytes

    @flush_num_bytes.setter
    def flush_num_bytes(self, value: int) -> None:
        self._flush_num_bytes = _u64(value, "flush_num_bytes")

    @property
    def flush_num_rows(self) -> int:
        """So many rows of an entity are sent at once."""
        return self._flush_num_rows

    @flush_num_rows.setter
    def flush_num_rows(self, value: int) -> None:
        self._flush_num_rows = _u64(value, "flush_num_rows")

    @property
    def chunk_max_rows_if_unsorted(self) -> int:
        """A chunk of so many rows is split where it is unsorted in time."""
        return self._chunk_max_rows_if_unsorted

    @chunk_max_rows_if_unsorted.setter
    def chunk_max_rows_if_unsorted(self, value: int) -> None:
        self._chunk_max_rows_if_unsorted = _u64(value, "chunk_max_rows_if_unsorted")

    @staticmethod
    def DEFAULT() -> ChunkBatcherConfig:  # noqa: N802
        """For most uses: a chunk per 200 ms or MiB."""
        return ChunkBatcherConfig()

    @staticmethod
    def LOW_LATENCY() -> ChunkBatcherConfig:  # noqa: N802
        """For streaming to a viewer: a chunk per 8 ms or MiB, 32 ms under load."""
        return ChunkBatcherConfig(flush_tick=0.008)

    @staticmethod
    def ALWAYS() -> ChunkBatcherConfig:  # noqa: N802
        """A chunk per row, at once; costly."""
        return ChunkBatcherConfig(math.inf, 0, 0, 256)

    @staticmethod
    def ALWAYS_TEST_ONLY() -> ChunkBatcherConfig:  # noqa: N802
        """Another name of :meth:`ALWAYS`."""
        return ChunkBatcherConfig.ALWAYS()

    @staticmethod
    def NEVER() -> ChunkBatcherConfig:  # noqa: N802
        """No trigger: only flushing, and the limits of the pipeline, make chunks."""
        return ChunkBatcherConfig(math.inf, U64_MAX, U64_MAX, 256)

    def _values(self) -> tuple[float, int, int, int]:
        return (
            self._tick_secs,
            self._flush_num_bytes,
            self._flush_num_rows,
            self._chunk_max_rows_if_unsorted,
        )

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ChunkBatcherConfig):
            return NotImplemented
        return self._values() == other._values()

    __hash__ = None  # type: ignore[assignment] # it can be changed

    def __repr__(self) -> str:
        return (
            f"ChunkBatcherConfig(flush_tick={self.flush_tick!r}, flush_num_bytes={self._flush_num_bytes}, "
            f"flush_num_rows={self._flush_num_rows}, "
            f"chunk_max_rows_if_unsorted={self._chunk_max_rows_if_unsorted})"
        )


def batcher_config_from_env(default: ChunkBatcherConfig) -> ChunkBatcherConfig:
    """The settings of the environment, and of ``default`` where it has none.

    ``RERUN_FLUSH_TICK_SECS`` holds seconds, ``RERUN_FLUSH_NUM_BYTES`` an integer or a size such as
    ``10MB`` or ``2KiB``, ``RERUN_FLUSH_NUM_ROWS`` and ``RERUN_CHUNK_MAX_ROWS_IF_UNSORTED`` integers.
    ``RERUN_MAX_CHUNK_ROWS_IF_UNSORTED`` is the old name of the last one, and goes before it. If one
    of them cannot be read, none of them counts, and that is logged as an error: once, until it is another.

    Returns:
        A configuration of its own; ``default`` is not touched.
    """
    config = ChunkBatcherConfig(*default._values())
    for name, attribute, read in _VARIABLES:
        text = os.environ.get(name)
        if text is None:
            continue
        try:
            setattr(config, attribute, read(text))
        except ValueError as error:
            _Told.tell(f"{name}={text!r} is not understood ({error})")
            return ChunkBatcherConfig(*default._values())
    _Told.reason = None
    return config


class _Told:
    """What was said last about the environment: it is read by every stream, and at each change of sinks."""

    reason: str | None = None

    @classmethod
    def tell(cls, reason: str) -> None:
        """Logs it, unless that was said last."""
        if reason != cls.reason:
            cls.reason = reason
            logger.error("%s: all batcher settings of the environment are ignored", reason)


def check_batcher_config(value: Any, argument: str) -> None:
    """Raises ``TypeError`` for what is neither a :class:`ChunkBatcherConfig` nor ``None``."""
    if value is not None and not isinstance(value, ChunkBatcherConfig):
        # With its module: the official SDK has a class of the same name.
        got = f"{type(value).__module__}.{type(value).__qualname__}".removeprefix("builtins.")
        raise TypeError(
            f"{argument} must be an aiorerun.ChunkBatcherConfig, got {got}: pass one, such as "
            "ChunkBatcherConfig.LOW_LATENCY(), or None"
        )


def check_text(value: Any, argument: str, example: str) -> None:
    """Raises ``TypeError`` for what is no text. The message does not show it: it may be a secret."""
    if not isinstance(value, str):
        raise TypeError(f"{argument} must be a str, got {type(value).__name__}: pass {example}")


def check_number(value: Any, argument: str) -> None:
    """Raises ``TypeError`` for what is no number."""
    if isinstance(value, bool) or not hasattr(value, "__float__"):
        raise TypeError(f"{argument} must be a number, got {type(value).__name__}")


def check_positive(value: float, argument: str) -> None:
    """Raises ``TypeError`` for what is no number, and ``ValueError`` for one that is not above 0."""
    check_number(value, argument)
    if not value > 0:
        raise ValueError(f"{argument} must be positive, got {value!r}")


def checked_bytes(value: int, argument: str) -> int:
    """A number of bytes; raises ``TypeError`` for what is no integer, and ``ValueError`` below 1."""
    number = _integer(value, argument)
    check_positive(number, argument)
    return number


def checked_seconds(value: float, argument: str) -> float:
    """Seconds to wait, with ``math.inf`` for longer than anybody waits.

    Raises:
        TypeError: It is no number.
        ValueError: It is negative or NaN.
    """
    check_number(value, argument)
    if not value >= 0:
        raise ValueError(f"{argument} must be 0 s or more, got {value!r}; pass math.inf for no limit")
    return float(min(value, _LONGEST_WAIT))


def checked_port(value: int, argument: str) -> int:
    """A TCP port; raises ``TypeError`` for what is no integer, and ``ValueError`` for what is no port."""
    number = _integer(value, argument)
    if not 0 <= number <= _MAX_PORT:
        raise ValueError(f"{argument} must be from 0 to {_MAX_PORT}, got {number}; 0 takes a free one")
    return number


def _seconds(value: float | dt.timedelta) -> float:
    if isinstance(value, dt.timedelta):
        seconds = value.total_seconds()
    elif isinstance(value, bool) or not hasattr(value, "__float__"):
        raise TypeError(
            f"flush_tick must be seconds or a timedelta, got {type(value).__name__}: pass a number, e.g. 0.2"
        )
    else:
        try:
            seconds = float(value)
        except OverflowError:  # an int beyond all floats
            seconds = math.inf if value > 0 else -math.inf
    if math.isnan(seconds) or seconds < 0:
        raise ValueError(f"flush_tick must be 0 or more, got {value}: pass timedelta.max for no tick")
    return math.inf if seconds >= _LONGEST_TICK else seconds


def _integer(value: int, name: str) -> int:
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        raise TypeError(f"{name} must be an int, got {type(value).__name__}: pass int(...)")
    return operator.index(value)


def _u64(value: int, name: str) -> int:
    number = _integer(value, name)
    if not 0 <= number <= U64_MAX:
        raise ValueError(f"{name} must be from 0 to 2**64 - 1, got {number}")
    return number


_INTEGER: Final = re.compile(r"\+?[0-9]+", re.ASCII)
_FLOAT: Final = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?", re.ASCII)
_SIZE: Final = re.compile(r"\+?([0-9]+\.?[0-9]*|\.[0-9]+) ?(B|kB|MB|GB|TB|KiB|MiB|GiB|TiB)", re.ASCII)
_UNITS: Final = {
    "B": 1,
    "kB": 10**3,
    "MB": 10**6,
    "GB": 10**9,
    "TB": 10**12,
    "KiB": 1 << 10,
    "MiB": 1 << 20,
    "GiB": 1 << 30,
    "TiB": 1 << 40,
}


def _read_seconds(text: str) -> float:
    if _FLOAT.fullmatch(text) is None:
        raise ValueError("seconds such as 0.2 are expected")
    seconds = float(text)
    if seconds < 0:
        raise ValueError("it must not be negative")
    if seconds > U64_MAX:
        raise ValueError("it is too long")
    return seconds


def _read_integer(text: str) -> int:
    if _INTEGER.fullmatch(text) is None:
        raise ValueError("an integer is expected")
    return int(text)


def _read_size(text: str) -> int:
    size = _SIZE.fullmatch(text)
    if size is not None:
        return round(float(size[1]) * _UNITS[size[2]])
    if _INTEGER.fullmatch(text) is None:
        raise ValueError("an integer or a size such as 10MB or 2KiB is expected")
    return int(text)


_VARIABLES: Final[tuple[tuple[str, str, Callable[[str], float]], ...]] = (
    ("RERUN_FLUSH_TICK_SECS", "flush_tick", _read_seconds),
    ("RERUN_FLUSH_NUM_BYTES", "flush_num_bytes", _read_size),
    ("RERUN_FLUSH_NUM_ROWS", "flush_num_rows", _read_integer),
    ("RERUN_CHUNK_MAX_ROWS_IF_UNSORTED", "chunk_max_rows_if_unsorted", _read_integer),
    # Last, so that it overrides the name that replaces it.
    ("RERUN_MAX_CHUNK_ROWS_IF_UNSORTED", "chunk_max_rows_if_unsorted", _read_integer),
)
