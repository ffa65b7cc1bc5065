from __future__ import annotations

import datetime as dt
import logging
import math
import threading
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

import aiorerun as rr
from aiorerun import config
from aiorerun.config import ChunkBatcherConfig, batcher_config_from_env
from aiorerun.testing import CaptureSink

U64_MAX = 18_446_744_073_709_551_615
MIB = 1_048_576


def values(settings: ChunkBatcherConfig) -> tuple[float, int, int, int]:
    return (
        settings.flush_tick_secs,
        settings.flush_num_bytes,
        settings.flush_num_rows,
        settings.chunk_max_rows_if_unsorted,
    )


@pytest.mark.parametrize(
    ("preset", "expected"),
    [
        (ChunkBatcherConfig, (0.2, MIB, U64_MAX, 8192)),
        (ChunkBatcherConfig.DEFAULT, (0.2, MIB, U64_MAX, 8192)),
        (ChunkBatcherConfig.LOW_LATENCY, (0.008, MIB, U64_MAX, 8192)),
        (ChunkBatcherConfig.ALWAYS, (math.inf, 0, 0, 256)),
        (ChunkBatcherConfig.ALWAYS_TEST_ONLY, (math.inf, 0, 0, 256)),
        (ChunkBatcherConfig.NEVER, (math.inf, U64_MAX, U64_MAX, 256)),
    ],
)
def test_presets(preset: Any, expected: tuple[float, int, int, int]) -> None:
    assert values(preset()) == expected
    assert preset() is not preset()


def test_ticks_are_read_as_timedeltas() -> None:
    assert ChunkBatcherConfig.DEFAULT().flush_tick == dt.timedelta(milliseconds=200)
    assert ChunkBatcherConfig.LOW_LATENCY().flush_tick == dt.timedelta(milliseconds=8)
    assert ChunkBatcherConfig.ALWAYS().flush_tick == dt.timedelta.max
    assert ChunkBatcherConfig.NEVER().flush_tick == dt.timedelta.max


def test_arguments_by_position_and_by_name() -> None:
    assert values(ChunkBatcherConfig(1, 2, 3, 4)) == (1.0, 2, 3, 4)
    by_name = ChunkBatcherConfig(
        flush_tick=dt.timedelta(seconds=1), flush_num_bytes=2, flush_num_rows=3, chunk_max_rows_if_unsorted=4
    )
    assert by_name == ChunkBatcherConfig(1, 2, 3, 4)
    assert values(ChunkBatcherConfig(flush_num_rows=3)) == (0.2, MIB, 3, 8192)
    assert ChunkBatcherConfig(None, None, None, None) == ChunkBatcherConfig()


@pytest.mark.parametrize(
    ("tick", "secs", "read"),
    [
        (0, 0.0, dt.timedelta(0)),
        (0.5, 0.5, dt.timedelta(seconds=0.5)),
        (np.float32(0.5), 0.5, dt.timedelta(seconds=0.5)),
        (Fraction(1, 4), 0.25, dt.timedelta(seconds=0.25)),
        (dt.timedelta(microseconds=1), 1e-6, dt.timedelta(microseconds=1)),
        (dt.timedelta(days=365), 31_536_000.0, dt.timedelta(days=365)),
        (math.inf, math.inf, dt.timedelta.max),
        (dt.timedelta.max, math.inf, dt.timedelta.max),
        (1e300, math.inf, dt.timedelta.max),
        (10**400, math.inf, dt.timedelta.max),
    ],
)
def test_ticks(tick: Any, secs: float, read: dt.timedelta) -> None:
    settings = ChunkBatcherConfig(flush_tick=tick)
    assert settings.flush_tick_secs == secs
    assert settings.flush_tick == read
    settings.flush_tick = settings.flush_tick
    assert settings.flush_tick == read


@pytest.mark.parametrize("tick", [-1, -0.001, math.nan, -math.inf, dt.timedelta(microseconds=-1), -(10**400)])
def test_ticks_that_cannot_be(tick: Any) -> None:
    settings = ChunkBatcherConfig()
    with pytest.raises(ValueError, match="flush_tick must be 0 or more"):
        settings.flush_tick = tick
    with pytest.raises(ValueError, match="flush_tick"):
        ChunkBatcherConfig(tick)
    assert settings == ChunkBatcherConfig()


@pytest.mark.parametrize("tick", ["0.2", b"1", True, [1], object()])
def test_ticks_of_another_type(tick: Any) -> None:
    with pytest.raises(TypeError, match="flush_tick must be seconds or a timedelta, got"):
        ChunkBatcherConfig(tick)


INTEGERS = ["flush_num_bytes", "flush_num_rows", "chunk_max_rows_if_unsorted"]


