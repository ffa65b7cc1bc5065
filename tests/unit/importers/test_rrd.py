"""Taking over the messages of an RRD stream that comes in pieces."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from aiorerun.importers.rrd import MessageTaker
from aiorerun.types.store import StoreKind
from tests.unit.importers.files import write_recording

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def data(tmp_path: Path) -> bytes:
    write_recording(tmp_path / "a.rrd", rows=50)
    return (tmp_path / "a.rrd").read_bytes()


@pytest.mark.parametrize("size", [1, 7, 100, 1 << 20])
def test_pieces_of_any_size(data: bytes, size: int) -> None:
    taker = MessageTaker()
    rows = 0
    for start in range(0, len(data), size):
        messages, error = taker.take(data[start : start + size])
        assert error is None
        assert {message.store.recording_id for message in messages} <= {"other"}
        rows += sum(message.rows for message in messages)
    assert rows == 52


def test_a_stream_of_something_else() -> None:
    messages, error = MessageTaker().take(b"nothing of the kind" * 10)
    assert messages == []
    assert "not an RRD stream" in str(error)


def test_only_blueprints_change_their_application(data: bytes) -> None:
    messages, error = MessageTaker("mine").take(data)
    assert error is None
    assert {(each.store.kind, each.store.application_id) for each in messages} == {
        (StoreKind.RECORDING, "elsewhere")
    }
