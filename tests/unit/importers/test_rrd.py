"""Taking over the messages of an RRD stream that comes in pieces."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

import pytest

from aiorerun.codec.decoder import iter_messages
from aiorerun.codec.errors import RrdError
from aiorerun.importers.base import ImportedMessages, ImportSettings
from aiorerun.importers.rrd import MessageTaker, PipeImporter, RrdImporter
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


def importer_errors(path: Path, contents: bytes | None = None) -> tuple[int, str]:
    """How many messages there were, and the error after them."""
    settings = ImportSettings("app", "rec")
    count = 0
    try:
        for item in RrdImporter().items(path, contents, settings):
            assert isinstance(item, ImportedMessages)
            count += len(item.messages)
    except RrdError as error:
        return count, str(error)
    return count, ""


def test_files_that_are_cut_off(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "cut.rrd"
    ends = {12, *(raw.offset + len(raw.payload) for raw in iter_messages(data))}
    for cut in [*range(1, len(data) - 32, 7), *ends, len(data) - 5, len(data)]:
        path.write_bytes(data[:cut])
        count, problem = importer_errors(path)
        # A stream may end after any message, and all of them are there if only the footer is cut off.
        assert ("cut off" in problem) == (cut not in ends and cut < max(ends)), cut
        assert count == len([end for end in ends - {12, max(ends)} if end <= cut])
        assert importer_errors(path, data[:cut]) == (count, problem)


def test_empty_files(tmp_path: Path) -> None:
    path = tmp_path / "empty.rrd"
    path.touch()
    assert importer_errors(path) == (0, "it is empty")
    assert importer_errors(path, b"") == (0, "it is empty")


async def test_pipes_that_are_cut_off(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "pipe.rrd"
    os.mkfifo(path)

    async def imported(sent: bytes) -> int:
        writing = asyncio.create_task(asyncio.to_thread(path.write_bytes, sent))
        items = [item async for item in PipeImporter().import_file(path, None, ImportSettings("app", "rec"))]
        await writing
        return len(items)

    assert await imported(data)
    with pytest.raises(RrdError, match="cut off"):
        await imported(data[: len(data) // 2])


def test_only_blueprints_change_their_application(data: bytes) -> None:
    messages, error = MessageTaker("mine").take(data)
    assert error is None
    assert {(each.store.kind, each.store.application_id) for each in messages} == {
        (StoreKind.RECORDING, "elsewhere")
    }