@pytest.mark.parametrize("name", INTEGERS)
def test_integers(name: str) -> None:
    settings = ChunkBatcherConfig()
    for value in (0, 1, U64_MAX, np.int32(7)):
        setattr(settings, name, value)
        assert getattr(settings, name) == value
        assert type(getattr(settings, name)) is int
    for value in (-1, U64_MAX + 1):
        with pytest.raises(ValueError, match=f"{name} must be from 0"):
            setattr(settings, name, value)
        with pytest.raises(ValueError, match=name):
            ChunkBatcherConfig(**{name: value})
    for other in (1.0, "1", True, np.float64(1), None):
        with pytest.raises(TypeError, match=f"{name} must be an int, got {type(other).__name__}"):
            setattr(settings, name, other)
    assert getattr(settings, name) == 7


def test_nothing_else_can_be_set() -> None:
    settings: Any = ChunkBatcherConfig()
    with pytest.raises(AttributeError):
        settings.flush_num_byte = 1
    with pytest.raises(AttributeError):
        settings.flush_tick_secs = 1


def test_configurations_are_equal_by_value() -> None:
    settings = ChunkBatcherConfig()
    assert settings == ChunkBatcherConfig.DEFAULT()
    assert ChunkBatcherConfig.ALWAYS() != ChunkBatcherConfig.NEVER()
    assert settings != (0.2, MIB, U64_MAX, 8192)
    for name in ["flush_tick", *INTEGERS]:
        changed = ChunkBatcherConfig()
        setattr(changed, name, 17)
        assert changed != settings
    with pytest.raises(TypeError, match="unhashable"):
        hash(settings)


def test_the_representation_makes_an_equal_one() -> None:
    for settings in (ChunkBatcherConfig(1, 2, 3, 4), ChunkBatcherConfig.NEVER(), ChunkBatcherConfig()):
        assert eval(repr(settings), {"ChunkBatcherConfig": ChunkBatcherConfig, "datetime": dt}) == settings


TICK = "RERUN_FLUSH_TICK_SECS"
BYTES = "RERUN_FLUSH_NUM_BYTES"
ROWS = "RERUN_FLUSH_NUM_ROWS"
UNSORTED = "RERUN_CHUNK_MAX_ROWS_IF_UNSORTED"
DEPRECATED = "RERUN_MAX_CHUNK_ROWS_IF_UNSORTED"


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(DEPRECATED, raising=False)
    monkeypatch.setattr(config._Told, "reason", None)


def from_env(monkeypatch: pytest.MonkeyPatch, **variables: str) -> ChunkBatcherConfig:
    """The settings with these variables and, to tell them apart, odd defaults."""
    for name, text in variables.items():
        monkeypatch.setenv(name, text)
    default = ChunkBatcherConfig(1, 2, 3, 4)
    settings = batcher_config_from_env(default)
    assert settings is not default
    assert default == ChunkBatcherConfig(1, 2, 3, 4)
    return settings


def test_an_empty_environment_leaves_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    assert from_env(monkeypatch) == ChunkBatcherConfig(1, 2, 3, 4)


def test_all_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = from_env(monkeypatch, **{TICK: "0.5", BYTES: "10MB", ROWS: "7", UNSORTED: "8"})
    assert settings == ChunkBatcherConfig(0.5, 10_000_000, 7, 8)


def test_each_variable_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, expected in {
        TICK: ChunkBatcherConfig(9, 2, 3, 4),
        BYTES: ChunkBatcherConfig(1, 9, 3, 4),
        ROWS: ChunkBatcherConfig(1, 2, 9, 4),
        UNSORTED: ChunkBatcherConfig(1, 2, 3, 9),
        DEPRECATED: ChunkBatcherConfig(1, 2, 3, 9),
    }.items():
        with monkeypatch.context() as patch:
            assert from_env(patch, **{name: "9"}) == expected


def test_the_deprecated_name_goes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = from_env(monkeypatch, **{UNSORTED: "8", DEPRECATED: "9"})
    assert settings.chunk_max_rows_if_unsorted == 9


