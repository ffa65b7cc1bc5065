"""Times: from what a user passes to the 64-bit integers that are logged.

Sequences are plain integers. Durations and timestamps are nanoseconds, timestamps since
1970-01-01T00:00:00 UTC. Integers, ``timedelta``, ``datetime`` and the types of numpy, pandas and
pyarrow convert exactly; floats are seconds, rounded to the nearest nanosecond of their product.
"""

from __future__ import annotations

import datetime as dt
import math
import operator
import sys
from typing import TYPE_CHECKING, Any, Final, SupportsIndex, TypeAlias, Union

from aiorerun.types.timeline import TimelineKind

if TYPE_CHECKING:
    import numpy as np

SequenceLike: TypeAlias = SupportsIndex
"""A sequence number: an ``int``, a ``bool`` or one of numpy's integers."""
DurationLike: TypeAlias = Union[
    int, float, "np.integer[Any]", "np.floating[Any]", dt.timedelta, "np.timedelta64"
]
"""A duration: numbers are seconds."""
TimestampLike: TypeAlias = Union[
    int, float, "np.integer[Any]", "np.floating[Any]", dt.datetime, "np.datetime64"
]
"""A point in time: numbers are seconds since the Unix epoch, a naive ``datetime`` is in UTC."""

I64_MAX: Final = (1 << 63) - 1
I64_MIN: Final = -I64_MAX
"""The least value a timeline can hold: the one below it stands for *static* in Rerun."""
NANOS: Final = 1_000_000_000
MAX_SECONDS: Final = 1e11
"""Greater timestamps in seconds are taken for milliseconds."""

_RESERVED: Final = I64_MIN - 1
_WHOLE_SECONDS: Final = I64_MAX // NANOS
_FLOAT_LIMIT: Final = float(1 << 63)
_EPOCH: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_KNOWN_NAMES: Final = 1024

_SEQUENCE: Final = TimelineKind.SEQUENCE
_DURATION: Final = TimelineKind.DURATION
_TIMESTAMP: Final = TimelineKind.TIMESTAMP

_UNITS: Final[dict[str, tuple[int, int]]] = {
    "W": (604_800 * NANOS, 1),
    "D": (86_400 * NANOS, 1),
    "h": (3_600 * NANOS, 1),
    "m": (60 * NANOS, 1),
    "s": (NANOS, 1),
    "ms": (1_000_000, 1),
    "us": (1_000, 1),
    "ns": (1, 1),
    "generic": (1, 1),
    "ps": (1, 1_000),
    "fs": (1, 1_000_000),
    "as": (1, NANOS),
}
_MEAN_CALENDAR_UNITS: Final = {"Y": (31_556_952 * NANOS, 1), "M": (2_629_746 * NANOS, 1)}
"""Years and months as lengths of time: the means of the Gregorian calendar, as numpy has them."""

_known_names: set[str] = set()


def time_value(
    timeline: str,
    sequence: SequenceLike | None,
    duration: DurationLike | None,
    timestamp: TimestampLike | None,
) -> tuple[TimelineKind, int]:
    """Kind and value of a time, of which exactly one of the three spellings is given.

    Raises:
        ValueError: None or several of them are given, or the name is empty.
        TypeError: The name is no string, or the value is of another type.
        OverflowError: The value does not fit 64 bits.
    """
    if timeline.__class__ is not str or timeline not in _known_names:
        check_timeline_name(timeline)
    if sequence is not None:
        if duration is None and timestamp is None:
            return (_SEQUENCE, sequence_value(sequence))
    elif duration is not None:
        if timestamp is None:
            return (_DURATION, duration_nanos(duration))
    elif timestamp is not None:
        return (_TIMESTAMP, timestamp_nanos(timestamp))
    raise one_time_error(timeline, sequence, duration, timestamp)


def one_time_error(timeline: str, sequence: object, duration: object, timestamp: object) -> ValueError:
    """The error for none or several of the three spellings of a time."""
    spellings = {"sequence": sequence, "duration": duration, "timestamp": timestamp}
    given = [name for name, value in spellings.items() if value is not None]
    return ValueError(
        f"pass exactly one of sequence, duration and timestamp for timeline {timeline!r}, "
        f"got {' and '.join(given) or 'none'}"
    )


