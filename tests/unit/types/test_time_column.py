from __future__ import annotations

import datetime as dt
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pytest

from aiorerun.types.time import I64_MAX, I64_MIN
from aiorerun.types.time_column import TimeColumn, TimeColumnLike
from aiorerun.types.time_run import TimeRun
from aiorerun.types.timeline import Timeline, TimelineKind

SECOND = 1_000_000_000
RECORD = json.loads((Path(__file__).parents[2] / "data" / "time_column.json").read_text())

Outcome = list[int] | type[Exception]

# Where something else comes out than the official SDK makes of it, and why.
DIFFERENCES: dict[tuple[str, str], Outcome] = {
    # Lists follow the rules of `set_time`: bools are integers, floats are not, nothing is cut off.
    ("sequence", "list_bool"): [1],
    ("sequence", "list_float"): TypeError,
    ("sequence", "list_float_looks_like_milliseconds"): TypeError,
    ("sequence", "list_float_negative"): TypeError,
    ("sequence", "list_float_rounding"): TypeError,
    # A null would end up as a time that nobody logged.
    ("sequence", "list_none"): TypeError,
    # Dates and lengths of time are no sequence; their unit would get lost.
    ("sequence", "np_datetime64_ns"): TypeError,
    ("sequence", "np_datetime64_us"): TypeError,
    ("sequence", "np_timedelta64_ms"): TypeError,
    ("sequence", "np_timedelta64_ns"): TypeError,
    # Microseconds are exact, there is no way through a float.
    ("timestamp", "list_datetime_utc"): [1_704_164_645_000_006_000],
    # The product is taken in 64 bits: in 32 it would be 7.7 s off.
    ("timestamp", "np_float32_big"): [1_700_000_000 * SECOND],
    ("duration", "np_float32_big"): [1_700_000_000 * SECOND],
    # No nulls where the product does not fit.
    ("timestamp", "np_int64_looks_like_milliseconds"): ValueError,
    ("duration", "np_int64_looks_like_milliseconds"): OverflowError,
    # A length of time is no point in time, and was taken for seconds, whatever its unit.
    ("timestamp", "np_timedelta64_ms"): TypeError,
    ("timestamp", "np_timedelta64_ns"): TypeError,
}
# The errors on record, Arrow's as the built-in ones that they derive from.
ERRORS: dict[str, type[Exception]] = {
    "ArrowInvalid": ValueError,
    "ArrowTypeError": TypeError,
    "OverflowError": OverflowError,
    "TypeError": TypeError,
    "ValueError": ValueError,
}
# How Arrow says that an element is of another type, though the error is one for values.
WRONG_TYPE = "Could not convert "
ARROW_TYPES = {"sequence": "int64", "duration": "duration[ns]", "timestamp": "timestamp[ns]"}


def evaluate(expression: Any) -> Any:
    """The value that an expression of the record describes."""
    if isinstance(expression, list):
        return [evaluate(each) for each in expression]
    if not isinstance(expression, dict):
        return expression
    ((operator, argument),) = expression.items()
    if operator == "$datetime":
        return dt.datetime.fromisoformat(argument)
    if operator == "$timedelta_us":
        return dt.timedelta(microseconds=argument)
    if operator == "$range":
        return range(*argument)
    assert operator == "$np"
    dtype = np.dtype(argument["dtype"])
    if dtype.kind in "mM":
        return np.array(argument["data"], dtype=np.int64).view(dtype).reshape(argument["shape"])
    return np.array(argument["data"], dtype=dtype).reshape(argument["shape"])


def recorded(keyword: str, name: str) -> Outcome:
    """What the official SDK makes of an input."""
    result = RECORD["results"][keyword][name]
    error = result.get("error")
    if error is None:
        assert result["type"] == ARROW_TYPES[keyword]
        return list(result["values"])
    if error["message"].startswith(WRONG_TYPE):
        return TypeError
    return ERRORS[error["exception"]]


CASES = [(keyword, name) for keyword, results in RECORD["results"].items() for name in results]


def numbers(column: TimeColumn) -> list[int]:
    """The values, seen to be the same in both forms."""
    array = column.as_arrow_array()
    array.validate(full=True)
    assert array.null_count == 0
    result: list[int] = column.values().tolist()
    assert array.cast(pa.int64()).to_pylist() == result
    return result


@pytest.mark.parametrize(("keyword", "name"), CASES)
def test_the_record(keyword: str, name: str) -> None:
    expected = DIFFERENCES.get((keyword, name)) or recorded(keyword, name)
    values = evaluate(RECORD["inputs"][name])
    if isinstance(expected, list):
        column = TimeColumn("t", **{keyword: values})
        assert numbers(column) == expected
        assert str(column.as_arrow_array().type) == ARROW_TYPES[keyword]
    else:
        with pytest.raises(expected, match=keyword):
            TimeColumn("t", **{keyword: values})


