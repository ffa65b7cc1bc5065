"""Columns of times, for sending many rows at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Protocol, TypeAlias, runtime_checkable

from aiorerun.types.time import (
    I64_MAX,
    I64_MIN,
    MAX_SECONDS,
    NANOS,
    check_timeline_name,
    duration_nanos,
    looks_like_milliseconds,
    not_finite,
    one_time_error,
    out_of_range,
    sequence_value,
    timestamp_nanos,
    unit_scale,
)
from aiorerun.types.time_run import TimeRun, run_of
from aiorerun.types.timeline import Timeline, TimelineKind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

    from aiorerun.types.time import DurationLike, SequenceLike, TimestampLike

    Int64s: TypeAlias = npt.NDArray[np.int64]

_ARGUMENTS: Final = {
    TimelineKind.SEQUENCE: "sequence",
    TimelineKind.DURATION: "duration",
    TimelineKind.TIMESTAMP: "timestamp",
}
_ELEMENTS: Final[dict[TimelineKind, Callable[[Any], int]]] = {
    TimelineKind.SEQUENCE: sequence_value,
    TimelineKind.DURATION: duration_nanos,
    TimelineKind.TIMESTAMP: timestamp_nanos,
}
_OWN_DTYPE: Final = {TimelineKind.DURATION: "m", TimelineKind.TIMESTAMP: "M"}
_ARROW_PROTOCOLS: Final = ("__arrow_c_array__", "__arrow_c_stream__", "__arrow_array__")


@runtime_checkable
class TimeColumnLike(Protocol):
    """Anything that can be the times of :meth:`send_columns`."""

    def timeline_name(self) -> str:
        """The name of the timeline."""
        ...

    def as_arrow_array(self) -> pa.Array[Any]:
        """The times: int64, ``duration[ns]`` or ``timestamp[ns]``, one per row, none null."""
        ...


class TimeColumn:
    """The times of many rows on one timeline.

    The values are copied. Exactly one of the three keywords is given:

    Args:
        timeline: Name of the timeline.
        sequence: Integers.
        duration: Lengths of time; numbers are seconds.
        timestamp: Points in time; numbers are seconds since the Unix epoch.

    The keywords take numpy arrays, Arrow arrays, pandas series and any iterable. The elements of an
    iterable follow the rules of ``set_time``. Those of a numpy array follow its dtype:
    ``timedelta64`` and ``datetime64`` of any unit are converted exactly, numbers are seconds, and
    the product with 10⁹ is cut off at the nanosecond, as the official SDK does.

    Raises:
        TypeError: The values, or the name, are of another type.
        ValueError: None or several keywords, an empty name, more than one dimension, nulls, NaN or
            infinite values.
        OverflowError: A value is beyond 64 bits.

    >>> TimeColumn("frame", sequence=range(3)).values()
    array([0, 1, 2])
    """

    __slots__ = ("_timeline", "_times")

    def __init__(
        self,
        timeline: str,
        *,
        sequence: Iterable[SequenceLike] | None = None,
        duration: Iterable[DurationLike] | None = None,
        timestamp: Iterable[TimestampLike] | None = None,
    ) -> None:
        check_timeline_name(timeline)
        kind, values = _given(timeline, sequence, duration, timestamp)
        self._timeline = Timeline(timeline, kind)
        run = run_of(values) if kind is TimelineKind.SEQUENCE else None
        self._times: Int64s | TimeRun = _own(_int64s(kind, values)) if run is None else run

    def timeline_name(self) -> str:
        """The name of the timeline."""
        return self._timeline.name

    @property
    def kind(self) -> TimelineKind:
        """How the values are to be read."""
        return self._timeline.kind

    def recorded(self) -> tuple[Timeline, Int64s | TimeRun]:
        """The timeline, and its values, which never change."""
        return self._timeline, self._times

    def values(self) -> Int64s:
        """The values, nanoseconds but for sequences; read-only."""
        times = self._times
        if isinstance(times, TimeRun):
            times = self._times = _own(times.values())
        return times

    def as_arrow_array(self) -> pa.Array[Any]:
        """The values as an Arrow array: int64, ``duration[ns]`` or ``timestamp[ns]``."""
        import pyarrow as pa

        if self.kind is TimelineKind.SEQUENCE:
            type_ = pa.int64()
        elif self.kind is TimelineKind.DURATION:
            type_ = pa.duration("ns")
        else:
            type_ = pa.timestamp("ns")
        values = self.values()
        return pa.Array.from_buffers(type_, len(values), [None, pa.py_buffer(values)])

    def __len__(self) -> int:
        return len(self.recorded()[1])

    def __repr__(self) -> str:
        return f"TimeColumn({self._timeline.name!r}, {_ARGUMENTS[self.kind]}=<{len(self)} values>)"


def _own(values: Int64s) -> Int64s:
    """Makes sure that nobody changes values, which are a copy already."""
    values.flags.writeable = False
    return values


def _given(timeline: str, sequence: Any, duration: Any, timestamp: Any) -> tuple[TimelineKind, Any]:
    """The only times that were given, and their kind."""
    if sequence is not None:
        if duration is None and timestamp is None:
            return TimelineKind.SEQUENCE, sequence
    elif duration is not None:
        if timestamp is None:
            return TimelineKind.DURATION, duration
    elif timestamp is not None:
        return TimelineKind.TIMESTAMP, timestamp
    raise one_time_error(timeline, sequence, duration, timestamp)


def _int64s(kind: TimelineKind, values: Any) -> Int64s:
    """A copy of the values as they are recorded."""
    import numpy as np

    argument = _ARGUMENTS[kind]
    if isinstance(values, np.ndarray):
        return _from_numpy(kind, values)
    if isinstance(values, range):
        return _from_numpy(kind, _range(values, argument))
    if isinstance(values, (str, bytes, bytearray)):
        raise TypeError(f"{argument} must be an iterable of times, got {type(values).__name__}: pass a list")
    array = _arrow(values)
    if array is not None:
        return _from_arrow(kind, array)
    if hasattr(values, "__array__"):
        as_numpy = np.asarray(values)
        if as_numpy.dtype != object:
            return _from_numpy(kind, as_numpy)
    try:
        elements = iter(values)
    except TypeError:
        raise TypeError(
            f"{argument} must be an iterable of times, got {type(values).__name__}: pass a list or an array"
        ) from None
    return _from_list(kind, list(elements))


def _from_list(kind: TimelineKind, elements: list[Any]) -> Int64s:
    """Each element by the rules of ``set_time``; lists of one plain type take a shorter way."""
    import numpy as np

    types = set(map(type, elements))
    if types == {int}:
        try:
            return _from_numpy(kind, np.array(elements, dtype=np.int64))
        except OverflowError:
            pass  # let the element that is to blame be named
    elif types == {float} and kind is not TimelineKind.SEQUENCE:
        return _from_seconds(kind, np.array(elements, dtype=np.float64), whole=np.rint)
    convert = _ELEMENTS[kind]
    numbers = np.empty(len(elements), dtype=np.int64)
    for index, element in enumerate(elements):
        try:
            numbers[index] = convert(element)
        except (TypeError, ValueError, OverflowError) as error:
            raise type(error)(f"{error} (at index {index})") from None
    return numbers


def _from_numpy(kind: TimelineKind, array: npt.NDArray[Any]) -> Int64s:
    import numpy as np

    argument = _ARGUMENTS[kind]
    if array.ndim != 1:
        raise ValueError(f"{argument} must have one dimension, got shape {array.shape}: pass array.ravel()")
    if isinstance(array, np.ma.MaskedArray):
        if np.ma.is_masked(array):
            raise ValueError(f"{argument} has masked values: pass array.compressed(), leave such rows out")
        array = array.data
    code = array.dtype.kind
    if code in "iu" or (code == "b" and kind is TimelineKind.SEQUENCE):
        return _from_integers(kind, array)
    if code == "f":
        if kind is TimelineKind.SEQUENCE:
            return _from_whole_floats(array)
        return _from_seconds(kind, array.astype(np.float64), whole=np.trunc)
    if code == _OWN_DTYPE.get(kind):
        return _from_ticks(argument, array)
    wanted = "integers" if kind is TimelineKind.SEQUENCE else f"numbers or {argument}s"
    raise TypeError(f"{argument} must hold {wanted}, got an array of {array.dtype}")


def _from_integers(kind: TimelineKind, array: npt.NDArray[Any]) -> Int64s:
    if kind is TimelineKind.TIMESTAMP and len(array) and array.max() > MAX_SECONDS:
        raise looks_like_milliseconds(array.max())
    factor = 1 if kind is TimelineKind.SEQUENCE else NANOS
    return _scaled(_ARGUMENTS[kind], array, factor, 1)


def _scaled(argument: str, array: npt.NDArray[Any], factor: int, divisor: int) -> Int64s:
    """``array * factor // divisor`` in 64 bits, or an error if it does not fit."""
    import numpy as np

    if not len(array):
        return np.empty(0, dtype=np.int64)
    if factor == divisor == 1 and array.dtype.kind != "u":  # always fits
        kept: Int64s = np.maximum(array, I64_MIN, dtype=np.int64)
        return kept
    for extreme in (int(array.min()), int(array.max())):
        if not I64_MIN - 1 <= extreme * factor // divisor <= I64_MAX:
            raise out_of_range(argument, extreme)
    if divisor != 1:  # ticks shorter than a nanosecond: rare, and the product may not fit
        return np.array([int(ticks) * factor // divisor for ticks in array], dtype=np.int64)
    numbers: Int64s = np.multiply(array, factor, dtype=np.int64, casting="unsafe")
    np.maximum(numbers, I64_MIN, out=numbers)
    return numbers


def _from_whole_floats(array: npt.NDArray[Any]) -> Int64s:
    import numpy as np

    _check_finite("sequence", array)
    broken = array != np.trunc(array)
    if broken.any():
        value = array[broken][0]
        raise ValueError(
            f"sequence must hold whole numbers, got {value}: pass np.round(array), or a duration="
        )
    return _from_floats("sequence", array.astype(np.float64), array)


def _from_seconds(kind: TimelineKind, seconds: npt.NDArray[np.float64], *, whole: np.ufunc) -> Int64s:
    import numpy as np

    argument = _ARGUMENTS[kind]
    _check_finite(argument, seconds)
    if kind is TimelineKind.TIMESTAMP and len(seconds) and seconds.max() > MAX_SECONDS:
        raise looks_like_milliseconds(seconds.max())
    # What becomes infinite is out of range, which is told as an error.
    with np.errstate(over="ignore"):
        nanos = seconds * 1e9
    return _from_floats(argument, whole(nanos), seconds)


def _from_floats(argument: str, whole: npt.NDArray[np.float64], given: npt.NDArray[Any]) -> Int64s:
    import numpy as np

    beyond = (whole >= 2.0**63) | (whole < -(2.0**63))
    if beyond.any():
        raise out_of_range(argument, given[beyond][0].item())
    numbers = whole.astype(np.int64)
    return np.maximum(numbers, I64_MIN, out=numbers)


def _from_ticks(argument: str, array: npt.NDArray[Any]) -> Int64s:
    """The nanoseconds of ``timedelta64`` or ``datetime64`` values of any unit."""
    import numpy as np

    missing = np.isnat(array)
    if missing.any():
        raise not_finite(argument, f"not-a-time (NaT) at index {int(missing.argmax())}")
    lengths = array.dtype.kind == "m"
    if not lengths and np.datetime_data(array.dtype)[0] in ("Y", "M"):
        if len(array) and np.abs(array.astype(np.int64)).max() > 12 * 300:
            raise out_of_range(argument, "a date in the array")
        array = array.astype("datetime64[D]")
    factor, divisor = unit_scale(array.dtype, lengths=lengths)
    return _scaled(argument, array.astype(np.int64), factor, divisor)


def _check_finite(argument: str, array: npt.NDArray[Any]) -> None:
    import numpy as np

    finite = np.isfinite(array)
    if not finite.all():
        index = int(finite.argmin())
        raise not_finite(argument, f"{array[index]} at index {index}")


def _range(values: range, argument: str) -> Int64s:
    import numpy as np

    try:
        return np.arange(values.start, values.stop, values.step, dtype=np.int64)
    except OverflowError:
        raise out_of_range(argument, values) from None


def _arrow(values: Any) -> pa.Array[Any] | None:
    """An Arrow array of what knows how to be one, else ``None``."""
    if not any(hasattr(values, name) for name in _ARROW_PROTOCOLS):
        return None
    import pyarrow as pa

    if not isinstance(values, (pa.Array, pa.ChunkedArray)):
        streams = hasattr(values, "__arrow_c_stream__") and not hasattr(values, "__arrow_c_array__")
        values = pa.chunked_array(values) if streams else pa.array(values)
    return values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values


def is_time_type(kind: pa.DataType) -> bool:
    """Whether Arrow values of this type can be times."""
    import pyarrow as pa

    types = pa.types
    return bool(types.is_integer(kind) or types.is_duration(kind) or types.is_timestamp(kind))


def times_of_arrow(timeline: str, array: Any) -> tuple[TimelineKind, Int64s]:
    """The kind and a copy of the values of an Arrow array of times, which its type tells.

    Integers may be of any width, durations and timestamps in any unit.

    Raises:
        TypeError: Values of another type.
        ValueError, OverflowError: Nulls, or values beyond 64 bits.
    """
    import pyarrow as pa

    if isinstance(array, pa.ChunkedArray):
        array = array.combine_chunks()
    if not isinstance(array, pa.Array) or not is_time_type(array.type):
        given = array.type if isinstance(array, pa.Array) else type(array).__name__
        raise TypeError(
            f"timeline {timeline!r} has values of type {given}: times are integers, durations or timestamps"
        )
    kind = TimelineKind.SEQUENCE
    if pa.types.is_duration(array.type):
        kind = TimelineKind.DURATION
    elif pa.types.is_timestamp(array.type):
        kind = TimelineKind.TIMESTAMP
    try:
        return kind, _from_arrow(kind, array)
    except (ValueError, OverflowError) as error:
        raise type(error)(f"timeline {timeline!r}: {error}") from None


def _from_arrow(kind: TimelineKind, array: pa.Array[Any]) -> Int64s:
    import pyarrow as pa

    argument = _ARGUMENTS[kind]
    if array.null_count:
        raise ValueError(f"{argument} has {array.null_count} nulls: leave such rows out")
    type_ = array.type
    if kind is TimelineKind.DURATION and pa.types.is_duration(type_):
        unit = f"timedelta64[{type_.unit}]"
    elif kind is TimelineKind.TIMESTAMP and pa.types.is_timestamp(type_):
        unit = f"datetime64[{type_.unit}]"  # with or without a zone: the ticks count in UTC
    elif pa.types.is_integer(type_) or pa.types.is_floating(type_):
        return _from_numpy(kind, array.to_numpy(zero_copy_only=False))
    else:
        wanted = "integers" if kind is TimelineKind.SEQUENCE else f"numbers or {argument}s"
        raise TypeError(f"{argument} must hold {wanted}, got an Arrow array of {type_}")
    return _from_numpy(kind, array.view(pa.int64()).to_numpy(zero_copy_only=False).view(unit))
