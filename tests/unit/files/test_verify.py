"""What is wrong with a file is found, and where."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pytest

from aiorerun.codec.chunk_arrow import to_record_batch
from aiorerun.codec.compression import NONE
from aiorerun.codec.decoder import iter_messages
from aiorerun.codec.framing import MESSAGE_HEADER, STREAM_FOOTER, MessageKind, stream_footer
from aiorerun.codec.messages import Message, arrow_msg_head, arrow_msg_tail, chunk_message
from aiorerun.codec.rrd import RrdEncoder
from aiorerun.files import verify as verifying
from aiorerun.files.verify import verify
from aiorerun.types.tuid import Tuid
from tests.unit.codec.building import STORE, announcement, messages_of, scalar_chunk, stream_of
from tests.unit.files.making import scalars
from tests.unit.recording.making import OTHER, everything

if TYPE_CHECKING:
    from pathlib import Path

    from aiorerun.files.reading import Note
    from aiorerun.files.verify import Verified


def found_in(folder: Path, data: bytes, *, check_footers: bool = True) -> tuple[Verified, list[Note]]:
    path = folder / "file.bin"
    path.write_bytes(data)
    notes: list[Note] = []
    outcome = verify(path, notes.append, check_footers=check_footers)
    assert outcome.problems == len(notes)
    return outcome, notes


def texts(folder: Path, data: bytes, *, check_footers: bool = True) -> list[str]:
    return [note.text for note in found_in(folder, data, check_footers=check_footers)[1]]


def test_a_file_in_order(tmp_path: Path) -> None:
    outcome, notes = found_in(tmp_path, everything())
    assert notes == []
    assert (outcome.chunks, outcome.rows, outcome.stores) == (7, 10, 3)


def test_streams_one_after_the_other(tmp_path: Path) -> None:
    outcome, notes = found_in(tmp_path, everything() + stream_of(messages_of(scalar_chunk())))
    assert notes == []
    assert outcome.chunks == 8


def test_the_end_is_missing(tmp_path: Path) -> None:
    data = everything(write_footer=False)
    _, notes = found_in(tmp_path, data)
    assert [(note.offset, "recover" in note.text) for note in notes] == [(len(data), True)]
    assert texts(tmp_path, data, check_footers=False) == []
    _, notes = found_in(tmp_path, data[:-3], check_footers=False)
    assert len(notes) == 1
    assert "cut off" in notes[0].text
    cut_footer = texts(tmp_path, everything()[:-5])
    assert len(cut_footer) == 3
    assert "footer" in cut_footer[0]


@pytest.mark.parametrize(
    ("data", "what"), [(b"", "empty"), (b"x" * 99, "kind"), (b"RRF1" + bytes(20), "0.23")]
)
def test_other_files(tmp_path: Path, data: bytes, what: str) -> None:
    found = texts(tmp_path, data)
    assert what in found[0]


def test_damage_is_said_with_its_place(tmp_path: Path) -> None:
    data = bytearray(everything())
    raws = list(iter_messages(bytes(data)))
    chunk = raws[2]
    data[chunk.offset + 30 : chunk.offset + 60] = b"\xff" * 30
    _, notes = found_in(tmp_path, bytes(data))
    assert notes[0].offset == chunk.offset - MESSAGE_HEADER.size
    # The footer lists it.
    assert any("footer" in note.text for note in notes[1:])
    assert str(notes[0]).startswith(f"{tmp_path / 'file.bin'}:{notes[0].offset}: ")


def claiming(batch: pa.RecordBatch, chunk_id: Tuid | None, *, is_static: bool) -> Message:
    """A message of a chunk that claims something about it."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    data = sink.getvalue().to_pybytes()
    payload = arrow_msg_head(STORE, NONE, len(data), len(data)) + data
    if chunk_id is not None:
        payload += arrow_msg_tail(chunk_id.time_ns, chunk_id.inc, is_static=is_static)
    return Message(MessageKind.ARROW_MSG, (payload,), len(payload), batch.num_rows, None, STORE)


def test_wrong_claims_of_chunks(tmp_path: Path) -> None:
    made = scalars("/a", [3, 1, 2])
    batch = to_record_batch(made)
    lying = [field.with_metadata({**field.metadata, b"rerun:is_sorted": b"true"}) for field in batch.schema]
    reversed_rows = batch.take(pa.array([2, 1, 0]))
    for message, what in (
        (claiming(batch, Tuid(1, 2), is_static=False), "is said to hold chunk"),
        (claiming(batch, None, is_static=False), "does not say which chunk"),
        (claiming(batch, made.id, is_static=True), "is said to be static"),
        (
            claiming(batch.cast(pa.schema(lying, metadata=batch.schema.metadata)), made.id, is_static=False),
            "times of 'frame' are said to be sorted",
        ),
        (claiming(reversed_rows, made.id, is_static=False), "row ids are said to be sorted"),
    ):
        found = texts(tmp_path, stream_of([announcement(), message], write_footer=False), check_footers=False)
        assert len(found) == 1
        assert what in found[0]
    reserved = chunk_message(STORE, scalars("/a", [-(1 << 63)]))
    assert "stands for static" in texts(tmp_path, stream_of([announcement(), reserved]))[0]


