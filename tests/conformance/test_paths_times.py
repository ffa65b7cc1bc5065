"""Entity paths, times and settings against what the official SDK makes of the same input."""

from __future__ import annotations

import datetime as dt
import itertools
import json
import os
import random
import re
import subprocess
import sys
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pytest

from aiorerun.config import ChunkBatcherConfig, batcher_config_from_env
from aiorerun.errors import RerunWarning
from aiorerun.types import entity_path
from aiorerun.types.entity_path import escape_entity_path_part, new_entity_path, normalize_entity_path
from aiorerun.types.time import I64_MAX, I64_MIN, time_value
from aiorerun.types.time_column import TimeColumn

if TYPE_CHECKING:
    from pathlib import Path

rr: Any = pytest.importorskip("rerun")
from rerun.chunk import RrdReader  # noqa: E402

# Logs one row per path and says which path each of them got; the warnings are on stderr, between
# marks that tell to which path they belong.
LOG_PATHS = """
import json, sys
import rerun as rr
from rerun.chunk import RrdReader
rr.set_strict_mode(True)
stream = rr.RecordingStream("app", recording_id="paths", send_properties=False)
memory = stream.memory_recording()
for number, path in enumerate(json.load(sys.stdin)):
    print(f"@@{number}@@", file=sys.stderr, flush=True)
    stream.log(path, rr.Scalars(float(number)))
with open(sys.argv[1], "wb") as file:
    file.write(memory.drain_as_bytes())
found = {}
for chunk in RrdReader(sys.argv[1]).stream():
    for row in chunk.to_record_batch().column("Scalars:scalars").to_pylist():
        found[int(row[0])] = str(chunk.entity_path)
json.dump([found[number] for number in range(len(found))], sys.stdout)
"""
BLANK, ESCAPE = "white space", "unknown escape"


def official(paths: list[Any], tmp_path: Path) -> list[tuple[str, str | None]]:
    """The path and the kind of warning that the official SDK gives for each of the inputs."""
    done = subprocess.run(
        [sys.executable, "-c", LOG_PATHS, str(tmp_path / "paths.rrd")],
        input=json.dumps(paths),
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "NO_COLOR": "1"},
    )
    sections = re.split(r"@@\d+@@\n", done.stderr)[1:]
    normal = json.loads(done.stdout)
    kinds = [
        BLANK if "Unescaped whitespace" in section else ESCAPE if "Unknown escape" in section else None
        for section in sections
    ]
    return list(zip(normal, kinds, strict=True))


