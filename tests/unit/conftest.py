"""Fixtures of tests in several folders."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

import aiorerun as rr
from tests.unit.widget.standin import StandIns

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    NewStream = Callable[..., rr.AsyncRecordingStream]


@pytest.fixture
async def new_stream() -> AsyncIterator[NewStream]:
    """Makes streams that are closed after the test."""
    made: list[rr.AsyncRecordingStream] = []

    def make(**options: Any) -> rr.AsyncRecordingStream:
        options = {"recording_id": "new", "send_properties": False, **options}
        made.append(rr.AsyncRecordingStream("target", **options))
        return made[-1]

    yield make
    for stream in made:
        await stream.aclose()


@pytest.fixture
def widgets(monkeypatch: pytest.MonkeyPatch) -> StandIns:
    """Viewers in notebooks are made with stand-ins of Rerun's widget."""
    return StandIns(monkeypatch)
