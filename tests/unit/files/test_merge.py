"""Several files become one: recordings apart, the same one joined, every chunk once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from aiorerun.codec.errors import RrdError
from aiorerun.codec.framing import MESSAGE_HEADER, MessageKind
from aiorerun.files.merge import merge
from tests.unit.codec.building import STORE, messages_of, stream_of
from tests.unit.files.making import assert_footer_is_right, chunk_payloads, payloads, scalars
from tests.unit.recording.making import OTHER, everything

if TYPE_CHECKING:
    from pathlib import Path

    from aiorerun.files.reading import Note


def written(folder: Path, *streams: bytes) -> list[Path]:
    """Files with these streams."""
    paths = [folder / f"{number}.bin" for number in range(len(streams))]
    for path, data in zip(paths, streams, strict=True):
        path.write_bytes(data)
    return paths


def test_recordings_are_joined_and_kept_apart(tmp_path: Path) -> None:
    made = [scalars(f"/{number}", [number]) for number in range(6)]
    streams = [
        stream_of(messages_of(*made[:2])),
        stream_of([*messages_of(made[1], made[2]), *messages_of(*made[3:5], store=OTHER)]),
        stream_of(messages_of(made[0], made[5])),
    ]
    output = tmp_path / "out.bin"
    outcome = merge(written(tmp_path, *streams), output)
    assert (outcome.stores, outcome.chunks, outcome.rows, outcome.repeated) == (2, 6, 6, 2)
    assert outcome.nbytes == output.stat().st_size
    assert outcome.has_footer
    whole = [payload for data in streams for payload in chunk_payloads(data)]
    assert chunk_payloads(output.read_bytes()) == list(dict.fromkeys(whole))
    announced = [kind for kind, _ in payloads(output.read_bytes()) if kind == MessageKind.SET_STORE_INFO]
    assert len(announced) == 2
    assert_footer_is_right(output)


def test_the_same_chunk_of_two_recordings_stays_in_both(tmp_path: Path) -> None:
    made = scalars("/a", [1])
    outcome = merge(
        written(tmp_path, stream_of(messages_of(made)), stream_of(messages_of(made, store=OTHER))),
        tmp_path / "out.bin",
    )
    assert (outcome.chunks, outcome.repeated) == (2, 0)


def test_one_file_alone_keeps_everything(tmp_path: Path) -> None:
    (path,) = written(tmp_path, everything())
    merge([path], tmp_path / "out.bin")
    assert (tmp_path / "out.bin").read_bytes() == everything_of(path)
    merge([path, path], tmp_path / "out.bin", force=True)
    assert chunk_payloads((tmp_path / "out.bin").read_bytes()) == chunk_payloads(everything_of(path))


def everything_of(path: Path) -> bytes:
    return path.read_bytes()


def test_an_incomplete_end_is_left_out_and_said(tmp_path: Path) -> None:
    data = stream_of(messages_of(scalars("/a", [1]), scalars("/b", [2])), write_footer=False)
    notes: list[Note] = []
    paths = written(tmp_path, data[:-5], data)
    outcome = merge(paths, tmp_path / "out.bin", on_note=notes.append)
    assert outcome.chunks == 2
    (note,) = notes
    assert note.name == str(paths[0])
    assert "cut off" in note.text
    assert data[note.offset :][:8] == MESSAGE_HEADER.pack(MessageKind.ARROW_MSG, 0)[:8]


def test_damage_is_an_error_unless_it_is_to_be_left_out(tmp_path: Path) -> None:
    data = bytearray(stream_of(messages_of(scalars("/a", [1]), scalars("/b", [2]))))
    data[300:340] = bytes(40)
    paths = written(tmp_path, bytes(data))
    with pytest.raises(RrdError) as caught:
        merge(paths, tmp_path / "out.bin")
    assert str(paths[0]) in caught.value.__notes__[0]
    assert not (tmp_path / "out.bin").exists()
    notes: list[Note] = []
    outcome = merge(paths, tmp_path / "out.bin", continue_on_error=True, on_note=notes.append)
    assert outcome.chunks == 1
    assert "left out" in notes[0].text


def test_other_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(RrdError, match="not an RRD stream"):
        merge(written(tmp_path, b"x" * 100), tmp_path / "out.bin")
    with pytest.raises(FileNotFoundError):
        merge([tmp_path / "missing"], tmp_path / "out.bin")
    assert [each.name for each in tmp_path.iterdir()] == ["0.bin"]


def test_progress_counts_all_files(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    paths = written(tmp_path, everything(), everything())
    merge(paths, tmp_path / "out.bin", on_progress=lambda done, total: told.append((done, total)))
    size = 2 * len(everything())
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    assert told[-1][0] > size - 3000
    assert {total for _, total in told} == {sum(path.stat().st_size for path in paths)}
    assert STORE != OTHER