def ours(path: Any) -> tuple[str, str | None]:
    """The path and the kind of warning that we give."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", RerunWarning)
        normal = normalize_entity_path(path)
    if not caught:
        return (normal, None)
    (warning,) = caught
    return (normal, BLANK if BLANK in str(warning.message) else ESCAPE)


@pytest.fixture
def unlimited_warnings(monkeypatch: pytest.MonkeyPatch) -> None:
    entity_path._normalize_text.cache_clear()
    monkeypatch.setattr(entity_path, "_warned", set())
    monkeypatch.setattr(entity_path, "_WARNED_PATHS", sys.maxsize)


@pytest.mark.usefixtures("unlimited_warnings")
def test_random_strings_are_parsed_alike(tmp_path: Path) -> None:
    source = random.Random(41)
    letters = [*"ab/\\ un{}4190AfDd\n\té日\u0903☮😀-_.:!\u2028\x1c\x00", r"\u{", r"\u{41}", r"\/", "\\\\"]
    paths = list({"".join(source.choices(letters, k=source.randint(0, 12))): None for _ in range(4000)})
    for path, expected in zip(paths, official(paths, tmp_path), strict=True):
        assert (path, ours(path)) == (path, expected)


@pytest.mark.usefixtures("unlimited_warnings")
def test_random_lists_are_joined_alike(tmp_path: Path) -> None:
    source = random.Random(42)
    letters = [*"ab/\\ un{}41\né☮😀-_.:!\u0903", r"\u{41}"]
    lists = [
        ["".join(source.choices(letters, k=source.randint(0, 6))) for _ in range(source.randint(0, 4))]
        for _ in range(1500)
    ]
    # Theirs keep the empty part of a list until they parse the whole, where it has a meaning after a
    # backslash; ours leave it out at once.
    lists = [
        parts
        for parts in lists
        if not any(part.endswith("\\") and not after for part, after in itertools.pairwise(parts))
    ]
    for parts, (normal, _) in zip(lists, official(lists, tmp_path), strict=True):
        assert (parts, ours(parts)[0]) == (parts, normal)


def test_every_character_is_escaped_alike() -> None:
    for code in range(sys.maxunicode + 1):
        if not 0xD800 <= code < 0xE000:
            char = chr(code)
            assert escape_entity_path_part(char) == rr.escape_entity_path_part(char), hex(code)


def test_parts_are_joined_alike() -> None:
    for parts in (["world", 42, "my image!"], [], ["a\\", "b"], [None, 1.5, True, b"x"], ("a", "/")):
        assert new_entity_path(parts) == rr.new_entity_path(parts)


Outcome = tuple[str, list[int]] | None


def official_time(keyword: str, value: Any, tmp_path: Path) -> Outcome:
    """Type and value in the chunk of a row after ``set_time``, ``None`` if the value is refused."""
    stream = rr.RecordingStream("app", recording_id="times", send_properties=False)
    memory = stream.memory_recording()
    stream.reset_time()
    rr.set_strict_mode(True)
    try:
        stream.set_time("t", **{keyword: value})
    except (TypeError, ValueError, OverflowError):
        return None
    finally:
        rr.set_strict_mode(False)
    stream.log("entity", rr.Scalars(1.0))
    file = tmp_path / "times.rrd"
    file.write_bytes(memory.drain_as_bytes())
    (chunk,) = RrdReader(str(file)).stream()
    column = chunk.to_record_batch().column("t")
    return (str(column.type), column.cast(pa.int64()).to_pylist())


def our_time(keyword: str, value: Any) -> Outcome:
    arguments: dict[str, Any] = {"sequence": None, "duration": None, "timestamp": None}
    try:
        kind, number = time_value("t", **{**arguments, keyword: value})
    except (TypeError, ValueError, OverflowError):
        return None
    return (("int64", "duration[ns]", "timestamp[ns]")[kind - 1], [number])


TIMES: list[tuple[str, Any]] = [
    *[("sequence", value) for value in (0, -1, True, I64_MAX, I64_MIN, I64_MIN - 1)],
    *[
        ("sequence", value)
        for value in (I64_MAX + 1, I64_MIN - 2, np.int8(-3), np.uint64(7), np.uint64(2**63))
    ],
    *[("sequence", value) for value in (1.0, np.float64(1), np.bool_(True), "1", dt.timedelta(1))],
    *[("duration", value) for value in (0, -2, True, 9_223_372_036, 9_223_372_037, np.int32(3))],
    *[("duration", value) for value in (0.5, -0.5, 0.1, 1 / 3, 1.0000000005, 1.9999999996, 1e9, 1e10, 1e300)],
    *[("duration", value) for value in (1.5e-9, 2.5e-9, np.float32(0.1), np.float64(1.5), float("nan"))],
    *[("duration", value) for value in (dt.timedelta(seconds=1.5), dt.timedelta(microseconds=-1))],
    *[("duration", np.timedelta64(5, unit)) for unit in ("W", "D", "h", "m", "s", "ms", "us", "ns", "ps")],
    ("duration", np.timedelta64(-1501, "ps")),
    *[("duration", np.timedelta64(5, unit)) for unit in ("Y", "M")],
    *[("duration", value) for value in ("1", dt.datetime(2024, 1, 1, tzinfo=dt.UTC), np.datetime64(1, "s"))],
    *[("timestamp", value) for value in (0, -1, True, 1_700_000_000, 10**11, 10**11 + 1, np.int64(5))],
    *[("timestamp", value) for value in (0.5, 1_700_000_000.25, 1_700_000_000.123456, 1e11, 1.1e11, -1e12)],
    *[("timestamp", value) for value in (float("nan"), float("-inf"), "2024", dt.date(2024, 1, 1))],
    *[
        ("timestamp", np.datetime64("2024-01-02", unit))
        for unit in ("Y", "M", "W", "D", "h", "s", "us", "ns")
    ],
    ("timestamp", dt.datetime(2024, 1, 2, tzinfo=dt.UTC)),
    ("timestamp", dt.datetime(2024, 1, 2)),  # noqa: DTZ001
    ("timestamp", dt.datetime(2024, 1, 2, 3, 4, 5, tzinfo=dt.timezone(dt.timedelta(hours=-8)))),
    ("timestamp", dt.datetime(9999, 1, 1, tzinfo=dt.UTC)),
    ("timestamp", pa.scalar(5, pa.timestamp("ns"))),
    ("timestamp", pa.scalar(5, pa.timestamp("ns", "Europe/Berlin"))),
]


@pytest.mark.parametrize(("keyword", "value"), TIMES)
def test_times_are_set_alike(keyword: str, value: Any, tmp_path: Path) -> None:
    assert our_time(keyword, value) == official_time(keyword, value, tmp_path)


@pytest.mark.parametrize(
    ("keyword", "value", "theirs", "here"),
    [
        # Ours are exact, theirs go through a float of 64 bits.
        (
            "timestamp",
            dt.datetime(2024, 1, 2, 3, 4, 5, 6, tzinfo=dt.UTC),
            1704164645000005888,
            1704164645000006000,
        ),
        ("duration", dt.timedelta(days=100_000, microseconds=1), 8640000000000002048, 8640000000000001000),
        # Theirs take the ticks for nanoseconds, whatever the unit.
        ("timestamp", pa.scalar(5, pa.timestamp("ms")), 5, 5_000_000),
        # Theirs take what is no time for the earliest one.
        ("duration", np.timedelta64("NaT", "ns"), I64_MIN, None),
        ("timestamp", np.datetime64("NaT", "ns"), I64_MIN, None),
        # Theirs refuse these.
        ("timestamp", np.float32(0.5), None, 500_000_000),
        ("duration", pa.scalar(5, pa.duration("us")), None, 5_000),
    ],
)
def test_times_that_are_better_here(
    keyword: str, value: Any, theirs: int | None, here: int | None, tmp_path: Path
) -> None:
    expected, got = official_time(keyword, value, tmp_path), our_time(keyword, value)
    assert (expected and expected[1]) == (theirs if theirs is None else [theirs])
    assert (got and got[1]) == (here if here is None else [here])


SOURCE = np.random.default_rng(7)
COLUMNS: list[tuple[str, Any]] = [
    ("sequence", SOURCE.integers(-(2**62), 2**62, 50)),
    ("sequence", np.arange(5, dtype=np.uint8)),
    ("sequence", np.array([True, False])),
    ("sequence", np.array([1.0, -2.0])),
    ("sequence", range(5)),
    ("sequence", [3, 1, 2]),
    ("sequence", pa.array([1, 2])),
    ("duration", SOURCE.uniform(-1e6, 1e6, 500)),
    ("duration", SOURCE.uniform(-1e6, 1e6, 500).tolist()),
    ("duration", np.arange(0, 50, 0.1)),
    ("duration", np.linspace(0, 10, 101)),
    ("duration", SOURCE.integers(-(10**9), 10**9, 50)),
    ("duration", SOURCE.integers(-(10**9), 10**9, 50).tolist()),
    ("duration", [1, 0.5, dt.timedelta(seconds=2), np.timedelta64(3, "us")]),
    ("duration", np.array([1, -2], dtype="m8[Y]")),
    ("duration", np.array([1, -2], dtype="m8[M]")),
    ("duration", np.array([1, -2], dtype="m8[W]")),
    ("duration", np.array([1500, -1501], dtype="m8[ps]")),
    ("timestamp", SOURCE.uniform(1.6e9, 1.8e9, 500)),
    ("timestamp", SOURCE.uniform(1.6e9, 1.8e9, 500).tolist()),
    ("timestamp", SOURCE.uniform(-10, 10, 500)),
    ("timestamp", SOURCE.integers(0, 2 * 10**9, 50)),
    ("timestamp", np.array(["2024-01", "1969-12"], dtype="M8[M]")),
    ("timestamp", np.array(["2024-01-02", "1969-12-31"], dtype="M8[D]")),
    ("timestamp", SOURCE.integers(-(10**12), 10**12, 50).view("M8[ms]")),
    ("timestamp", [dt.datetime(2024, 1, 2, tzinfo=dt.UTC), np.datetime64("2024-01-02"), 5, 0.5]),
    ("timestamp", pa.array([1, 2], pa.timestamp("ns"))),
]


@pytest.mark.parametrize(("keyword", "values"), COLUMNS)
def test_columns_are_made_alike(keyword: str, values: Any) -> None:
    theirs = rr.TimeColumn("t", **{keyword: values}).as_arrow_array()
    got = TimeColumn("t", **{keyword: values}).as_arrow_array()
    assert got.type == theirs.type
    assert got.cast(pa.int64()).to_pylist() == theirs.cast(pa.int64()).to_pylist()


SETTINGS: list[tuple[str, str]] = [
    *[("RERUN_FLUSH_TICK_SECS", text) for text in ("0.2", "1e3", ".5", "-0.0", "-1", "inf", "nan", "")],
    *[("RERUN_FLUSH_TICK_SECS", text) for text in (" 0.2", "1_0", "1e30")],
    *[("RERUN_FLUSH_NUM_BYTES", text) for text in ("10", "+5", "10B", "10 B", "1.5MB", "2KiB", "1TB", "")],
    *[("RERUN_FLUSH_NUM_BYTES", text) for text in ("1KB", "1kb", "10M", "1PB", "-1", " 5", "1e3", "kB")],
    *[("RERUN_FLUSH_NUM_ROWS", text) for text in ("5", "+5", "-1", "5.0", str(2**64 - 1), str(2**64))],
    *[("RERUN_CHUNK_MAX_ROWS_IF_UNSORTED", text) for text in ("5", "-1")],
    *[("RERUN_MAX_CHUNK_ROWS_IF_UNSORTED", text) for text in ("5", "x")],
]
# Makes a stream under each of the settings; what is wrong with them is on stderr between marks.
USE_SETTINGS = """
import json, os, sys
import rerun as rr
for number, (name, text) in enumerate(json.load(sys.stdin)):
    print(f"@@{number}@@", file=sys.stderr, flush=True)
    os.environ[name] = text
    stream = rr.RecordingStream("app", recording_id=f"settings {number}", send_properties=False)
    memory = stream.memory_recording()
    del os.environ[name]
"""


def test_the_same_settings_are_understood(caplog: pytest.LogCaptureFixture) -> None:
    done = subprocess.run(
        [sys.executable, "-c", USE_SETTINGS],
        input=json.dumps(SETTINGS),
        capture_output=True,
        text=True,
        check=True,
    )
    sections = re.split(r"@@\d+@@\n", done.stderr)[1:]
    for (name, text), section in zip(SETTINGS, sections, strict=True):
        caplog.clear()
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv(name, text)
            batcher_config_from_env(ChunkBatcherConfig())
        assert (name, text, bool(caplog.records)) == (name, text, "Failed to parse" in section)