def test_the_differences_are_differences() -> None:
    assert set(DIFFERENCES) <= set(CASES)
    for (keyword, name), outcome in DIFFERENCES.items():
        assert outcome != recorded(keyword, name)


def test_the_record_is_complete() -> None:
    assert set(RECORD["results"]) == set(ARROW_TYPES)
    for results in RECORD["results"].values():
        assert set(results) == set(RECORD["inputs"])


@pytest.mark.parametrize("given", [np.arange(-5, 1000), range(-5, 1000)])
def test_many_consecutive_numbers_are_a_run(given: Any) -> None:
    column = TimeColumn("frame", sequence=given)
    timeline, run = column.recorded()
    assert timeline == Timeline("frame", TimelineKind.SEQUENCE)
    assert isinstance(run, TimeRun)
    assert (run.first, len(run), len(column)) == (-5, 1005, 1005)
    if isinstance(given, np.ndarray):
        given[:] = 0
    assert numbers(column) == list(range(-5, 1000))
    assert not column.values().flags.writeable
    assert column.values() is column.values()


@pytest.mark.parametrize(
    "given", [{"sequence": np.arange(1000) * 2}, {"duration": np.arange(1000)}, {"sequence": [1, 2, 3]}]
)
def test_other_times_are_copied(given: Any) -> None:
    _, values = TimeColumn("t", **given).recorded()
    assert isinstance(values, np.ndarray)
    assert not values.flags.writeable


def test_a_column_has_a_name_a_kind_and_values() -> None:
    column = TimeColumn("my line", duration=[1, 2])
    assert column.timeline_name() == "my line"
    assert column.kind is TimelineKind.DURATION
    assert column.values().dtype == np.int64
    assert len(column) == 2
    assert repr(column) == "TimeColumn('my line', duration=<2 values>)"
    assert TimeColumn("t", sequence=[1]).kind is TimelineKind.SEQUENCE
    assert TimeColumn("t", timestamp=[1]).kind is TimelineKind.TIMESTAMP


def test_a_column_satisfies_the_protocol() -> None:
    column: TimeColumnLike = TimeColumn("t", sequence=[1])
    assert isinstance(column, TimeColumnLike)
    assert not isinstance([1], TimeColumnLike)


@pytest.mark.parametrize("dtype", [np.int64, np.int32, np.float64])
def test_the_values_are_copied(dtype: Any) -> None:
    mine = np.array([1, 2, 3], dtype=dtype)
    column = TimeColumn("t", sequence=mine)
    mine[0] = 9
    assert numbers(column) == [1, 2, 3]


def test_nanoseconds_are_copied() -> None:
    mine = np.array([1, 2], dtype="datetime64[ns]")
    column = TimeColumn("t", timestamp=mine)
    mine[0] = np.datetime64(9, "ns")
    assert numbers(column) == [1, 2]


def test_the_values_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="read-only"):
        TimeColumn("t", sequence=[1, 2]).values()[0] = 3


@pytest.mark.parametrize(
    "keywords", [{}, {"sequence": [1], "duration": [1]}, {"duration": [], "timestamp": []}]
)
def test_exactly_one_keyword(keywords: Any) -> None:
    with pytest.raises(ValueError, match="exactly one of sequence, duration and timestamp for timeline 't'"):
        TimeColumn("t", **keywords)


@pytest.mark.parametrize(("name", "error"), [("", ValueError), ("\ud800", ValueError), (3, TypeError)])
def test_names(name: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match="timeline"):
        TimeColumn(name, sequence=[1])


def test_iterables_of_any_kind() -> None:
    assert numbers(TimeColumn("t", sequence=(n for n in (3, 1)))) == [3, 1]
    assert numbers(TimeColumn("t", sequence=(3, 1))) == [3, 1]
    assert numbers(TimeColumn("t", sequence={3: "x"}.keys())) == [3]
    assert numbers(TimeColumn("t", sequence=range(10, 0, -3))) == [10, 7, 4, 1]
    assert numbers(TimeColumn("t", duration=range(0))) == []
    assert numbers(TimeColumn("t", sequence=[1, True, np.int8(4), np.uint64(5)])) == [1, 1, 4, 5]
    mixed: list[Any] = [dt.timedelta(1), 1, 0.5, np.timedelta64(7, "ns"), np.float32(0.5), True]
    assert numbers(TimeColumn("t", duration=mixed)) == [
        86_400 * SECOND,
        SECOND,
        SECOND // 2,
        7,
        SECOND // 2,
        SECOND,
    ]