def test_presets_without_a_tick_can_be_the_default() -> None:
    assert batcher_config_from_env(ChunkBatcherConfig.NEVER()) == ChunkBatcherConfig.NEVER()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0.2", 0.2),
        ("0", 0.0),
        ("-0.0", 0.0),
        ("1e3", 1000.0),
        (".5", 0.5),
        ("5.", 5.0),
        ("+1", 1.0),
        ("1e-400", 0.0),
    ],
)
def test_seconds(monkeypatch: pytest.MonkeyPatch, text: str, expected: float) -> None:
    assert from_env(monkeypatch, **{TICK: text}).flush_tick_secs == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("10", 10),
        ("+5", 5),
        ("10B", 10),
        ("10 B", 10),
        ("5 kB", 5_000),
        ("10MB", 10_000_000),
        ("1.5MB", 1_500_000),
        ("1GB", 10**9),
        ("1TB", 10**12),
        ("2KiB", 2048),
        ("2MiB", 2 << 20),
        ("2GiB", 2 << 30),
        ("2TiB", 2 << 40),
        ("0B", 0),
        (str(U64_MAX), U64_MAX),
    ],
)
def test_sizes(monkeypatch: pytest.MonkeyPatch, text: str, expected: int) -> None:
    assert from_env(monkeypatch, **{BYTES: text}).flush_num_bytes == expected


BAD = [
    *[
        (TICK, text)
        for text in ["inf", "nan", "-1", "1e400", "", " 0.2", "1_0", "1e30", "infinity", "x", "0x1", "."]
    ],
    *[
        (BYTES, text)
        for text in ["1KB", "1kb", "1PB", "2kib", "-1", "-1kB", "", "1_000", " 5", "5 ", "1e3", "10M"]
    ],
    *[(BYTES, text) for text in ["B", "kB", "1,000", str(U64_MAX + 1), "99999999TB", "5  kB", "٣"]],
    *[(ROWS, text) for text in [" 5", "-1", "5.0", str(U64_MAX + 1), "", "1_0", "10kB", "٣"]],
    (UNSORTED, "-1"),
    (DEPRECATED, "x"),
]


@pytest.mark.parametrize(("name", "text"), BAD)
def test_one_bad_variable_switches_all_of_them_off(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, name: str, text: str
) -> None:
    others = {TICK: "0.5", BYTES: "10MB", ROWS: "7", UNSORTED: "8"}
    with caplog.at_level(logging.ERROR, logger="aiorerun"):
        assert from_env(monkeypatch, **{**others, name: text}) == ChunkBatcherConfig(1, 2, 3, 4)
    (record,) = caplog.records
    assert record.name == "aiorerun"
    assert record.levelno == logging.ERROR
    assert record.exc_info is None
    message = record.getMessage()
    assert message.startswith(f"{name}={text!r} is not understood (")
    assert message.endswith("all batcher settings of the environment are ignored")


async def test_a_bad_variable_is_told_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv(TICK, "soon")
    async with rr.AsyncRecordingStream("app", send_properties=False) as rec:
        # The sinks are asked for their settings each time.
        await rec.memory_recording()
        await rec.set_sinks(CaptureSink(), CaptureSink())
    assert caplog.text.count("is not understood") == 1
    monkeypatch.setenv(TICK, "now")
    batcher_config_from_env(ChunkBatcherConfig())
    assert caplog.text.count("is not understood") == 2
    # Mended, and broken again.
    monkeypatch.setenv(TICK, "1")
    batcher_config_from_env(ChunkBatcherConfig())
    monkeypatch.setenv(TICK, "now")
    batcher_config_from_env(ChunkBatcherConfig())
    assert caplog.text.count("is not understood") == 3


def test_good_variables_log_nothing(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from_env(monkeypatch, **{TICK: "0.5", BYTES: "10MB"})
    assert not caplog.records


def test_seconds_can_be_waited_for_by_threads() -> None:
    for endless in (math.inf, 1e300, 10**400):
        seconds = config.checked_seconds(endless, "x")
        # At exit the time for opening and that for closing are waited for together, twice.
        assert 10_000 < seconds <= threading.TIMEOUT_MAX / 2
        threading.Event().wait(0.0 * seconds)
    half: Any = np.float32(0.5)
    assert config.checked_seconds(half, "x") == 0.5
    assert config.checked_seconds(0, "x") == 0.0


def test_ports() -> None:
    ports: list[Any] = [0, 65535, np.int64(9876)]
    for port in ports:
        checked = config.checked_port(port, "port")
        assert checked == port
        assert type(checked) is int
    for port in (-1, 65536):
        with pytest.raises(ValueError, match=f"port must be from 0 to 65535, got {port}; 0 takes a free one"):
            config.checked_port(port, "port")
    for other in (1.0, "9876", True, None):
        with pytest.raises(TypeError, match=f"port must be an int, got {type(other).__name__}"):
            config.checked_port(other, "port")  # type: ignore[arg-type]


def test_the_limits_of_the_pipeline() -> None:
    assert config.MAX_BYTES_IN_FLIGHT == 100 << 20
    assert config.MAX_WAIT_SECS == 5.0
    assert config.CLOSE_TIMEOUT_SECS == 10.0
    assert config.START_BUFFER_WARN_BYTES == 1 << 30
