"""Files that were cut off or damaged become complete ones, and nothing complete is missing."""

from __future__ import annotations

import random
import struct
from typing import TYPE_CHECKING

import pytest

from aiorerun.codec.decoder import iter_messages
from aiorerun.codec.errors import RrdError
from aiorerun.codec.framing import MESSAGE_HEADER, MessageKind
from aiorerun.codec.messages import chunk_message
from aiorerun.files.recover import recover
from tests.unit.codec.building import STORE, announcement, messages_of, scalar_chunk, stream_of
from tests.unit.files.making import assert_footer_is_right, payloads
from tests.unit.recording.making import chunks, everything, one_recording

if TYPE_CHECKING:
    from pathlib import Path

    from aiorerun.files.recover import Recovered


def recovered(folder: Path, data: bytes) -> tuple[Recovered, bytes]:
    """What becomes of a file with these bytes."""
    path, output = folder / "damaged.bin", folder / "out.bin"
    path.write_bytes(data)
    outcome = recover(path, output, force=True)
    if outcome.chunks:
        assert_footer_is_right(output)
    assert sorted(each.name for each in folder.iterdir()) == ["damaged.bin", "out.bin"]
    return outcome, output.read_bytes()


def test_a_complete_file_stays_as_it_is(tmp_path: Path) -> None:
    data = everything()
    outcome, out = recovered(tmp_path, data)
    assert out == data
    assert outcome.was_complete
    assert (outcome.num_dropped, outcome.dropped_bytes, outcome.dropped) == (0, 0, [])
    assert (outcome.messages, outcome.chunks, outcome.rows) == (11, 7, 10)


def test_every_cut(tmp_path: Path) -> None:
    data = everything()
    ends = [0, *(raw.offset + len(raw.payload) for raw in iter_messages(data))]
    cuts = {each + more for each in ends for more in (-1, 0, 1, 15, 16, 17)} | set(range(12, len(data), 97))
    for cut in sorted(each for each in cuts if 12 <= each < len(data)):
        outcome, out = recovered(tmp_path, data[:cut])
        assert payloads(out) == payloads(data[:cut]), cut
        assert not outcome.was_complete
        if cut <= ends[-2]:
            kept = max(end for end in (12, *ends) if end <= cut)
            assert outcome.dropped_bytes == cut - kept, cut


def test_without_a_footer_there_is_nothing_to_drop(tmp_path: Path) -> None:
    data = everything(write_footer=False)
    outcome, out = recovered(tmp_path, data)
    assert out.startswith(data)
    assert (outcome.num_dropped, outcome.was_complete) == (0, False)


def test_an_announcement_alone_gets_a_footer_that_lists_its_recording(tmp_path: Path) -> None:
    outcome, out = recovered(tmp_path, stream_of([announcement()], write_footer=False))
    assert (outcome.messages, outcome.chunks) == (1, 0)
    *_, end = iter_messages(out)
    assert end.kind is MessageKind.END
    assert len(end.payload) > 0


def test_a_header_alone_gives_an_empty_file(tmp_path: Path) -> None:
    outcome, out = recovered(tmp_path, everything()[:12])
    assert (outcome.messages, len(out)) == (0, 60)


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"", "no RRD file"),
        (b"RRF2", "no RRD file"),
        (bytes(100), "no RRD file"),
        (b"RRF1" + bytes(60), "0.23"),
        (b"RRF2\x00\x10\x00\x00\x01\x02\x00\x00", "0.16.0"),
    ],
)
def test_other_files_are_refused(tmp_path: Path, data: bytes, what: str) -> None:
    path = tmp_path / "other.bin"
    path.write_bytes(data)
    with pytest.raises(RrdError, match=what):
        recover(path, tmp_path / "out.bin")
    assert [each.name for each in tmp_path.iterdir()] == ["other.bin"]


def several() -> tuple[bytes, list[tuple[int, int]]]:
    """A stream, and where its messages with their headers are."""
    data = stream_of(messages_of(*(scalar_chunk(f"/e{number}", (1, 2, 3)) for number in range(8))))
    raws = list(iter_messages(data))
    return data, [(raw.offset - MESSAGE_HEADER.size, raw.offset + len(raw.payload)) for raw in raws]


@pytest.mark.parametrize(
    ("place", "value"),
    [(0, 7), (0, 1 << 40), (0, 0), (8, 3), (8, 1 << 62), (8, 5000), (8, 0)],
    ids=["kind", "kind huge", "end", "short", "long", "longer", "empty"],
)
@pytest.mark.parametrize("which", [1, 4, 8])
def test_a_damaged_header_costs_its_message_only(tmp_path: Path, place: int, value: int, which: int) -> None:
    data, spans = several()
    damaged = bytearray(data)
    start, end = spans[which]
    struct.pack_into("<Q", damaged, start + place, value)
    outcome, out = recovered(tmp_path, bytes(damaged))
    kept = payloads(out)
    expected = payloads(data)
    assert [each for each in expected if each in kept] == [*expected[:which], *expected[which + 1 :]]
    assert len(kept) == len(expected) - 1
    assert outcome.dropped[0].start in (start, start + MESSAGE_HEADER.size + value)
    assert outcome.dropped[-1].end >= end


