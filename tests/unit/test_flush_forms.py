"""All forms of ``flush`` and ``disconnect``, in both APIs, from the main thread and from another."""

from __future__ import annotations

import asyncio
import math
import threading
from typing import TYPE_CHECKING

import pytest

import aiorerun as rr
import aiorerun.sync as blocking
from tests.reading import assert_verified, scalars_of

if TYPE_CHECKING:
    from pathlib import Path

LONG = [1e38, math.inf, 10.0, 10**12, 9223372037.0]
WRONG = [-1.0, -1e-9, math.nan, -math.inf]


@pytest.mark.parametrize("timeout", LONG)
async def test_long_timeouts(timeout: float, tmp_path: Path) -> None:
    path = tmp_path / "a.rrd"
    rec = rr.AsyncRecordingStream("app", recording_id="flush", send_properties=False)
    await rec.save(path)
    await rec.log("a", rr.Scalars(1.0))
    await rec.flush(timeout_sec=timeout)
    assert scalars_of(path, "/a") == [1.0]
    await rec.disconnect()


@pytest.mark.parametrize("timeout", LONG)
def test_long_timeouts_of_the_blocking_api(timeout: float, tmp_path: Path) -> None:
    path = tmp_path / "a.rrd"
    rec = blocking.RecordingStream("app", recording_id="flush", send_properties=False)
    rec.save(path)

    def work() -> None:
        rec.log("a", blocking.Scalars(1.0))
        rec.flush(timeout_sec=timeout)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join(10)
    assert not thread.is_alive()
    assert scalars_of(path, "/a") == [1.0]
    rec.disconnect()


@pytest.mark.parametrize("timeout", WRONG)
async def test_wrong_timeouts(timeout: float) -> None:
    # Whether there is anything to flush, or a recording at all, or not; strict or not.
    with pytest.raises(ValueError, match="timeout_sec"):
        await rr.RecordingStream("app").flush(timeout_sec=timeout)
    with pytest.raises(ValueError, match="timeout_sec"):
        await rr.flush(timeout_sec=timeout)
    with pytest.raises(ValueError, match="timeout_sec"):
        blocking.RecordingStream("app").flush(timeout_sec=timeout)
    with pytest.raises(ValueError, match="timeout_sec"):
        blocking.flush(timeout_sec=timeout)


async def test_disconnecting_twice_is_fine(tmp_path: Path) -> None:
    rec = rr.AsyncRecordingStream("app", recording_id="twice", send_properties=False)
    await rec.disconnect()
    await rec.save(tmp_path / "a.rrd")
    await asyncio.gather(rec.disconnect(), rec.disconnect())
    await rec.disconnect()
    assert_verified([tmp_path / "a.rrd"], footers=False)


def test_disconnecting_twice_is_fine_in_the_blocking_api(tmp_path: Path) -> None:
    rec = blocking.RecordingStream("app", recording_id="twice", send_properties=False)
    rec.disconnect()
    rec.save(tmp_path / "a.rrd")
    rec.log("a", blocking.Scalars(1.0))
    rec.disconnect()
    rec.disconnect()
    assert_verified([tmp_path / "a.rrd"])