def check_timeline_name(name: object) -> None:
    """Refuses names that no timeline can have.

    Raises:
        TypeError: It is not a string.
        ValueError: It is empty, or holds half of a surrogate pair.
    """
    if name.__class__ is str and name in _known_names:
        return
    if not isinstance(name, str):
        raise TypeError(f"timeline must be a str, got {type(name).__name__}: pass its name, e.g. 'frame'")
    if not name:
        raise ValueError("timeline must not be empty: pass its name, e.g. 'frame'")
    try:
        name.encode()
    except UnicodeEncodeError as error:
        raise ValueError(
            f"timeline {name!r} holds half of a surrogate pair at index {error.start}, "
            "which cannot be written as UTF-8"
        ) from None
    if type(name) is str:
        if len(_known_names) >= _KNOWN_NAMES:
            _known_names.clear()
        _known_names.add(name)


def sequence_value(value: SequenceLike) -> int:
    """The int64 of a sequence number: any integer, numpy's included, or a bool.

    Raises:
        TypeError: It is no integer; floats are refused, whole or not.
        OverflowError: It does not fit 64 bits.
    """
    if type(value) is int and I64_MIN <= value <= I64_MAX:
        return value
    return _sequence(value)


def duration_nanos(value: DurationLike) -> int:
    """The nanoseconds of a duration: numbers are seconds.

    Raises:
        TypeError: It is neither a number nor a duration.
        ValueError: It is NaN, infinite or not-a-time.
        OverflowError: It is beyond 64 bits, about 292 years.
    """
    if type(value) is float:
        nanos = value * 1e9
        if -_FLOAT_LIMIT < nanos < _FLOAT_LIMIT:
            return round(nanos)
    elif type(value) is int and -_WHOLE_SECONDS <= value <= _WHOLE_SECONDS:
        return value * NANOS
    return _clamp(_duration(value), "duration", value)


def timestamp_nanos(value: TimestampLike) -> int:
    """The nanoseconds since the Unix epoch of a point in time: numbers are seconds.

    Raises:
        TypeError: It is neither a number nor a point in time.
        ValueError: It is NaN, infinite or not-a-time, or a number so great that it must be
            milliseconds.
        OverflowError: It is beyond 64 bits, about the years 1678 to 2262.
    """
    if type(value) is float:
        nanos = value * 1e9
        if -_FLOAT_LIMIT < nanos < _FLOAT_LIMIT:
            return round(nanos)
    elif type(value) is int and -_WHOLE_SECONDS <= value <= _WHOLE_SECONDS:
        return value * NANOS
    return _clamp(_timestamp(value), "timestamp", value)


def unit_scale(dtype: np.dtype[Any], *, lengths: bool) -> tuple[int, int]:
    """By what numpy's ticks are to be multiplied, then floor-divided, to be nanoseconds.

    Args:
        dtype: A ``datetime64`` or ``timedelta64`` type.
        lengths: Whether years and months are lengths of time. Dates must be cast to days before.
    """
    import numpy as np

    unit, count = np.datetime_data(dtype)
    scale = _MEAN_CALENDAR_UNITS.get(unit) if lengths else None
    multiplier, divisor = scale or _UNITS[unit]
    return (multiplier * count, divisor)


def not_finite(argument: str, value: object) -> ValueError:
    """The error for NaN, infinities and not-a-time."""
    return ValueError(f"{argument} must be a finite time, got {value}: leave such rows out")


def out_of_range(argument: str, value: object) -> OverflowError:
    """The error for times beyond 64 bits."""
    range_ = "-2**63 to 2**63 - 1" if argument == "sequence" else "±292 years in nanoseconds"
    return OverflowError(f"{argument} {value!r} does not fit 64 bits ({range_})")


def looks_like_milliseconds(value: object) -> ValueError:
    """The error for numbers that are too great to be seconds since the Unix epoch."""
    return ValueError(
        f"timestamp {value} looks like milliseconds, but numbers are seconds since the Unix epoch: "
        "divide it, or pass a datetime or np.datetime64"
    )


def _sequence(value: Any) -> int:
    value = _unwrapped(value)
    np = sys.modules.get("numpy")
    if np is None or not isinstance(value, (np.timedelta64, np.datetime64)):
        try:
            return _clamp(int(operator.index(value)), "sequence", value)
        except TypeError:
            pass
    raise _wrong_type("sequence", value, "an int", "int(value), or a duration= or timestamp=")


