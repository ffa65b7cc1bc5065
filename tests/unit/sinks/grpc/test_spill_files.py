"""Spill files: records, damage, directories that programs share."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from aiorerun.codec.framing import MessageKind
from aiorerun.codec.messages import chunk_message
from aiorerun.errors import SinkOpenError
from aiorerun.sinks.grpc.spill_dir import claim, take_over
from aiorerun.sinks.grpc.spill_files import Append, append_all, read_chapter, remove, set_aside
from aiorerun.sinks.grpc.spill_format import (
    HEADER,
    MAGIC,
    DamagedRecord,
    decode_record,
    encode_record,
    payload_length,
    record_size,
)
from tests.unit.codec.building import STORE, announcement, scalar_chunk

if TYPE_CHECKING:
    from pathlib import Path

    from aiorerun.codec.messages import Message

MESSAGES = [announcement(), *(chunk_message(STORE, scalar_chunk("/a", range(rows))) for rows in (1, 5, 500))]


def payload(message: Message) -> bytes:
    return b"".join(bytes(segment) for segment in message.segments)


def encoded(*messages: Message) -> bytes:
    return b"".join(bytes(piece) for message in messages for piece in encode_record(message))


def write(path: Path, *messages: Message) -> int:
    """Writes a file; returns its size."""
    append_all([Append(path, 0, [encoded(*messages)])])
    return path.stat().st_size


def spoil(path: Path, position: int) -> None:
    """Changes a byte."""
    content = bytearray(path.read_bytes())
    content[position] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("message", MESSAGES)
def test_a_record_comes_back_as_it_was(message: Message) -> None:
    data = encoded(message)
    record = decode_record(memoryview(data + b"more"))
    assert (record.kind, record.rows, record.is_copy) == (message.kind, message.rows, False)
    assert record.payload == payload(message)
    assert record.size == len(data) == record_size(message)


def test_copies_are_marked() -> None:
    data = b"".join(bytes(piece) for piece in encode_record(MESSAGES[0], is_copy=True))
    assert decode_record(memoryview(data)).is_copy


def test_every_changed_bit_and_every_cut_is_noticed() -> None:
    data = encoded(MESSAGES[1])
    for position in range(len(data)):
        changed = bytearray(data)
        changed[position] ^= 1 << position % 8
        with pytest.raises(DamagedRecord):
            decode_record(memoryview(changed))
        with pytest.raises(DamagedRecord):
            decode_record(memoryview(data[:position]))


def test_an_unknown_kind_is_damage() -> None:
    message = chunk_message(STORE, scalar_chunk())
    message.kind = 77  # type: ignore[assignment]
    with pytest.raises(DamagedRecord, match="unknown kind"):
        decode_record(memoryview(encoded(message)))


def test_a_length_that_no_message_has_is_refused_before_anything_is_read() -> None:
    with pytest.raises(DamagedRecord, match="too long"):
        payload_length(HEADER.pack(0, 1 << 40, 1, MessageKind.ARROW_MSG, 0))


def test_files_are_read_in_pieces_of_about_the_size_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "x"
    size = write(path, *MESSAGES)
    for nbytes in (1, 100, record_size(MESSAGES[0]) + HEADER.size - 1, 1 << 20):
        start, read = 0, []
        while start < size:
            chapter = read_chapter(path, start, size, nbytes)
            assert chapter.damage is None
            assert chapter.records
            read += [bytes(record.payload) for record in chapter.records]
            start = chapter.end
        assert read == list(map(payload, MESSAGES))


@pytest.mark.parametrize("cut", [1, HEADER.size - 1, HEADER.size, HEADER.size + 3])
def test_a_torn_end_costs_the_last_record_only(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "x"
    whole = write(path, *MESSAGES[:2])
    with path.open("ab") as file:
        file.write(encoded(MESSAGES[2])[:cut])
    chapter = read_chapter(path, 0, whole + cut, 1 << 20)
    assert [bytes(record.payload) for record in chapter.records] == list(map(payload, MESSAGES[:2]))
    assert chapter.damage is not None
    assert chapter.end == whole + cut
    assert not chapter.has_rest


def test_what_is_behind_a_damaged_record_is_told_of(tmp_path: Path) -> None:
    path = tmp_path / "x"
    size = write(path, *MESSAGES)
    spoil(path, len(MAGIC) + record_size(MESSAGES[0]) + HEADER.size)
    chapter = read_chapter(path, 0, size, 1 << 20)
    assert len(chapter.records) == 1
    assert (chapter.end, chapter.damage, chapter.has_rest) == (size, "a record is damaged", True)


def test_an_error_of_the_system_is_no_damage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x"
    size = write(path, *MESSAGES)
    with monkeypatch.context() as patch:

        def read(fd: int, nbytes: int) -> bytes:
            raise OSError(errno.EIO, os.strerror(errno.EIO))

        patch.setattr(os, "read", read)
        with pytest.raises(OSError, match=os.strerror(errno.EIO)):
            read_chapter(path, 0, size, 1 << 20)
    assert len(read_chapter(path, 0, size, 1 << 20).records) == len(MESSAGES)


def test_a_few_damaged_files_are_set_aside_for_each_server(tmp_path: Path) -> None:
    owners = [claim(tmp_path, "one") for _ in range(3)]
    another = claim(tmp_path, "another")
    for owner in (*owners, another):
        paths = [owner.segment_path(number) for number in range(1, 6)]
        for path in paths:
            write(path, MESSAGES[0])
        set_aside([*paths, owner.segment_path(99)])
        owner.release()
    names = sorted(path.name for path in tmp_path.iterdir())
    newest = [f"{owner.path.name}-{number:08d}.damaged" for owner in owners for number in range(1, 6)][-8:]
    others = [f"{another.path.name}-{number:08d}.damaged" for number in range(1, 6)]
    assert names == sorted([*newest, *others])
    # They are no subdirectories of programs.
    assert list(take_over(tmp_path, "one")) == []


@pytest.mark.parametrize("content", [b"", b"AIOR", b"something else"])
def test_other_files_are_no_spill_files(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x"
    path.write_bytes(content)
    chapter = read_chapter(path, 0, len(content), 100)
    assert (chapter.records, chapter.end) == ([], len(content))
    assert chapter.damage
    assert chapter.has_rest == (len(content) > len(MAGIC))
    gone = read_chapter(tmp_path / "none", 0, 10, 100)
    assert (gone.damage, gone.has_rest) == ("it is gone", False)


def test_what_cannot_be_written_completely_is_undone(tmp_path: Path) -> None:
    first = tmp_path / "first"
    size = write(first, MESSAGES[0])
    taken = tmp_path / "taken"
    taken.write_bytes(b"")
    more = [encoded(MESSAGES[1])]
    with pytest.raises(FileExistsError):
        append_all([Append(first, size, more), Append(tmp_path / "new", 0, more), Append(taken, 0, more)])
    assert first.stat().st_size == size
    assert not (tmp_path / "new").exists()
    append_all([Append(first, size, more)])
    assert len(read_chapter(first, 0, first.stat().st_size, 1 << 20).records) == 2


def test_removing_what_is_gone_is_fine(tmp_path: Path) -> None:
    write(tmp_path / "x", MESSAGES[0])
    remove([tmp_path / "x", tmp_path / "y"])
    assert list(tmp_path.iterdir()) == []


# --- directories -------------------------------------------------------------------------------


def test_programs_share_a_directory_without_touching_each_other(tmp_path: Path) -> None:
    first = claim(tmp_path / "deep" / "er", "server")
    write(first.segment_path(1), MESSAGES[0])
    second = claim(tmp_path / "deep" / "er", "server")
    assert first.path != second.path
    assert list(take_over(tmp_path / "deep" / "er", "server")) == []
    first.release()
    (taken,) = take_over(tmp_path / "deep" / "er", "server")
    assert taken.path == first.path
    assert [found.path.name for found in taken.files()] == ["00000001.spill"]
    assert taken.files()[0].size == len(MAGIC) + record_size(MESSAGES[0])
    # It is taken now.
    assert list(take_over(tmp_path / "deep" / "er", "server")) == []
    remove([taken.segment_path(1)])
    taken.release()
    second.release()
    assert list((tmp_path / "deep" / "er").iterdir()) == []


def test_files_for_another_server_are_left_alone(tmp_path: Path) -> None:
    owner = claim(tmp_path, "one")
    write(owner.segment_path(1), MESSAGES[0])
    owner.release()
    assert list(take_over(tmp_path, "another")) == []
    assert len(list(take_over(tmp_path, "one"))) == 1


def test_leftovers_come_oldest_first_and_their_files_in_order(tmp_path: Path) -> None:
    owners = [claim(tmp_path, "server") for _ in range(3)]
    for owner in owners:
        for number in (10, 2, 1):
            write(owner.segment_path(number), MESSAGES[0])
        (owner.path / "notes.txt").write_text("mine")
        owner.release()
    found = list(take_over(tmp_path, "server"))
    assert [owner.path for owner in found] == [owner.path for owner in owners]
    assert [int(file.path.stem) for file in found[0].files()] == [1, 2, 10]


def test_a_lock_dies_with_its_program(tmp_path: Path) -> None:
    code = (
        "import sys, os, signal\n"
        "from pathlib import Path\n"
        "from aiorerun.sinks.grpc.spill_dir import claim\n"
        "owner = claim(Path(sys.argv[1]), 'server')\n"
        "owner.segment_path(1).write_bytes(b'AIORSPL1')\n"
        "print('ready', flush=True)\n"
        "sys.stdin.read()\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        assert list(take_over(tmp_path, "server")) == []
    finally:
        process.kill()
        process.communicate(timeout=30)
    assert len(list(take_over(tmp_path, "server"))) == 1


def test_a_directory_that_cannot_be_used_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SinkOpenError, match="spill_dir"):
        claim(tmp_path / "file", "server")
