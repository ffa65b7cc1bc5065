"""Videos as files: when their frames are shown, held against the official SDK."""

from __future__ import annotations

import io
import sys
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from aiorerun.archetypes import AssetVideo
from aiorerun.components import VideoTimestamp

if TYPE_CHECKING:
    from pathlib import Path

av = pytest.importorskip("av")


def video(frames: int, rate: Any = 30, **options: str) -> bytes:
    """A small MP4 file with B-frames, so that frames are stored in another order than they are shown in."""
    target = io.BytesIO()
    with av.open(target, "w", format="mp4", options=options) as container:
        stream = container.add_stream("libx264", rate=rate, options={"bf": "2", "g": "12"})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for number in range(frames):
            pixels = np.full((48, 64, 3), number * 5 % 256, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(stream.encode())
    return target.getvalue()


@pytest.mark.parametrize("rate", [30, 24, Fraction(30000, 1001)])
def test_frames_are_those_of_the_official_sdk(rate: Any, tmp_path: Path) -> None:
    rerun = pytest.importorskip("rerun")
    path = tmp_path / "a.mp4"
    path.write_bytes(video(40, rate))
    ours = AssetVideo(path=path).read_frame_timestamps_nanos()
    official = rerun.AssetVideo(path=path).read_frame_timestamps_nanos()
    assert ours.dtype == np.int64
    assert ours.tolist() == official.tolist()
    assert len(ours) == 40


def test_frames_can_be_sent_as_columns() -> None:
    times = AssetVideo(contents=video(5), media_type="video/mp4").read_frame_timestamps_nanos()
    assert times.tolist()[:2] == [0, 33333333]
    assert VideoTimestamp.nanoseconds(times).as_arrow_array().to_pylist() == times.tolist()


@pytest.mark.parametrize("contents", [b"", b"no video at all", video(3)[:200]])
def test_what_is_no_video_is_told_of(contents: bytes) -> None:
    with pytest.raises(ValueError, match="cannot be read"):
        AssetVideo(contents=contents).read_frame_timestamps_nanos()


def test_a_cleared_video_has_no_frames() -> None:
    with pytest.raises(ValueError, match="no video"):
        AssetVideo.cleared().read_frame_timestamps_nanos()


def test_the_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(ImportError, match=r"aiorerun\[video\]"):
        AssetVideo(contents=b"x").read_frame_timestamps_nanos()