def test_damaged_contents_cost_their_message_only(tmp_path: Path) -> None:
    data, spans = several()
    damaged = bytearray(data)
    start, end = spans[3]
    damaged[start + 40 : start + 80] = bytes(40)
    outcome, out = recovered(tmp_path, bytes(damaged))
    assert payloads(out) == [each for at, each in enumerate(payloads(data)) if at != 3]
    assert [(each.start, each.end) for each in outcome.dropped] == [(start, end)]


def test_a_stretch_of_noise_costs_what_it_hits(tmp_path: Path) -> None:
    data, spans = several()
    chooser = random.Random(1)
    for _ in range(60):
        damaged = bytearray(data)
        start = chooser.randrange(spans[0][0], spans[-1][0])
        end = min(start + chooser.randrange(1, 600), spans[-1][0])
        damaged[start:end] = chooser.randbytes(end - start)
        _, out = recovered(tmp_path, bytes(damaged))
        kept = payloads(out)
        for (first, last), payload in zip(spans, payloads(data), strict=False):
            if last <= start or first >= end:
                assert payload in kept, (start, end, first)


def test_a_damaged_header_of_the_stream(tmp_path: Path) -> None:
    data = bytearray(everything())
    data[4:12] = bytes(8)
    with pytest.raises(RrdError, match="0.0.0"):
        recovered(tmp_path, bytes(data))
    data[:12] = b"x" * 12
    outcome, out = recovered(tmp_path, bytes(data))
    assert payloads(out) == payloads(everything()[:12] + bytes(data[12:]))
    assert outcome.dropped[0].end == 12


def test_streams_one_after_the_other_become_one(tmp_path: Path) -> None:
    first, second = everything(), stream_of(messages_of(scalar_chunk("/more")))
    outcome, out = recovered(tmp_path, first + second)
    assert payloads(out) == payloads(first) + payloads(second)
    assert outcome.was_complete
    outcome, out = recovered(tmp_path, first[:-40] + second)
    assert payloads(out) == payloads(first) + payloads(second)


def test_the_file_may_be_replaced_by_itself(tmp_path: Path) -> None:
    path = one_recording(tmp_path / "one.bin", write_footer=False)
    before = payloads(path.read_bytes())
    with pytest.raises(FileExistsError, match="--force"):
        recover(path, path)
    recover(path, path, force=True)
    assert payloads(path.read_bytes()) == before
    assert_footer_is_right(path)
    assert [each.name for each in tmp_path.iterdir()] == ["one.bin"]


def test_progress_goes_from_nothing_to_everything(tmp_path: Path) -> None:
    path = one_recording(tmp_path / "one.bin", chunks() * 3)
    told: list[tuple[int, int]] = []
    recover(path, tmp_path / "out.bin", on_progress=lambda done, total: told.append((done, total)))
    size = path.stat().st_size
    assert told == sorted(told)
    assert told[-1] == (size, size)


@pytest.mark.parametrize("count", [16, 31, 32, 33, 48, 4096, 4096 + 5, 1 << 20])
def test_zeros_are_one_stretch_and_no_ends_of_streams(tmp_path: Path, count: int) -> None:
    # The chunks do not say of which application their recording is: it has to be kept in mind.
    old = STORE._replace(application_id="")
    sent = [chunk_message(old, scalar_chunk(f"/e{number}")) for number in range(3)]
    data = stream_of([announcement(), *sent])
    place = list(iter_messages(data))[2].offset - MESSAGE_HEADER.size
    outcome, out = recovered(tmp_path, data[:place] + bytes(count) + data[place:])
    assert outcome.chunks == 3
    assert [(each.start, each.end) for each in outcome.dropped] == [(place, place + count)]
    assert payloads(out) == payloads(recovered(tmp_path, data)[1])
    outcome, _ = recovered(tmp_path, data[:place] + bytes(count))
    assert outcome.chunks == 1
    assert outcome.dropped_bytes == (0 if count == 16 else count)
    assert outcome.num_dropped == bool(outcome.dropped_bytes)


def test_damage_that_repeats_itself_is_told_once(tmp_path: Path) -> None:
    data, spans = several()
    start = spans[3][0]
    rubbish = MESSAGE_HEADER.pack(MessageKind.SET_STORE_INFO, 24) + b"\x0a" + bytes(23)
    outcome, out = recovered(tmp_path, data[:start] + 50 * rubbish + data[start:])
    assert payloads(out) == payloads(data)
    assert [(each.start, each.nbytes) for each in outcome.dropped] == [(start, 50 * len(rubbish))]