def test_integers_in_lists_stay_exact_beside_floats() -> None:
    assert numbers(TimeColumn("t", duration=[9_223_372_036, 0.5])) == [9_223_372_036 * SECOND, SECOND // 2]


def test_floats_in_lists_are_rounded_and_in_arrays_cut_off() -> None:
    seconds = [0.5e-9, 1.5e-9, 1.9999999996, -1.9999999996]
    assert numbers(TimeColumn("t", duration=seconds)) == [0, 2, 2 * SECOND, -2 * SECOND]
    assert numbers(TimeColumn("t", duration=np.array(seconds))) == [0, 1, 2 * SECOND - 1, 1 - 2 * SECOND]


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        (np.array([1, 2], dtype="m8[Y]"), [31_556_952 * SECOND, 63_113_904 * SECOND]),
        (np.array([2], dtype="m8[25ms]"), [50_000_000]),
        (np.array([1500, -1501], dtype="m8[ps]"), [1, -2]),
        (np.array([10**18], dtype="m8[25as]"), [25 * SECOND]),
        (np.array([1.5], dtype=">f8"), [3 * SECOND // 2]),
        (np.array([3], dtype=">i4"), [3 * SECOND]),
        (np.array([0.5], dtype=np.float16), [SECOND // 2]),
        (np.array([0.5], dtype=np.longdouble), [SECOND // 2]),
        (np.arange(6)[::2], [0, 2 * SECOND, 4 * SECOND]),
        (np.array([], dtype="m8[D]"), []),
        (np.ma.MaskedArray([1, 2], mask=[False, False]), [SECOND, 2 * SECOND]),
    ],
)
def test_durations_in_arrays(array: npt.NDArray[Any], expected: list[int]) -> None:
    assert numbers(TimeColumn("t", duration=array)) == expected


@pytest.mark.filterwarnings("ignore:The 'generic' unit:DeprecationWarning")
def test_lengths_without_a_unit_are_nanoseconds() -> None:
    assert numbers(TimeColumn("t", duration=np.array([5], dtype="m8"))) == [5]


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        (np.array(["2024-01", "1969-12"], dtype="M8[M]"), [1_704_067_200 * SECOND, -31 * 86_400 * SECOND]),
        (np.array(["2024-01-02"], dtype="M8[D]"), [1_704_153_600 * SECOND]),
        (np.array([], dtype="M8[Y]"), []),
        (np.array([1_700_000_000.25]), [1_700_000_000_249_999_872]),
    ],
)
def test_timestamps_in_arrays(array: npt.NDArray[Any], expected: list[int]) -> None:
    assert numbers(TimeColumn("t", timestamp=array)) == expected


def test_sequences_in_arrays() -> None:
    assert numbers(TimeColumn("t", sequence=np.array([True, False]))) == [1, 0]
    assert numbers(TimeColumn("t", sequence=np.array([1.0, -2.0]))) == [1, -2]
    assert numbers(TimeColumn("t", sequence=np.array([7], dtype=np.uint64))) == [7]


def test_the_least_value_stands_for_static_and_is_not_used() -> None:
    least = I64_MIN - 1
    assert numbers(TimeColumn("t", sequence=[least])) == [I64_MIN]
    assert numbers(TimeColumn("t", sequence=[least, True])) == [I64_MIN, 1]
    assert numbers(TimeColumn("t", sequence=np.array([least, I64_MAX]))) == [I64_MIN, I64_MAX]
    assert numbers(TimeColumn("t", sequence=np.array([-(2.0**63)]))) == [I64_MIN]


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"sequence": [1, 2**63]}, r"sequence 9223372036854775808 .*\(at index 1\)"),
        ({"sequence": np.array([2**63], dtype=np.uint64)}, "sequence 9223372036854775808 "),
        ({"sequence": np.array([2.0**63])}, r"sequence 9.2\d+e\+18 "),
        ({"sequence": range(2**63, 2**63 + 2)}, "sequence range"),
        ({"duration": [1, 10**12]}, "duration 1000000000000 "),
        ({"duration": [1, dt.timedelta.max]}, r"duration .*\(at index 1\)"),
        ({"duration": [1e10]}, "duration 10000000000.0 "),
        ({"duration": np.array([-9_223_372_037])}, "duration -9223372037 "),
        ({"duration": np.array([1e10])}, "duration 10000000000.0 "),
        ({"duration": np.array([300], dtype="m8[Y]")}, "duration 300 "),
        ({"timestamp": np.array([10**10])}, "timestamp 10000000000 "),
        ({"timestamp": np.array(["9999-01-01"], dtype="M8[D]")}, "timestamp "),
        ({"timestamp": np.array([10**18], dtype="M8[Y]")}, "timestamp "),
        ({"timestamp": np.array([-(10**18)], dtype="M8[s]")}, "timestamp "),
    ],
)
def test_values_beyond_64_bits(keywords: Any, message: str) -> None:
    with pytest.raises(OverflowError, match=f"{message}.*does not fit 64 bits|does not fit 64 bits.*index 1"):
        TimeColumn("t", **keywords)


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"duration": [1.0, math.nan]}, "duration must be a finite time, got nan at index 1"),
        ({"duration": np.array([math.inf])}, "duration must be a finite time, got inf at index 0"),
        ({"sequence": np.array([0.0, math.nan])}, "sequence must be a finite time, got nan at index 1"),
        ({"timestamp": [0, math.nan]}, r"timestamp must be a finite time, got nan.*\(at index 1\)"),
        ({"duration": np.array([1, "NaT"], dtype="m8[s]")}, r"duration must be .*NaT\) at index 1"),
        ({"timestamp": np.array(["2024", "NaT"], dtype="M8[Y]")}, r"timestamp must be .*NaT\) at index 1"),
        ({"timestamp": pa.array([1, None], pa.timestamp("ns"))}, "timestamp has 1 nulls"),
        ({"sequence": pa.array([1, None, None])}, "sequence has 2 nulls"),
        ({"sequence": np.ma.MaskedArray([1, 2], mask=[False, True])}, "sequence has masked values"),
        ({"sequence": np.array([[1]])}, r"sequence must have one dimension, got shape \(1, 1\)"),
        ({"sequence": np.array(1)}, r"sequence must have one dimension, got shape \(\)"),
        ({"sequence": np.array([1.0, 1.5])}, "sequence must hold whole numbers, got 1.5"),
        ({"timestamp": [1.7e12]}, "timestamp 1700000000000.0 looks like milliseconds"),
        ({"timestamp": np.array([0.0, 1.7e12])}, "timestamp 1700000000000.0 looks like milliseconds"),
        ({"timestamp": np.array([10**18], dtype=np.uint64)}, "looks like milliseconds"),
    ],
)
def test_values_that_are_no_times(keywords: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        TimeColumn("t", **keywords)


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"sequence": "12"}, "sequence must be an iterable of times, got str"),
        ({"duration": b"12"}, "duration must be an iterable of times, got bytes"),
        ({"sequence": 3}, "sequence must be an iterable of times, got int: pass a list or an array"),
        ({"timestamp": dt.datetime.now(dt.UTC)}, "timestamp must be an iterable of times, got datetime"),
        ({"sequence": [1, 2.0]}, r"sequence must be an int, got float.*\(at index 1\)"),
        ({"duration": [1, None]}, r"duration must be .* got NoneType.*\(at index 1\)"),
        ({"timestamp": ["2024-01-01"]}, r"timestamp must be .* got str.*\(at index 0\)"),
        ({"sequence": [[1, 2]]}, r"sequence must be an int, got list.*\(at index 0\)"),
        ({"sequence": np.array(["a"])}, "sequence must hold integers, got an array of <U1"),
        ({"duration": np.array([True])}, "duration must hold numbers or durations, got an array of bool"),
        ({"duration": np.array([1j])}, "duration must hold numbers or durations, got an array of complex128"),
        ({"timestamp": np.array([None])}, "timestamp must hold numbers or timestamps, got .* object"),
        ({"sequence": pa.array([True])}, "sequence must hold integers, got an Arrow array of bool"),
        ({"timestamp": pa.array([dt.date(2024, 1, 1)])}, "timestamp .* got an Arrow array of date32"),
        ({"duration": pa.array([1], pa.timestamp("ns"))}, "duration .* got an Arrow array of timestamp"),
    ],
)
def test_values_of_other_types(keywords: Any, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        TimeColumn("t", **keywords)


def test_an_error_of_the_iterable_is_passed_on() -> None:
    def broken() -> Any:
        yield 1
        raise TypeError("mine")

    with pytest.raises(TypeError, match=r"^mine$"):
        TimeColumn("t", sequence=broken())


class OnlyArray:
    """What knows nothing but how to become a numpy array."""

    def __init__(self, array: npt.NDArray[Any]) -> None:
        self.array = array

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> npt.NDArray[Any]:
        return self.array

    def __iter__(self) -> Any:
        return iter(self.array.tolist())


class OnlyArrow:
    """What knows nothing but how to become an Arrow array."""

    def __init__(self, array: pa.Array[Any]) -> None:
        self.array = array

    def __arrow_c_array__(self, requested_schema: Any = None) -> Any:
        return self.array.__arrow_c_array__(requested_schema)


class OnlyStream:
    """What knows nothing but how to become a stream of Arrow arrays."""

    def __init__(self, array: pa.ChunkedArray[Any]) -> None:
        self.array = array

    def __arrow_c_stream__(self, requested_schema: Any = None) -> Any:
        return self.array.__arrow_c_stream__(requested_schema)


def test_arrow_arrays() -> None:
    zoned = pa.array([1, 2], pa.timestamp("us", "Europe/Berlin"))
    assert numbers(TimeColumn("t", timestamp=zoned)) == [1_000, 2_000]
    assert numbers(TimeColumn("t", timestamp=pa.array([1, 2], pa.timestamp("ns"))[1:])) == [2]
    assert numbers(TimeColumn("t", duration=pa.array([1], pa.duration("s")))) == [SECOND]
    assert numbers(TimeColumn("t", duration=pa.array([1, 2]))) == [SECOND, 2 * SECOND]
    assert numbers(TimeColumn("t", duration=pa.array([0.5]))) == [SECOND // 2]
    assert numbers(TimeColumn("t", sequence=pa.array([1, 2], pa.uint8()))) == [1, 2]
    assert numbers(TimeColumn("t", sequence=pa.chunked_array([[1], [2, 3]]))) == [1, 2, 3]
    assert numbers(TimeColumn("t", sequence=pa.chunked_array([], pa.int64()))) == []


def test_arrow_arrays_are_copied() -> None:
    column = TimeColumn("t", sequence=(array := pa.array([1, 2])))
    assert column.as_arrow_array().buffers()[1].address != array.buffers()[1].address


def test_objects_with_the_protocols_of_numpy_and_arrow() -> None:
    stamps = np.array([1, 2], dtype="datetime64[us]")
    assert numbers(TimeColumn("t", timestamp=OnlyArray(stamps))) == [1_000, 2_000]
    objects: npt.NDArray[Any] = np.array([dt.timedelta(seconds=1)], dtype=object)
    assert numbers(TimeColumn("t", duration=OnlyArray(objects))) == [SECOND]
    arrow: Any = OnlyArrow(pa.array([1, 2], pa.duration("us")))
    assert numbers(TimeColumn("t", duration=arrow)) == [1_000, 2_000]
    stream: Any = OnlyStream(pa.chunked_array([[1], [2]]))
    assert numbers(TimeColumn("t", sequence=stream)) == [1, 2]


def test_pandas_series() -> None:
    pd: Any = pytest.importorskip("pandas")
    stamps = pd.Series(
        pd.to_datetime(["2024-01-01T00:00:00.000000007", "2024-01-02T00:00:00"], format="ISO8601")
    )
    expected = [1_704_067_200 * SECOND + 7, 1_704_153_600 * SECOND]
    assert numbers(TimeColumn("t", timestamp=stamps)) == expected
    in_tokyo = stamps.dt.tz_localize("UTC").dt.tz_convert("Asia/Tokyo")
    assert numbers(TimeColumn("t", timestamp=in_tokyo)) == expected
    assert numbers(TimeColumn("t", timestamp=pd.DatetimeIndex(stamps))) == expected
    assert numbers(TimeColumn("t", timestamp=list(stamps))) == expected
    assert numbers(TimeColumn("t", duration=pd.Series(pd.to_timedelta([7], unit="ns")))) == [7]
    assert numbers(TimeColumn("t", sequence=pd.Series([1, 2], index=[5, 6]))) == [1, 2]
    assert numbers(TimeColumn("t", sequence=pd.Series([1, 2], dtype="Int64"))) == [1, 2]
    with pytest.raises(ValueError, match="sequence"):
        TimeColumn("t", sequence=pd.Series([1, None], dtype="Int64"))
    with pytest.raises(ValueError, match="timestamp"):
        TimeColumn("t", timestamp=pd.Series([stamps[0], pd.NaT]))


def test_polars_series() -> None:
    pl: Any = pytest.importorskip("polars")
    stamps = pl.Series([dt.datetime(2024, 1, 1, tzinfo=dt.UTC)])
    assert numbers(TimeColumn("t", timestamp=stamps)) == [1_704_067_200 * SECOND]
    assert numbers(TimeColumn("t", sequence=pl.Series([1, 2]))) == [1, 2]


def test_seconds_beyond_everything_are_out_of_range() -> None:
    with pytest.raises(OverflowError, match="duration"):
        TimeColumn("t", duration=[1.0, 1e300])
