"""Round trips and laws of entity paths and times, over all that users may pass."""

from __future__ import annotations

import datetime as dt
import math
import warnings
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import assume, given, strategies as st

from aiorerun.config import ChunkBatcherConfig
from aiorerun.errors import RerunWarning
from aiorerun.types.entity_path import (
    escape_entity_path_part,
    new_entity_path,
    normalize_entity_path,
    split_entity_path,
)
from aiorerun.types.time import (
    I64_MAX,
    I64_MIN,
    duration_nanos,
    sequence_value,
    time_value,
    timestamp_nanos,
)
from aiorerun.types.time_column import TimeColumn

if TYPE_CHECKING:
    from collections.abc import Callable

# Any text that UTF-8 can hold, and text rich in what paths are sensitive to.
texts = st.text() | st.text("ab/\\ un{}49\n\té日\u0903☮😀-_.:!\u2028\x1c\x00")
parts = texts.filter(bool)
int64s = st.integers(I64_MIN, I64_MAX)
seconds = st.floats(-9.2e9, 9.2e9)


@pytest.fixture(autouse=True)
def no_warnings() -> Any:
    """What is doubtful about a path is no matter here."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RerunWarning)
        yield


@given(st.lists(parts))
def test_parts_come_back_from_the_written_form(names: list[str]) -> None:
    assert split_entity_path(new_entity_path(names)) == names


@given(st.lists(parts))
def test_different_parts_make_different_paths(names: list[str]) -> None:
    assert new_entity_path(names).count("/") >= len(names)
    assert (
        new_entity_path(names) == "".join("/" + escape_entity_path_part(name) for name in names) or not names
    )


@given(st.lists(parts))
def test_the_written_form_is_parsed_to_itself(names: list[str]) -> None:
    # A slash after a backslash never separates; see the unit tests.
    assume(not any(name.endswith("\\") for name in names[:-1]))
    normal = new_entity_path(names)
    assert normalize_entity_path(normal) == normal
    assert normalize_entity_path(list(names)) == normal


@given(texts)
def test_any_text_is_a_path_in_written_form(text: str) -> None:
    normal = normalize_entity_path(text)
    assert new_entity_path(split_entity_path(normal)) == normal
    assert normal.startswith("/")
    assert not any(char.isspace() and char != " " for char in normal)
    assert normal.encode()


@given(texts)
def test_slashes_at_the_ends_do_not_matter(text: str) -> None:
    assume(not text.endswith("\\"))
    assert normalize_entity_path(f"/{text}//") == normalize_entity_path(text)


@given(parts)
def test_a_written_part_holds_no_bare_slash(part: str) -> None:
    written = escape_entity_path_part(part)
    assert split_entity_path("/" + written) == [part]


@given(int64s)
def test_integers_are_kept(value: int) -> None:
    assert sequence_value(value) == value
    assert sequence_value(np.int64(value)) == value
    assert duration_nanos(np.timedelta64(value, "ns")) == value
    assert timestamp_nanos(np.datetime64(value, "ns")) == value


@given(st.integers())
def test_integers_are_kept_or_refused(value: int) -> None:
    try:
        kept = sequence_value(value)
    except OverflowError:
        assert not I64_MIN - 1 <= value <= I64_MAX
    else:
        assert kept == max(value, I64_MIN)


@given(st.integers(-(10**20), 10**20))
def test_whole_seconds_are_exact_or_refused(value: int) -> None:
    try:
        assert duration_nanos(value) == value * 10**9
    except OverflowError:
        assert abs(value * 10**9) > I64_MAX


@given(st.floats())
def test_floats_are_the_nearest_nanosecond_of_their_product(value: float) -> None:
    try:
        nanos = duration_nanos(value)
    except ValueError:
        assert not math.isfinite(value)
    except OverflowError:
        assert abs(value) >= 9_223_372_036
    else:
        assert abs(Fraction(nanos) - Fraction(value * 1e9)) <= Fraction(1, 2)


@given(seconds)
def test_durations_and_timestamps_convert_numbers_alike(value: float) -> None:
    assert duration_nanos(value) == timestamp_nanos(value) == duration_nanos(np.float64(value))
    assert timestamp_nanos(-value) == -timestamp_nanos(value)


@given(st.timedeltas(dt.timedelta(days=-106_000), dt.timedelta(days=106_000)))
def test_timedeltas_are_exact(value: dt.timedelta) -> None:
    assert duration_nanos(value) == (value // dt.timedelta(microseconds=1)) * 1000


@given(
    st.datetimes(dt.datetime(1680, 1, 1), dt.datetime(2260, 1, 1)),  # noqa: DTZ001
    st.integers(-1439, 1439),
)
def test_datetimes_are_exact_in_every_zone(value: dt.datetime, offset: int) -> None:
    expected = int(np.datetime64(value, "us").astype(np.int64)) * 1000
    assert timestamp_nanos(value) == expected
    assert timestamp_nanos(value.replace(tzinfo=dt.UTC)) == expected
    zone = dt.timezone(dt.timedelta(minutes=offset))
    assert timestamp_nanos(value.replace(tzinfo=dt.UTC).astimezone(zone)) == expected


UNITS = {
    "D": Fraction(86_400 * 10**9),
    "h": Fraction(3_600 * 10**9),
    "m": Fraction(60 * 10**9),
    "s": Fraction(10**9),
    "ms": Fraction(10**6),
    "us": Fraction(1_000),
    "ns": Fraction(1),
    "ps": Fraction(1, 1_000),
    "fs": Fraction(1, 10**6),
    "as": Fraction(1, 10**9),
}


@given(st.integers(-(2**63) + 1, 2**63 - 1), st.sampled_from(sorted(UNITS)))
def test_units_of_numpy_are_exact_or_refused(ticks: int, unit: Any) -> None:
    exact = math.floor(ticks * UNITS[unit])
    cases: list[tuple[Any, Callable[[Any], int], str]] = [
        (np.timedelta64(ticks, unit), duration_nanos, "duration"),
        (np.datetime64(ticks, unit), timestamp_nanos, "timestamp"),
    ]
    for value, convert, keyword in cases:
        array: Any = np.array([value])
        if I64_MIN - 1 <= exact <= I64_MAX:
            assert convert(value) == max(exact, I64_MIN)
            assert TimeColumn("t", **{keyword: array}).values().tolist() == [max(exact, I64_MIN)]
        else:
            with pytest.raises(OverflowError):
                convert(value)
            with pytest.raises(OverflowError):
                TimeColumn("t", **{keyword: array})


numbers = st.booleans() | st.integers(-(10**10), 10**10) | st.floats(-1e10, 1e10) | st.floats()
times: dict[str, st.SearchStrategy[Any]] = {
    "sequence": st.integers(-(2**63) - 2, 2**63 + 1) | st.booleans() | st.floats(),
    "duration": numbers | st.timedeltas(),
    "timestamp": numbers | st.datetimes() | st.integers(10**11, 10**13),
}


def one_by_one(keyword: str, values: list[Any]) -> list[int] | None:
    """What ``set_time`` makes of each value, ``None`` if it refuses one."""
    arguments: dict[str, Any] = {"sequence": None, "duration": None, "timestamp": None}
    try:
        return [time_value("t", **{**arguments, keyword: value})[1] for value in values]
    except (TypeError, ValueError, OverflowError):
        return None


@given(st.data(), st.sampled_from(sorted(times)))
def test_a_list_is_converted_as_its_elements_are(data: st.DataObject, keyword: str) -> None:
    values = data.draw(st.lists(times[keyword], max_size=4))
    expected = one_by_one(keyword, values)
    if expected is None:
        with pytest.raises((TypeError, ValueError, OverflowError)):
            TimeColumn("t", **{keyword: values})
    else:
        assert TimeColumn("t", **{keyword: values}).values().tolist() == expected


@given(st.lists(st.integers(-(10**10), 10**10)) | st.lists(st.floats(-1e10, 1e10)))
def test_an_array_is_converted_as_a_list_is_but_for_rounding(values: list[Any]) -> None:
    expected = one_by_one("duration", values)
    if expected is None:
        with pytest.raises(OverflowError):
            TimeColumn("t", duration=np.array(values))
    else:
        column = TimeColumn("t", duration=np.array(values))
        assert all(abs(a - b) <= 1 for a, b in zip(column.values().tolist(), expected, strict=True))


@given(st.lists(int64s), st.sampled_from(["sequence", "duration", "timestamp"]))
def test_arrow_and_back(values: list[int], keyword: str) -> None:
    array: Any = np.array(values, dtype=np.int64)
    if keyword != "sequence":
        array = array.view("m8[ns]" if keyword == "duration" else "M8[ns]")
    column = TimeColumn("t", **{keyword: array})
    assert column.values().tolist() == values
    again = TimeColumn("t", **{keyword: column.as_arrow_array()})
    assert again.values().tolist() == values
    assert again.as_arrow_array().equals(column.as_arrow_array())


@given(
    st.floats(0, 1e13) | st.timedeltas(dt.timedelta(0)),
    *(st.integers(0, 2**64 - 1) for _ in range(3)),
)
def test_configurations_are_what_was_set(tick: Any, num_bytes: int, num_rows: int, unsorted: int) -> None:
    settings = ChunkBatcherConfig(tick, num_bytes, num_rows, unsorted)
    assert settings == ChunkBatcherConfig(tick, num_bytes, num_rows, unsorted)
    read = (settings.flush_num_bytes, settings.flush_num_rows, settings.chunk_max_rows_if_unsorted)
    assert read == (num_bytes, num_rows, unsorted)
    if settings.flush_tick != dt.timedelta.max:
        assert settings.flush_tick.total_seconds() == pytest.approx(settings.flush_tick_secs, abs=1e-6)