def _duration(value: Any) -> int:
    value = _unwrapped(value)
    np = sys.modules.get("numpy")
    if np is not None and isinstance(value, np.timedelta64):
        return _numpy_nanos(value, "duration")
    if isinstance(value, dt.timedelta):
        # A pandas Timedelta has nanoseconds that those of a timedelta leave out.
        exact = getattr(value, "to_timedelta64", None)
        return _timedelta(value) if exact is None else _numpy_nanos(exact(), "duration")
    nanos = _number(value, "duration", np)
    if nanos is None:
        nanos = _arrow_nanos(value, "duration", "DurationScalar")
    if nanos is None:
        raise _wrong_type("duration", value, "an int, float, timedelta or np.timedelta64", "seconds")
    return nanos


def _timestamp(value: Any) -> int:
    value = _unwrapped(value)
    np = sys.modules.get("numpy")
    if np is not None and isinstance(value, np.datetime64):
        return _numpy_nanos(value, "timestamp")
    if isinstance(value, dt.datetime):
        # A pandas Timestamp has nanoseconds that those of a datetime leave out.
        exact = getattr(value, "to_datetime64", None)
        return _datetime(value) if exact is None else _numpy_nanos(exact(), "timestamp")
    nanos = _number(value, "timestamp", np)
    if nanos is None:
        nanos = _arrow_nanos(value, "timestamp", "TimestampScalar")
    if nanos is None:
        raise _wrong_type(
            "timestamp",
            value,
            "an int, float, datetime, np.datetime64 or pa.TimestampScalar",
            "seconds since the Unix epoch, or a datetime",
        )
    return nanos


def _unwrapped(value: Any) -> Any:
    """The scalar in a numpy array of no dimension."""
    np = sys.modules.get("numpy")
    return value[()] if np is not None and isinstance(value, np.ndarray) and value.ndim == 0 else value


def _number(value: Any, argument: str, np: Any) -> int | None:
    """The nanoseconds of so many seconds, or ``None`` for what is no number."""
    if isinstance(value, int) or (
        np is not None and isinstance(value, np.integer) and not isinstance(value, np.timedelta64)
    ):
        seconds = int(value)
        if argument == "timestamp" and seconds > MAX_SECONDS:
            raise looks_like_milliseconds(value)
        return seconds * NANOS
    if isinstance(value, float) or (np is not None and isinstance(value, np.floating)):
        seconds_ = float(value)
        if not math.isfinite(seconds_):
            raise not_finite(argument, value)
        if argument == "timestamp" and seconds_ > MAX_SECONDS:
            raise looks_like_milliseconds(value)
        nanos = seconds_ * 1e9
        if not math.isfinite(nanos):
            raise out_of_range(argument, value)
        return round(nanos)
    return None


def _timedelta(value: dt.timedelta) -> int:
    return (value.days * 86_400 + value.seconds) * NANOS + value.microseconds * 1_000


def _datetime(value: dt.datetime) -> int:
    if value.utcoffset() is None:
        value = value.replace(tzinfo=dt.UTC)
    return _timedelta(value - _EPOCH)


def _numpy_nanos(value: Any, argument: str) -> int:
    """The nanoseconds of a ``datetime64`` or ``timedelta64`` scalar of any unit."""
    import numpy as np

    if np.isnat(value):
        raise not_finite(argument, "not-a-time (NaT)")
    lengths = value.dtype.kind == "m"
    if not lengths and np.datetime_data(value.dtype)[0] in ("Y", "M"):
        if abs(int(value.astype(np.int64))) > 12 * 300:
            raise out_of_range(argument, value)
        value = value.astype("datetime64[D]")
    multiplier, divisor = unit_scale(value.dtype, lengths=lengths)
    return int(value.astype(np.int64)) * multiplier // divisor


def _arrow_nanos(value: Any, argument: str, scalar: str) -> int | None:
    """The nanoseconds of a pyarrow scalar of the given type, or ``None`` for anything else."""
    pa = sys.modules.get("pyarrow")
    if pa is None or not isinstance(value, getattr(pa, scalar)):
        return None
    if not value.is_valid:
        raise not_finite(argument, "null")
    return int(value.value) * _UNITS[value.type.unit][0]


def _clamp(value: int, argument: str, given: object) -> int:
    if I64_MIN <= value <= I64_MAX:
        return value
    if value == _RESERVED:
        return I64_MIN
    raise out_of_range(argument, given)


def _wrong_type(argument: str, value: object, accepted: str, remedy: str) -> TypeError:
    return TypeError(f"{argument} must be {accepted}, got {type(value).__name__}: pass {remedy}")