def test_recordings_without_an_application(tmp_path: Path) -> None:
    nameless = OTHER._replace(application_id="")
    found = texts(tmp_path, stream_of([announcement(nameless)], write_footer=False), check_footers=False)
    assert "unknown application" in found[0]


def with_footer_of(messages: list[Message], others: list[Message]) -> bytes:
    """A stream with the footer of another one."""
    data = stream_of(messages, write_footer=False)
    other = RrdEncoder()
    for message in [*other.start(), *others]:
        if isinstance(message, Message):
            other.encode(message)
    whole = b"".join(map(bytes, other.finish()))
    footer = whole[MESSAGE_HEADER.size : -STREAM_FOOTER.size]
    end = MESSAGE_HEADER.pack(MessageKind.END, len(footer))
    return data + end + footer + stream_footer(len(data) + len(end), footer)


def told(message: Message, at: int, data: bytes) -> Message:
    """A message that tells the footer something else, from a byte of the record on."""
    assert message.index is not None
    record = message.index.record[:at] + data + message.index.record[at + len(data) :]
    index = message.index._replace(record=record)
    return Message(message.kind, message.segments, message.nbytes, message.rows, index, message.store)


def elsewhere(message: Message) -> Message:
    """A message that tells the footer another entity."""
    assert message.index is not None
    index = message.index._replace(group=message.index.group._replace(entity_path="/elsewhere"))
    return Message(message.kind, message.segments, message.nbytes, message.rows, index, message.store)


FIRST, SECOND = chunk_message(STORE, scalars("/a", [1, 2])), chunk_message(STORE, scalars("/b", [3]))


@pytest.mark.parametrize(
    ("listed", "what"),
    [
        (
            [announcement(), FIRST],
            ["lists 1 chunks", "does not list all", "range of 'frame'", "lacks the component"],
        ),
        ([announcement(), FIRST, SECOND, SECOND], ["outside of the file"]),
        ([announcement(), SECOND, FIRST], ["there is no such chunk"]),
        ([announcement(), told(FIRST, 0, bytes(16)), SECOND], ["chunk id is another"]),
        ([announcement(), told(FIRST, 16, b"\x09"), SECOND], ["number of rows is another"]),
        ([announcement(), told(FIRST, 24, b"\x09"), SECOND], ["uncompressed size is another"]),
        ([announcement(), told(FIRST, 32, b"\x00"), SECOND], ["range of 'frame'"]),
        (
            [announcement(), elsewhere(FIRST), SECOND],
            ["entity path is another", "lists in vain", "lacks the"],
        ),
        ([*messages_of(scalars("/a", [1]), store=OTHER)], ["which is not there", "does not list the chunks"]),
        ([], ["does not list the chunks"]),
    ],
    ids=[
        "too few",
        "too many",
        "swapped",
        "id",
        "rows",
        "size",
        "times",
        "path",
        "another recording",
        "nothing",
    ],
)
def test_wrong_footers(tmp_path: Path, listed: list[Message], what: list[str]) -> None:
    found = texts(tmp_path, with_footer_of([announcement(), FIRST, SECOND], listed))
    for each in what:
        assert any(each in text for text in found), (each, found)
    assert texts(tmp_path, with_footer_of([announcement(), FIRST, SECOND], listed), check_footers=False) == []


def test_checksum_and_place_of_the_footer(tmp_path: Path) -> None:
    data = everything()
    start, length, crc, magic, count = STREAM_FOOTER.unpack(data[-32:])
    wrong = data[:-32] + STREAM_FOOTER.pack(start, length, crc ^ 1, magic, count)
    assert texts(tmp_path, wrong) == ["the checksum of the footer is wrong"]
    wrong = data[:-32] + STREAM_FOOTER.pack(start + 1, length, crc, magic, count)
    assert texts(tmp_path, wrong) == ["the footer of the stream points elsewhere"]


def test_an_unusable_footer(tmp_path: Path) -> None:
    data = stream_of([announcement()], write_footer=False)
    footer = b"\x08\x01" + b"\x0a\x02xx"
    whole = data + MESSAGE_HEADER.pack(0, len(footer)) + footer + stream_footer(len(data) + 16, footer)
    assert "cannot be used" in texts(tmp_path, whole)[0]


def test_many_differences_are_not_all_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verifying, "_MAX_DIFFERENCES", 2)
    real = [chunk_message(STORE, scalars("/a", [number])) for number in range(5)]
    listed = [told(message, 0, bytes(16)) for message in real]
    found = texts(tmp_path, with_footer_of([announcement(), *real], [announcement(), *listed]))
    assert sum("chunk id" in text for text in found) == 2
    assert any("more chunks" in text for text in found)


def test_zeros_are_one_problem(tmp_path: Path) -> None:
    data = stream_of(messages_of(scalar_chunk(), scalar_chunk()))
    place = list(iter_messages(data))[2].offset - MESSAGE_HEADER.size
    outcome, notes = found_in(tmp_path, data[:place] + bytes(1 << 20) + data[place:], check_footers=False)
    assert outcome.chunks == 2
    assert [(note.offset, "1048576 bytes" in note.text) for note in notes] == [(place, True)]
